"""Changing the flags of messages (RFC 3501 section 6.4.6, rights by RFC 4314 section 4).

Adding and removing does as much as the rights allow and fails only when that is nothing at all; replacing
fails when any flag given is beyond the rights. A change that changes nothing leaves the modseq alone.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence

from libcyrus import acl
from libcyrus.base.seqset import MAXIMUM, SeqSet
from libcyrus.errors import PermissionDenied
from libcyrus.index import telling
from libcyrus.index.rows import Rows
from libcyrus.index.view import IndexView
from libcyrus.mailbox import flagchange
from libcyrus.mailbox.index_record import DELETED, EXPUNGED, OFFSET_MODSEQ, SEEN, SYSTEM_FLAGS
from libcyrus.mailbox.mailbox import Mailbox


class FlagChange(enum.Enum):
    REPLACE = enum.auto()
    ADD = enum.auto()
    REMOVE = enum.auto()


def store(
    view: IndexView,
    sequence: str,
    change: FlagChange,
    system: int,
    names: Sequence[str],
    *,
    by_uid: bool,
    silent: bool,
    unchangedsince: int | None = None,
) -> SeqSet:
    """Change flags of the messages in a sequence set. ``system`` is a mask, ``names`` are user flags.

    With ``silent`` what this does is not told, unless others changed the same message before. Messages with a
    modseq above ``unchangedsince`` are left alone; their numbers or UIDs are returned. Raises
    PermissionDenied, UserFlagsExhausted, what ``IndexView.locked`` raises; ValueError for a bad set.
    """
    system, names = _permitted(view.rights, change, system, names)
    with view.locked(write=True) as mailbox:
        picture = view.picture
        user = 0
        for name in names:
            user |= 1 << mailbox.create_flag(name)
        changer = _Changer(view, change, system, user)
        known_news = set(picture.pending)
        ranges = list(picture.numbers(sequence, by_uid=by_uid))
        ranges, modified = unchanged(view, ranges, unchangedsince, by_uid=by_uid)
        for low, high in ranges:
            changer.look_at(Rows(picture, low, high))
        if view.readonly and changer.changed:
            raise PermissionDenied
        changer.apply(mailbox)
        if changer.told:
            telling.flags_changed(view, mailbox, changer.told)
    if silent:
        picture.pending.difference_update(set(changer.changed) - known_news)
    return modified


def unchanged(
    view: IndexView, ranges: list[tuple[int, int]], since: int | None, *, by_uid: bool
) -> tuple[list[tuple[int, int]], SeqSet]:
    """Of ranges of message numbers those whose modseq is no higher, and the others' numbers or UIDs.

    That is UNCHANGEDSINCE (RFC 7162 section 3.1.3); without it all are as good as unchanged.
    """
    if since is None:
        return ranges, SeqSet()
    gone = view.picture.gone
    kept: list[int] = []
    modified: list[int] = []
    for low, high in ranges:
        rows = Rows(view.picture, low, high)
        for number, uid, (modseq,) in zip(
            range(low, high + 1), rows.uids, rows.fields(f">{OFFSET_MODSEQ}xQ"), strict=True
        ):
            if modseq > since:
                if uid not in gone:
                    modified.append(uid if by_uid else number)
            else:
                kept.append(number)
    return list(SeqSet.of(kept).ranges()), SeqSet.of(modified)


def _permitted(
    rights: int, change: FlagChange, system: int, names: Sequence[str]
) -> tuple[int, Sequence[str]]:
    """What of the flags may be changed. Raises PermissionDenied."""
    allowed = system
    if not rights & acl.SETSEEN:
        allowed &= ~SEEN
    if not rights & acl.DELETEMSG:
        allowed &= ~DELETED
    user: Sequence[str] = names
    if not rights & acl.WRITE:
        allowed &= SEEN | DELETED
        user = ()
    limited = allowed != system or len(user) != len(names)
    if limited and (change is FlagChange.REPLACE or not (allowed or user)):
        raise PermissionDenied
    return allowed, user


class _Changer:
    """Works out one change for messages, and remembers the UIDs of those that it does change."""

    def __init__(self, view: IndexView, change: FlagChange, system: int, user: int) -> None:
        self._view = view
        self._operation = change
        self._seen = bool(system & SEEN)
        self._system = system & ~SEEN
        self._user = user
        self._known: dict[tuple[int, bytes, bool], tuple[int, bytes, bool]] = {}
        self._changes: list[flagchange.FlagChange] = []
        self._newly_seen: list[int] = []
        self._newly_unseen: list[int] = []
        self._tells = view.store.events is not None
        self.changed: list[int] = []
        self.told: list[telling.Changed] = []

    def look_at(self, rows: Rows) -> None:
        """Work out what becomes of messages in a row."""
        view, known, tells = self._view, self._known, self._tells
        gone = view.picture.gone
        internal = view.seen.internal
        seen_by_me = bytes(rows.count)
        if not internal:
            seen_by_me = rows.with_uids(view.seen.uids.within(1, MAXIMUM)).to_bytes(rows.count, "little")
        fields = zip(rows.recnos, rows.uids, rows.fields(">32xI16s"), seen_by_me, strict=True)
        for recno, uid, (flags, user), seen in fields:
            old = flags, user, bool(seen)
            new = known.get(old)
            if new is None:
                new = known[old] = self._new(*old)
            if new == old or not recno or flags & EXPUNGED or uid in gone:
                continue
            self._changes.append((recno, new[0], new[1]))
            self.changed.append(uid)
            if tells:
                self.told.append((uid, recno, old, new))
            if new[2] != old[2]:
                (self._newly_seen if new[2] else self._newly_unseen).append(uid)

    def apply(self, mailbox: Mailbox) -> None:
        if self._newly_seen:
            self._view.seen.mark(self._newly_seen, is_seen=True)
        if self._newly_unseen:
            self._view.seen.mark(self._newly_unseen, is_seen=False)
        if self._changes:
            mailbox.rewrite_flags(self._changes)

    def _new(self, flags: int, user: bytes, seen: bool) -> tuple[int, bytes, bool]:
        """The new flags, user flags and \\Seen, the last being that of the index only for its owner."""
        new = self._new_system(flags)
        new_user = flagchange.user_bytes(self._new_user(flagchange.user_number(user)))
        if self._view.seen.internal:
            return new & ~SEEN | (SEEN if self._new_seen(bool(flags & SEEN)) else 0), new_user, seen
        return new, new_user, self._new_seen(seen)

    def _new_seen(self, old: bool) -> bool:
        if not self._view.rights & acl.SETSEEN:
            return old
        if self._operation is FlagChange.REPLACE:
            return self._seen
        if self._seen:
            return self._operation is FlagChange.ADD
        return old

    def _new_system(self, old: int) -> int:
        """System flags; \\Seen is left as it is."""
        if self._operation is FlagChange.ADD:
            return old | self._system
        if self._operation is FlagChange.REMOVE:
            return old & ~self._system
        rights = self._view.rights
        mine = 0
        if rights & acl.WRITE:
            mine |= SYSTEM_FLAGS & ~SEEN & ~DELETED
        if rights & acl.DELETEMSG or not rights & acl.WRITE:
            mine |= DELETED
        return old & ~mine | self._system & mine

    def _new_user(self, old: int) -> int:
        if self._operation is FlagChange.ADD:
            return old | self._user
        if self._operation is FlagChange.REMOVE:
            return old & ~self._user
        return self._user if self._view.rights & acl.WRITE else old
