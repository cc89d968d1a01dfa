"""What others leave in a mailbox: writers that were killed, and Cyrus of old.

A killed writer leaves a message file that the index does not know.
Between linking a staged message into the mailbox and committing the index, the file exists under the
next UID. If the writer dies there, nobody was told that the message is stored, but ``reconstruct`` would
find it and add it. Such a file shares its inode with a file in ``PARTITION/stage./`` whose name begins with
the number of a process that is no more, or is a copy of it on the file system of the archive; whoever
locks the mailbox next removes it. Any other file that the index does not know, such as one that was
restored by hand, is left alone.

Up to version 2.3 the records of expunged messages were in a file of their own, ``cyrus.expunge``, in the
format of the index. Nobody can bring them back, so their messages are removed and then the file.
"""

from __future__ import annotations

import contextlib
import logging
import os
import stat
import struct
import time
from typing import TYPE_CHECKING

from libcyrus.base import files
from libcyrus.mailbox import columns
from libcyrus.mailbox.paths import MailboxPaths

if TYPE_CHECKING:
    from libcyrus.mailbox.mailbox import Mailbox

log = logging.getLogger(__name__)

_CHUNK = 1 << 20
_SMALLEST_EXPUNGE = 160
_SMALLEST_RECORD = 60
_EXPUNGE = struct.Struct(">12x3I").unpack_from


def remove(paths: MailboxPaths, last_uid: int) -> None:
    """Remove leftovers behind ``last_uid``; the index must be locked, shared at least, so nobody appends.

    Costs one system call when there is nothing, two with an archive partition. Errors are left to whoever
    appends next.
    """
    uid = last_uid + 1
    places = (False, True) if paths.archive != paths.data else (False,)
    # not any() of a generator: a message may have left files in both
    while any([_remove_one(paths, uid, archived=archived) for archived in places]):
        uid += 1


def were_unfinished(paths: MailboxPaths, uids: range) -> bool:
    """Whether all there is of messages with these uids may be left of a dead writer. Raises OSError."""
    for archived, directory in enumerate(dict.fromkeys((paths.data, paths.archive))):
        names = []
        with contextlib.suppress(FileNotFoundError):
            names = os.listdir(directory)
        found = {int(name[:-1]) for name in names if name.endswith(".") and name[:-1].isdigit()}
        if not all(_is_left(paths, uid, archived=bool(archived)) for uid in found.intersection(uids)):
            return False
    return True


def remove_expunged(mailbox: Mailbox) -> None:
    """Remove ``cyrus.expunge`` with the messages it lists; the index must be locked exclusively.

    A message that the index knows is none of them, whatever the file says. One that makes no sense is left
    alone. Annotations go with the next commit. Raises OSError.
    """
    path = mailbox.paths.meta("expunge")
    try:
        with open(path, "rb") as file:
            data = file.read()
    except FileNotFoundError:
        return
    if len(data) < _SMALLEST_EXPUNGE:
        return
    start, size, count = _EXPUNGE(data)
    if size < _SMALLEST_RECORD or start >= len(data):
        return
    records = memoryview(data)[start:]
    count = min(count, len(records) // size)
    living = set(columns.uids(mailbox.region, mailbox.i.record_size))
    for uid in columns.uids(records[: count * size], size):
        if uid in living:
            log.warning("%s: message %d is not expunged", path, uid)
            continue
        files.remove(mailbox.paths.message(uid))
        mailbox.annotations.remove(uid)
    os.unlink(path)


def _remove_one(paths: MailboxPaths, uid: int, *, archived: bool) -> bool:
    """Remove a message file if a dead writer left it; False if there is none, or another."""
    if not _is_left(paths, uid, archived=archived):
        return False
    path = paths.message(uid, archived=archived)
    log.warning("removing %s, left by a writer that was killed", path)
    with contextlib.suppress(OSError):
        os.unlink(path)
    return True


def _is_left(paths: MailboxPaths, uid: int, *, archived: bool) -> bool:
    """Whether there is a message file that a dead writer left."""
    path = paths.message(uid, archived=archived)
    try:
        status = os.stat(path)
    except OSError:
        return False
    if not stat.S_ISREG(status.st_mode) or status.st_nlink < 2 and not archived:
        return False
    return _was_staged_by_the_dead(paths.stage, path, status)


def _was_staged_by_the_dead(directory: str, path: str, wanted: os.stat_result) -> bool:
    """Whether a dead writer's stage file is this file, or on another file system what this is the copy of."""
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                status = entry.stat()
                if status.st_dev == wanted.st_dev:
                    same = status.st_ino == wanted.st_ino
                else:
                    same = wanted.st_nlink == 1 and _begins_with(entry.path, path)
                if same:
                    pid = entry.name.partition("-")[0]
                    return pid.isdigit() and (status.st_ctime < _start_of_system() or not is_alive(int(pid)))
    except OSError:
        pass
    return False


def _start_of_system() -> float:
    """When the machine was started, after which numbers of processes mean others; in seconds."""
    return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)


def _begins_with(whole: str, part: str) -> bool:
    """Whether ``part`` is all of a file, or as much of it as was copied before the writer died."""
    with open(whole, "rb") as complete, open(part, "rb") as copied:
        while chunk := copied.read(_CHUNK):
            if complete.read(len(chunk)) != chunk:
                return False
    return True


def is_alive(pid: int) -> bool:
    """Whether there is a process of that number, as far as can be told."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass
    return True
