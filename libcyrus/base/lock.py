"""Whole-file locks that the original's programs respect.

The original locks with POSIX ``fcntl`` record locks, which a process loses as
soon as it closes *any* descriptor of the file. Open-file-description locks
conflict with them in the kernel, on the same byte range, and belong to one
open file only. So a library that opens the same database twice stays safe.

Two things to know about them:

* The kernel detects no deadlocks between them. The written lock order is the
  only protection.
* A descriptor inherited by ``fork`` shares the lock of its parent. Whoever
  keeps a descriptor open must open it again in the child; and closing it does
  not unlock while a child has it, so unlock first (``release_and_close``).

A shared lock needs a descriptor open for reading, an exclusive one a
descriptor open for writing. Every call waits without limit unless its name
begins with ``try_``; ``OSError`` is raised as the system gives it.
"""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fcntl import F_OFD_SETLK, F_OFD_SETLKW, F_RDLCK, F_UNLCK, F_WRLCK, fcntl

# struct flock: type, whence, start, length (0: to the end), pid (must be 0), padding
_FLOCK = struct.Struct("hhqqi0q")
_SHARED = _FLOCK.pack(F_RDLCK, os.SEEK_SET, 0, 0, 0)
_EXCLUSIVE = _FLOCK.pack(F_WRLCK, os.SEEK_SET, 0, 0, 0)
_NONE = _FLOCK.pack(F_UNLCK, os.SEEK_SET, 0, 0, 0)


Locker = Callable[[int, int, bytes], object]

_lock: Locker = fcntl


def intercept(wrap: Callable[[Locker], Locker]) -> None:
    """Put something around the call that locks a file, for this process: to time or to check it."""
    global _lock
    _lock = wrap(_lock)


def path_of(fd: int) -> str:
    """The name of an open file, also once the file was removed or replaced."""
    try:
        return os.readlink(f"/proc/self/fd/{fd}").removesuffix(" (deleted)")
    except OSError:
        return ""


class ReopenError(OSError):
    """``reopen_*`` failed; ``action`` is ``locking``, ``stating`` or ``opening``, for the log line."""

    def __init__(self, action: str, error: OSError, path: str) -> None:
        super().__init__(error.errno, error.strerror, path)
        self.action = action


def shared(fd: int) -> None:
    """Lock for reading, or turn an exclusive lock into a shared one."""
    _lock(fd, F_OFD_SETLKW, _SHARED)


def exclusive(fd: int) -> None:
    """Lock for writing. A shared lock held on ``fd`` is given up while waiting, never upgraded atomically."""
    _lock(fd, F_OFD_SETLKW, _EXCLUSIVE)


def try_shared(fd: int) -> bool:
    """Like ``shared``, but say False instead of waiting."""
    return _attempt(fd, _SHARED)


def try_exclusive(fd: int) -> bool:
    """Like ``exclusive``, but say False instead of waiting."""
    return _attempt(fd, _EXCLUSIVE)


def exclusive_new(fd: int) -> None:
    """Lock for writing a file that no other process can have locked yet, being made just now."""
    fcntl(fd, F_OFD_SETLK, _EXCLUSIVE)


def acquire(fd: int, *, exclusively: bool, nonblock: bool = False) -> bool:
    """Lock as asked; False only when ``nonblock`` and another process holds a conflicting lock."""
    request = _EXCLUSIVE if exclusively else _SHARED
    if nonblock:
        return _attempt(fd, request)
    _lock(fd, F_OFD_SETLKW, request)
    return True


def release(fd: int) -> None:
    fcntl(fd, F_OFD_SETLK, _NONE)


def release_and_close(fd: int) -> None:
    """Unlock for certain: a child that inherited the descriptor would keep the lock past a mere close."""
    try:
        fcntl(fd, F_OFD_SETLK, _NONE)
    finally:
        os.close(fd)


def reopen_exclusive(fd: int, path: str | os.PathLike[str]) -> tuple[os.stat_result, bool]:
    """Lock ``fd`` for writing and make sure that it still is the file at ``path``.

    Another process may have replaced the file while we waited. Then the new
    file is opened *onto the same descriptor number* and locked, until both
    agree. Returns the status of the locked file and whether it was changed.
    Raises ``ReopenError``, with no lock held.
    """
    return _reopen(fd, os.fspath(path), _EXCLUSIVE)


def reopen_shared(fd: int, path: str | os.PathLike[str]) -> tuple[os.stat_result, bool]:
    """Like ``reopen_exclusive``, for reading."""
    return _reopen(fd, os.fspath(path), _SHARED)


@contextmanager
def exclusive_file(path: str | os.PathLike[str], mode: int = 0o644) -> Iterator[int]:
    """Hold an exclusive lock on the file at ``path``, created when missing; yields its descriptor."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, mode)
    try:
        reopen_exclusive(fd, path)
        yield fd
    finally:
        release_and_close(fd)


def _attempt(fd: int, request: bytes) -> bool:
    try:
        _lock(fd, F_OFD_SETLK, request)
    except OSError as error:
        if error.errno in (errno.EAGAIN, errno.EACCES):
            return False
        raise
    return True


def _reopen(fd: int, path: str, request: bytes) -> tuple[os.stat_result, bool]:
    changed = False
    while True:
        action = "locking"
        try:
            _lock(fd, F_OFD_SETLKW, request)
            action = "stating"
            mine = os.fstat(fd)
            current = os.stat(path)
            if mine.st_ino == current.st_ino:
                return mine, changed
            changed = True
            action = "opening"
            new = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except OSError as error:
            if action != "locking":
                release(fd)
            raise ReopenError(action, error, path) from error
        os.dup2(new, fd, inheritable=False)
        os.close(new)
