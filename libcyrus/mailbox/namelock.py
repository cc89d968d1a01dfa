"""Name locks: empty files below ``lock/`` that serialise work on a mailbox or on a user.

The file of a mailbox is ``UNIQUEID.lock`` (``user/joe/lists.lock`` for legacy
directories), that of a user's namespace ``*U*USERID.lock`` with the dots of
the userid written ``^``, that of quota changes ``$QUOTACHANGE.lock``. They lie
below ``mboxname_lockpath`` or else ``CONFIGDIRECTORY/lock``, and are never removed:
their content says nothing, the ``fcntl`` lock on them everything.

A process that asks twice gets the lock it has, counted; asking for the other
kind of lock raises MailboxLocked, since waiting would be for ever.
"""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

from libcyrus import options as opt
from libcyrus.base import files, lock, xlog
from libcyrus.config import Config
from libcyrus.errors import IoError, MailboxLocked
from libcyrus.mboxname import NameRules, lock_path, user_lock_name

log = logging.getLogger(__name__)

QUOTA_CHANGE = "$QUOTACHANGE"


class NameLock:
    """One held lock; hand it back with ``release`` as often as it was acquired."""

    __slots__ = ("_fd", "_locks", "count", "exclusive", "name")

    def __init__(self, locks: NameLocks, name: str, fd: int, *, exclusive: bool) -> None:
        self._locks = locks
        self.name = name
        self._fd = fd
        self.exclusive = exclusive
        self.count = 1

    def release(self) -> None:
        self.count -= 1
        if not self.count:
            self._locks.forget(self.name)
            os.close(self._fd)


class MailboxLocks:
    """The two name locks of one open mailbox: its owner's namespace, and its own name."""

    __slots__ = ("_in_use", "_locks", "_name", "_user", "_userid", "lock_name")

    def __init__(self, locks: NameLocks, userid: str | None, lock_name: str) -> None:
        self._locks = locks
        self._in_use = False
        self._userid = userid
        self._user: NameLock | None = None
        self._name: NameLock | None = None
        self.lock_name = lock_name

    @property
    def has_name(self) -> bool:
        return self._name is not None

    @property
    def name_exclusively(self) -> bool:
        return self._name is not None and self._name.exclusive

    def adopt_user(self, held: NameLock | None) -> None:
        """Take over a namespace lock that was acquired for this mailbox."""
        self._user = held

    def take(self, *, exclusive: bool) -> None:
        """Have both, waiting: the namespace as asked, the name shared unless it is held already.

        A namespace lock that the process holds for other reasons serves, if it is exclusive enough; if not,
        MailboxLocked is raised.
        """
        self.take_user(exclusive=exclusive)
        if self._name is None:
            self.take_name(exclusive=False)

    def take_user(self, *, exclusive: bool) -> None:
        held = self._locks.holds_user(self._userid)
        if held is None:
            self._user = self._locks.acquire_user(self._userid, exclusive=exclusive)
        elif exclusive and not held.exclusive:
            raise MailboxLocked
        self._in_use = self._name is not None

    def take_name(self, *, exclusive: bool, nonblock: bool = False) -> None:
        self._name = self._locks.acquire(self.lock_name, exclusive=exclusive, nonblock=nonblock)
        self._in_use = True
        self._locks.mailboxes.add(self)

    def release_user(self) -> None:
        """Give up the namespace, and with it the claim on the name: see ``NameLocks.acquire_user``."""
        self._in_use = False
        held, self._user = self._user, None
        if held is not None:
            held.release()

    def release_name(self) -> None:
        held, self._name = self._name, None
        if held is not None:
            self._locks.mailboxes.remove(self)
            held.release()

    def release_unused_name(self) -> None:
        """Give up the name unless the index is locked."""
        if not self._in_use:
            self.release_name()


class NameLocks:
    """The name locks this process holds."""

    def __init__(self, config: Config, rules: NameRules) -> None:
        self._root = config[opt.mboxname_lockpath] or f"{config.directory}/lock"
        self._rules = rules
        # unique ids and most userids mean one file, whatever the rules for names are
        self._flat = not rules.hashimapspool
        self._held: dict[str, NameLock] = {}
        self.mailboxes: set[MailboxLocks] = set()
        """Those that have their name lock."""

    def acquire(self, name: str, *, exclusive: bool, nonblock: bool = False) -> NameLock:
        """Lock a name, waiting for others unless ``nonblock``.

        Raises MailboxLocked when it cannot be had without waiting, or is held
        here in the other kind; IoError.
        """
        held = self._held.get(name)
        if held is not None:
            if held.exclusive != exclusive:
                raise MailboxLocked
            held.count += 1
            return held
        path = self._path(name)
        try:
            fd = files.open_making_dirs(path, os.O_CREAT | os.O_RDWR)
        except OSError as error:
            if error.errno == errno.EMFILE:
                raise
            xlog.ioerror(log, "lock failed", error, filename=path)
            raise IoError from error
        try:
            if not lock.acquire(fd, exclusively=exclusive, nonblock=nonblock):
                raise MailboxLocked
        except OSError as error:
            os.close(fd)
            xlog.ioerror(log, "lock failed", error, filename=path)
            raise IoError from error
        except BaseException:
            os.close(fd)
            raise
        held = NameLock(self, name, fd, exclusive=exclusive)
        self._held[name] = held
        return held

    def _path(self, name: str) -> str:
        if self._flat and "." not in name and "!" not in name and "^" not in name:
            return f"{self._root}/{name}.lock"
        return lock_path(self._root, name, self._rules)

    def forget(self, name: str) -> None:
        """Called by the last ``NameLock.release``."""
        del self._held[name]

    def holds_user(self, userid: str | None) -> NameLock | None:
        return self._held.get(user_lock_name(userid))

    def acquire_user(self, userid: str | None, *, exclusive: bool) -> NameLock:
        """Lock a user's namespace (None: that of all shared mailboxes).

        It comes before the names of mailboxes: those open here whose index is not locked give theirs up
        until they are locked again. Who keeps one while others wait for all to let go of it would never get
        the namespace from them.
        """
        name = user_lock_name(userid)
        if name not in self._held:
            for mailbox in list(self.mailboxes):
                mailbox.release_unused_name()
        return self.acquire(name, exclusive=exclusive)

    @contextmanager
    def user(self, userid: str | None, *, exclusive: bool = True) -> Iterator[NameLock]:
        """Hold a user's namespace lock for a block: what creating, renaming, deleting and copying need."""
        held = self.acquire_user(userid, exclusive=exclusive)
        try:
            yield held
        finally:
            held.release()

    @contextmanager
    def quota_change(self) -> Iterator[None]:
        """Hold the lock under which quota roots are made, moved and recomputed."""
        held = self.acquire(QUOTA_CHANGE, exclusive=True)
        try:
            yield
        finally:
            held.release()
