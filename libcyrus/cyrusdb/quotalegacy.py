"""The quotalegacy backend: one small file for each quota root.

Only for quota roots. The key is the root's internal mailbox name, and the path
given to ``open`` only says in which directory all of it lies::

    DIR/quota/HASH/ROOT
    DIR/domain/HASH/DOMAIN/quota/HASH/ROOT      for DOMAIN!ROOT, with virtdomains
    DIR/domain/HASH/DOMAIN/quota/root           for DOMAIN!

HASH is the hash letter of what follows the root's first dot. A file holds its
value and LF. A value that is not a dlist (does not begin with ``%``) has LF in
the place of its first space: used, LF, limit.

Locking: a writer holds an exclusive lock on each root's own file until the
commit, which replaces the file, or overwrites it when just its digits change,
as with nearly every message: a new file would cost more than the rest of a
delivery. The original finds its way with both, since it reads under the same
lock what it is going to change. Readers outside a transaction lock nothing, so
what they read may, once in a long while, be half of one value and half of the next.
A transaction of several roots commits them one after the other. Storing a root
that the same transaction saw missing raises ``Again`` if another process has
made it since.

Durability: content is synced before a rename. The directory is synced when
the root is new or removed; what replaces or overwrites an existing root may be
undone by a power cut, which leaves an older usage, whole: it lies within one
sector. The original too leaves the new name to chance, and usage can be counted again.
``make_lasting`` is for what cannot.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Self

from libcyrus.base import files, lock, xlog
from libcyrus.base.dataclasses import dataclass
from libcyrus.base.dirhash import hash_letter
from libcyrus.errors import Again, AlreadyExists, DatabaseCorrupt, InternalError, IoError, NotFound

from .failure import failed, reported
from .order import byte_order, mailbox_order

log = logging.getLogger(__name__)

# what a disk writes whole or not at all
_SECTOR = 512


def unpack(content: bytes) -> bytes:
    """A file's content as a value. Empty (a root being made) is an empty value."""
    if not content:
        return b""
    if not content.endswith(b"\n"):
        raise DatabaseCorrupt("quota file does not end in a newline")
    content = content[:-1]
    return content if content.startswith(b"%") else content.replace(b"\n", b" ", 1)


def pack(value: bytes) -> bytes:
    """A value as a file's content."""
    if not value.startswith(b"%"):
        value = value.replace(b" ", b"\n", 1)
    return value + b"\n"


class QuotaLegacyDatabase:
    """See ``interface.Database``."""

    backend = "quotalegacy"

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        create: bool = False,
        mboxsort: bool = False,
        fulldirhash: bool = False,
        virtdomains: bool = False,
    ) -> None:
        self.path = os.fspath(path)
        self._top = os.path.dirname(self.path)
        self._rank = mailbox_order if mboxsort else byte_order
        self._fulldirhash = fulldirhash
        self._virtdomains = virtdomains
        self._transaction: QuotaLegacyTransaction | None = None
        if not os.path.isdir(self._top or "."):
            if not create:
                raise IoError()
            with reported(log, self.path):
                files.mkdirs(self._top)

    def fetch(self, key: bytes) -> bytes | None:
        if self._transaction is not None:
            return self._transaction.fetch(key)
        return self.read(self.file_of(key))

    def fetchnext(self, key: bytes) -> tuple[bytes, bytes] | None:
        return self._next(key, self.fetch)

    def foreach(self, prefix: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        for key in self.keys(prefix):
            value = self.fetch(key)
            if value is not None:
                yield key, value

    def store(self, key: bytes, data: bytes) -> None:
        with self.transaction() as changes:
            changes.store(key, data)

    def create(self, key: bytes, data: bytes) -> None:
        with self.transaction() as changes:
            changes.create(key, data)

    def delete(self, key: bytes, *, force: bool = True) -> None:
        with self.transaction() as changes:
            changes.delete(key, force=force)

    def transaction(self, *, shared: bool = False) -> QuotaLegacyTransaction:
        if self._transaction is not None:
            raise InternalError("a transaction is open on this database")
        self._transaction = QuotaLegacyTransaction(self, shared)
        return self._transaction

    def compare_key(self, key: bytes) -> bytes:
        return self._rank(key)

    def consistent(self) -> None:
        for _record in self.foreach():
            pass

    def repack(self) -> None:
        """Nothing to do: a file holds one value."""

    def maintain(self) -> None:
        """Nothing to do."""

    def dump(self, detail: int = 1) -> Iterator[str]:
        return iter(())

    def close(self) -> None:
        if self._transaction is not None:
            self._transaction.abort()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def file_of(self, key: bytes) -> str:
        """The path of a root's file."""
        if not key or b"/" in key or b"\0" in key or key in (b".", b".."):
            raise InternalError("this cannot be a quota root")
        top, root = self._top, os.fsdecode(key)
        if self._virtdomains and "!" in root:
            domain, _, root = root.partition("!")
            if domain in ("", ".", ".."):
                raise InternalError("this cannot be a quota root")
            top = f"{top}/domain/{hash_letter(domain, full=self._fulldirhash)}/{domain}"
            if not root:
                return f"{top}/quota/root"
        _, dot, rest = root.partition(".")
        return f"{top}/quota/{hash_letter(rest if dot else root, full=self._fulldirhash)}/{root}"

    def make_lasting(self, key: bytes) -> None:
        """Have a power cut not take back what was committed of a root. Raises IoError."""
        path = self.file_of(key)
        with reported(log, path):
            files.sync_contents([path])
            files.fsync_dir(os.path.dirname(path))

    def keys(self, prefix: bytes) -> list[bytes]:
        """All roots that begin with ``prefix``, in order."""
        wanted = os.fsdecode(prefix)
        found: list[str] = []
        with reported(log, self.path):
            if not (self._virtdomains and "!" in wanted):
                found += _roots(f"{self._top}/quota", wanted, self._fulldirhash)
            if self._virtdomains:
                domain, mark, rest = wanted.partition("!")
                for name, top in _domains(f"{self._top}/domain"):
                    if name == domain if mark else name.startswith(wanted):
                        roots = _roots(f"{top}/quota", rest, self._fulldirhash)
                        found += [f"{name}!{root}" for root in roots]
                        if not rest and os.path.exists(f"{top}/quota/root"):
                            found.append(name + "!")
        return sorted((os.fsencode(root) for root in found), key=self._rank)

    def read(self, path: str) -> bytes | None:
        """One file's value, without locking."""
        try:
            content = files.read_all(path)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise failed(log, path, error) from error
        try:
            return unpack(content)
        except DatabaseCorrupt as error:
            if path.endswith(".NEW") and os.path.exists(path[:-4]):
                return None  # the original is just writing it
            xlog.xsyslog(log, logging.ERROR, f"DBERROR: {error}", fname=path)
            raise

    def _next(self, key: bytes, fetch: Callable[[bytes], bytes | None]) -> tuple[bytes, bytes] | None:
        rank = self._rank(key)
        for name in self.keys(b""):
            if self._rank(name) > rank and (value := fetch(name)) is not None:
                return name, value
        return None

    def _ended(self) -> None:
        self._transaction = None


@dataclass(slots=True)
class _Root:
    """One root in a transaction: its locked descriptor (-1: there is no file) and what is to become of it.

    ``size`` is what the file has on disk.
    """

    fd: int
    fresh: bool
    value: bytes | None
    size: int = 0
    changed: bool = False
    missed: bool = False
    """The caller was told that there is none, and no lock keeps others from making it."""
    damage: DatabaseCorrupt | None = None
    """The file cannot be read. It can be overwritten or removed."""


class QuotaLegacyTransaction:
    """See ``interface.Transaction``. Every root that is touched stays locked to the end."""

    def __init__(self, database: QuotaLegacyDatabase, shared: bool) -> None:
        self._database = database
        self._shared = shared
        self._roots: dict[str, _Root] = {}
        self._open = True

    def fetch(self, key: bytes) -> bytes | None:
        path = self._database.file_of(key)
        if self._shared:
            return self._database.read(path)
        root = self._enter(path)
        root.missed = root.fd < 0
        if root.damage is not None and not root.changed:
            raise root.damage
        return root.value

    def fetchnext(self, key: bytes) -> tuple[bytes, bytes] | None:
        return self._database._next(key, self.fetch)

    def foreach(self, prefix: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        for key in self._database.keys(prefix):
            value = self.fetch(key)
            if value is not None:
                yield key, value

    def store(self, key: bytes, data: bytes) -> None:
        self._write(key, data, overwrite=True)

    def create(self, key: bytes, data: bytes) -> None:
        self._write(key, data, overwrite=False)

    def delete(self, key: bytes, *, force: bool = True) -> None:
        self._may_write()
        root = self._enter(self._database.file_of(key))
        if root.value is None:
            if not force:
                raise NotFound()
            return
        root.value, root.changed = None, True

    def commit(self) -> None:
        if not self._open:
            raise InternalError("the transaction has ended")
        try:
            for path, root in self._roots.items():
                if root.changed:
                    with reported(log, path):
                        _put(path, root)
        finally:
            self.abort()

    def abort(self) -> None:
        for path, root in self._roots.items():
            if root.fresh:
                files.remove(path)
            if root.fd >= 0:
                lock.release_and_close(root.fd)
        self._roots.clear()
        if self._open:
            self._open = False
            self._database._ended()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self.abort()
        elif self._open:
            self.commit()

    def _write(self, key: bytes, data: bytes, *, overwrite: bool) -> None:
        self._may_write()
        path = self._database.file_of(key)
        root = self._enter(path)
        if root.value is not None and not overwrite:
            raise AlreadyExists()
        if root.fd < 0:
            missed = root.missed
            with reported(log, path):
                self._roots[path] = root = _locked(path, create=True)
            if missed and not root.fresh:
                raise Again()
        if root.value != data or root.damage is not None:
            root.value, root.changed = data, True

    def _enter(self, path: str) -> _Root:
        root = self._roots.get(path)
        if root is None:
            with reported(log, path):
                root = self._roots[path] = _locked(path, create=False)
        return root

    def _may_write(self) -> None:
        if self._shared or not self._open:
            reason = "is for reading" if self._shared else "has ended"
            raise InternalError(f"the transaction {reason}")


def _locked(path: str, *, create: bool) -> _Root:
    """Lock a root's file. One that another process removes while we wait is looked for again."""
    while True:
        fresh = False
        try:
            fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            if not create:
                return _Root(-1, fresh=False, value=None)
            try:
                fd = files.open_making_dirs(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)
            except FileExistsError:
                continue
            fresh = True
        try:
            status, changed = lock.reopen_exclusive(fd, path)
            content = os.pread(fd, status.st_size, 0)
            root = _Root(fd, fresh=fresh and not changed and not content, value=None, size=len(content))
            if not root.fresh:
                try:
                    root.value = unpack(content)
                except DatabaseCorrupt as error:
                    root.value, root.damage = content, error
        except lock.ReopenError as error:
            os.close(fd)
            if isinstance(error.__cause__, FileNotFoundError):
                continue
            raise
        except BaseException:
            lock.release_and_close(fd)
            raise
        return root


def _put(path: str, root: _Root) -> None:
    """Carry out one root's change.

    The new file is prepared beside the hash directories, not in one: there a
    listing of all roots would take it for a root.
    """
    directory = os.path.dirname(path)
    if root.value is None:
        os.unlink(path)
        root.fresh = False
        files.fsync_dir(directory)
        return
    content = pack(root.value)
    if len(content) == root.size <= _SECTOR:
        files.pwrite_all(root.fd, content, 0)
        return
    quota = directory if os.path.basename(directory) == "quota" else os.path.dirname(directory)
    temporary = f"{quota}/{os.path.basename(path)}.NEW"
    files.replace(path, content, mode=0o666, temporary=temporary, sync_name=root.fresh)
    root.fresh = False


def _domains(top: str) -> Iterator[tuple[str, str]]:
    for letter in _names(top):
        for name in _names(f"{top}/{letter}"):
            yield name, f"{top}/{letter}/{name}"


def _roots(quota: str, prefix: str, fulldirhash: bool) -> Iterator[str]:
    """The names in the hash directories; in one of them only, where the prefix settles the letter."""
    _, _, rest = prefix.partition(".")
    letters = [hash_letter(rest)] if rest and not fulldirhash else _names(quota)
    for letter in letters:
        if len(letter) == 1:
            yield from (name for name in _names(f"{quota}/{letter}") if name.startswith(prefix))


def _names(directory: str) -> list[str]:
    try:
        return os.listdir(directory)
    except (FileNotFoundError, NotADirectoryError):
        return []
