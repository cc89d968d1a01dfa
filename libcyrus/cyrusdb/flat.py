r"""The flat backend: one sorted text file, rewritten whole by each commit.

On disk a record is ``key TAB data LF``, in mailbox order (see ``order``).
Inside key and data the bytes NUL, TAB, CR and LF are written as 0xff and the
byte with its top bit set; 0xff itself is doubled.

Locking: a writer holds an exclusive lock on the file while it prepares
``PATH.NEW``, which then takes the file's name. Readers lock nothing: what they
have open stays whole. Both look whether the name still means the same file.

Durability: the new file is synced before its rename, the directory after it.
The original omits the second, and may lose its last commit in a power cut.
"""

from __future__ import annotations

import logging
import os
import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Self

from libcyrus.base import files, lock, xlog
from libcyrus.errors import AlreadyExists, DatabaseCorrupt, InternalError, NotFound

from .failure import failed, reported
from .order import mailbox_order

log = logging.getLogger(__name__)

_UNSAFE = re.compile(rb"[\0\t\r\n\xff]")
_ESCAPED = re.compile(rb"\xff(.?)", re.DOTALL)


def escape(text: bytes) -> bytes:
    """Key or data as it stands in the file."""
    return _UNSAFE.sub(lambda match: b"\xff" + bytes((match[0][0] | 0x80,)), text)


def unescape(text: bytes) -> bytes:
    """The reverse of ``escape``. A lone 0xff at the end is dropped."""
    if b"\xff" not in text:
        return text
    return _ESCAPED.sub(_unescaped, text)


def _unescaped(match: re.Match[bytes]) -> bytes:
    byte = match[1]
    return byte if byte in (b"", b"\xff") else bytes((byte[0] & 0x7F,))


def pack(records: dict[bytes, bytes]) -> bytes:
    """The content of a file."""
    lines = [(escape(key), escape(data)) for key, data in records.items()]
    lines.sort(key=lambda line: mailbox_order(line[0]))
    return b"".join([b"%b\t%b\n" % line for line in lines])


def unpack(content: bytes) -> dict[bytes, bytes]:
    """Read a file's content; raises ``DatabaseCorrupt`` for a line without TAB.

    A last line without LF counts: people write these files by hand. (The
    original does not find it, and joins it to what it writes next.)
    """
    records: dict[bytes, bytes] = {}
    for line in content.removesuffix(b"\n").split(b"\n") if content else ():
        key, tab, data = line.partition(b"\t")
        if not tab:
            raise DatabaseCorrupt("flat file has a line without TAB")
        records[unescape(key)] = unescape(data)
    return records


def build(path: str, records: Iterable[tuple[bytes, bytes]]) -> None:
    """Write a new file at ``path``, and sync it. Raises OSError, and leaves nothing then."""
    files.replace(path, pack(dict(records)), mode=0o644, temporary=path, sync_name=False)


class _Content:
    """The records of one state of the file, with their order worked out when it is asked for."""

    __slots__ = ("_order", "_ranks", "records")

    def __init__(self, records: dict[bytes, bytes]) -> None:
        self.records = records
        self._ranks: list[bytes] | None = None
        self._order: list[bytes] = []

    def put(self, key: bytes, data: bytes) -> None:
        if key not in self.records:
            self._ranks = None
        self.records[key] = data

    def remove(self, key: bytes) -> None:
        del self.records[key]
        self._ranks = None

    def after(self, key: bytes, *, inclusive: bool = False) -> bytes | None:
        """The first key behind ``key`` (or at it), None at the end."""
        if self._ranks is None:
            self._order = sorted(self.records, key=_rank)
            self._ranks = [_rank(name) for name in self._order]
        find = bisect_left if inclusive else bisect_right
        index = find(self._ranks, _rank(key))
        return self._order[index] if index < len(self._order) else None

    def copy(self) -> _Content:
        return _Content(self.records.copy())


class FlatDatabase:
    """See ``interface.Database``."""

    backend = "flat"

    def __init__(self, path: str | os.PathLike[str], *, create: bool = False) -> None:
        self.path = os.fspath(path)
        self._signature: tuple[int, int, int] | None = None
        self._content = _Content({})
        self._transaction: FlatTransaction | None = None
        with reported(log, self.path):
            if not os.path.exists(self.path):
                if not create:
                    raise NotFound()
                os.close(files.open_making_dirs(self.path, os.O_RDWR | os.O_CREAT, 0o644))
        self._load()

    def fetch(self, key: bytes) -> bytes | None:
        return self._current().records.get(key)

    def fetchnext(self, key: bytes) -> tuple[bytes, bytes] | None:
        content = self._current()
        found = content.after(key)
        return None if found is None else (found, content.records[found])

    def foreach(self, prefix: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        return _walk(self._current, prefix)

    def store(self, key: bytes, data: bytes) -> None:
        with self.transaction() as changes:
            changes.store(key, data)

    def create(self, key: bytes, data: bytes) -> None:
        with self.transaction() as changes:
            changes.create(key, data)

    def delete(self, key: bytes, *, force: bool = True) -> None:
        with self.transaction() as changes:
            changes.delete(key, force=force)

    def transaction(self, *, shared: bool = False) -> FlatTransaction:
        if self._transaction is not None:
            raise InternalError("a transaction is open on this database")
        with reported(log, self.path):
            fd = os.open(self.path, os.O_RDWR | os.O_CLOEXEC)
            try:
                reopen = lock.reopen_shared if shared else lock.reopen_exclusive
                reopen(fd, self.path)
                content = self._load()
            except BaseException:
                lock.release_and_close(fd)
                raise
        self._transaction = FlatTransaction(self, fd, content if shared else content.copy(), shared)
        return self._transaction

    def compare_key(self, key: bytes) -> bytes:
        return _rank(key)

    def consistent(self) -> None:
        """The original has no check of a flat file; ours reads it, and looks at the order of its keys."""
        with reported(log, self.path), open(self.path, "rb") as stream:
            content = stream.read()
        ranks = [_rank(key) for key in unpack(content)]
        if ranks != sorted(ranks):
            raise DatabaseCorrupt("flat file is not in order")

    def repack(self) -> None:
        """Nothing to do: every commit is a repack."""

    def maintain(self) -> None:
        """Nothing to do."""

    def dump(self, detail: int = 1) -> Iterator[str]:
        return iter(())

    def close(self) -> None:
        if self._transaction is not None:
            self._transaction.abort()
        self._content = _Content({})
        self._signature = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _current(self) -> _Content:
        return self._transaction.content if self._transaction is not None else self._load()

    def _load(self) -> _Content:
        """The file's present content, from memory while inode, size and time of change are the same."""
        with reported(log, self.path):
            status = os.stat(self.path)
            signature = (status.st_ino, status.st_size, status.st_mtime_ns)
            if signature != self._signature:
                with open(self.path, "rb") as stream:
                    status = os.fstat(stream.fileno())
                    content = stream.read()
                try:
                    self._content = _Content(unpack(content))
                except DatabaseCorrupt as error:
                    xlog.xsyslog(log, logging.ERROR, f"DBERROR: {error}", fname=self.path)
                    raise
                self._signature = (status.st_ino, status.st_size, status.st_mtime_ns)
        return self._content

    def _replace(self, content: _Content) -> None:
        files.replace(self.path, pack(content.records), mode=0o666)
        self._signature = None

    def _ended(self) -> None:
        self._transaction = None


class FlatTransaction:
    """See ``interface.Transaction``. Changes a copy of the records."""

    def __init__(self, database: FlatDatabase, fd: int, content: _Content, shared: bool) -> None:
        self._database = database
        self._fd = fd
        self._shared = shared
        self._changed = False
        self.content = content

    def fetch(self, key: bytes) -> bytes | None:
        return self.content.records.get(key)

    def fetchnext(self, key: bytes) -> tuple[bytes, bytes] | None:
        found = self.content.after(key)
        return None if found is None else (found, self.content.records[found])

    def foreach(self, prefix: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        return _walk(lambda: self.content, prefix)

    def store(self, key: bytes, data: bytes) -> None:
        self._may_write(key)
        if self.content.records.get(key) != data:
            self.content.put(key, data)
            self._changed = True

    def create(self, key: bytes, data: bytes) -> None:
        if key in self.content.records:
            raise AlreadyExists()
        self.store(key, data)

    def delete(self, key: bytes, *, force: bool = True) -> None:
        self._may_write(key)
        if key in self.content.records:
            self.content.remove(key)
            self._changed = True
        elif not force:
            raise NotFound()

    def commit(self) -> None:
        if self._fd < 0:
            raise InternalError("the transaction has ended")
        try:
            if self._changed:
                self._database._replace(self.content)
        except OSError as error:
            raise failed(log, self._database.path, error) from error
        finally:
            self._end()

    def abort(self) -> None:
        if self._fd >= 0:
            self._end()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self.abort()
        elif self._fd >= 0:
            self.commit()

    def _may_write(self, key: bytes) -> None:
        if self._shared or self._fd < 0:
            reason = "is for reading" if self._shared else "has ended"
            raise InternalError(f"the transaction {reason}")
        if not key:
            raise InternalError("a key may not be empty")

    def _end(self) -> None:
        fd, self._fd = self._fd, -1
        lock.release_and_close(fd)
        self._database._ended()


def _rank(key: bytes) -> bytes:
    return mailbox_order(escape(key))


def _walk(current: Callable[[], _Content], prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
    content = current()
    key = content.after(prefix, inclusive=True)
    while key is not None and key.startswith(prefix):
        yield key, content.records[key]
        content = current()
        key = content.after(key)
