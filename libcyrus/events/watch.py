"""Waking up when a mailbox changes: the kernel tells who watches its cyrus.index.

Every change of a mailbox, by whichever process of whichever Cyrus, writes that file, so a watch on it
needs no daemon and no message. It is a wake-up call and no more: the watcher locks and reads the mailbox,
and thereby waits for a writer that is not done.

inotify is tried first. A user may hold few of its instances (often 128), so with many idle clients the
older directory notification takes over, which has no such limit: it signals changes in the directory, and
a signalfd makes the signal readable. Where the kernel has neither, ``Watcher.watch`` answers None and the
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

    def close(self) -> None:
        """Stop watching."""


class Watcher:
    """Gives one watch at a time; for one process, to be made after it was forked.

    inotify takes the kernel many milliseconds to take down, so its instance stays open from the first watch
    on, and the last watch stays set until another path is to be watched: most clients idle in one mailbox.
    """

    def __init__(self) -> None:
        self._instance = -1
        self._last: FileWatch | None = None

    def watch(self, path: str) -> Watch | None:
        """Watch a file, or None if this system cannot or will not. The watch before it is no longer good."""
        if self._instance < 0:
            self._instance = int(_libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
        if self._instance < 0:
            try:
                return DirectoryWatch(path)
            except OSError:
                return None
        if self._last is not None and self._last.path == path:
            self._last.drain()
            return self._last
        if self._last is not None:
            self._last.remove()
        self._last = FileWatch(self._instance, path)
        return self._last

    def close(self) -> None:
        if self._instance >= 0:
            os.close(self._instance)
            self._instance = -1
            self._last = None


class FileWatch:
    """A watch by inotify on an instance that has no other one; ``close`` leaves it set, see Watcher."""

    def __init__(self, instance: int, path: str) -> None:
        self.path = path
        self._fd = instance
        self._number = -1
        self._add()

    def fileno(self) -> int:
        return self._fd

    def drain(self) -> None:
        moved = self._number < 0
        try:
            while data := os.read(self._fd, 4096):
                moved = moved or _has_moved(data, self._number)
        except BlockingIOError:
            pass
        if moved:
            # the path may lead to another inode now
            self.remove()
            self._add()

    def close(self) -> None:
        pass

    def remove(self) -> None:
        """Take the watch off, and its events with it."""
        if self._number >= 0:
            # fails where the inode is gone, and the watch with it
            _libc.inotify_rm_watch(self._fd, self._number)
            self._number = -1
        try:
            while os.read(self._fd, 4096):
                pass
        except BlockingIOError:
            pass

    def _add(self) -> None:
        self._number = int(_libc.inotify_add_watch(self._fd, os.fsencode(self.path), _INTEREST))


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


def _has_moved(data: bytes, watch: int) -> bool:
    """Whether these events say that the watched inode moved, went, or lost a name."""
    position = 0
    while position + _EVENT.size <= len(data):
        number, mask, _, length = _EVENT.unpack_from(data, position)
        if number == watch and mask & (_IN_ATTRIB | _IN_DELETE_SELF | _IN_MOVE_SELF | _IN_IGNORED):
            return True
        position += _EVENT.size + length
    return False
