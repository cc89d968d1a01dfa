"""Where conversations that grew too long go on: annotations of a folder that holds nothing else.

The folder is the user's ``#splitconversations``, made when it is first needed; the annotation
``/vendor/cmu/cyrus-imapd/newcid/CID`` has the CID of the continuation, 16 digits.

What was set is written once the conversations are committed, so that the folder is locked after no database.
Should the machine stop in between, the next message of the long conversation begins another continuation.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from libcyrus.errors import CyrusError, MailboxNonexistent
from libcyrus.records.annotate import NAMESPACE
from libcyrus.records.conversations.state import SPLITS

if TYPE_CHECKING:
    from libcyrus.mailbox.mailstore import MailStore

log = logging.getLogger(__name__)

_ENTRY: Final = NAMESPACE + "newcid/%016x"


class PendingSplits:
    """The continuations of one user, for the time of one transaction."""

    __slots__ = ("_name", "_new", "_store", "_uniqueid")

    def __init__(self, store: MailStore, userid: str) -> None:
        self._store = store
        self._name = store.rules.inbox(userid, SPLITS)
        self._uniqueid: str | None = None
        self._new: dict[int, int] = {}

    def get(self, cid: int) -> int:
        if cid in self._new:
            return self._new[cid]
        if self._uniqueid is None:
            try:
                self._uniqueid = self._store.mboxlist.lookup(self._name).uniqueid or ""
            except MailboxNonexistent:
                self._uniqueid = ""
        if not self._uniqueid:
            return 0
        value = self._store.annotations.lookup(self._uniqueid, _ENTRY % cid)
        try:
            return int(value, 16) if len(value) == 16 else 0
        except ValueError:
            return 0

    def set(self, cid: int, continued: int) -> None:
        self._new[cid] = continued

    def write(self) -> None:
        """Write what was set; failing that is logged."""
        new, self._new = self._new, {}
        if not new:
            return
        try:
            self._write(new)
        except CyrusError as error:
            log.error("IOERROR: noting split conversations in %s failed: %s", self._name, error)

    def _write(self, new: dict[int, int]) -> None:
        store = self._store
        if store.mboxlist.get(self._name) is None:
            store.make_collection(self._name)
        with store.open(self._name, write=True) as mailbox:
            mailbox.quota_dirty()
            with store.annotations.transaction() as change:
                for cid, continued in new.items():
                    entry, value = _ENTRY % cid, b"%016x" % continued
                    old = change.lookup(mailbox.uniqueid, entry)
                    if change.write(mailbox.uniqueid, entry, "", value):
                        mailbox.bump_modseq()
                        mailbox.i.quota_annot_used += len(value) - len(old)
