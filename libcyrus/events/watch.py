"""Waking up when a mailbox changes: the kernel tells who watches its cyrus.index.

Every change of a mailbox, by whichever process of whichever Cyrus, writes that file, so a watch on it
needs no daemon and no message. It is a wake-up call and no more: the watcher locks and reads the mailbox,
and thereby waits for a writer that is not done. Where the kernel offers no watch, ``open_watch`` answers
None and the caller polls.
"""

from __future__ import annotations

import ctypes
import os
import struct

_IN_NONBLOCK = os.O_NONBLOCK
_IN_CLOEXEC = os.O_CLOEXEC
_IN_MODIFY = 0x002
_IN_ATTRIB = 0x004
_IN_DELETE_SELF = 0x400
_IN_MOVE_SELF = 0x800
_IN_IGNORED = 0x8000
_INTEREST = _IN_MODIFY | _IN_ATTRIB | _IN_DELETE_SELF | _IN_MOVE_SELF
_EVENT = struct.Struct("iIII")

_libc = ctypes.CDLL(None, use_errno=True)


class Watch:
    """A watch on one path, whichever inode it leads to. ``fileno`` is readable when something happened."""

    def __init__(self, fd: int, path: str) -> None:
        self._fd = fd
        self._path = os.fsencode(path)
        self._add()

    def fileno(self) -> int:
        return self._fd

    def drain(self) -> None:
        """Take the events that came, before the file is looked at; follow the path to a new inode."""
        moved = False
        try:
            while data := os.read(self._fd, 4096):
                moved = moved or _has_moved(data)
        except BlockingIOError:
            pass
        if moved:
            self._add()

    def close(self) -> None:
        os.close(self._fd)

    def _add(self) -> bool:
        return bool(_libc.inotify_add_watch(self._fd, self._path, _INTEREST) >= 0)


def open_watch(path: str) -> Watch | None:
    """Watch a file, or None if this system cannot or will not."""
    fd = _libc.inotify_init1(_IN_NONBLOCK | _IN_CLOEXEC)
    if fd < 0:
        return None
    return Watch(fd, path)


def _has_moved(data: bytes) -> bool:
    """Whether the inode under watch may no longer be the path's."""
    position = 0
    while position + _EVENT.size <= len(data):
        _, mask, _, length = _EVENT.unpack_from(data, position)
        if mask & (_IN_ATTRIB | _IN_DELETE_SELF | _IN_MOVE_SELF | _IN_IGNORED):
            return True
        position += _EVENT.size + length
    return False
