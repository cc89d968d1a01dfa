"""Which messages of one mailbox a user has seen, and which are recent to this session.

The owner's \\Seen is a flag in ``cyrus.index`` and the recent mark is in its header; for other users both
are in the user's seen database (``records.seen``), unless the mailbox has the ``sharedseen`` option.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable

from libcyrus.base.seqset import SeqSet, last_number
from libcyrus.errors import CyrusError
from libcyrus.mailbox.mailbox import Mailbox
from libcyrus.records import seen

log = logging.getLogger(__name__)


class SeenState:
    """``internal`` says that the index has it all; otherwise ``uids`` are the seen messages.

    ``recent`` are the UIDs that are \\Recent here. ``lowmark`` is the highest UID that was not recent any
    more when last read. Nothing is written before ``save``.
    """

    def __init__(self, mailbox: Mailbox, userid: str) -> None:
        self.internal = mailbox.internal_seen(userid)
        self.userid = mailbox.seen_user(userid)
        self.uids = SeqSet()
        self.recent = SeqSet()
        self.lowmark = 0
        self.dirty = False
        self.load(mailbox)

    def load(self, mailbox: Mailbox) -> None:
        """Read the state anew; a seen database that cannot be read makes nothing recent."""
        if self.internal:
            self.lowmark = mailbox.i.recentuid
            return
        try:
            database = seen.open_existing(mailbox.store.config, mailbox.store.userstate, self.userid)
            if database is None:
                return
            with database:
                data = database.read(mailbox.uniqueid)
        except CyrusError as error:
            log.error("Could not open seen state for %s (%s)", self.userid, error)
            self.lowmark = mailbox.i.last_uid
            return
        self.lowmark = data.lastuid
        self.uids = SeqSet.parse(data.uids, maxval=data.lastuid)

    def claim(self, last_uid: int) -> None:
        """Messages above ``lowmark`` up to this UID are recent to this session, and to no other."""
        if last_uid > self.lowmark:
            self.recent.join(SeqSet.from_ranges([(self.lowmark + 1, last_uid)]))
            self.lowmark = last_uid
            self.dirty = True

    def mark(self, uids: Iterable[int], *, is_seen: bool) -> None:
        """Change the state of messages, where it is not in the index."""
        changed = set(uids)
        if is_seen:
            self.uids.join(SeqSet.of(sorted(changed)))
        else:
            self.uids = SeqSet.of(uid for uid in self.uids if uid not in changed)
        self.dirty = True

    def save(self, mailbox: Mailbox, uids: Iterable[int]) -> None:
        """Write what changed; ``uids`` are all messages of the mailbox, in order.

        Needs the exclusive index lock. Between two seen messages without an unseen one the text on disk is
        one range, whatever UIDs do not exist. What others may have noted above ``last_uid`` is kept.
        """
        if not self.dirty:
            return
        self.dirty = False
        mailbox.recent_dirty()
        if self.internal:
            mailbox.i.recenttime = int(time.time())
            mailbox.i.recentuid = max(mailbox.i.recentuid, self.lowmark)
            return
        store = mailbox.store
        with seen.SeenDb(store.config, store.userstate, self.userid, create=True) as database:
            old = database.lock_read(mailbox.uniqueid)
            merged = SeqSet(sparse=False)
            known = self.uids
            for uid in uids:
                merged.add(uid, uid in known)
            last = mailbox.i.last_uid
            if last_number(old.uids) > last:
                above = SeqSet.parse(old.uids)
                for uid in range(last + 1, last_number(old.uids) + 1):
                    merged.add(uid, uid in above)
            lastuid = max(old.lastuid, self.lowmark)
            text = str(merged)
            if (lastuid, text) != (old.lastuid, old.uids):
                now = int(time.time())
                new = seen.SeenData(now, lastuid, mailbox.i.last_appenddate, text)
                database.write(mailbox.uniqueid, new)
                store.sync_log.seen(self.userid, mailbox.uniqueid)
