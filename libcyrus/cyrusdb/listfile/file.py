"""The open file: descriptor, map and locks.

Readers hold a shared lock on the whole file, writers an exclusive one. With
either lock comes the check that the descriptor still is the file of that name
(a repack replaces it), a map of its present size, and a header that was read.
"""

from __future__ import annotations

import logging
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from enum import Enum
from mmap import ACCESS_READ, mmap
from typing import ClassVar, Generic, Protocol, TypeVar

from libcyrus.base import files, lock, xlog
from libcyrus.errors import DatabaseCorrupt, NotFound

from ..failure import failed, reported
from ..order import byte_order, mailbox_order

log = logging.getLogger(__name__)


class Sync(Enum):
    """What a power cut may do. Killing the process loses and breaks nothing in any case."""

    FULL = "full"
    """Lose nothing that was committed."""

    ORDERED = "ordered"
    """Lose the latest commits, never the file. Where a backend cannot tell it from ``FULL``, it is that."""

    NONE = "none"
    """Break the file, which then is ``DatabaseCorrupt``: for what can be made again. No syncs."""


class Keyed(Protocol):
    """A record as the backend holds it."""

    @property
    def key(self) -> bytes: ...


R = TypeVar("R", bound=Keyed)


class Stage(Protocol[R]):
    """The changes of one transaction, and what the database is with them."""

    @property
    def changed(self) -> bool:
        """Whether there is anything to commit."""

    def find(self, key: bytes) -> R | None:
        """The live record of ``key``."""

    def after(self, key: bytes, *, inclusive: bool = False) -> R | None:
        """The first live record behind ``key`` (or at it)."""

    def following(self, record: R) -> R | None:
        """The live record behind one that is still as it was found."""

    def value(self, record: R) -> bytes: ...

    def store(self, key: bytes, value: bytes) -> None: ...

    def delete(self, key: bytes) -> bool: ...

    def commit(self) -> None:
        """Write everything. Raises OSError."""

    def break_off(self) -> None:
        """Do half of a commit, as a process does that is killed then."""


class ListFile(ABC, Generic[R]):
    """See the module. A backend fills in how its file is read and written."""

    backend: ClassVar[str]

    def __init__(self, path: str, *, mboxsort: bool = False, sync: Sync = Sync.FULL) -> None:
        self.path = path
        self.sync = sync
        self.mboxsort = mboxsort
        self.rank: Callable[[bytes], bytes] = mailbox_order if mboxsort else byte_order
        self.fd = -1
        self.map: mmap | bytes = b""
        self.size = 0
        self._inode = 0
        self._owner = 0

    # how the backend's file is read; a lock is held

    @property
    @abstractmethod
    def end(self) -> int:
        """The size of the file at the last commit."""

    @abstractmethod
    def read_header(self) -> None:
        """Look at the header again, where it may have changed. Raises ``DatabaseCorrupt``."""

    @abstractmethod
    def is_clean(self) -> bool:
        """Whether the last commit was completed, and nothing else asks for recovery."""

    @abstractmethod
    def state(self) -> object:
        """Equal only while every place in the file is what it was."""

    @abstractmethod
    def fetch(self, key: bytes) -> bytes | None:
        """The value of a committed record."""

    def recall(self, key: bytes) -> tuple[bytes | None] | None:
        """The value of a record fetched before, in a tuple, if nothing was committed since.

        Takes no lock, so the backend must be able to tell that by a look. None means: lock and ``fetch``.
        """
        return None

    @abstractmethod
    def locate(self, key: bytes) -> tuple[int, int]:
        """Offsets of the committed record with this key and of the first behind it, 0 for none."""

    @abstractmethod
    def collect(
        self, offset: int, prefix: bytes, limit: int, room: int
    ) -> tuple[list[tuple[bytes, bytes]], int]:
        """Walk the list from ``offset``: at most ``limit`` records, at most about ``room`` bytes.

        Returns the records whose key begins with ``prefix``, up to the first that
        does not, and the offset to go on from; 0 at the end.
        """

    @abstractmethod
    def check(self) -> None:
        """Follow every pointer; raises ``DatabaseCorrupt``."""

    @abstractmethod
    def outgrown(self) -> bool:
        """Whether a repack is worth its while."""

    @abstractmethod
    def describe(self, detail: int) -> Iterator[str]:
        """Lines for a developer's eyes."""

    # how it is written; the exclusive lock is held

    @abstractmethod
    def fresh(self) -> bytes:
        """The content of a database without records."""

    @abstractmethod
    def recover(self) -> None:
        """Make the file clean again, keeping the lock.

        Raises ``DatabaseCorrupt`` with the file untouched when nothing can be
        rescued, OSError when writing fails: recovery can then be tried again.
        """

    @abstractmethod
    def repack(self) -> None:
        """Rewrite the file in order, under its exclusive lock.

        Raises ``DatabaseCorrupt`` or OSError with the old file in place.
        """

    @abstractmethod
    def stage(self) -> Stage[R]:
        """Begin to collect changes."""

    @abstractmethod
    def _forget(self) -> None:
        """Nothing that was read before is to be believed any more."""

    # the same for every backend

    def open(self, *, create: bool) -> None:
        """Raises ``NotFound`` when missing and not to be created."""
        try:
            with reported(log, self.path):
                try:
                    self.fd = os.open(self.path, os.O_RDWR | os.O_CLOEXEC)
                except FileNotFoundError:
                    if not create:
                        raise NotFound() from None
                    self.fd = files.open_making_dirs(self.path, os.O_RDWR | os.O_CREAT, 0o644)
                self._owner = os.getpid()
                if not os.fstat(self.fd).st_size:
                    self._initialise()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Also gives up any lock, unless it is the parent's."""
        self._unmap()
        fd, self.fd = self.fd, -1
        if fd >= 0:
            if self._owner == os.getpid():
                lock.release_and_close(fd)
            else:
                os.close(fd)

    def lock_shared(self) -> bool:
        """Wait for a shared lock. False, with no lock, when the file needs recovery first."""
        try:
            self._own()
            status, changed = lock.reopen_shared(self.fd, self.path)
        except OSError as error:
            raise failed(log, self.path, error) from error
        self._look(status, changed)
        if self.is_clean():
            return True
        self.unlock()
        return False

    def lock_exclusive(self) -> None:
        """Wait for an exclusive lock. The caller checks ``is_clean``."""
        with reported(log, self.path):
            self._own()
            status, changed = lock.reopen_exclusive(self.fd, self.path)
        self._look(status, changed)

    def unlock(self) -> None:
        try:
            lock.release(self.fd)
        except OSError as error:
            raise failed(log, self.path, error) from error

    def flush(self) -> None:
        """Wait until what was written cannot be lost, unless syncs are off."""
        if self.sync is not Sync.NONE:
            os.fdatasync(self.fd)

    def remap(self, size: int) -> None:
        """Map the first ``size`` bytes, which the file has."""
        if size != self.size or not self.map:
            self._unmap()
            self.map = mmap(self.fd, size, access=ACCESS_READ) if size else b""
            self.size = size

    def reload(self) -> None:
        """Read map and header again, under the exclusive lock."""
        status = os.fstat(self.fd)
        self._unmap()
        self._inode = status.st_ino
        self.remap(status.st_size)
        self.read_header()

    def adopt(self, path: str) -> None:
        """Take over the file at ``path``, which this one was just rewritten to.

        The exclusive lock passes from the old file to the new one. Whoever opens the database meanwhile finds
        the new file, and must not commit to it before its name is lasting: a power cut would bring back the
        old file, without that commit.
        """
        new = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            lock.exclusive_new(new)
            os.rename(path, self.path)
            if self.sync is not Sync.NONE:
                files.fsync_dir(os.path.dirname(self.path) or ".")
            self._unmap()
            os.dup2(new, self.fd, inheritable=False)
        finally:
            os.close(new)

    def corrupt(self, error: DatabaseCorrupt) -> DatabaseCorrupt:
        """Log what is wrong with the file; returns the error to raise."""
        xlog.xsyslog(log, logging.ERROR, f"DBERROR: {self.backend} {error}", filename=self.path)
        return error

    def failure(self, error: OSError) -> Exception:
        return failed(log, self.path, error)

    def _initialise(self) -> None:
        """Write an empty database, unless another process did so while we waited."""
        status, _changed = lock.reopen_exclusive(self.fd, self.path)
        try:
            if not status.st_size:
                files.pwrite_all(self.fd, self.fresh(), 0)
                self.flush()
                if self.sync is Sync.FULL:
                    files.fsync_dir(os.path.dirname(self.path) or ".")
        finally:
            lock.release(self.fd)

    def _own(self) -> None:
        """After ``fork``, stop sharing the parent's descriptor and with it its locks."""
        if self._owner != os.getpid():
            new = os.open(self.path, os.O_RDWR | os.O_CLOEXEC)
            os.close(self.fd)
            self.fd = new
            self._unmap()
            self._owner = os.getpid()

    def _look(self, status: os.stat_result, changed: bool) -> None:
        """With the lock just taken: map the file and read its header. On an error the lock is given up."""
        try:
            if changed or status.st_ino != self._inode:
                self._unmap()
                self._inode = status.st_ino
            self.remap(status.st_size)
            self.read_header()
        except DatabaseCorrupt as error:
            lock.release(self.fd)
            raise self.corrupt(error) from None
        except OSError as error:
            lock.release(self.fd)
            raise failed(log, self.path, error) from error

    def _unmap(self) -> None:
        if isinstance(self.map, mmap):
            self.map.close()
        self.map = b""
        self.size = 0
        self._forget()
