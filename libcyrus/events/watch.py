"""Waking up when a mailbox changes: the kernel tells who watches its cyrus.index.

Every change of a mailbox, by whichever process of whichever Cyrus, writes that file, so a watch on it
needs no daemon and no message. It is a wake-up call and no more: the watcher locks and reads the mailbox,
and thereby waits for a writer that is not done.

inotify is tried first. A user may hold few of its instances (often 128), so with many idle clients the
older directory notification takes over, which has no such limit: it signals changes in the directory, and
a signalfd makes the signal readable. Where the kernel has neither, ``open_watch`` answers None and the
caller polls.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import signal
import struct
from typing import Protocol

_IN_MODIFY = 0x002
_IN_ATTRIB = 0x004
_IN_DELETE_SELF = 0x400
_IN_MOVE_SELF = 0x800
_IN_IGNORED = 0x8000
_INTEREST = _IN_MODIFY | _IN_ATTRIB | _IN_DELETE_SELF | _IN_MOVE_SELF
_EVENT = struct.Struct("iIII")

_F_SETSIG = 10
_DIRECTORY_INTEREST = (
    fcntl.DN_MODIFY | fcntl.DN_RENAME | fcntl.DN_DELETE | fcntl.DN_ATTRIB | fcntl.DN_MULTISHOT
)
_SIGNAL = signal.SIGRTMIN + 3
# when too many are queued, the kernel sends SIGIO in place of ours
_SIGNALS = (_SIGNAL, signal.SIGIO)
_SIGSET_SIZE = 128

_libc = ctypes.CDLL(None, use_errno=True)


class Watch(Protocol):
    """A watch on one path, whichever inode it leads to."""

    def fileno(self) -> int:
        """Readable when something happened."""

    def drain(self) -> None:
        """Take the events that came; to be called before the file is looked at."""

    def close(self) -> None: ...


def open_watch(path: str) -> Watch | None:
    """Watch a file, or None if this system cannot or will not."""
    fd = _libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
    if fd >= 0:
        return FileWatch(fd, path)
    try:
        return DirectoryWatch(path)
    except OSError:
        return None


class FileWatch:
    """A watch by inotify; owns the instance ``fd``."""

    def __init__(self, fd: int, path: str) -> None:
        self._fd = fd
        self._path = os.fsencode(path)
        self._add()

    def fileno(self) -> int:
        return self._fd

    def drain(self) -> None:
        moved = False
        try:
            while data := os.read(self._fd, 4096):
                moved = moved or _has_moved(data)
        except BlockingIOError:
            pass
        if moved:
            # the path may lead to another inode now
            self._add()

    def close(self) -> None:
        os.close(self._fd)

    def _add(self) -> None:
        _libc.inotify_add_watch(self._fd, self._path, _INTEREST)


class DirectoryWatch:
    """A watch by directory notification. Its signals stay blocked in this process from then on.

    Raises OSError where there is no such thing.
    """

    def __init__(self, path: str) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        wanted = ctypes.create_string_buffer(_SIGSET_SIZE)
        _libc.sigemptyset(wanted)
        for number in _SIGNALS:
            _libc.sigaddset(wanted, int(number))
        self._fd = int(_libc.signalfd(-1, wanted, os.O_NONBLOCK | os.O_CLOEXEC))
        if self._fd < 0:
            error = ctypes.get_errno()
            raise OSError(error, os.strerror(error))
        self._directory = -1
        try:
            self._directory = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            fcntl.fcntl(self._directory, _F_SETSIG, _SIGNAL)
            fcntl.fcntl(self._directory, fcntl.F_NOTIFY, _DIRECTORY_INTEREST)
        except OSError:
            self.close()
            raise

    def fileno(self) -> int:
        return self._fd

    def drain(self) -> None:
        try:
            while os.read(self._fd, 4096):
                pass
        except BlockingIOError:
            pass

    def close(self) -> None:
        if self._directory >= 0:
            os.close(self._directory)
        # what is queued would be the next watch's first event
        self.drain()
        os.close(self._fd)


def _has_moved(data: bytes) -> bool:
    """Whether the inode under watch may no longer be the path's."""
    position = 0
    while position + _EVENT.size <= len(data):
        _, mask, _, length = _EVENT.unpack_from(data, position)
        if mask & (_IN_ATTRIB | _IN_DELETE_SELF | _IN_MOVE_SELF | _IN_IGNORED):
            return True
        position += _EVENT.size + length
    return False
