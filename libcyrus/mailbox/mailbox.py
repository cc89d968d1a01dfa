"""An open mailbox: its locks, its records, and the transaction in which they change.

A mailbox is opened by ``MailStore.open`` with its index locked, shared or
exclusive. ``unlock_index`` commits what changed and lets others in, ``release`` and
``reacquire`` do the same around the pauses of a session, keeping descriptors and
mappings when the files are still the same.

Changes are collected in memory. ``commit`` brings them to disk in this order,
and a power cut between any two steps loses or half-shows nothing acknowledged:

1. message files and a new ``cyrus.header`` are already written and synced (by the stage, by
   ``commit`` itself); one sync of the directory makes all their names lasting;
2. ``cyrus.cache``, appended: nobody reads what no index record points at;
3. ``cyrus.index``, see ``index_file``;
4. quota, so a crash can only leave a quota too low, which ``quota -f`` corrects.

Without message or header files step 1 is left out; without cache records step 2.
An error on the way undoes everything: files unlinked by the appender, cache and index cut
back to their old size, memory read again from disk.
"""

from __future__ import annotations

import logging
import mmap
import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from enum import IntEnum
from types import TracebackType
from typing import TYPE_CHECKING, Self
from zlib import crc32

from libcyrus import message
from libcyrus.base import files, xlog
from libcyrus.errors import (
    InternalError,
    InvalidIdentifier,
    IoError,
    MailboxBadFormat,
    MailboxChecksum,
    MailboxLocked,
    MailboxNonexistent,
    UserFlagsExhausted,
)
from libcyrus.mailbox import audit, counting, header, index_header, index_record, leftovers, synccrc
from libcyrus.mailbox.annotations import MessageAnnotations
from libcyrus.mailbox.cache_files import CacheFiles
from libcyrus.mailbox.failure import storage_error
from libcyrus.mailbox.header import MailboxHeader
from libcyrus.mailbox.index_file import IndexFile
from libcyrus.mailbox.index_header import IndexHeader
from libcyrus.mailbox.index_record import (
    CACHE_VERSION,
    EXPUNGED,
    MAX_USER_FLAGS,
    NULL_GUID,
    UNLINKED,
    IndexRecord,
)
from libcyrus.mailbox.namelock import MailboxLocks, NameLock
from libcyrus.mailbox.paths import MailboxPaths
from libcyrus.records.annotate import OWNER, Annotation
from libcyrus.records.mbentry import MboxEntry

if TYPE_CHECKING:
    from libcyrus.mailbox.mailstore import MailStore

log = logging.getLogger(__name__)

_FEW_FLAGS = 100


class Lock(IntEnum):
    NONE = 0
    SHARED = 1
    EXCLUSIVE = 2


@dataclass(slots=True)
class _Changes:
    """What the next commit writes. ``before`` are the old flags of changed records, -1 for new ones."""

    records: dict[int, IndexRecord] = field(default_factory=dict)
    before: dict[int, int] = field(default_factory=dict)
    directories: set[str] = field(default_factory=set)
    index: bool = False
    header: bool = False
    modseq: bool = False
    usage: tuple[int, int, int, int] | None = None

    def put(self, record: IndexRecord, old_flags: int) -> None:
        self.records[record.recno] = record.copy()
        self.before.setdefault(record.recno, old_flags)


class Mailbox:
    """One open mailbox. Made by ``MailStore.open`` only; a context manager that closes.

    ``entry`` is its record of mailboxes.db, ``header`` the content of ``cyrus.header``, ``i`` the
    index header, all as of the last time the index was locked. ``silent`` (set by replication)
    keeps changes from raising modseqs.
    """

    def __init__(self, store: MailStore, entry: MboxEntry) -> None:
        self.store = store
        self.entry = entry
        self.paths = MailboxPaths(store.config, store.rules, entry)
        self.userid = store.rules.from_internal(entry.name).userid
        self.header = MailboxHeader()
        self.i = IndexHeader()
        self.silent = False
        self.last_updated = 0
        self.opened = 1
        self.locked = Lock.NONE
        self._locks = MailboxLocks(store.locks, self.userid, entry.path_id or entry.name)
        self._index = IndexFile()
        self._caches = CacheFiles(self.paths)
        self._annotations: MessageAnnotations | None = None
        self._flag_crcs: synccrc.FlagCrcs | None = None
        self._header_crc = 0
        self._changes = _Changes()
        self._changed = False
        self._replaced = False
        self._lock_time = 0.0

    # opening and closing

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close; when the block failed, what it had not committed is dropped."""
        if kind is not None and self.locked is Lock.EXCLUSIVE:
            self.abort()
        self.close()

    def close(self) -> None:
        """Commit, unlock and let go. The last close in the process leaves due clean-up to the store."""
        self.store.close_mailbox(self)

    @property
    def name(self) -> str:
        return self.entry.name

    @property
    def uniqueid(self) -> str:
        return self.entry.uniqueid or self.header.uniqueid or ""

    @property
    def partition(self) -> str:
        return self.entry.partition or ""

    @property
    def acl(self) -> str:
        return self.entry.acl or ""

    @property
    def quotaroot(self) -> str | None:
        return self.header.quotaroot

    # locking

    def lock_index(self, *, exclusive: bool) -> None:
        """Lock ``cyrus.index`` and read its header, and ``cyrus.header`` when that changed.

        Raises MailboxLocked when already locked, MailboxNonexistent when the mailbox was deleted
        meanwhile, MailboxBadFormat or MailboxChecksum for files that make no sense, IoError.
        """
        self._lock(exclusive=exclusive)
        if self.i.options & index_header.MAILBOX_DELETED:
            self.unlock_index()
            raise MailboxNonexistent

    def unlock_index(self) -> None:
        """Commit, tell who wants to know, and unlock index and user namespace; the name lock stays."""
        if self.locked is Lock.NONE:
            return
        try:
            if self.locked is Lock.EXCLUSIVE:
                self.commit()
                if self._changed:
                    self._changed = False
                    self.store.changed(self)
        finally:
            self._unlock()

    def release(self) -> None:
        """Give up all locks between two commands of a session; opened files are kept for ``reacquire``."""
        self.unlock_index()
        self._locks.release_name()
        self.store.note_cleanup(self)

    def reacquire(self, *, write: bool) -> bool:
        """Lock again after ``release``; True when ``cyrus.index`` was replaced, so record numbers changed.

        ``entry`` is looked up anew, since name and ACL may have changed. Raises what ``MailStore.open`` and
        ``lock_index`` raise; MailboxNonexistent also when the name now means another mailbox.
        """
        self._locks.take_user(exclusive=write)
        before = self._index.identity
        try:
            entry = self.store.lookup(self.entry.name)
            if entry.uniqueid != self.entry.uniqueid:
                raise MailboxNonexistent
            if (entry.partition, entry.path_id) != (self.entry.partition, self.entry.path_id):
                self.forget_files()
                self.paths = MailboxPaths(self.store.config, self.store.rules, entry)
                self._caches = CacheFiles(self.paths)
                self._locks.lock_name = entry.path_id or entry.name
            self.entry = entry
        except BaseException:
            self._locks.release_user()
            raise
        self.lock_index(exclusive=write)
        replaced, self._replaced = self._replaced, False
        return replaced or self._index.identity != before

    @property
    def raw_header(self) -> bytes:
        """The index header as it was last read or written."""
        return self._index.raw

    def unchanged(self, since: bytes) -> bool:
        """Whether, without any lock, the index header on disk is still the ``raw_header`` it once was.

        Every change of the mailbox, its name or its ACL changes that header. False in doubt.
        """
        return self._index.unchanged(self.paths.index, since)

    # reading

    @property
    def num_records(self) -> int:
        return self.i.num_records

    @property
    def region(self) -> memoryview:
        """The records as they are on disk, for ``columns``; uncommitted changes are not in it.

        A view stays readable after later commits, showing in-place changes of all processes.
        """
        return self._index.region()

    def record(self, recno: int) -> IndexRecord:
        """The record with this number (from 1), with uncommitted changes. The caller may change it.

        Raises MailboxChecksum when its CRC is wrong, IoError when there is none.
        """
        changed = self._changes.records.get(recno)
        if changed is not None:
            return changed.copy()
        if not 0 < recno <= self._index.num_records:
            raise IoError
        try:
            return self._index.record(recno, self.i.minor_version)
        except MailboxChecksum:
            self._complain("IOERROR: index record corrupted", recno=recno)
            raise

    def records(self, *, expunged: bool = True, unlinked: bool = True) -> Iterator[IndexRecord]:
        """All readable records in order; those with a wrong CRC are logged and left out."""
        skip = (0 if expunged else EXPUNGED) | (0 if unlinked else UNLINKED)
        for recno in range(1, self.i.num_records + 1):
            try:
                record = self.record(recno)
            except MailboxChecksum:
                continue
            # reconstruct wipes records that cannot be read: they have no uid
            if record.uid and not record.internal_flags & skip:
                yield record

    def recno_before(self, uid: int) -> int:
        """The number of the last record whose uid is ``uid`` or less; 0 when there is none."""
        index, changes = self._index, self._changes.records
        low, high = 1, self.i.num_records
        while low <= high:
            middle = (low + high) // 2
            found = index.uid(middle) if middle <= index.num_records else changes[middle].uid
            if found == uid:
                return middle
            if found > uid:
                high = middle - 1
            else:
                low = middle + 1
        return high

    def find_uid(self, uid: int) -> IndexRecord | None:
        """The record of a message, expunged or not; None when there is none. Raises as ``record`` does."""
        recno = self.recno_before(uid)
        if not recno:
            return None
        record = self.record(recno)
        return record if record.uid == uid else None

    def cache(self, record: IndexRecord, *, end: int = 0) -> memoryview:
        """The checked cache record of a message.

        Missing or damaged ones are logged, computed again from the message file and, when the index is
        locked exclusively, written. ``end`` may give the next record's cache_offset, which saves time.
        The views stay valid. Raises IoError when the message file cannot be read either.
        """
        stored = self.stored_cache(record, end=end)
        return memoryview(self._rebuild_cache(record)) if stored is None else stored

    def stored_cache(self, record: IndexRecord, *, end: int = 0) -> memoryview | None:
        """The cache record as it is on disk; None, logged, when it is missing or damaged."""
        offset, crc, archived = record.cache_offset, record.cache_crc, record.archived
        try:
            return self._caches.read(offset, crc, archived=archived, end=end)
        except (IoError, MailboxChecksum) as error:
            if self._finish_repack(archived=archived):
                return self.stored_cache(record, end=end)
            self._complain("IOERROR: invalid cache record", uid=record.uid, reason=error, offset=offset)
        return None

    def cache_at(self, offset: int, crc: int, *, archived: bool, end: int = 0) -> memoryview:
        """The cache record at this place; unlike ``cache``, a bad one is not repaired.

        Raises IoError or MailboxChecksum; the view stays valid.
        """
        return self._caches.read(offset, crc, archived=archived, end=end)

    def cache_each(self, places: Iterable[tuple[int, int, int]]) -> Iterator[memoryview | None]:
        """Many cache records that are not archived, from (offset, crc, end), as ``cache_at`` gives one.

        A bad one is None. Raises IoError when there is no cache file.
        """
        return self._caches.read_each(places)

    def message_path(self, record: IndexRecord) -> str:
        return self.paths.message(record.uid, archived=record.archived)

    def map_message(self, record: IndexRecord) -> mmap.mmap | bytes:
        """The message's bytes, mapped. Raises IoError (logged) when the file is missing or unreadable."""
        path = self.message_path(record)
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                size = os.fstat(fd).st_size
                return mmap.mmap(fd, size, prot=mmap.PROT_READ) if size else b""
            finally:
                os.close(fd)
        except OSError as error:
            xlog.ioerror(log, "opening message file failed", error, filename=path)
            raise IoError from error

    def flag_number(self, name: str) -> int | None:
        """The number of a user flag, whatever its case; None when the mailbox does not know it."""
        return self.header.flag_number(name)

    def internal_seen(self, userid: str | None) -> bool:
        """Whether this user's \\Seen is in the index (owner, or sharedseen); else in the seen database."""
        if self.i.options & index_header.SHAREDSEEN or not userid:
            return True
        return userid == self.userid

    @property
    def annotations(self) -> MessageAnnotations:
        """The mailbox's database of message annotations."""
        if self._annotations is None:
            self._annotations = MessageAnnotations(
                self.store.config, self.paths.meta("annotations"), self.userid
            )
        return self._annotations

    def usage(self) -> tuple[int, int, int, int]:
        """What the mailbox counts for in a quota, in the order of ``records.quota.Resource``."""
        i = self.i
        if i.options & index_header.MAILBOX_DELETED:
            return (0, 0, 0, 0)
        return (i.quota_mailbox_used, i.exists, i.quota_annot_used, 1)

    # changing; all of this needs the exclusive index lock

    def dirty(self) -> None:
        """Say that ``i`` was changed and must be written by the next commit."""
        self._need_exclusive()
        self._changes.index = True

    def quota_dirty(self) -> None:
        """Remember what the mailbox counts for now, before it changes."""
        if self._changes.usage is None:
            self._changes.usage = self.usage()

    def bump_modseq(self) -> int:
        """Raise the mailbox's highest modseq and return it; when ``silent`` only return it."""
        self.dirty()
        if not self._changes.modseq:
            self._changes.modseq = True
            self.last_updated = int(time.time())
        if not self.silent:
            self.i.highestmodseq += 1
        return self.i.highestmodseq

    def create_flag(self, name: str, *, reserve: bool = True) -> int:
        """The number of a user flag, taking a free one for a new name.

        With ``reserve`` users may take 100 of the 128 only, except for names of ``mailbox_initial_flags``.
        Raises UserFlagsExhausted, InvalidIdentifier for what is no atom.
        """
        known = self.header.flag_number(name)
        if known is not None:
            return known
        free = self.header.free_flag()
        full = free >= MAX_USER_FLAGS
        if not full and reserve and free >= _FEW_FLAGS:
            full = name.lower() not in self.store.initial_flags
        if full:
            self._complain("IOERROR: out of flags", flag=name)
            raise UserFlagsExhausted
        self._need_exclusive()
        if not header.is_atom(name):
            raise InvalidIdentifier
        self.header.put_flag(free, name)
        self.header_changed()
        return free

    def remove_flag(self, number: int) -> None:
        """Free the number of a user flag that no record has any more."""
        self._need_exclusive()
        if number < len(self.header.flags) and self.header.flags[number] is not None:
            self.header.flags[number] = None
            self.header_changed()

    def header_changed(self) -> None:
        """Say that ``header`` was changed and must be written by the next commit."""
        self._need_exclusive()
        self._changes.header = True
        self._flag_crcs = None

    def set_acl(self, acl: str) -> None:
        """Copy a new ACL into ``cyrus.header``; mailboxes.db is the caller's."""
        if self.header.acl != acl:
            self.header.acl = acl
            self.header_changed()

    def set_quotaroot(self, root: str | None) -> None:
        """Name another quota root in ``cyrus.header``; see ``quotaroot.change`` for the accounting."""
        if self.header.quotaroot != (root or None):
            self.header.quotaroot = root or None
            self.header_changed()

    def rewrite(self, record: IndexRecord, *, silent: bool = False) -> None:
        """Change the record with ``record.recno``; counters, CRCs and modseq follow.

        ``silent`` leaves modseq and last_updated as they are. uid and guid must be those of the old record,
        and an expunged message stays expunged. ``record`` gets its new modseq and flags.
        """
        self._need_exclusive()
        old = self.record(record.recno)
        if record.uid != old.uid or record.guid != old.guid or (old.expunged and not record.expunged):
            raise InternalError
        if record.expunged and self.store.expunge_at_once:
            record.internal_flags |= UNLINKED | index_record.NEEDS_CLEANUP
        if silent:
            self.dirty()
        else:
            record.modseq = self.bump_modseq()
            record.last_updated = self.last_updated
        if record.unlinked:
            if self.store.repack_at_once:
                self.i.options |= index_header.NEEDS_REPACK
            self.i.options |= index_header.NEEDS_UNLINK
        elif not record.cache_offset:
            self._rebuild_cache(record)
        self.quota_dirty()
        counting.replace(self.i, old, record, self.flag_crcs)
        if record.expunged:
            if not old.expunged:
                counting.uncount_annotations(self.i, record.uid, self.annotations)
            counting.note_expunged(self.i, record)
        self._changes.put(record, old.system_flags | old.internal_flags)

    def append(self, record: IndexRecord, cache: bytes | memoryview | None) -> None:
        """Add a record behind all others, with its cache record.

        uid must be above ``i.last_uid``, size and guid set; the message file must be there already.
        ``cache`` is None for a record that has a cache_offset or is unlinked. ``record`` gets
        its recno, modseq, dates and cache_offset. Raises NoSpace, IoError.
        """
        self._need_exclusive()
        if record.uid <= self.i.last_uid or not record.size or record.guid == NULL_GUID:
            raise InternalError
        index_record.complete_dates(record, int(time.time()))
        if self.silent and record.modseq:
            self.dirty()
        else:
            record.modseq = self.bump_modseq()
            if not record.createdmodseq or record.createdmodseq > record.modseq:
                record.createdmodseq = record.modseq
            record.last_updated = self.last_updated
            record.savedate = record.savedate or record.last_updated
        if cache is not None:
            self._append_cache(record, cache)
        self.quota_dirty()
        counting.replace(self.i, None, record, self.flag_crcs)
        record.recno = self.i.num_records + 1
        self.i.last_uid = record.uid
        self.i.num_records = record.recno
        if record.expunged:
            counting.note_expunged(self.i, record)
        self._changes.put(record, -1)

    def replace_cache(self, record: IndexRecord, data: bytes) -> None:
        """Write a new cache record for a message; ``rewrite`` must follow. Raises NoSpace, IoError."""
        self._need_exclusive()
        record.cache_offset = 0
        self._append_cache(record, data)
        self.i.options |= index_header.NEEDS_REPACK

    def wipe(self, recno: int) -> None:
        """Make a record that cannot be used invisible until the next repack drops it; see ``recalculate``."""
        self.dirty()
        self.i.options |= index_header.NEEDS_REPACK
        flags = EXPUNGED | UNLINKED
        self._changes.put(IndexRecord(recno=recno, internal_flags=flags), flags)

    def names_changed(self, *, archived: bool = False) -> None:
        """Say that a message file was linked into the directory: the next commit syncs that."""
        self._changes.directories.add(self.paths.archive if archived else self.paths.data)

    def annotation_user(self, userid: str) -> str:
        """What stands for a user in the keys of annotations here."""
        return OWNER if userid and userid == self.userid else userid

    def annotate(self, uid: int, annotation: Annotation, userid: str) -> None:
        """Give a new message an annotation, and count it. ``userid`` is as in the key."""
        self.quota_dirty()
        self.dirty()
        new = replace(annotation, userid=userid, modseq=self.i.highestmodseq)
        self.annotations.write(uid, new)
        self.i.sync_crc_annot ^= self.annotations.crc(uid, new, self.i.minor_version)
        self.i.quota_annot_used += len(new.value)

    def recalculate(self) -> None:
        """Count everything in ``i`` anew: flags, sizes, annotations, CRCs."""
        self.quota_dirty()
        self.dirty()
        self._count_all()

    def commit(self) -> None:
        """Bring all changes to disk; the module says in which order. Nothing to do is cheap.

        Raises NoSpace or IoError, with everything undone.
        """
        changes = self._changes
        if not (changes.index or changes.header or changes.directories):
            return
        self._need_exclusive()
        try:
            if changes.header:
                self._write_header()
            while changes.directories:
                files.fsync_dir(changes.directories.pop())
            self._caches.sync()
            if changes.index:
                self._index.write(self.i, changes.records)
        except OSError as error:
            xlog.ioerror(log, "committing mailbox failed", error, mailbox=self.name)
            self.abort()
            raise storage_error(error) from error
        self._changes = _Changes()
        self._changed = self._changed or changes.index
        self._commit_quota(changes)
        if self._annotations is not None:
            self._annotations.commit()
        if self.store.auditlog and changes.index:
            audit.changes(self, changes.records, changes.before)
            if changes.modseq:
                audit.modseq(self)

    def abort(self) -> None:
        """Drop all changes since the last commit and read the mailbox again from disk."""
        if self._annotations is not None:
            self._annotations.abort()
        self._caches.undo()
        changes, self._changes = self._changes, _Changes()
        if (changes.index or changes.header) and self.locked is not Lock.NONE:
            self._flag_crcs = None
            self._index.forget()
            self._header_crc = 0
            self._read()

    # for the other modules of this package

    @property
    def flag_crcs(self) -> synccrc.FlagCrcs:
        if self._flag_crcs is None:
            self._flag_crcs = synccrc.FlagCrcs(self.header.flags)
        return self._flag_crcs

    def open_locked(
        self,
        *,
        exclusive_name: bool,
        write: bool,
        nonblock: bool = False,
        user_lock: NameLock | None = None,
    ) -> None:
        """Take the name lock and then the index lock.

        The process holds the namespace lock already, or ``user_lock`` was acquired for this mailbox alone.
        """
        self._locks.adopt_user(user_lock)
        self._locks.take_name(exclusive=exclusive_name, nonblock=nonblock)
        self.lock_index(exclusive=write)

    def begin(self, new_header: MailboxHeader, index: IndexHeader) -> None:
        """Write the files of a new mailbox, locked. The directories are there. Raises OSError, IoError."""
        self._locks.take_name(exclusive=True)
        self._index.create(self.paths.index, index)
        self._index.lock(exclusive=True)
        self.locked = Lock.EXCLUSIVE
        self._lock_time = time.monotonic()
        self.header = new_header
        self.i = index
        self._changes = _Changes(index=True, header=True, usage=(0, 0, 0, 0))
        # the directory of the index may be another than that of the header
        self._changes.directories.add(os.path.dirname(self.paths.index))
        self.commit()

    def relock_exclusively(self, *, nonblock: bool = False) -> None:
        """Give up every lock and take all again, the name lock too exclusively, to remove or replace files.

        Others may change the mailbox in between. Deleted mailboxes can be locked too. ``nonblock`` raises
        MailboxLocked instead of waiting until nobody else has the mailbox open.
        """
        self.unlock_index()
        self._locks.release_name()
        self._locks.take_user(exclusive=True)
        try:
            self._locks.take_name(exclusive=True, nonblock=nonblock)
        except BaseException:
            self._locks.release_user()
            raise
        self._lock(exclusive=True)

    def reopen_replaced(self) -> None:
        """Go on with a ``cyrus.index`` that this process just put in place; the lock moves to it."""
        self.forget_files()
        self.locked = Lock.NONE
        try:
            self._open_index()
            self._index.lock(exclusive=True)
            self.locked = Lock.EXCLUSIVE
            self._read()
        except OSError as error:
            xlog.ioerror(log, "reading mailbox failed", error, mailbox=self.name)
            raise IoError from error
        self._changed = self._replaced = True

    @property
    def name_locked_exclusively(self) -> bool:
        return self._locks.name_exclusively

    @property
    def released(self) -> bool:
        """Open, but without any lock: between ``release`` and ``reacquire``."""
        return not self._locks.has_name

    def drop(self) -> None:
        """Let go of everything without commit; the store calls it."""
        self.forget_files()
        self.locked = Lock.NONE
        self._locks.release_user()
        self._locks.release_name()

    def forget_files(self) -> None:
        """Close the files, so that the next lock opens them anew."""
        self._index.close()
        self._caches.close()
        self._header_crc = 0
        if self._annotations is not None:
            self._annotations.close()
            self._annotations = None

    # private

    def _complain(self, description: str, **pairs: object) -> None:
        xlog.xsyslog(log, logging.ERROR, description, None, mailbox=self.name, **pairs)

    def _need_exclusive(self) -> None:
        if self.locked is not Lock.EXCLUSIVE:
            raise MailboxLocked

    def _lock(self, *, exclusive: bool) -> None:
        if self.locked is not Lock.NONE:
            raise MailboxLocked
        try:
            self._locks.take(exclusive=exclusive)
            self._open_index()
            self._index.lock(exclusive=exclusive)
        except OSError as error:
            self._locks.release_user()
            xlog.ioerror(log, "lock index failed", error, mailbox=self.name)
            raise IoError from error
        except BaseException:
            self._locks.release_user()
            raise
        self.locked = Lock.EXCLUSIVE if exclusive else Lock.SHARED
        self._lock_time = time.monotonic()
        try:
            self._read()
            leftovers.remove(self.paths, self.i.last_uid)
        except OSError as error:
            self._unlock()
            xlog.ioerror(log, "reading mailbox failed", error, mailbox=self.name)
            raise IoError from error
        except BaseException:
            self._unlock()
            raise

    def _unlock(self) -> None:
        if self.locked is not Lock.NONE:
            self.locked = Lock.NONE
            self._index.unlock()
            held = time.monotonic() - self._lock_time
            if held > 1.0:
                log.log(xlog.NOTICE, "mailbox: longlock %s for %0.1f seconds", self.name, held)
        self._locks.release_user()

    def _open_index(self) -> None:
        """Open ``cyrus.index``, or find that the open one still is the file of that name."""
        if not self._index.is_current(self.paths.index):
            self.forget_files()
            self._index.open(self.paths.index)

    def _read(self) -> None:
        """Read the index header, and ``cyrus.header`` unless its CRC says that it is the known one."""
        try:
            self.i = self._index.read() or self.i
        except (MailboxBadFormat, MailboxChecksum) as error:
            self._complain("IOERROR: refreshing index failed", reason=error)
            raise
        i = self.i
        if not self._header_crc or self._header_crc != i.header_file_crc:
            self._read_header()
        if i.options & index_header.CHANGING:
            self._finish_change()
        elif not i.unseen_known:
            i.unseen = sum(
                not record.system_flags & index_record.SEEN for record in self.records(expunged=False)
            )

    def _finish_change(self) -> None:
        """A writer died while it changed records in place: make the header agree with them."""
        log.warning("mailbox %s: counting anew after an interrupted change", self.name)
        i = self.i
        if self.locked is Lock.EXCLUSIVE:
            # the quota database still has what the old header said
            self.quota_dirty()
            self._changes.index = True
        i.options &= ~index_header.CHANGING
        i.highestmodseq = max(i.highestmodseq, *(record.modseq for record in self.records()), 0)
        self._count_all()
        # what is on disk must be read again by the next lock
        self._index.forget()

    def _count_all(self) -> None:
        counting.count_all(
            self.i,
            self.records(expunged=False),
            self.flag_crcs,
            self.annotations,
            annotation_size=self.store.annotation_size(self.uniqueid),
        )

    def _read_header(self) -> None:
        with open(self.paths.header, "rb") as file:
            data = file.read()
        try:
            self.header = header.unpack(data)
        except MailboxBadFormat as error:
            self._complain("IOERROR: read header failed", reason=error)
            raise
        self._header_crc = header.crc(data)
        self._flag_crcs = None
        if self.i.header_file_crc and self._header_crc != self.i.header_file_crc:
            log.warning(
                "Header CRC mismatch for mailbox %s: %08X %08X",
                self.name, self._header_crc, self.i.header_file_crc,
            )  # fmt: skip

    def _write_header(self) -> None:
        data = header.pack(self.header)
        path = self.paths.header
        files.replace(path, data)
        # that synced the directory, so the names of new message files are lasting too
        self._changes.directories.discard(os.path.dirname(path))
        self._changes.index = True
        self._header_crc = self.i.header_file_crc = header.crc(data)
        self._flag_crcs = None

    def _commit_quota(self, changes: _Changes) -> None:
        root = self.header.quotaroot
        if changes.usage is None or root is None:
            return
        differences = [now - was for now, was in zip(self.usage(), changes.usage, strict=True)]
        if any(differences):
            self.store.use_quota(root, differences, self)

    def _finish_repack(self, *, archived: bool) -> bool:
        return self._caches.finish_repack(
            self.i.generation_no, archived=archived, rename=self.locked is Lock.EXCLUSIVE
        )

    def _append_cache(self, record: IndexRecord, data: bytes | memoryview) -> None:
        try:
            self._caches.append(record, data, self.i.generation_no)
        except OSError as error:
            xlog.ioerror(log, "failed to append to cache", error, mailbox=self.name, uid=record.uid)
            raise storage_error(error) from error

    def _rebuild_cache(self, record: IndexRecord) -> bytes:
        parsed = message.parse(self.map_message(record), self.store.parse_options)
        data = parsed.cache_record()
        record.cache_offset = 0
        record.cache_version = CACHE_VERSION
        record.cache_crc = crc32(data)
        if self.locked is Lock.EXCLUSIVE:
            self._append_cache(record, data)
            self.dirty()
            self.i.options |= index_header.NEEDS_REPACK
        return data
