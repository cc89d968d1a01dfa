"""A selected mailbox: the client's picture of it, brought up to date and told (see ``updates``).

The view holds no lock between commands. Each command opens it with ``locked``, which reads what changed; a
quick look at the index header spares even that when nothing did.
"""

from __future__ import annotations

import logging
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from struct import Struct
from typing import Self

from libcyrus import acl
from libcyrus.auth import AuthState
from libcyrus.base import xlog
from libcyrus.base.seqset import SeqSet
from libcyrus.errors import IoError, MailboxBadType, MailboxNonexistent
from libcyrus.events.mboxevent.kinds import EventType
from libcyrus.index.flaglists import FlagLists
from libcyrus.index.picture import Picture
from libcyrus.index.rows import Rows
from libcyrus.index.seenstate import SeenState
from libcyrus.index.telling import messages_changed
from libcyrus.index.updates import NOTHING_NEW, FlagUpdate, Updates
from libcyrus.mailbox import index_header
from libcyrus.mailbox.index_record import (
    DELETED,
    EXPUNGED,
    MAX_USER_FLAGS,
    OFFSET_FLAGS,
    OFFSET_MODSEQ,
    SEEN,
)
from libcyrus.mailbox.locking import Lock
from libcyrus.mailbox.mailbox import Mailbox
from libcyrus.mailbox.mailstore import MailStore
from libcyrus.records import mbtype

log = logging.getLogger(__name__)

_HAS_SEEN = bytes(1 if value & SEEN else 0 for value in range(256))
"""For an octet of system flags."""

_FLAGS = Struct(">32xI16s").unpack_from
"""Flags and user flags of an index record."""


class IndexView:
    """Satisfies ``updates.SelectedView``; the modules of this package work on it.

    ``picture`` has the numbering, ``seen`` the user's seen state, ``flag_slots`` the user flags as last told.
    """

    def __init__(
        self,
        mailbox: Mailbox,
        userid: str,
        auth: AuthState | None,
        *,
        readonly: bool,
        with_expunged: bool = False,
    ) -> None:
        self.mailbox = mailbox
        self.store = mailbox.store
        self.userid = userid
        self.readonly = readonly
        rights = self.store.acl_rules.myrights(auth, mailbox.acl)
        self.rights = rights & ~acl.READ_WRITE if readonly else rights
        self.picture = Picture(with_expunged=with_expunged)
        self.seen = SeenState(mailbox, userid)
        self.uidvalidity = mailbox.i.uidvalidity
        self.flag_slots: list[str | None] = list(mailbox.header.flags)
        self._modseq = -1
        # where the client stood when the mailbox was last read anew; FETCH moves it
        self._told_modseq = -1
        self._header = b""
        self._uidnext = mailbox.i.last_uid + 1
        self._gone = False
        self._flag_lists = FlagLists(self.flag_slots, with_expunged=with_expunged)

    @classmethod
    def open(
        cls,
        store: MailStore,
        mboxname: str,
        userid: str,
        auth: AuthState | None,
        *,
        readonly: bool,
        any_kind: bool = False,
        with_expunged: bool = False,
    ) -> Self:
        """Raises what ``MailStore.open`` raises, and MailboxBadType for a mailbox that holds no mail.

        ``any_kind`` takes those too. ``with_expunged``: see ``Picture``.
        """
        mailbox = store.open(mboxname, write=False)
        try:
            if not any_kind and mbtype.kind(mailbox.entry.mbtype) != mbtype.EMAIL:
                raise MailboxBadType
            view = cls(mailbox, userid, auth, readonly=readonly, with_expunged=with_expunged)
            view._take_in_and_claim()
            # to claim messages the lock was let go for a moment
            view.new_flag_names()
            mailbox.unlock_index()
        except BaseException:
            mailbox.close()
            raise
        view.picture.told = len(view.picture)
        return view

    # what SELECT tells

    @property
    def mboxname(self) -> str:
        return self.mailbox.name

    @property
    def uniqueid(self) -> str:
        return self.mailbox.uniqueid

    @property
    def is_gone(self) -> bool:
        """The mailbox was deleted or renamed away; what can be asked is what it was."""
        return self._gone

    @property
    def exists(self) -> int:
        return self.picture.told

    @property
    def recent(self) -> int:
        uids, gone, recent = self.picture.uids, self.picture.gone, self.seen.recent
        if not recent or not uids or recent.last < uids[0]:
            return 0
        members = sum(
            bisect_right(uids, high) - bisect_left(uids, low)
            for low, high in recent.within(uids[0], uids[-1])
        )
        return members - sum(1 for uid in gone if uid in recent)

    @property
    def first_unseen(self) -> int:
        picture, seen = self.picture, self.seen
        if seen.internal:
            if not self.mailbox.i.unseen or not picture.uids:
                return 0
            flags = Rows(picture, 1, len(picture)).octets(OFFSET_FLAGS + 3).translate(_HAS_SEEN)
            number = flags.find(0) + 1
            while number and picture.uids[number - 1] in picture.gone:
                number = flags.find(0, number) + 1
            return number
        known, gone = seen.uids, picture.gone
        numbers = enumerate(picture.uids, 1)
        return next((number for number, uid in numbers if uid not in known and uid not in gone), 0)

    @property
    def uidnext(self) -> int:
        return self._uidnext

    @property
    def highestmodseq(self) -> int:
        """Behind every change that the client could be told of; an expunge held back is none."""
        picture = self.picture
        if not picture.gone or picture.with_expunged:
            return self._modseq
        lowest = self._modseq + 1
        for uid in picture.gone:
            number = bisect_left(picture.uids, uid) + 1
            lowest = min(lowest, self.modseq(number) if picture.recnos[number - 1] else self._told_modseq + 1)
        return lowest - 1

    @property
    def flag_names(self) -> tuple[str, ...]:
        return tuple(name for name in self.flag_slots if name is not None)

    @property
    def can_create_flags(self) -> bool:
        return len(self.flag_names) < MAX_USER_FLAGS

    @property
    def quotaroot(self) -> str | None:
        return self.mailbox.quotaroot

    @property
    def with_expunged(self) -> bool:
        return self.picture.with_expunged

    @property
    def watch_path(self) -> str:
        return self.mailbox.paths.index

    # locking

    @contextmanager
    def locked(self, *, write: bool) -> Iterator[Mailbox]:
        """The mailbox, its index locked and the picture up to date; what was changed is committed at the end.

        Raises MailboxNonexistent when it is gone, an IoError, and NoSpace from the commit; when the block
        raises, what it changed is dropped.
        """
        self._lock(write=write)
        mailbox = self.mailbox
        try:
            yield mailbox
            if write:
                self.seen.save(mailbox, self.picture.uids)
                self._commit()
        except BaseException:
            if mailbox.locked is Lock.EXCLUSIVE:
                mailbox.abort()
            raise
        finally:
            mailbox.unlock_index()

    def refresh(self) -> None:
        """Bring the picture up to date. A look at the index header does when nothing changed.

        Raises as ``locked``.
        """
        if not self._gone and self.mailbox.unchanged(self._header):
            return
        # what can be seen to need the exclusive lock gets it at once, not after a look under the other
        self._lock(write=not self.readonly and self.mailbox.newest_uid() > self._lowmark())
        self.mailbox.unlock_index()

    def _commit(self) -> None:
        """Commit what this session changed, and take that in."""
        mailbox, picture = self.mailbox, self.picture
        changed = mailbox.changes.recnos()
        last = len(picture.data) // picture.size
        if mailbox.raw_header != self._header or any(map(last.__lt__, changed)):
            # more than records that the picture has
            mailbox.commit()
            self._take_in()
            return
        mailbox.commit()
        picture.absorb_own(mailbox.region, changed)
        self._modseq = mailbox.i.highestmodseq
        self._header = mailbox.raw_header

    def _lock(self, *, write: bool) -> None:
        if self._gone:
            raise MailboxNonexistent
        self.mailbox.reacquire(write=write)
        try:
            self._take_in_and_claim()
        except BaseException:
            self.mailbox.unlock_index()
            raise

    def _take_in_and_claim(self) -> None:
        """Bring the picture up to date; one session claims new messages, under the exclusive lock."""
        mailbox = self.mailbox
        shared = mailbox.locked is Lock.SHARED
        if shared and not self.readonly and mailbox.i.last_uid > self._lowmark():
            mailbox.unlock_index()
            mailbox.lock_index(exclusive=True)
        if mailbox.i.uidvalidity != self.uidvalidity:
            raise MailboxNonexistent
        self._take_in()

    def _lowmark(self) -> int:
        return self.mailbox.i.recentuid if self.seen.internal else self.seen.lowmark

    def _take_in(self) -> None:
        """Look at what is new; the index is locked."""
        mailbox = self.mailbox
        i = mailbox.i
        told = i.minor_version >= index_header.MODSEQ_VERSION
        if not told or i.highestmodseq != self._modseq or i.generation_no != self.picture.generation:
            self.seen.load(mailbox)
            self.picture.absorb(mailbox.region, i.record_size, i.generation_no)
            self._told_modseq = self._modseq
            self._modseq = i.highestmodseq
            self._uidnext = i.last_uid + 1
        if i.last_uid > self._lowmark():
            self.seen.lowmark = self._lowmark()
            self.seen.claim(i.last_uid)
            if self.readonly:
                self.seen.dirty = False
        if self.seen.dirty and mailbox.locked is Lock.EXCLUSIVE:
            self.seen.save(mailbox, self.picture.uids)
            mailbox.commit()
        self._header = mailbox.raw_header

    # telling

    def new_flag_names(self) -> bool:
        """Take over the mailbox's flag names; whether FLAGS must be sent again."""
        slots = self.mailbox.header.flags
        if slots == self.flag_slots:
            return False
        self.flag_slots = list(slots)
        self._flag_lists = FlagLists(slots, with_expunged=self.picture.with_expunged)
        return True

    def caught_up(self) -> None:
        """The client is being told of every change so far, as FETCH does."""
        self._told_modseq = self._modseq

    def new_exists(self) -> int | None:
        """Count untold messages as told; the number for EXISTS if it differs from the last one."""
        count = len(self.picture)
        if count == self.picture.told:
            return None
        self.picture.told = count
        return count

    def changes(self, *, expunges: bool, refresh: bool = True) -> Updates:
        """See ``updates.SelectedView.changes``."""
        if refresh and not self._gone:
            try:
                self.refresh()
            except MailboxNonexistent:
                self._gone = True
        picture = self.picture
        if self._gone:
            if not expunges:
                return Updates(mailbox_gone=True)
            everything = SeqSet.of(picture.uids[: picture.told])
            return Updates(expunged=picture.empty(), vanished=everything, mailbox_gone=True)
        said: Sequence[int] = ()
        vanished = None
        if expunges and picture.gone:
            vanished = picture.told_gone()
            said = picture.tell_expunged()
        new_exists = self.new_exists()
        # flag names that no message got are no news
        names_changed = False
        if picture.pending or self._modseq != self._told_modseq:
            names_changed = self.new_flag_names()
        if not (said or new_exists is not None or names_changed or picture.pending):
            return NOTHING_NEW
        return Updates(
            expunged=said,
            vanished=vanished,
            exists=new_exists,
            recent=self.recent if new_exists is not None else 0,
            flag_names_changed=names_changed,
            fetches=self._flag_updates(),
        )

    def changed_since(self, modseq: int, *, gone: bool = False) -> list[int]:
        """The numbers of all messages with a higher modseq, perhaps of expunged ones too."""
        picture = self.picture
        if not len(picture):
            return []
        modseqs = Rows(picture, 1, len(picture)).fields(f">{OFFSET_MODSEQ}xQ")
        return [
            number
            for number, (value,) in enumerate(modseqs, 1)
            if value > modseq and (gone or picture.uids[number - 1] not in picture.gone)
        ]

    def _flag_updates(self) -> list[FlagUpdate]:
        found = self.as_they_are(self.picture.news())
        self.picture.pending.clear()
        return found

    def as_they_are(self, numbers: Iterable[int]) -> list[FlagUpdate]:
        """What there is to tell of messages, told before or not."""
        found: list[FlagUpdate] = []
        picture = self.picture
        for low, high in SeqSet.of(numbers).ranges():
            rows = Rows(picture, low, high)
            modseqs = (modseq for (modseq,) in rows.fields(f">{OFFSET_MODSEQ}xQ"))
            updates = zip(range(low, high + 1), rows.uids, modseqs, self.flag_lists(rows), strict=True)
            found += [FlagUpdate(*update) for update in updates]
        return found

    # one message, by number

    def record_data(self, number: int) -> memoryview:
        """The index record of message ``number`` as last read. Raises IoError when it is there no more."""
        picture = self.picture
        recno = picture.recnos[number - 1]
        if not recno:
            raise IoError(f"Message {number} no longer exists")
        at = (recno - 1) * picture.size
        return memoryview(picture.data)[at : at + picture.size]

    def modseq(self, number: int) -> int:
        return int.from_bytes(self.record_data(number)[OFFSET_MODSEQ : OFFSET_MODSEQ + 8], "big")

    def system_flags(self, number: int) -> int:
        """The flags of ``index_record`` with \\Seen as this user has it."""
        data = self.record_data(number)
        word = int.from_bytes(data[OFFSET_FLAGS + 2 : OFFSET_FLAGS + 4], "big")
        if self.seen.internal:
            return word
        return word | SEEN if self.picture.uids[number - 1] in self.seen.uids else word & ~SEEN

    def flags(self, number: int) -> bytes:
        """The flag list of a message, parentheses included. Raises IoError when it is there no more."""
        self.record_data(number)
        return self.flag_lists(Rows(self.picture, number, number))[0]

    def flag_lists(self, rows: Rows) -> list[bytes]:
        """The flag lists of messages in a row."""
        return self._flag_lists.each(rows, self.seen)

    # changing

    def mark_seen(self, numbers: list[int]) -> None:
        """Set \\Seen on messages that lack it, as fetching their bodies does; the caller has the right."""
        unseen = [number for number in numbers if not self.system_flags(number) & SEEN]
        if not unseen:
            return
        picture = self.picture
        with self.locked(write=True) as mailbox:
            uids = []
            changes = []
            for number in unseen:
                recno = picture.recnos[number - 1]
                if not recno:
                    continue
                flags, user = _FLAGS(picture.data, (recno - 1) * picture.size)
                if flags & EXPUNGED:
                    continue
                changes.append((recno, flags | SEEN if self.seen.internal else flags, user))
                uids.append(picture.uids[number - 1])
            if changes:
                mailbox.rewrite_flags(changes)
            if not self.seen.internal:
                self.seen.mark(uids, is_seen=True)
            messages_changed(self, mailbox, EventType.MESSAGE_READ, uids, changes)

    # removing and leaving

    def expunge(self, uids: str | None = None, *, only_deleted: bool = True) -> None:
        """See ``updates.SelectedView.expunge``; MOVE also removes what is not marked \\Deleted.

        Raises ValueError for what is no UID set.
        """
        wanted = None if uids is None else SeqSet.parse(uids, maxval=self._uidnext - 1)
        with self.locked(write=True) as mailbox:
            picture = self.picture
            rows = Rows(picture, 1, len(picture)) if len(picture) else None
            changes = []
            expunged = []
            if rows is not None:
                fields = zip(rows.uids, rows.recnos, rows.fields(">32xI16s"), strict=True)
                for uid, recno, (flags, user) in fields:
                    if only_deleted and not flags & DELETED:
                        continue
                    if flags & EXPUNGED or not recno or uid in picture.gone:
                        continue
                    if wanted is None or uid in wanted:
                        changes.append((recno, flags | DELETED | EXPUNGED, user))
                        expunged.append(uid)
            if changes:
                mailbox.rewrite_flags(changes)
            messages_changed(self, mailbox, EventType.MESSAGE_EXPUNGE, expunged, changes)
        if changes:
            log.log(xlog.NOTICE, "Expunged %d messages from %s", len(changes), mailbox.name)

    def release(self) -> None:
        self.mailbox.release()
        self.store.run_cleanup()

    def close(self) -> None:
        self.mailbox.close()
        self.store.run_cleanup()
