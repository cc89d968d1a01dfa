"""The lock order, checked: a program that takes a lock above one it holds is stopped there and then.

The order is written in the docstring of ``libcyrus.mailbox``; ``_RANKS`` says by a file's name where its lock
stands. Two processes that keep to the order cannot wait for each other, and the kernel would not notice
if they did (see ``lock``). The check is for tests and for hunting a hang: it is on when the environment
has ``CYRUS_CHECK_LOCKS``, and otherwise nothing of it runs.

Only locks that wait are checked: who merely tries can be refused but not stuck. What is held is read from
the kernel (``/proc/self/fdinfo``) each time, so locks that ended with their descriptor need no notice. A
violation is logged, with the stack, and raised as InternalError.
"""

from __future__ import annotations

import logging
import os
import re
from fcntl import F_OFD_SETLKW

from libcyrus.base import lock
from libcyrus.errors import InternalError

log = logging.getLogger(__name__)

VARIABLE = "CYRUS_CHECK_LOCKS"

(
    QUOTA_CHANGE, NAMESPACE, NAME, INDEX, CONVERSATIONS, ANNOTATIONS, QUOTA, WORD, DATABASE, COUNTERS,
    SYNC_LOG,
) = range(11)  # fmt: skip

# a note of an operation under way: its lock is only tried, never waited for
NOTE = -1

# first match wins; what matches nothing is a database or file like any other
_RANKS: tuple[tuple[int, re.Pattern[str]], ...] = tuple(
    (rank, re.compile(pattern))
    for rank, pattern in (
        (NOTE, r"/unfinished/[^/]*$"),
        (QUOTA_CHANGE, r"/\$QUOTACHANGE\.lock$"),
        (NAMESPACE, r"/\*U\*[^/]*\.lock$"),
        (WORD, r"/\$[^/]*\.lock$"),
        (NAME, r"\.lock$"),
        (INDEX, r"/cyrus\.(?:index|expunge)$"),
        (CONVERSATIONS, r"[/.]conversations(?:\.audit\.\d+)?(?:\.db)?$"),
        (ANNOTATIONS, r"/(?:cyrus\.annotations|annotations\.db)$"),
        (QUOTA, r"/quotas\.db$|/quota/"),
        (COUNTERS, r"[/.]counters(?:\.db)?$"),
        (SYNC_LOG, r"/sync/(?:[^/]+/)?log$"),
    )
)


def rank(path: str) -> int:
    """Where the lock of this file stands: the lower, the earlier it is taken."""
    return next((rank for rank, pattern in _RANKS if pattern.search(path)), DATABASE)


def may_follow(wanted: str, held: str) -> bool:
    """Whether a process that holds the lock of one file may wait for that of the other."""
    if wanted == held + ".NEW":
        return True  # being made under the lock of the file that it is to replace
    first, then = rank(held), rank(wanted)
    if first == then == NAMESPACE:
        return _user(held) < _user(wanted)
    if first in (NAME, INDEX) and then in (NAME, INDEX):
        # of several mailboxes; who has them open holds the namespaces of all
        return first <= then or not _same_mailbox(held, wanted)
    # no two of the databases that have no place of their own, nor the same twice
    return first < then or (first == then and first in (CONVERSATIONS, ANNOTATIONS, QUOTA))


def check(fd: int) -> None:
    """Raise InternalError unless this process may wait for a lock on the open file."""
    wanted = lock.path_of(fd)
    for other in sorted(_taken):
        if other == fd:
            continue
        held = lock.path_of(other)
        kind = _kind(other) if _taken[other] == held else ""
        if not kind:
            del _taken[other]
        elif kind == "READ" and wanted == held:
            continue  # one more handle that reads
        elif not may_follow(wanted, held) and not _is_safe(wanted, held):
            text = f"lock order violated: waiting for {wanted} while holding {held}"
            log.critical("%s", text, stack_info=True)
            raise InternalError(text)


def install() -> None:
    """Check every lock of this process, and of its children, from now on."""
    lock.intercept(_checked)


_taken: dict[int, str] = {}


def _checked(lock_file: lock.Locker) -> lock.Locker:
    def checked(fd: int, command: int, request: bytes) -> object:
        if command == F_OFD_SETLKW:
            check(fd)
        result = lock_file(fd, command, request)
        _taken[fd] = lock.path_of(fd)
        return result

    return checked


def _is_safe(wanted: str, held: str) -> bool:
    """Whether nobody else can have the mailbox locked: who recounts conversations has the namespace alone."""
    if rank(held) != CONVERSATIONS or rank(wanted) not in (NAME, INDEX):
        return False
    return any(rank(path) == NAMESPACE and _kind(fd) == "WRITE" for fd, path in _taken.items())


def _kind(fd: int) -> str:
    """READ or WRITE for a locked file, else empty."""
    with open(f"/proc/self/fdinfo/{fd}") as info:
        for line in info:
            if line.startswith("lock:"):
                return line.split()[4]
    return ""


def _user(path: str) -> str:
    """A namespace's place among its like: the userid, whose dots the name has as ``^``."""
    return os.path.basename(path).removesuffix(".lock").replace("^", ".")


def _same_mailbox(index: str, name: str) -> bool:
    """Whether an index and a name lock are one mailbox's, as far as unique ids tell."""
    directory = os.path.dirname(index)
    return "/uuid/" in directory and os.path.basename(directory) == _user(name)
