"""What a writer that was killed leaves in a mailbox: a message file that the index does not know.

Between linking a staged message into the mailbox and committing the index, the file exists under the
next UID. If the writer dies there, nobody was told that the message is stored, but ``reconstruct`` would
find it and add it. Such a file shares its inode with a file in ``PARTITION/stage./`` whose name begins with
the number of a process that is no more; whoever locks the mailbox next removes it. Any other file that
the index does not know, such as one that was restored by hand, is left alone.
"""

from __future__ import annotations

import contextlib
import logging
import os
import stat

from libcyrus.mailbox.paths import MailboxPaths

log = logging.getLogger(__name__)


def remove(paths: MailboxPaths, last_uid: int) -> None:
    """Remove leftovers behind ``last_uid``; the index must be locked, shared at least, so nobody appends.

    Costs one system call when there is nothing. Errors are left to whoever appends next.
    """
    uid = last_uid + 1
    while True:
        path = paths.message(uid)
        try:
            status = os.stat(path)
        except OSError:
            return
        if status.st_nlink < 2 or not stat.S_ISREG(status.st_mode):
            return
        if not _was_staged_by_the_dead(paths.stage, status):
            return
        log.warning("removing %s, left by a writer that was killed", path)
        with contextlib.suppress(OSError):
            os.unlink(path)
        uid += 1


def _was_staged_by_the_dead(directory: str, wanted: os.stat_result) -> bool:
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                if entry.inode() == wanted.st_ino and entry.stat().st_dev == wanted.st_dev:
                    pid = entry.name.partition("-")[0]
                    return pid.isdigit() and not _is_alive(int(pid))
    except OSError:
        pass
    return False


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass
    return True
