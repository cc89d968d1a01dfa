"""The conversations databases of a server's users, to be opened for one transaction each."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Final

from libcyrus import cyrusdb
from libcyrus import options as opt
from libcyrus.base.dataclasses import dataclass
from libcyrus.config import Config
from libcyrus.cyrusdb import Database, Records, Sync
from libcyrus.errors import MailboxBadName
from libcyrus.records import mbtype as mbtypes
from libcyrus.records.conversations.state import Conversations, NoSplits, Splits
from libcyrus.records.counters import Counters
from libcyrus.records.userstate import CONVERSATIONS, UserState

_MOST_OPEN: Final = 4

FolderListener = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Settings:
    """The options."""

    counted_flags: str
    max_thread: int
    max_guidrecords: int
    max_guidexists: int
    max_guidinfolder: int
    keep_existing: bool
    utf8_headers: bool

    @classmethod
    def from_config(cls, config: Config) -> Settings:
        return cls(
            config[opt.conversations_counted_flags] or "",
            config[opt.conversations_max_thread],
            config[opt.conversations_max_guidrecords],
            config[opt.conversations_max_guidexists],
            config[opt.conversations_max_guidinfolder],
            config[opt.conversations_keep_existing],
            config[opt.rfc2047_utf8],
        )


class ConversationsDb:
    """Opens the databases of users. One for a process; keeps the files last used open between transactions.

    ``on_folder`` is called at every commit with the internal name of each folder whose state changed (for
    the sync log).
    """

    def __init__(
        self,
        config: Config,
        userstate: UserState,
        counters: Counters,
        on_folder: FolderListener | None = None,
    ) -> None:
        self.enabled: bool = config[opt.conversations]
        self.settings = Settings.from_config(config)
        self.mailboxes = userstate.mailboxes
        self.counters = counters
        self.on_folder = on_folder
        self._backend: str = config[opt.conversations_db]
        self._settings = cyrusdb.Settings.from_config(config)
        self._submissions: str = config[opt.jmapsubmissionfolder]
        self._userstate = userstate
        self._files: dict[str, Database] = {}

    def applies_to(self, name: str, mbtype: int = mbtypes.EMAIL, *, allow_deleted: bool = False) -> bool:
        """Whether a mailbox's messages are in its owner's conversations.

        Not those of shared, deleted and submission mailboxes; never unless the option is on.
        """
        if not self.enabled:
            return False
        parsed = self.mailboxes.rules.from_internal(name)
        if parsed.userid is None or parsed.deleted and not allow_deleted:
            return False
        if mbtypes.kind(mbtype) == mbtypes.JMAPSUBMIT:
            return False
        return not (parsed.boxes and parsed.boxes[0] == self._submissions)

    def path(self, userid: str) -> str:
        """The file of a user."""
        return self._userstate.user_path(userid, CONVERSATIONS)

    def open(
        self, userid: str, *, shared: bool = False, path: str | None = None, splits: Splits | None = None
    ) -> Conversations:
        """Begin a transaction; ``shared`` for reading only. ``path`` is another file than the user's own.

        Creates the file when it is missing, with the user's folder for state. Raises MailboxBadName without
        a userid, MailboxBadFormat for folder lists that cannot be read, and what ``cyrusdb.open_db`` does.
        """
        if not userid:
            raise MailboxBadName
        path = path or self.path(userid)
        if path in self._files and not os.path.exists(path):
            # the user was removed
            self.forget(path)
        database = self._files.pop(path, None)
        if database is None:
            database = cyrusdb.open_db(
                self._backend,
                path,
                create=True,
                convert=not shared,
                sync=Sync.ORDERED,
                settings=self._settings,
            )
        try:
            return Conversations(self, database, userid, shared=shared, splits=splits or NoSplits())
        except BaseException:
            database.close()
            raise

    def release(self, database: Database) -> None:
        """Called at the end of a transaction: keep the file open for the next."""
        while len(self._files) >= _MOST_OPEN:
            self._files.pop(next(iter(self._files))).close()
        self._files[database.path] = database

    def replace(self, path: str, records: Records) -> None:
        """Put a file with these records into the place of a user's, which is locked.

        It is written and synced beside it first. Raises IoError, with the old file in place.
        """
        cyrusdb.build_file(path, self._backend, records, settings=self._settings)

    @property
    def has_files(self) -> bool:
        """Whether a database is a file that can be replaced."""
        return self._backend in ("skiplist", "twoskip")

    def forget(self, path: str) -> None:
        """Close a file because it is to be removed, replaced or renamed."""
        database = self._files.pop(path, None)
        if database is not None:
            database.close()

    def close(self) -> None:
        for database in self._files.values():
            database.close()
        self._files.clear()
