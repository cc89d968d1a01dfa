"""What changes in a mailbox between two commits, and how it gets to disk.

Changes are collected in memory. ``commit`` brings them to disk in this order,
and a power cut between any two steps loses or half-shows nothing acknowledged:

1. message files and a new ``cyrus.header`` are already written and synced (by the stage, by
   ``commit`` itself); one sync of the directory makes all their names lasting, or step 5 does, where
   a file system keeps changes in order (``files.sync_keeps_names``) and the index grows;
2. ``cyrus.cache``, appended, not synced: both servers check each record and make a lost one again;
3. the owner's modseq counters, if conversations are on: numbers counted for nothing are just left out;
4. new values of ``cyrus.annotations``, with the index marked before as being changed: who finds it so counts
   anew, and drops those of a message that did not come to be;
5. ``cyrus.index``, see ``index_file``;
6. the removal of annotations of expunged messages, then the conversations of the owner, see ``conversing``;
   the original too commits them after the index. A crash in between leaves messages in their mailbox that
   conversations do not know yet (or know with flags of before): each mends itself when its flags change
   next, and ``ctl_conversationsdb -R`` mends all. The conversation that the index names stays the message's;
7. quota, so a crash can only leave a quota too low, which ``quota -f`` corrects.

Without message or header files step 1 is left out; without cache records step 2.
An error on the way undoes everything: files unlinked by the appender, cache and index cut
back to their old size, memory read again from disk.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from libcyrus.base import files, xlog
from libcyrus.base.dataclasses import dataclass, field, replace
from libcyrus.errors import (
    CyrusError,
    InternalError,
    InvalidIdentifier,
    MailboxLocked,
    UserFlagsExhausted,
)
from libcyrus.mailbox import audit, counting, flagchange, header, index_header, index_record
from libcyrus.mailbox.failure import storage_error
from libcyrus.mailbox.flagchange import FlagChange
from libcyrus.mailbox.index_record import EXPUNGED, MAX_USER_FLAGS, NULL_GUID, UNLINKED, IndexRecord
from libcyrus.records.annotate import Annotation

if TYPE_CHECKING:
    from libcyrus.events.mboxevent.event import MboxEvent
    from libcyrus.mailbox.mailbox import Mailbox

log = logging.getLogger(__name__)

_FEW_FLAGS = 100

Usage = tuple[int, int, int, int]


@dataclass(slots=True)
class _Pending:
    """What the next commit writes. ``before`` are the old flags of changed records, -1 for new ones.

    A record is in ``records`` or, as it is to be written, in ``packed``. ``lasting``: the index must survive
    a power cut, since more than its recent mark changes.
    """

    records: dict[int, IndexRecord] = field(default_factory=dict)
    packed: dict[int, bytes] = field(default_factory=dict)
    before: dict[int, int] = field(default_factory=dict)
    directories: set[str] = field(default_factory=set)
    unstaged: bool = False
    index: bool = False
    lasting: bool = False
    header: bool = False
    modseq: bool = False
    usage: Usage | None = None
    events: list[MboxEvent | None] = field(default_factory=list)
    last_events: list[MboxEvent | None] = field(default_factory=list)

    def __bool__(self) -> bool:
        return self.index or self.header or bool(self.directories)

    def put(self, record: IndexRecord, old_flags: int) -> None:
        self.packed.pop(record.recno, None)
        self.records[record.recno] = record.copy()
        self.before.setdefault(record.recno, old_flags)


class Changes:
    """The uncommitted changes of one open mailbox. Making any needs its exclusive index lock.

    ``last_updated`` is the time that all records changed by one commit get. ``committed`` says that something
    was written since it was last reset.
    """

    __slots__ = ("_announcements", "_held", "_mailbox", "_pending", "committed", "last_updated")

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox
        self._announcements: list[tuple[str, ...]] = []
        self._pending = _Pending()
        self._held: list[MboxEvent | None] | None = None
        self.last_updated = 0
        self.committed = False

    @property
    def records(self) -> dict[int, IndexRecord]:
        """New and changed records by their number, but for those in ``packed``."""
        return self._pending.records

    @property
    def packed(self) -> dict[int, bytes]:
        """The bytes of records by their number, where only flags changed."""
        return self._pending.packed

    def recnos(self) -> list[int]:
        """The numbers of new and changed records."""
        return [*self._pending.records, *self._pending.packed]

    # saying what changed

    def dirty(self) -> None:
        self._need_exclusive()
        self._pending.index = self._pending.lasting = True

    def recent_dirty(self) -> None:
        self._need_exclusive()
        self._pending.index = True

    def header_dirty(self) -> None:
        self._need_exclusive()
        self._pending.header = True
        self._mailbox.forget_flag_crcs()

    def quota_dirty(self) -> None:
        if self._pending.usage is None:
            self._pending.usage = self._mailbox.usage()

    def names_changed(self, directory: str, *, staged: bool = False) -> None:
        """Say that a name was made in this directory: the next commit makes it lasting.

        ``staged``: of a new message whose staged file remains until then, by which what a power cut leaves
        can be told from damage.
        """
        self._pending.directories.add(directory)
        self._pending.unstaged = self._pending.unstaged or not staged

    def bump_modseq(self) -> int:
        self.dirty()
        mailbox = self._mailbox
        i = mailbox.i
        if not self._pending.modseq:
            self._pending.modseq = True
            self.last_updated = int(time.time())
            if not mailbox.silent:
                i.highestmodseq = self._count_modseq()
        if not mailbox.silent:
            i.highestmodseq += 1
        return i.highestmodseq

    def _count_modseq(self) -> int:
        """Keep the owner's counter at the highest modseq or above; returns the counter."""
        mailbox = self._mailbox
        return mailbox.store.counters.set_modseq(
            mailbox.name, mailbox.i.highestmodseq, mailbox.entry.mbtype
        )

    def begin(self) -> None:
        """Everything of a new mailbox is to be written, and counted for the quota."""
        self._pending = _Pending(index=True, header=True, usage=(0, 0, 0, 0))

    def announce(self, word: str, *names: str) -> None:
        """Put this record into the sync log with the one that the mailbox changed."""
        if self._mailbox.store.sync_log.enabled:
            self._announcements.append((word, *names))

    def tell(self, *events: MboxEvent | None, last: bool = False) -> None:
        """Have the next commit send these events, before the one that the modseq changed or behind all."""
        queue = self._pending.last_events if last else self._pending.events
        queue += events

    @contextmanager
    def events_held(self) -> Iterator[list[MboxEvent | None]]:
        """Let commits inside the block give their events to the caller, who sends them when more is done."""
        self._held = []
        try:
            yield self._held
        finally:
            self._held = None

    def take_announcements(self) -> list[tuple[str, ...]]:
        taken, self._announcements = self._announcements, []
        return taken

    # flags

    def create_flag(self, name: str, *, reserve: bool) -> int:
        mailbox = self._mailbox
        known = mailbox.header.flag_number(name)
        if known is not None:
            return known
        free = mailbox.header.free_flag()
        full = free >= MAX_USER_FLAGS
        if not full and reserve and free >= _FEW_FLAGS:
            full = name.lower() not in mailbox.store.initial_flags
        if full:
            mailbox.complain("IOERROR: out of flags", flag=name)
            raise UserFlagsExhausted
        self._need_exclusive()
        if not header.is_atom(name):
            raise InvalidIdentifier
        mailbox.header.put_flag(free, name)
        self.header_dirty()
        return free

    def remove_flag(self, number: int) -> None:
        """Free the number of a user flag that no record has any more."""
        self._need_exclusive()
        flags = self._mailbox.header.flags
        if number < len(flags) and flags[number] is not None:
            flags[number] = None
            self.header_dirty()

    # records

    def rewrite(self, record: IndexRecord, *, silent: bool) -> None:
        self._need_exclusive()
        mailbox, i = self._mailbox, self._mailbox.i
        old = mailbox.record(record.recno)
        if record.uid != old.uid or record.guid != old.guid or (old.expunged and not record.expunged):
            raise InternalError
        if record.expunged and self._expunge_at_once:
            record.internal_flags |= UNLINKED | index_record.NEEDS_CLEANUP
        if silent:
            self.dirty()
        else:
            record.modseq = self.bump_modseq()
            record.last_updated = self.last_updated
        if record.unlinked:
            if self._repack_at_once:
                i.options |= index_header.NEEDS_REPACK
            i.options |= index_header.NEEDS_UNLINK
        elif not record.cache_offset:
            mailbox.rebuild_cache(record)
        if mailbox.conversing.active:
            mailbox.conversing.update(old, record, ignore_limits=True)
        self.quota_dirty()
        counting.replace(i, old, record, mailbox.flag_crcs)
        if record.expunged:
            if not old.expunged:
                counting.uncount_annotations(i, record.uid, mailbox.annotations)
            counting.note_expunged(i, record)
        self._pending.put(record, old.system_flags | old.internal_flags)

    def rewrite_flags(self, changes: Iterable[FlagChange]) -> None:
        self._need_exclusive()
        mailbox, pending = self._mailbox, self._pending
        if mailbox.store.auditlog or mailbox.silent or pending.records or pending.packed:
            left = list(changes)
        else:
            left = self._pack_flags(changes)
        for recno, flags, user in left:
            record = mailbox.record(recno)
            record.system_flags, record.internal_flags = flags & 0xFFFF, flags & 0xFFFF0000
            record.user_flags = flagchange.user_number(user)
            self.rewrite(record, silent=False)

    def patch(self, packed: dict[int, bytes]) -> None:
        """Replace records that have no other pending change by packed ones, silently.

        Nothing may differ in them that the header counts or the audit log tells: where a message's files are,
        and what is left to be done with them.
        """
        self.dirty()
        if not self._pending.records.keys().isdisjoint(packed):
            raise InternalError
        if self._mailbox.conversing.active:
            self._mailbox.conversing.update_packed(packed)
        self._pending.packed.update(packed)

    def _pack_flags(self, changes: Iterable[FlagChange]) -> list[FlagChange]:
        """Make the changes that can be made to packed records, and return the others."""
        mailbox, i = self._mailbox, self._mailbox.i
        self.quota_dirty()
        # every record takes a modseq of its own, the first of them this one
        first = self.bump_modseq()
        i.highestmodseq = first - 1
        packed = flagchange.pack(
            i,
            mailbox.region,
            changes,
            mailbox.flag_crcs,
            last_updated=self.last_updated,
            expunged_flags=UNLINKED | index_record.NEEDS_CLEANUP if self._expunge_at_once else 0,
        )
        i.highestmodseq = max(i.highestmodseq, first)
        if mailbox.conversing.active:
            mailbox.conversing.update_packed(packed.records)
        self._pending.packed = packed.records
        if packed.expunged:
            counting.uncount_many_annotations(i, packed.expunged, mailbox.annotations)
            if not i.first_expunged or i.first_expunged > self.last_updated:
                i.first_expunged = self.last_updated
            if self._expunge_at_once:
                i.options |= index_header.NEEDS_UNLINK
                i.options |= index_header.NEEDS_REPACK if self._repack_at_once else 0
        return packed.left

    def append(
        self, record: IndexRecord, cache: bytes | memoryview | None, *, ignore_limits: bool = False
    ) -> None:
        self._need_exclusive()
        mailbox, i = self._mailbox, self._mailbox.i
        if not i.last_uid < record.uid <= 0xFFFFFFFF or not record.size or record.guid == NULL_GUID:
            raise InternalError
        index_record.complete_dates(record, int(time.time()))
        silent = mailbox.silent and bool(record.modseq)
        if silent:
            self.dirty()
        else:
            record.modseq = self.bump_modseq()
            if not record.createdmodseq or record.createdmodseq > record.modseq:
                record.createdmodseq = record.modseq
            record.last_updated = self.last_updated
            record.savedate = record.savedate or record.last_updated
        if cache is not None:
            self.append_cache(record, cache)
        if mailbox.conversing.active:
            mailbox.conversing.update(None, record, cache, silent=silent, ignore_limits=ignore_limits)
        self.quota_dirty()
        counting.replace(i, None, record, mailbox.flag_crcs)
        i.last_uid = record.uid
        i.num_records += 1
        record.recno = i.num_records
        if record.expunged:
            counting.note_expunged(i, record)
        self._pending.put(record, -1)

    def append_cache(self, record: IndexRecord, data: bytes | memoryview) -> None:
        """Write a cache record, and its offset into ``record``. Raises NoSpace, IoError."""
        mailbox = self._mailbox
        try:
            mailbox.cache_files.append(record, data, mailbox.i.generation_no)
        except OSError as error:
            xlog.ioerror(log, "failed to append to cache", error, mailbox=mailbox.name, uid=record.uid)
            raise storage_error(error) from error

    def replace_cache(self, record: IndexRecord, data: bytes) -> None:
        """Write a new cache record for a message; ``rewrite`` must follow. Raises NoSpace, IoError."""
        self._need_exclusive()
        record.cache_offset = 0
        self.append_cache(record, data)
        self._mailbox.i.options |= index_header.NEEDS_REPACK

    def wipe(self, recno: int) -> None:
        """Make a record that cannot be used invisible until the next repack drops it; see ``recalculate``."""
        self.dirty()
        self._mailbox.i.options |= index_header.NEEDS_REPACK
        flags = EXPUNGED | UNLINKED
        self._pending.put(IndexRecord(recno=recno, internal_flags=flags), flags)

    def annotate(self, uid: int, annotation: Annotation, userid: str) -> None:
        """Give a new message an annotation, and count it. ``userid`` is as in the key."""
        self.quota_dirty()
        self.dirty()
        mailbox, i = self._mailbox, self._mailbox.i
        new = replace(annotation, userid=userid, modseq=i.highestmodseq)
        mailbox.annotations.write(uid, new)
        i.sync_crc_annot ^= mailbox.annotations.crc(uid, new, i.minor_version)
        i.quota_annot_used += len(new.value)

    def recalculate(self) -> None:
        """Count everything in ``Mailbox.i`` anew: flags, sizes, annotations, CRCs."""
        self._need_exclusive()
        mailbox, old = self._mailbox, replace(self._mailbox.i)
        self.quota_dirty()
        mailbox.count_all()
        if mailbox.i != old:
            self.dirty()

    @property
    def _expunge_at_once(self) -> bool:
        """Programs of old knew no expunged records."""
        mailbox = self._mailbox
        return mailbox.store.expunge_at_once or mailbox.i.minor_version < index_header.OWN_SEEN_VERSION

    @property
    def _repack_at_once(self) -> bool:
        mailbox = self._mailbox
        return mailbox.store.repack_at_once or mailbox.i.minor_version < index_header.OWN_SEEN_VERSION

    # commit and abort

    def commit(self) -> None:
        pending, mailbox = self._pending, self._mailbox
        if not pending:
            return
        self._need_exclusive()
        try:
            if pending.header:
                self._write_header()
            mailbox.cache_files.settle()
            records_first = self._sync_names()
            if pending.index and mailbox.annotations.written:
                mailbox.index_file.mark_changing()
                mailbox.annotations.commit_written()
            if pending.lasting and not mailbox.in_deleted_tree:
                self._count_modseq()
                mailbox.conversing.note_modseq()
            if pending.index:
                version = mailbox.i.minor_version
                for recno, record in pending.records.items():
                    pending.packed[recno] = index_record.pack(record, version)
                mailbox.index_file.write(
                    mailbox.i, pending.packed, lasting=pending.lasting, records_first=records_first
                )
        except OSError as error:
            xlog.ioerror(log, "committing mailbox failed", error, mailbox=mailbox.name)
            mailbox.abort()
            raise storage_error(error) from error
        except CyrusError:
            # the databases log what fails
            mailbox.abort()
            raise
        self._pending = _Pending()
        self.committed = self.committed or pending.index
        if mailbox.store.events is not None:
            if pending.modseq:
                pending.events.append(mailbox.store.events.modseq_changed(mailbox))
            if self._held is not None:
                self._held += pending.events
            else:
                mailbox.store.events.send(*pending.events)
        mailbox.annotations.commit()
        mailbox.conversing.committed()
        self._count_quota(pending.usage)
        if pending.last_events and mailbox.store.events is not None:
            mailbox.store.events.send(*pending.last_events)
        if mailbox.store.auditlog and pending.index:
            audit.changes(mailbox, pending.records, pending.before)
            if pending.modseq:
                audit.modseq(mailbox)

    def abort(self) -> bool:
        """Forget everything; True if the header files were to be changed, and must be read again."""
        pending, self._pending = self._pending, _Pending()
        self._announcements.clear()
        self._mailbox.cache_files.undo()
        return pending.index or pending.header

    def _write_header(self) -> None:
        mailbox = self._mailbox
        data = header.pack(mailbox.header)
        path = mailbox.paths.header
        files.replace(path, data, sync_name=False)
        self._pending.directories.add(os.path.dirname(path))
        self._pending.index = self._pending.lasting = True
        mailbox.i.header_file_crc = header.crc(data)
        mailbox.header_written(mailbox.i.header_file_crc)

    def _sync_names(self) -> bool:
        """Make the names of new files lasting, unless writing the index is going to.

        Returns whether its records must get to disk before its header.
        """
        pending, index_file = self._pending, self._mailbox.index_file
        grows = pending.lasting and index_file.grows(self._mailbox.i)
        for directory in pending.directories:
            if not grows or not index_file.keeps_names(directory):
                files.fsync_dir(directory)
        pending.directories.clear()
        return grows and pending.unstaged

    def _count_quota(self, before: Usage | None) -> None:
        mailbox = self._mailbox
        if before is None or mailbox.quotaroot is None:
            return
        differences = [now - was for now, was in zip(mailbox.usage(), before, strict=True)]
        if any(differences):
            mailbox.store.use_quota(mailbox.quotaroot, differences, mailbox)

    def _need_exclusive(self) -> None:
        if not self._mailbox.writable:
            raise MailboxLocked
