"""The sync log: what changed, for sync_client (and a rolling squatter) to look at.

Each channel of ``sync_log_channels`` has a file, ``{configdirectory}/sync/CHANNEL/log``, the default channel
(``""``) ``sync/log``. A record is a line, its word and then names in their internal form, quoted where a
dlist atom would have to be::

    APPEND user.joe
    RENAME user.joe.old "user.joe.new name"

The reader renames the file away and works through it, so a writer locks the file and makes sure that it
still has its name. Records that belong together are written in one call and reach the file together. The
file is synced, since a replica that never hears of a change stays wrong until the next full run.
A failure is in the log of the system only: the change itself is done by then.
"""

from __future__ import annotations

import errno
import logging
import os

from libcyrus import options as opt
from libcyrus.base import files, lock
from libcyrus.config import Config

log = logging.getLogger(__name__)

_MODE = 0o640
_ATTEMPTS = 64
_DEFAULT_CHANNEL = '""'
_ESCAPED = frozenset('\\"{}')
_UNSAFE = frozenset(" \t()")
# a name with these can be no mailbox or user, and would forge records
_FORBIDDEN = frozenset("\r\n\0")


class SyncLog:
    """Writes to all channels; does nothing unless the option ``sync_log`` is set."""

    def __init__(self, config: Config) -> None:
        channels = (config[opt.sync_log_channels] or _DEFAULT_CHANNEL).split() if config[opt.sync_log] else []
        self._paths = [path(config, "" if name == _DEFAULT_CHANNEL else name) for name in channels]

    @property
    def enabled(self) -> bool:
        return bool(self._paths)

    def append(self, mailbox: str) -> None:
        """Messages came to a mailbox, so squatter has something to index."""
        self.record(("APPEND", mailbox))

    def mailbox(self, name: str) -> None:
        """Anything in or about a mailbox changed."""
        self.record(("MAILBOX", name))

    def copied(self, source: str, target: str) -> None:
        """Messages of ``source`` are now in ``target`` too: the replica need not be sent them again."""
        self.record(("DOUBLEMAILBOX", source, target), ("APPEND", target))

    def unmailbox(self, name: str) -> None:
        self.record(("UNMAILBOX", name))

    def rename(self, old: str, new: str) -> None:
        self.record(("RENAME", old, new), ("MAILBOX", old), ("MAILBOX", new))

    def quota(self, root: str) -> None:
        self.record(("QUOTA", root))

    def annotation(self, mailbox: str) -> None:
        """Annotations changed; those of the server with an empty name."""
        self.record(("ANNOTATION", mailbox))

    def seen(self, userid: str, uniqueid: str) -> None:
        self.record(("SEEN", userid, uniqueid))

    def subscription(self, userid: str, mailbox: str) -> None:
        self.record(("SUB", userid, mailbox))

    def sieve(self, userid: str) -> None:
        """A user's Sieve scripts changed."""
        self.record(("META", userid))

    def user(self, userid: str) -> None:
        """Everything of a user is to be looked at."""
        self.record(("USER", userid))

    def unuser(self, userid: str) -> None:
        """A user is gone."""
        self.record(("UNUSER", userid))

    def record(self, *records: tuple[str, ...]) -> None:
        """Write records of a word and names each. Raises ValueError for a name with a line break in it."""
        if self._paths:
            lines = (" ".join((word, *map(quote, names))) + "\n" for word, *names in records)
            self.write("".join(lines))

    def write(self, text: str) -> None:
        """Write whole lines as they are."""
        data = os.fsencode(text)
        for name in self._paths:
            try:
                _append(name, data)
            except OSError as error:
                log.error("sync_log(): Unable to write to log file %s: %s", name, error.strerror)


def path(config: Config, channel: str) -> str:
    """The file of a channel; the default one has the empty name."""
    return f"{config.directory}/sync/{channel}/log" if channel else f"{config.directory}/sync/log"


def quote(name: str) -> str:
    """A name as the records have it: as it is, or in quotes with backslashes before ``\\ " { }``."""
    if not _FORBIDDEN.isdisjoint(name):
        raise ValueError("Illegal line break in folder name")
    if _ESCAPED.isdisjoint(name):
        return name if name and _UNSAFE.isdisjoint(name) else f'"{name}"'
    return '"' + "".join("\\" + char if char in _ESCAPED else char for char in name) + '"'


def _append(name: str, data: bytes) -> None:
    for _ in range(_ATTEMPTS):
        fd = files.open_making_dirs(name, os.O_WRONLY | os.O_APPEND | os.O_CREAT, _MODE)
        try:
            lock.exclusive(fd)
            if _still_named(fd, name):
                files.write_all(fd, data)
                os.fsync(fd)
                return
        finally:
            lock.release_and_close(fd)
    raise OSError(errno.EAGAIN, f"Failed to lock after {_ATTEMPTS} attempts")


def _still_named(fd: int, name: str) -> bool:
    """Whether the reader has not renamed the file between our opening and locking it."""
    try:
        return os.path.samestat(os.fstat(fd), os.stat(name))
    except FileNotFoundError:
        return False
