"""Changing the flags of messages (RFC 3501 section 6.4.6, rights by RFC 4314 section 4).

Adding and removing does as much as the rights allow and fails only when that is nothing at all; replacing
fails when any flag given is beyond the rights. A change that changes nothing leaves the modseq alone.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence

from libcyrus import acl
from libcyrus.errors import PermissionDenied
from libcyrus.index.view import IndexView
from libcyrus.mailbox.index_record import DELETED, SEEN, SYSTEM_FLAGS, IndexRecord
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
) -> None:
    """Change flags of the messages in a sequence set. ``system`` is a mask, ``names`` are user flags.

    With ``silent`` what this does is not told, unless others changed the same message before. Raises
    PermissionDenied, UserFlagsExhausted, what ``IndexView.locked`` raises; ValueError for a bad set.
    """
    system, names = _permitted(view.rights, change, system, names)
    with view.locked(write=True) as mailbox:
        picture = view.picture
        user = 0
        for name in names:
            user |= 1 << mailbox.create_flag(name)
        changer = _Changer(view, mailbox, change, system, user)
        known_news = set(picture.pending)
        for low, high in picture.numbers(sequence, by_uid=by_uid):
            for number in range(low, high + 1):
                changer.change(number)
    if silent:
        picture.pending.difference_update(set(changer.changed) - known_news)


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
    """Applies one change to messages and remembers the UIDs of those that did change."""

    def __init__(
        self, view: IndexView, mailbox: Mailbox, change: FlagChange, system: int, user: int
    ) -> None:
        self._view = view
        self._mailbox = mailbox
        self._operation = change
        self._seen = bool(system & SEEN)
        self._system = system & ~SEEN
        self._user = user
        self.changed: list[int] = []

    def change(self, number: int) -> None:
        view = self._view
        uid, recno = view.picture.uids[number - 1], view.picture.recnos[number - 1]
        if not recno or uid in view.picture.gone:
            return
        record = self._mailbox.record(recno)
        if record.expunged:
            return
        internal = view.seen.internal
        was_seen = bool(record.system_flags & SEEN) if internal else uid in view.seen.uids
        seen = self._new_seen(was_seen)
        before = record.system_flags, record.user_flags
        self._set(record)
        if internal:
            record.system_flags = record.system_flags & ~SEEN | (SEEN if seen else 0)
        elif seen != was_seen:
            view.seen.mark([uid], is_seen=seen)
        if (record.system_flags, record.user_flags) != before or seen != was_seen:
            self._mailbox.rewrite(record)
            self.changed.append(uid)

    def _new_seen(self, old: bool) -> bool:
        if not self._view.rights & acl.SETSEEN:
            return old
        if self._operation is FlagChange.REPLACE:
            return self._seen
        if self._seen:
            return self._operation is FlagChange.ADD
        return old

    def _set(self, record: IndexRecord) -> None:
        """Change all flags but \\Seen."""
        if self._operation is FlagChange.ADD:
            record.system_flags |= self._system
            record.user_flags |= self._user
        elif self._operation is FlagChange.REMOVE:
            record.system_flags &= ~self._system
            record.user_flags &= ~self._user
        else:
            rights = self._view.rights
            mine = 0
            if rights & acl.WRITE:
                mine |= SYSTEM_FLAGS & ~SEEN & ~DELETED
                record.user_flags = self._user
            if rights & acl.DELETEMSG or not rights & acl.WRITE:
                mine |= DELETED
            record.system_flags = record.system_flags & ~mine | self._system & mine
