"""The events (see ``mailbox.telling``) of what a session does to the messages of its mailbox."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from libcyrus.events.mboxevent.event import MboxEvent
from libcyrus.events.mboxevent.kinds import EventType
from libcyrus.mailbox import flagchange
from libcyrus.mailbox.index_record import ANSWERED, DELETED, DRAFT, FLAGGED, SEEN
from libcyrus.mailbox.mailbox import Mailbox

if TYPE_CHECKING:
    from libcyrus.index.view import IndexView

_SYSTEM_FLAGS: Final = (
    (DELETED, "\\Deleted"), (ANSWERED, "\\Answered"), (FLAGGED, "\\Flagged"), (DRAFT, "\\Draft"),
    (SEEN, "\\Seen"),
)  # fmt: skip

Flags = tuple[int, bytes, bool]
"""System flags and user flags as in the record, and whether a user saw the message of whom that tells not."""
Changed = tuple[int, int, Flags, Flags]
"""A message by UID and record number, with its flags as they were and as they are."""


def messages_changed(
    view: IndexView,
    mailbox: Mailbox,
    kind: EventType,
    uids: Sequence[int],
    changes: Iterable[flagchange.FlagChange],
) -> None:
    """Have the commit tell of messages whose records have changed, by an event of this type."""
    events = view.store.events
    if events is None or not uids:
        return
    event = events.new(kind)
    if event is not None:
        events.messages.add_changed(event, mailbox, uids, (recno for recno, _, _ in changes))
        events.about(event, mailbox, view.userid, unseen=_unseen(view, uids, kind))
        mailbox.changes.tell(event, last=True)


def flags_changed(view: IndexView, mailbox: Mailbox, changed: Iterable[Changed]) -> None:
    """Have the commit tell of flags set and cleared, each kind once for all messages."""
    events = view.store.events
    if events is None:
        return
    queue: list[MboxEvent] = []
    told: dict[EventType, tuple[MboxEvent | None, list[int], list[int]]] = {}
    known: dict[tuple[Flags, Flags], tuple[list[str], list[str]]] = {}
    for uid, recno, old, new in changed:
        names = known.get((old, new))
        is_first = names is None
        if names is None:
            names = known[old, new] = _names(mailbox, new, old), _names(mailbox, old, new)
        for kind, flags in zip((EventType.FLAGS_SET, EventType.FLAGS_CLEAR), names, strict=True):
            if not flags:
                continue
            if kind not in told:
                event = events.new(kind)
                told[kind] = event, [], []
                if event is not None:
                    queue.append(event)
            event, uids, recnos = told[kind]
            uids.append(uid)
            recnos.append(recno)
            if event is not None and is_first:
                event.add_flags(events.told_flags(flags))
    for event, uids, recnos in told.values():
        if event is not None:
            events.messages.add_changed(event, mailbox, uids, recnos)
            events.about(event, mailbox, view.userid, unseen=_unseen(view))
    mailbox.changes.tell(*queue)


def _names(mailbox: Mailbox, flags: Flags, other: Flags) -> list[str]:
    """The names of the flags that are not among the others."""
    system = flags[0] & ~other[0]
    if flags[2] and not other[2]:
        system |= SEEN
    names = [name for flag, name in _SYSTEM_FLAGS if system & flag]
    user = flagchange.user_number(flags[1]) & ~flagchange.user_number(other[1])
    if user:
        slots = enumerate(mailbox.header.flags)
        names += [name for number, name in slots if name is not None and user >> number & 1]
    return names


def _unseen(view: IndexView, uids: Iterable[int] = (), kind: EventType = EventType.CANCELLED) -> int | None:
    """How many messages the user has not seen; None where the mailbox knows that."""
    if view.seen.internal:
        return None
    gone = view.picture.gone.union(uids) if kind == EventType.MESSAGE_EXPUNGE else view.picture.gone
    seen = view.seen.uids
    return sum(1 for uid in view.picture.uids if uid not in gone and uid not in seen)
