"""Removing messages, in the three steps of the original.

*Expunge* marks records; clients no longer see the message. *Unlink* marks what is due for removal: at once
with ``expunge_mode`` immediate or semidelayed, else when ``expunge_stale`` (cyr_expire) finds it old
enough. *Clean-up* removes files, and a repack the records; it needs the name lock exclusively, so it waits
until nobody has the mailbox open, and happens after the reply (``MailStore.run_cleanup``).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, NamedTuple
from zlib import crc32

from libcyrus.base import xlog
from libcyrus.errors import CyrusError, MailboxChecksum
from libcyrus.events.mboxevent.kinds import EventType
from libcyrus.mailbox import columns, index_header, remove
from libcyrus.mailbox.index_record import (
    DELETED,
    EXPUNGED,
    NEEDS_CLEANUP,
    OFFSET_FLAGS,
    OFFSET_USER_FLAGS,
    UNLINKED,
    IndexRecord,
)
from libcyrus.mailbox.mailbox import Mailbox
from libcyrus.mailbox.repack import repack

if TYPE_CHECKING:
    from libcyrus.mailbox.mailstore import MailStore

log = logging.getLogger(__name__)

Decision = Callable[[IndexRecord], bool]


def is_deleted(record: IndexRecord) -> bool:
    """The decision of EXPUNGE: the message is marked \\Deleted."""
    return bool(record.system_flags & DELETED)


def expunge(
    mailbox: Mailbox,
    decide: Decision = is_deleted,
    *,
    event: EventType = EventType.CANCELLED,
    userid: str = "",
) -> int:
    """``expunge_records`` for the living messages that ``decide`` picks."""
    recnos = [record.recno for record in mailbox.records(expunged=False) if decide(record)]
    return expunge_records(mailbox, recnos, event=event, userid=userid)


def expunge_records(
    mailbox: Mailbox,
    recnos: Iterable[int],
    *,
    event: EventType = EventType.CANCELLED,
    userid: str = "",
) -> int:
    """Mark living messages as expunged, by record number, all at once; returns how many.

    Needs the exclusive index lock, and no uncommitted changes of their records; the caller commits. Damaged
    records are logged and left alone. An ``event`` of this type says that ``userid`` did it.
    """
    size, region = mailbox.i.record_size, mailbox.region
    changes = []
    for recno in recnos:
        data = region[(recno - 1) * size : recno * size]
        if crc32(data[:-4]) != int.from_bytes(data[-4:]):
            mailbox.complain("IOERROR: index record corrupted", recno=recno)
            continue
        flags = int.from_bytes(data[OFFSET_FLAGS : OFFSET_FLAGS + 4])
        user = bytes(data[OFFSET_USER_FLAGS : OFFSET_USER_FLAGS + 16])
        changes.append((recno, flags | EXPUNGED, user))
    if changes:
        mailbox.rewrite_flags(changes)
        _tell(mailbox, [recno for recno, _, _ in changes], event, userid)
        log.log(xlog.NOTICE, "Expunged %d messages from %s", len(changes), mailbox.name)
    return len(changes)


def _tell(mailbox: Mailbox, recnos: list[int], kind: EventType, userid: str) -> None:
    events = mailbox.store.events
    event = events.new(kind) if events is not None else None
    if event is not None and events is not None:
        size, region = mailbox.i.record_size, mailbox.region
        uids = [int.from_bytes(region[(recno - 1) * size : (recno - 1) * size + 4]) for recno in recnos]
        events.messages.add_changed(event, mailbox, uids, recnos)
        events.about(event, mailbox, userid)
        mailbox.changes.tell(event)


def expunge_stale(mailbox: Mailbox, before: int) -> int:
    """Mark messages expunged at ``before`` (seconds) or earlier for removal; returns how many.

    Commits what was changed before; its own changes the caller commits.
    """
    mailbox.commit()
    i = mailbox.i
    if i.num_records == i.exists:
        return 0
    due = find_stale(mailbox.region, i.record_size, before)
    if due is None:
        return 0
    found = _mark_unlinked(mailbox, due.recnos)
    if found or due.unlinked:
        mailbox.dirty()
        i.options |= index_header.NEEDS_REPACK
        i.first_expunged = due.first_fresh
    return found


class Stale(NamedTuple):
    """Expunged messages whose time has come, by record number.

    ``unlinked``: records are there whose files went already. ``first_fresh`` is when the oldest message
    that stays was expunged; 0 if none stays.
    """

    recnos: list[int]
    unlinked: bool
    first_fresh: int


def find_stale(region: memoryview, size: int, before: int) -> Stale | None:
    """What was expunged at ``before`` (seconds) or earlier; None when nothing is to be done.

    ``region`` and ``size`` are as in ``columns``.
    """
    recnos: list[int] = []
    unlinked = False
    first_fresh = 0
    for recno, (uid, updated, flags) in enumerate(columns.fields(region, size, ">I24xII"), 1):
        if not flags & EXPUNGED or not uid:
            continue
        if flags & UNLINKED:
            unlinked = True
        elif updated > before:
            first_fresh = min(first_fresh or updated, updated)
        else:
            recnos.append(recno)
    return Stale(recnos, unlinked, first_fresh) if recnos or unlinked else None


def _mark_unlinked(mailbox: Mailbox, recnos: list[int]) -> int:
    """Mark expunged messages as due for removal; returns how many, which leaves out damaged records."""
    store = mailbox.store
    found = 0
    packed = {}
    more = UNLINKED | NEEDS_CLEANUP if store.expunge_at_once else UNLINKED
    size, region = mailbox.i.record_size, mailbox.region
    for recno in recnos:
        data = bytes(region[(recno - 1) * size : recno * size])
        if crc32(data[:-4]) != int.from_bytes(data[-4:]):
            mailbox.complain("IOERROR: failed to mark unlinked", recno=recno)
            continue
        found += 1
        if store.auditlog:
            record = mailbox.record(recno)
            record.internal_flags |= UNLINKED
            mailbox.rewrite(record, silent=True)
            continue
        flags = int.from_bytes(data[OFFSET_FLAGS : OFFSET_FLAGS + 4]) | more
        body = b"%b%b%b" % (data[:OFFSET_FLAGS], flags.to_bytes(4), data[OFFSET_FLAGS + 4 : -4])
        packed[recno] = body + crc32(body).to_bytes(4)
    if packed:
        mailbox.changes.patch(packed)
        mailbox.i.options |= index_header.NEEDS_UNLINK
    return found


def cleanup(store: MailStore, name: str) -> None:
    """Do what the options of a mailbox say is due, unless somebody uses it; failures are logged."""
    mailbox = store.is_open(name)
    try:
        if mailbox is None:
            with store.open(name, write=True, exclusive=True, nonblock=True) as mailbox:
                _clean(mailbox)
        elif mailbox.released:
            _clean_released(mailbox)
    except CyrusError as error:
        log.debug("clean-up of %s put off: %s", name, error)


def _clean_released(mailbox: Mailbox) -> None:
    """The same for a mailbox that a session here keeps open between two commands."""
    mailbox.relock_exclusively(nonblock=True)
    try:
        _clean(mailbox)
    except CyrusError:
        mailbox.abort()
        raise
    finally:
        mailbox.i.options &= ~(index_header.NEEDS_REPACK | index_header.NEEDS_UNLINK)
        mailbox.release()


def _clean(mailbox: Mailbox) -> None:
    options = mailbox.i.options
    if options & index_header.NEEDS_REPACK:
        repack(mailbox)
    elif options & index_header.NEEDS_UNLINK:
        unlink_files(mailbox)


def unlink_files(mailbox: Mailbox) -> None:
    """Remove the files of unlinked records and the stale copies of archived ones, and commit.

    Needs the name lock exclusively.
    """
    log.info("Unlinking files in mailbox %s", mailbox.name)
    scan = columns.fields(mailbox.region, mailbox.i.record_size, ">I28xI")
    due = [
        recno for recno, (uid, flags) in enumerate(scan, 1) if uid and flags & (NEEDS_CLEANUP | UNLINKED)
    ]
    for recno in due:
        try:
            record = mailbox.record(recno)
        except MailboxChecksum:
            continue
        remove.record_files(mailbox, record)
        if record.internal_flags & NEEDS_CLEANUP:
            record.internal_flags &= ~NEEDS_CLEANUP
            mailbox.rewrite(record, silent=True)
    mailbox.dirty()
    mailbox.i.options &= ~index_header.NEEDS_UNLINK
    mailbox.commit()
