"""Asking ``annotation_callout`` about messages that are in a mailbox already."""

from __future__ import annotations

from collections.abc import Callable

from libcyrus import acl, message
from libcyrus import options as opt
from libcyrus.annotations import Arrival, Setting, Target
from libcyrus.annotations.fetch import VALUE_PRIVATE, VALUE_SHARED
from libcyrus.append import Appender
from libcyrus.errors import PermissionDenied
from libcyrus.index.view import IndexView
from libcyrus.mailbox.index_record import ANSWERED, DELETED, DRAFT, FLAGGED, SEEN, IndexRecord
from libcyrus.mailbox.mailbox import Mailbox

_SYSTEM_FLAGS = (
    (SEEN, "\\Seen"),
    (DELETED, "\\Deleted"),
    (DRAFT, "\\Draft"),
    (FLAGGED, "\\Flagged"),
    (ANSWERED, "\\Answered"),
)


def run(
    view: IndexView, sequence: str, target: Callable[[Mailbox, int], Target], *, by_uid: bool
) -> None:
    """Give the messages in a sequence set the flags and annotations that the callout says.

    ``target`` makes their targets. Raises PermissionDenied, what ``Arrival.recorded`` and
    ``IndexView.locked`` raise; ValueError for a bad set.
    """
    if not view.rights & (acl.WRITE | acl.ANNOTATEMSG):
        raise PermissionDenied
    config = view.store.config
    if not config[opt.annotation_callout] or config[opt.annotation_callout_disable_append]:
        return
    picture = view.picture
    with view.locked(write=True) as mailbox, Appender(
        mailbox, userid=view.userid, rights=view.rights
    ) as appender:
        for low, high in picture.numbers(sequence, by_uid=by_uid):
            for number in range(low, high + 1):
                uid = picture.uids[number - 1]
                recno = picture.recnos[number - 1] if uid not in picture.gone else 0
                record = mailbox.record(recno) if recno else None
                if record is not None and not record.expunged:
                    _ask(appender, record, target(mailbox, uid))
        appender.commit()


def _ask(appender: Appender, record: IndexRecord, target: Target) -> None:
    mailbox = appender.mailbox
    known: dict[str, list[tuple[str, bytes | None]]] = {}
    for one in mailbox.annotations.of(record.uid):
        if one.userid in ("", mailbox.annotation_user(target.userid)):
            attribute = VALUE_PRIVATE if one.userid else VALUE_SHARED
            known.setdefault(one.entry, []).append((attribute, one.value))
    settings = [Setting(entry, values) for entry, values in known.items()]
    parsed = message.parse(mailbox.map_message(record), mailbox.store.parse_options)
    arrival = Arrival(target, parsed, settings)
    flags = arrival.placed(mailbox.message_path(record), _flags(mailbox, record, target.userid))
    record.system_flags &= SEEN
    record.user_flags = 0
    appender.set_flags(record, flags)
    arrival.recorded(mailbox, record.uid)
    mailbox.rewrite(record)


def _flags(mailbox: Mailbox, record: IndexRecord, userid: str) -> list[str]:
    """The flags as the callout is told them; what others than the owner have seen is not among them."""
    names = [name for bit, name in _SYSTEM_FLAGS if record.system_flags & bit]
    if not mailbox.internal_seen(userid) and "\\Seen" in names:
        names.remove("\\Seen")
    flags = record.user_flags
    return names + [name for number, name in enumerate(mailbox.header.flags) if name and flags >> number & 1]
