"""Moving messages to the archive partition: large and old mail to disks that are cheap.

A message that is in the archive has the flag ARCHIVED; its file is on the partition ``archivepartition-NAME``
in the same sub-path as it had, and its cache record in the ``cyrus.cache`` there (or where the metapartition
``archivecache`` is). Nothing ever comes back from there, whatever the options say later. Without an archive
partition for the mailbox's own the flag alone is set, and nothing moves.

A crash between any two steps of a move leaves each message where its record says:

1. the file is linked or copied, and copies are brought to disk;
2. one commit syncs the directory of the new names, the archive's cache, and the index with the new flags
   (the order in ``changes``); a file without such a record is overwritten by the next move;
3. the old files are unlinked when nobody else has the mailbox open (``expunge.cleanup``): the records have
   NEEDS_CLEANUP. Whoever had it open goes on reading the old file until then.

What the old cache file had of the messages goes with the repack that is asked for.
"""

from __future__ import annotations

import logging
import time

from libcyrus import options as opt
from libcyrus.base import files, xlog
from libcyrus.base.dataclasses import dataclass
from libcyrus.errors import CyrusError, MailboxChecksum
from libcyrus.mailbox import audit, columns, index_header, index_record
from libcyrus.mailbox.failure import storage_error
from libcyrus.mailbox.index_record import ARCHIVED, EXPUNGED, FLAGGED, NEEDS_CLEANUP, IndexRecord
from libcyrus.mailbox.mailbox import Mailbox
from libcyrus.records import mbtype as mbtypes

log = logging.getLogger(__name__)

_BATCH = 4096


@dataclass(frozen=True, slots=True)
class ArchiveRules:
    """Which messages of one mailbox belong into the archive (options ``archive_*``).

    ``maxsize`` in bytes, negative for no limit; ``before`` is the last internaldate that counts as old.
    ``everything``: the mailbox is a deleted one; ``kept``: its messages are small and often needed.
    """

    enabled: bool
    maxsize: int
    keep_flagged: bool
    before: int
    everything: bool = False
    kept: bool = False

    def wants(self, size: int, internaldate: int, flags: int) -> bool:
        """Whether a message with this record belongs there; ``flags`` are system and internal flags."""
        if flags & ARCHIVED:
            return True
        if not self.enabled:
            return False
        if 0 <= self.maxsize <= size or self.everything:
            return True
        if self.kept or self.keep_flagged and flags & FLAGGED:
            return False
        return internaldate <= self.before


def rules_of(mailbox: Mailbox, before: int | None = None) -> ArchiveRules:
    """The rules in force; ``before`` (seconds) overrides ``archive_after``."""
    config = mailbox.store.config
    if before is None:
        before = int(time.time()) - config[opt.archive_after]
    return ArchiveRules(
        config[opt.archive_enabled],
        config[opt.archive_maxsize] * 1024,
        config[opt.archive_keepflagged],
        before,
        everything=bool(mailbox.store.rules.from_internal(mailbox.name).deleted),
        kept=mbtypes.kind(mailbox.entry.mbtype) in (mbtypes.ADDRESSBOOK, mbtypes.CALENDAR),
    )


def should_archive(mailbox: Mailbox, record: IndexRecord) -> bool:
    """Whether a message that is being added goes into the archive at once."""
    flags = record.system_flags | record.internal_flags
    return rules_of(mailbox).wants(record.size, record.internaldate, flags)


def archive(mailbox: Mailbox, before: int | None = None) -> int:
    """Move the messages that the rules want in the archive; returns how many went. Commits.

    Needs the exclusive index lock. A message that cannot be moved is logged and stays. Raises IoError or
    NoSpace when the commit fails: everything is then as it was, or as after one of the portions done.
    """
    mailbox.commit()
    rules = rules_of(mailbox, before)
    if not rules.enabled or not mailbox.num_records:
        return 0
    wanted = _wanted(mailbox, rules)
    moved = 0
    for start in range(0, len(wanted), _BATCH):
        moved += _move(mailbox, wanted[start : start + _BATCH])
    return moved


def _wanted(mailbox: Mailbox, rules: ArchiveRules) -> list[int]:
    """The numbers of records, from 1, that are to be moved."""
    scan = columns.fields(mailbox.region, mailbox.i.record_size, ">I I4xI 16xI")
    return [
        recno
        for recno, (uid, internaldate, size, flags) in enumerate(scan, 1)
        if not flags & (ARCHIVED | EXPUNGED) and uid and rules.wants(size, internaldate, flags)
    ]


def _move(mailbox: Mailbox, recnos: list[int]) -> int:
    paths = mailbox.paths
    moves_files = paths.archive != paths.data
    moves_caches = paths.meta("archivecache") != paths.cache
    try:
        if moves_files:
            files.mkdirs_lasting(paths.archive)
        copies: list[str] = []
        placed = [
            found
            for recno in recnos
            if (found := _place(mailbox, recno, copies, moves_files=moves_files)) is not None
        ]
        files.sync_contents(copies)
    except OSError as error:
        mailbox.abort()
        xlog.ioerror(log, "archiving messages failed", error, mailbox=mailbox.name)
        raise storage_error(error) from error
    if not placed:
        return 0
    if moves_files:
        mailbox.names_changed(archived=True)
    for record, cache in placed:
        record.internal_flags |= ARCHIVED | NEEDS_CLEANUP
        if moves_caches:
            mailbox.changes.append_cache(record, cache)
    _record(mailbox, [record for record, _ in placed])
    mailbox.i.options |= index_header.NEEDS_UNLINK
    if moves_caches:
        mailbox.i.options |= index_header.NEEDS_REPACK
    mailbox.commit()
    return len(placed)


def _place(
    mailbox: Mailbox, recno: int, copies: list[str], *, moves_files: bool
) -> tuple[IndexRecord, memoryview] | None:
    """Put one message's file into the archive; returns record and cache record.

    None, logged, when file, record or cache record are no good. ``copies`` gets what is yet to be synced.
    """
    try:
        record = mailbox.record(recno)
    except MailboxChecksum:
        return None
    try:
        cache = mailbox.cache(record)
    except CyrusError as error:
        mailbox.complain("IOERROR: failed to read cache", record=record.uid, error=error)
        return None
    if moves_files:
        source = mailbox.paths.message(record.uid)
        target = mailbox.paths.message(record.uid, archived=True)
        try:
            if not files.link_or_copy(source, target, keep_times=True, sync=False):
                copies.append(target)
        except OSError as error:
            mailbox.complain(
                "IOERROR: copyfile failed", record=record.uid, srcname=source, destname=target,
                error=error.strerror,
            )  # fmt: skip
            return None
    return record, cache


def _record(mailbox: Mailbox, records: list[IndexRecord]) -> None:
    """Have the next commit write these records, of which only the files' places changed."""
    if mailbox.store.auditlog:
        for record in records:
            mailbox.rewrite(record, silent=True)
            audit.archived(mailbox, record)
        return
    version = mailbox.i.minor_version
    mailbox.changes.patch({record.recno: index_record.pack(record, version) for record in records})
