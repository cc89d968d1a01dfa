"""Where the per-user databases are.

A user's state lives in a directory named after the unique id of the INBOX, ``user/uuid/A/B/ID/seen.db`` and
so on. Users whose INBOX carries the legacy flag (or who have none) keep ``user/H/NAME.seen``; shared
mailboxes together have ``shared.counters``, once for each domain.
"""

from __future__ import annotations

from libcyrus.config import Config
from libcyrus.errors import MailboxNonexistent
from libcyrus.mboxname import MboxName, legacy_state_path, state_path

from . import mbtype as mbtypes
from .mbentry import MboxEntry
from .mboxlist import Mboxlist

SEEN = "seen"
SUBSCRIPTIONS = "sub"
COUNTERS = "counters"
CONVERSATIONS = "conversations"
MBOXKEY = "mboxkey"
DAV = "dav"
XAPIANACTIVE = "xapianactive"


class UserState:
    """Finds state files by looking the INBOX up; nothing is remembered between calls."""

    def __init__(self, config: Config, mailboxes: Mboxlist) -> None:
        self._directory = config.directory
        self.mailboxes = mailboxes

    def path(self, name: MboxName, suffix: str | None) -> str:
        """The file of the owner of ``name``, or with suffix None the directory."""
        if name.localpart is not None:
            inbox = self._inbox(name)
            if inbox is not None and inbox.uniqueid and not inbox.mbtype & mbtypes.LEGACY_DIRS:
                return state_path(self._directory, inbox.uniqueid, suffix)
        return legacy_state_path(self._directory, name, suffix)

    def user_path(self, userid: str, suffix: str | None) -> str:
        return self.path(self.mailboxes.rules.from_userid(userid), suffix)

    def _inbox(self, name: MboxName) -> MboxEntry | None:
        """The record of the owner's INBOX, tombstone or not.

        In the middle of renaming a user there is none; then the INBOX is found under a former name of
        ``name``.
        """
        rules = self.mailboxes.rules
        assert name.userid is not None
        inbox = self.mailboxes.get_all(rules.inbox(name.userid))
        if inbox is not None:
            return inbox
        entry = self.mailboxes.get_all(name.internal)
        if entry is None or not entry.uniqueid:
            return None
        try:
            history = self.mailboxes.lookup_uniqueid(entry.uniqueid).history
        except MailboxNonexistent:
            return None
        for former in history:
            owner = rules.from_internal(former.name).userid
            inbox = self.mailboxes.get_all(rules.inbox(owner)) if owner is not None else None
            if inbox is not None:
                return inbox
        return None
