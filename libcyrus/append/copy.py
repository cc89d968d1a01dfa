"""Copy messages from one mailbox into another: COPY, MOVE, RENAME of an INBOX."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import NamedTuple

from libcyrus import acl
from libcyrus.append.append import Appender
from libcyrus.base import xlog
from libcyrus.errors import CyrusError
from libcyrus.mailbox.annotations import change
from libcyrus.mailbox.failure import storage_error
from libcyrus.mailbox.index_record import (
    DELETED,
    NEEDS_CLEANUP,
    SEEN,
    SNOOZED,
    IndexRecord,
)
from libcyrus.mailbox.mailbox import Mailbox
from libcyrus.records.annotate import NAMESPACE
from libcyrus.records.quota import DONT_CARE, Resource

log = logging.getLogger(__name__)

_SNOOZED = NAMESPACE + "snoozed"


class Original(NamedTuple):
    """A message to copy, with all that is needed of its mailbox.

    ``seen`` is what the copying user has seen, which for others than the owner is not in the record.
    """

    record: IndexRecord
    path: str
    cache: bytes | memoryview
    flag_names: tuple[str, ...]
    seen: bool


def read(mailbox: Mailbox, record: IndexRecord, *, seen: bool | None = None) -> Original:
    """Take from an open mailbox, index locked, what a copy needs; it may be unlocked afterwards.

    The file must still be there when it is copied: the name lock of ``mailbox`` sees to that.
    """
    names = mailbox.header.flags
    flags = record.user_flags
    return Original(
        record,
        mailbox.message_path(record),
        mailbox.cache(record),
        tuple(name for number, name in enumerate(names) if name and flags >> number & 1) if flags else (),
        bool(record.system_flags & SEEN) if seen is None else seen,
    )


def copy(
    target: Appender, source: Mailbox, originals: Iterable[Original], *, link: bool = True, same_user: bool
) -> list[int]:
    """Add copies to the transaction ``target`` and return their uids, in the same order.

    Dates, size and guid are kept; savedate, modseq and user flag numbers are new. ``link`` shares the file;
    ``same_user`` keeps the conversation. ``source`` gives message annotations. Raises NoSpace, IoError,
    QuotaExceeded for annotations; the transaction is aborted then.
    """
    mailbox = target.mailbox
    uids = []
    events, event = target.events, target.begin_event()
    try:
        for original in originals:
            target.check_limit()
            record = original.record.copy()
            record.uid = mailbox.i.last_uid + 1
            record.recno = record.savedate = record.user_flags = record.cache_offset = 0
            record.modseq = 0
            record.system_flags &= ~SEEN
            record.internal_flags &= ~(SNOOZED | NEEDS_CLEANUP)
            if not same_user:
                record.cid = 0
            _set_flags(target, record, original)
            target.place(record, original.path, link=link)
            mailbox.append(record, original.cache)
            _copy_annotations(source, original.record.uid, mailbox, record.uid, target.userid)
            target.uids.append(record.uid)
            uids.append(record.uid)
            if event is not None and events is not None:
                events.messages.add(event, mailbox, record, original.cache)
                event.add_old_uids([original.record.uid])
        if event is not None and events is not None:
            events.about_old(event, source)
            target.end_event(event)
    except OSError as error:
        target.abort()
        xlog.ioerror(log, "copying message failed", error, mailbox=mailbox.name)
        raise storage_error(error) from error
    except BaseException:
        target.abort()
        raise
    return uids


def _set_flags(target: Appender, record: IndexRecord, original: Original) -> None:
    if target.rights & acl.WRITE:
        for name in original.flag_names:
            try:
                record.user_flags |= 1 << target.mailbox.create_flag(name)
            except CyrusError as error:
                xlog.xsyslog(
                    log, logging.ERROR, "IOERROR: unable to copy flag", None,
                    flag=name, dest_mailbox=target.mailbox.name, uid=record.uid, reason=error,
                )  # fmt: skip
    else:
        record.system_flags &= DELETED
    if not target.rights & acl.DELETEMSG:
        record.system_flags &= ~DELETED
    if original.seen:
        target.set_seen(record)


def _copy_annotations(source: Mailbox, uid: int, mailbox: Mailbox, new_uid: int, userid: str) -> None:
    """Shared annotations and those of the copying user go along, but for what only one copy may have."""
    for annotation in source.annotations.of(uid):
        if annotation.entry == _SNOOZED:
            continue
        if not annotation.userid:
            owner = ""
        elif annotation.userid == source.annotation_user(userid):
            owner = mailbox.annotation_user(userid)
        else:
            continue
        if mailbox.quotaroot is not None:
            differences = list(DONT_CARE)
            differences[Resource.ANNOTSTORAGE] = len(annotation.value)
            mailbox.store.quota.check(mailbox.quotaroot, differences)
        change(mailbox, new_uid, annotation.entry, owner, annotation.value, old=b"")
