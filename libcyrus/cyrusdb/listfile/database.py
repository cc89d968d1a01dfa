"""The database interface over a linked file."""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import Generic, Self

from libcyrus.errors import CyrusError, DatabaseCorrupt, InternalError

from .file import ListFile, R, log
from .transaction import ListTransaction

# another process may break the file again before we have locked what recovery made
_ATTEMPTS = 10
_FIRST_BATCH = 16
_LARGEST_BATCH = 1024
_BATCH_BYTES = 1 << 20


class ListDatabase(Generic[R]):
    """See ``interface.Database``.

    After a commit that left the file outgrown, ``maintain`` or ``close`` repacks
    it. Should nobody call them, the commit does so itself when the file has
    doubled once more.
    """

    def __init__(self, file: ListFile[R], *, create: bool = False) -> None:
        self.path = file.path
        self._file = file
        self._transaction: ListTransaction[R] | None = None
        self._commits = 0
        self._outgrown_at = 0
        self._file.open(create=create)
        try:
            self._lock_shared()
        except BaseException:
            self._file.close()
            raise
        self._file.unlock()

    @property
    def backend(self) -> str:
        return self._file.backend

    def fetch(self, key: bytes) -> bytes | None:
        if self._transaction is not None:
            return self._transaction.fetch(key)
        known = self._file.recall(key)
        if known is not None:
            return known[0]
        file = self._lock_shared()
        try:
            return file.fetch(key)
        except DatabaseCorrupt as error:
            raise file.corrupt(error) from None
        finally:
            file.unlock()

    def fetchnext(self, key: bytes) -> tuple[bytes, bytes] | None:
        if self._transaction is not None:
            return self._transaction.fetchnext(key)
        return next(self._walk(key, b"", inclusive=False, batch=1), None)

    def foreach(self, prefix: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        if self._transaction is not None:
            return self._transaction.foreach(prefix)
        return self._walk(prefix, prefix, inclusive=True, batch=_FIRST_BATCH)

    def store(self, key: bytes, data: bytes) -> None:
        with self.transaction() as changes:
            changes.store(key, data)

    def create(self, key: bytes, data: bytes) -> None:
        with self.transaction() as changes:
            changes.create(key, data)

    def delete(self, key: bytes, *, force: bool = True) -> None:
        with self.transaction() as changes:
            changes.delete(key, force=force)

    def transaction(self, *, shared: bool = False) -> ListTransaction[R]:
        if self._transaction is not None:
            raise InternalError("a transaction is open on this database")
        if shared:
            self._lock_shared()
        else:
            self._lock_exclusive()
        self._transaction = ListTransaction(self._file, shared=shared, ended=self._ended)
        return self._transaction

    def compare_key(self, key: bytes) -> bytes:
        return self._file.rank(key)

    def consistent(self) -> None:
        file = self._lock_shared()
        try:
            file.check()
        except DatabaseCorrupt as error:
            raise file.corrupt(error) from None
        finally:
            file.unlock()

    def repack(self) -> None:
        if self._transaction is not None:
            raise InternalError("a transaction is open on this database")
        file = self._lock_exclusive()
        try:
            file.repack()
        except DatabaseCorrupt as error:
            raise file.corrupt(error) from None
        except OSError as error:
            raise file.failure(error) from error
        finally:
            file.unlock()
        self._outgrown_at = 0

    def maintain(self) -> None:
        if not self._outgrown_at or self._transaction is not None:
            return
        self._outgrown_at = 0
        try:
            file = self._lock_exclusive()
        except CyrusError:
            return  # logged; what was committed is safe, and there may be no file any more
        try:
            if file.outgrown():
                file.repack()
        except DatabaseCorrupt as error:
            file.corrupt(error)
            log.error("db %s, inconsistent pre-checkpoint, bailing out", self.path)
        except OSError as error:
            file.failure(error)
        finally:
            file.unlock()

    def dump(self, detail: int = 1) -> Iterator[str]:
        file = self._lock_shared()
        try:
            yield from file.describe(detail)
        finally:
            file.unlock()

    def close(self) -> None:
        if self._transaction is not None:
            self._transaction.abort()
        if self._file.fd >= 0:
            self.maintain()
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _walk(
        self, key: bytes, prefix: bytes, *, inclusive: bool, batch: int
    ) -> Iterator[tuple[bytes, bytes]]:
        """Records in order, fetched in growing batches, each under a lock of its own.

        The rest of a batch is dropped when this process changes the database
        meanwhile, so that it sees its own changes. A place in the file stays
        good while the file's state does; otherwise the last key leads back.
        """
        place: int | None = None
        state: object = None
        while True:
            if self._transaction is not None:
                yield from self._transaction.walk(key, prefix, inclusive=inclusive)
                return
            commits = self._commits
            file = self._lock_shared()
            try:
                if state != file.state():
                    exact, behind = file.locate(key)
                    place = exact if exact and inclusive else behind
                    state = file.state()
                found, place = file.collect(place or 0, prefix, batch, _BATCH_BYTES)
            except DatabaseCorrupt as error:
                raise file.corrupt(error) from None
            finally:
                file.unlock()
            inclusive = False
            for record in found:
                key = record[0]
                yield record
                if commits != self._commits or self._transaction is not None:
                    state = None
                    break
            else:
                if not place:
                    return
            batch = min(batch * 4, _LARGEST_BATCH)

    def _lock_shared(self) -> ListFile[R]:
        file = self._file
        while not file.lock_shared():
            self._lock_exclusive()
            file.unlock()
        return file

    def _lock_exclusive(self) -> ListFile[R]:
        file = self._file
        file.lock_exclusive()
        for _attempt in range(_ATTEMPTS):
            if file.is_clean():
                return file
            try:
                file.recover()
            except DatabaseCorrupt as error:
                file.unlock()
                raise file.corrupt(error) from None
            except OSError as error:
                file.unlock()
                raise file.failure(error) from error
        if not file.is_clean():
            file.unlock()
            raise file.corrupt(DatabaseCorrupt("recovery does not last"))
        return file

    def _ended(self, changed: bool) -> None:
        """The transaction is over and the lock is gone."""
        self._transaction = None
        if changed:
            self._commits += 1
            size = self._file.end
            if self._file.outgrown():
                self._outgrown_at = self._outgrown_at or size
                if size > 2 * self._outgrown_at:
                    self.maintain()
