"""A transaction on a linked file: reads see its changes, a ``Stage`` holds them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Generic, Self

from libcyrus.errors import AlreadyExists, DatabaseCorrupt, InternalError, IoError, NoSpace, NotFound

from .file import ListFile, R, Stage

_BATCH = 256
_BATCH_BYTES = 1 << 20


class ListTransaction(Generic[R]):
    """See ``interface.Transaction``. Made by ``ListDatabase.transaction``, which took the lock."""

    def __init__(self, file: ListFile[R], *, shared: bool, ended: Callable[[bool], None]) -> None:
        self._file = file
        self._shared = shared
        self._ended = ended
        self._stage: Stage[R] | None = None
        self._open = True
        self._changes = 0

    def fetch(self, key: bytes) -> bytes | None:
        file = self._reading()
        try:
            if self._stage is not None:
                record = self._stage.find(key)
                return None if record is None else self._stage.value(record)
            return file.fetch(key)
        except DatabaseCorrupt as error:
            raise file.corrupt(error) from None

    def fetchnext(self, key: bytes) -> tuple[bytes, bytes] | None:
        return next(self.walk(key, b"", inclusive=False, batch=1), None)

    def foreach(self, prefix: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        return self.walk(prefix, prefix, inclusive=True)

    def store(self, key: bytes, data: bytes) -> None:
        stage = self._writing(key)
        self._changes += 1
        try:
            stage.store(key, data)
        except DatabaseCorrupt as error:
            raise self._file.corrupt(error) from None

    def create(self, key: bytes, data: bytes) -> None:
        if self.fetch(key) is not None:
            raise AlreadyExists()
        self.store(key, data)

    def delete(self, key: bytes, *, force: bool = True) -> None:
        stage = self._writing(key)
        self._changes += 1
        try:
            done = stage.delete(key)
        except DatabaseCorrupt as error:
            raise self._file.corrupt(error) from None
        if not done and not force:
            raise NotFound()

    def walk(
        self, key: bytes, prefix: bytes, *, inclusive: bool, batch: int = _BATCH
    ) -> Iterator[tuple[bytes, bytes]]:
        """Records behind ``key`` (or at it) that begin with ``prefix``; follows changes made meanwhile."""
        file = self._reading()
        if self._stage is None:
            place: int | None = None
            while self._stage is None and place != 0:
                try:
                    if place is None:
                        exact, behind = file.locate(key)
                        place = exact if exact and inclusive else behind
                    found, place = file.collect(place, prefix, batch, _BATCH_BYTES)
                except DatabaseCorrupt as error:
                    raise file.corrupt(error) from None
                inclusive = False
                for record in found:
                    key = record[0]
                    yield record
                    self._reading()
                    if self._stage is not None:
                        break
            if self._stage is None:
                return
        yield from self._walk_stage(self._stage, key, prefix, inclusive=inclusive)

    def _walk_stage(
        self, stage: Stage[R], key: bytes, prefix: bytes, *, inclusive: bool
    ) -> Iterator[tuple[bytes, bytes]]:
        while True:
            try:
                record = stage.after(key, inclusive=inclusive)
                while record is not None and record.key.startswith(prefix):
                    key, changes, inclusive = record.key, self._changes, False
                    yield key, stage.value(record)
                    self._reading()
                    if changes != self._changes:
                        break
                    record = stage.following(record)
                else:
                    return
            except DatabaseCorrupt as error:
                raise self._file.corrupt(error) from None

    def commit(self) -> None:
        if not self._open:
            raise InternalError("the transaction has ended")
        file, stage = self._file, self._stage
        changed = stage is not None and stage.changed
        try:
            if stage is not None:
                stage.commit()
        except OSError as error:
            changed = False
            self._clean_up()
            raise file.failure(error) from error
        finally:
            self._end(changed)

    def abort(self) -> None:
        if self._open:
            self._end(False)

    def break_off(self) -> None:
        """Leave the file as a crash in the middle of ``commit`` would: for tests of recovery."""
        if self._open and self._stage is not None:
            self._stage.break_off()
            self._end(False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self.abort()
        elif self._open:
            self.commit()

    def _reading(self) -> ListFile[R]:
        if not self._open:
            raise InternalError("the transaction has ended")
        return self._file

    def _writing(self, key: bytes) -> Stage[R]:
        self._reading()
        if self._shared:
            raise InternalError("the transaction is for reading")
        if not key:
            raise InternalError("a key may not be empty")
        if self._stage is None:
            self._stage = self._file.stage()
        return self._stage

    def _clean_up(self) -> None:
        """After a failed commit: undo what reached the file, or leave it marked for the next who opens it."""
        file = self._file
        with contextlib.suppress(OSError, DatabaseCorrupt, IoError, NoSpace):
            file.reload()
            if not file.is_clean():
                file.recover()

    def _end(self, changed: bool) -> None:
        self._open = False
        self._stage = None
        try:
            self._file.unlock()
        finally:
            self._ended(changed)
