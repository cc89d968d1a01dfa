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
3. ``cyrus.index``: new and changed records first, the header with ``num_records`` and
   the counters last, then one sync. Records behind ``num_records`` do not exist
   to readers. If the power fails inside this one sync, the disk may hold the new header
   but not a new record: its CRC tells, both servers skip it, and it was not acknowledged.
   Before records are changed in place the header is marked CHANGING, and the header written last
   is not: should the writer die in between, the next one to lock the index counts anew;
4. quota, so a crash can only leave a quota too low, which ``quota -f`` corrects.

Without message or header files step 1 is left out; without cache records step 2.
An error on the way undoes everything: files unlinked by the appender, cache and index cut
back to their old size, memory read again from disk.
"""

from __future__ import annotations

import errno
import logging
import mmap
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from enum import IntEnum
from types import TracebackType
from typing import TYPE_CHECKING, Self
from zlib import crc32

from libcyrus import message
from libcyrus.base import files, lock, xlog
from libcyrus.errors import (
    InternalError,
    InvalidIdentifier,
    IoError,
    MailboxBadFormat,
    MailboxChecksum,
    MailboxLocked,
    MailboxNonexistent,
    NoSpace,
    UserFlagsExhausted,
)
from libcyrus.mailbox import audit, header, index_header, index_record, synccrc
from libcyrus.mailbox.annotations import MessageAnnotations
from libcyrus.mailbox.cache import CacheFile
from libcyrus.mailbox.header import MailboxHeader
from libcyrus.mailbox.index_header import IndexHeader
from libcyrus.mailbox.index_record import CACHE_VERSION, EXPUNGED, MAX_USER_FLAGS, NULL_GUID, IndexRecord
from libcyrus.mailbox.namelock import NameLock
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
        self._fd = -1
        self._index_id = (0, 0)
        self._name_lock: NameLock | None = None
        self._user_lock: NameLock | None = None
        self._raw_header = b""
        self._header_crc = 0
        self._region: memoryview | None = None
        self._committed = 0
        self._caches: dict[bool, CacheFile] = {}
        self._flag_crcs: synccrc.FlagCrcs | None = None
        self._annotations: MessageAnnotations | None = None
        self._changes: dict[int, IndexRecord] = {}
        self._before: dict[int, int] = {}
        self._dirty = False
        self._modseq_dirty = False
        self._header_dirty = False
        self._new_names: set[str] = set()
        self._usage: tuple[int, int, int, int] | None = None
        self._changed = False
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
        self._release_name()

    def reacquire(self, *, write: bool) -> bool:
        """Lock again after ``release``; True when ``cyrus.index`` was replaced, so record numbers changed.

        ``entry`` is looked up anew, since name and ACL may have changed. Raises what ``MailStore.open`` and
        ``lock_index`` raise; MailboxNonexistent also when the name now means another mailbox.
        """
        self._take_user_lock(exclusive=write)
        before = self._index_id
        try:
            entry = self.store.lookup(self.entry.name)
            if entry.uniqueid != self.entry.uniqueid:
                raise MailboxNonexistent
            if (entry.partition, entry.path_id) != (self.entry.partition, self.entry.path_id):
                self.paths = MailboxPaths(self.store.config, self.store.rules, entry)
                self.forget_files()
            self.entry = entry
        except BaseException:
            self._release_user()
            raise
        self.lock_index(exclusive=write)
        return self._index_id != before

    @property
    def raw_header(self) -> bytes:
        """The index header as it was last read or written."""
        return self._raw_header

    def unchanged(self, since: bytes) -> bool:
        """Whether, without any lock, the index header on disk is still the ``raw_header`` it once was.

        Every change of the mailbox, its name or its ACL changes that header. False in doubt.
        """
        if self._fd < 0:
            return False
        try:
            status = os.stat(self.paths.index)
            same = (status.st_dev, status.st_ino) == self._index_id
            return same and os.pread(self._fd, index_header.HEADER_SIZE, 0) == since
        except OSError:
            return False

    # reading

    @property
    def num_records(self) -> int:
        return self.i.num_records

    @property
    def region(self) -> memoryview:
        """The records as they are on disk, for ``columns``; uncommitted changes are not in it.

        A view stays readable after later commits, showing in-place changes of all processes.
        """
        start = self.i.start_offset
        end = start + self._committed * self.i.record_size
        mapped = self._region
        if mapped is None or len(mapped) < end:
            if end == start:
                return memoryview(b"")
            mapped = memoryview(mmap.mmap(self._fd, end, prot=mmap.PROT_READ))
            self._region = mapped
        return mapped[start:end]

    def record(self, recno: int) -> IndexRecord:
        """The record with this number (from 1), with uncommitted changes. The caller may change it.

        Raises MailboxChecksum when its CRC is wrong, IoError when there is none.
        """
        changed = self._changes.get(recno)
        if changed is not None:
            return changed.copy()
        if not 0 < recno <= self._committed:
            raise IoError
        size = self.i.record_size
        try:
            return index_record.unpack(
                self.region, (recno - 1) * size, version=self.i.minor_version, recno=recno
            )
        except MailboxChecksum:
            self._complain("IOERROR: index record corrupted", recno=recno)
            raise

    def records(self, *, expunged: bool = True, unlinked: bool = True) -> Iterator[IndexRecord]:
        """All readable records in order; those with a wrong CRC are logged and left out."""
        skip = (0 if expunged else EXPUNGED) | (0 if unlinked else index_record.UNLINKED)
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
        region, size = self.region, self.i.record_size
        low, high = 1, self.i.num_records
        while low <= high:
            middle = (low + high) // 2
            if middle <= self._committed:
                offset = (middle - 1) * size
                found = int.from_bytes(region[offset : offset + 4], "big")
            else:
                found = self._changes[middle].uid
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
        try:
            if not record.cache_offset or not record.cache_crc:
                raise IoError("no cache record")
            return self._cache_file(record.archived).read(record.cache_offset, record.cache_crc, end=end)
        except (IoError, MailboxChecksum, OSError, ValueError) as error:
            if self._finish_repack(record.archived):
                return self.stored_cache(record, end=end)
            self._complain(
                "IOERROR: invalid cache record", uid=record.uid, reason=error, offset=record.cache_offset
            )
        return None

    def cache_at(self, offset: int, crc: int, *, archived: bool, end: int = 0) -> memoryview:
        """The cache record at this place; unlike ``cache``, a bad one is not repaired.

        Raises IoError or MailboxChecksum; the view stays valid.
        """
        try:
            return self._cache_file(archived).read(offset, crc, end=end)
        except (OSError, ValueError) as error:
            raise IoError from error

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
        wanted = name.lower()
        for number, known in enumerate(self.header.flags):
            if known is not None and known.lower() == wanted:
                return number
        return None

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
        self._dirty = True

    def quota_dirty(self) -> None:
        """Remember what the mailbox counts for now, before it changes."""
        if self._usage is None:
            self._usage = self.usage()

    def bump_modseq(self) -> int:
        """Raise the mailbox's highest modseq and return it; when ``silent`` only return it."""
        self._need_exclusive()
        self._dirty = True
        if self.silent:
            self._modseq_dirty = True
            return self.i.highestmodseq
        if not self._modseq_dirty:
            self.last_updated = int(time.time())
            self._modseq_dirty = True
        self.i.highestmodseq += 1
        return self.i.highestmodseq

    def create_flag(self, name: str, *, reserve: bool = True) -> int:
        """The number of a user flag, taking a free one for a new name.

        With ``reserve`` users may take 100 of the 128 only, except for names of ``mailbox_initial_flags``.
        Raises UserFlagsExhausted, InvalidIdentifier for what is no atom.
        """
        known = self.flag_number(name)
        if known is not None:
            return known
        flags = self.header.flags
        free = flags.index(None) if None in flags else len(flags)
        full = free >= MAX_USER_FLAGS
        if not full and reserve and free >= _FEW_FLAGS:
            full = name.lower() not in self.store.initial_flags
        if full:
            self._complain("IOERROR: out of flags", flag=name)
            raise UserFlagsExhausted
        self._need_exclusive()
        if not header.is_atom(name):
            raise InvalidIdentifier
        if free == len(flags):
            flags.append(name)
        else:
            flags[free] = name
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
        self._header_dirty = True
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
            record.internal_flags |= index_record.UNLINKED | index_record.NEEDS_CLEANUP
        if silent:
            self._dirty = True
        else:
            record.modseq = self.bump_modseq()
            record.last_updated = self.last_updated
        if record.unlinked:
            if self.store.repack_at_once:
                self.i.options |= index_header.NEEDS_REPACK
            self.i.options |= index_header.NEEDS_UNLINK
        elif not record.cache_offset:
            self._rebuild_cache(record)
        self._recount(old, record)
        if record.expunged:
            if not old.expunged:
                self._uncount_annotations(record.uid)
            self._note_expunged(record)
        self._store_change(record, old.system_flags | old.internal_flags)

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
            self._dirty = True
        else:
            record.modseq = self.bump_modseq()
            if not record.createdmodseq or record.createdmodseq > record.modseq:
                record.createdmodseq = record.modseq
            record.last_updated = self.last_updated or int(time.time())
            record.savedate = record.savedate or record.last_updated
        if cache is not None:
            self._append_cache(record, cache)
        self._recount(None, record)
        record.recno = self.i.num_records + 1
        self.i.last_uid = record.uid
        self.i.num_records = record.recno
        if record.expunged:
            self._note_expunged(record)
        self._store_change(record, -1)

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
        flags = EXPUNGED | index_record.UNLINKED
        self._store_change(IndexRecord(recno=recno, internal_flags=flags), flags)

    def names_changed(self, *, archived: bool = False) -> None:
        """Say that a message file was linked into the directory: the next commit syncs that."""
        self._new_names.add(self.paths.archive if archived else self.paths.data)

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
        self._count_records()

    def _count_records(self) -> None:
        i = self.i
        i.answered = i.flagged = i.deleted = i.unseen = i.exists = 0
        i.quota_mailbox_used = i.quota_annot_used = 0
        i.sync_crc = 0
        i.sync_crc_annot = index_header.SYNC_CRC_ANNOT_START
        i.quota_annot_used = self.store.annotation_size(self.uniqueid)
        version = i.minor_version
        flag_crcs = self.flag_crcs
        by_uid = self.annotations.crcs_and_sizes(version)
        for record in self.records(expunged=False):
            i.count(record)
            i.sync_crc ^= synccrc.basic(record, flag_crcs)
            i.sync_crc_annot ^= synccrc.virtual(record, version)
            crc, size = by_uid.get(record.uid, (0, 0))
            i.sync_crc_annot ^= crc
            i.quota_annot_used += size

    def commit(self) -> None:
        """Bring all changes to disk; the module says in which order. Nothing to do is cheap.

        Raises NoSpace or IoError, with everything undone.
        """
        if not (self._dirty or self._header_dirty or self._new_names):
            return
        self._need_exclusive()
        try:
            if self._header_dirty:
                self._write_header()
            while self._new_names:
                files.fsync_dir(self._new_names.pop())
            for cache in self._caches.values():
                cache.sync()
            if self._dirty:
                self._write_index()
        except OSError as error:
            xlog.ioerror(log, "committing mailbox failed", error, mailbox=self.name)
            self.abort()
            raise _storage_error(error) from error
        self._commit_quota()
        if self._annotations is not None:
            self._annotations.commit()
        if self._dirty:
            self._dirty = self._modseq_dirty = False
            self._changed = True

    def abort(self) -> None:
        """Drop all changes since the last commit and read the mailbox again from disk."""
        if self._annotations is not None:
            self._annotations.abort()
        self._usage = None
        for cache in self._caches.values():
            cache.undo()
        changed = self._dirty or self._header_dirty
        self._dirty = self._modseq_dirty = self._header_dirty = False
        self._new_names.clear()
        self._changes.clear()
        self._before.clear()
        self._flag_crcs = None
        if changed and self.locked is not Lock.NONE:
            self._raw_header = b""
            self._header_crc = 0
            self._read()

    # for the other modules of this package

    @property
    def flag_crcs(self) -> synccrc.FlagCrcs:
        if self._flag_crcs is None:
            self._flag_crcs = synccrc.FlagCrcs(self.header.flags)
        return self._flag_crcs

    def open_locked(self, *, exclusive_name: bool, write: bool, nonblock: bool = False) -> None:
        """Take the name lock and then the index lock; the store has taken the user lock."""
        self._name_lock = self.store.locks.acquire(
            self._lock_name(), exclusive=exclusive_name, nonblock=nonblock
        )
        self.lock_index(exclusive=write)

    def begin(self, new_header: MailboxHeader, index: IndexHeader) -> None:
        """Write the files of a new mailbox, locked. The directories are there. Raises OSError, IoError."""
        self._name_lock = self.store.locks.acquire(self._lock_name(), exclusive=True)
        self._fd = os.open(self.paths.index, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        status = os.fstat(self._fd)
        self._index_id = (status.st_dev, status.st_ino)
        lock.exclusive(self._fd)
        self.locked = Lock.EXCLUSIVE
        self._lock_time = time.monotonic()
        self.header = new_header
        self.i = index
        self._usage = (0, 0, 0, 0)
        self._header_dirty = self._dirty = True
        # the directory of the index may be another than that of the header
        self._new_names.add(os.path.dirname(self.paths.index))
        self.commit()

    def adopt_user_lock(self, held: NameLock | None) -> None:
        """Make a user namespace lock this mailbox's own, to be given up with the index lock."""
        self._user_lock = held

    def relock_exclusively(self) -> None:
        """Give up every lock and take all again, the name lock too exclusively, to remove or replace files.

        Others may change the mailbox in between. Deleted mailboxes can be locked too.
        """
        self.unlock_index()
        self._release_name()
        self._take_user_lock(exclusive=True)
        try:
            self._name_lock = self.store.locks.acquire(self._lock_name(), exclusive=True)
        except BaseException:
            self._release_user()
            raise
        self._lock(exclusive=True)

    def reopen_replaced(self) -> None:
        """Go on with a ``cyrus.index`` that this process just put in place; the lock moves to it."""
        self.forget_files()
        self.locked = Lock.NONE
        try:
            self._open_index()
            lock.exclusive(self._fd)
            self.locked = Lock.EXCLUSIVE
            self._read()
        except OSError as error:
            xlog.ioerror(log, "reading mailbox failed", error, mailbox=self.name)
            raise IoError from error
        self._changed = True

    @property
    def name_locked_exclusively(self) -> bool:
        return self._name_lock is not None and self._name_lock.exclusive

    def drop(self) -> None:
        """Let go of everything without commit; the store calls it."""
        self.forget_files()
        self.locked = Lock.NONE
        self._release_user()
        self._release_name()

    def forget_files(self) -> None:
        """Close the files, so that the next lock opens them anew."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        self._index_id = (0, 0)
        self._raw_header = b""
        self._header_crc = 0
        self._region = None
        for cache in self._caches.values():
            cache.close()
        self._caches.clear()
        if self._annotations is not None:
            self._annotations.close()
            self._annotations = None

    # private

    def _complain(self, description: str, **pairs: object) -> None:
        xlog.xsyslog(log, logging.ERROR, description, None, mailbox=self.name, **pairs)

    def _need_exclusive(self) -> None:
        if self.locked is not Lock.EXCLUSIVE:
            raise MailboxLocked

    def _lock_name(self) -> str:
        return self.entry.path_id or self.entry.name

    def _take_user_lock(self, *, exclusive: bool) -> None:
        held = self.store.locks.holds_user(self.userid)
        if held is None:
            self._user_lock = self.store.locks.acquire_user(self.userid, exclusive=exclusive)
        elif exclusive and not held.exclusive:
            raise MailboxLocked

    def _release_user(self) -> None:
        if self._user_lock is not None:
            self._user_lock.release()
            self._user_lock = None

    def _release_name(self) -> None:
        if self._name_lock is not None:
            self._name_lock.release()
            self._name_lock = None

    def _lock(self, *, exclusive: bool) -> None:
        if self.locked is not Lock.NONE:
            raise MailboxLocked
        held = self.store.locks.holds_user(self.userid)
        if held is None:
            # the user lock comes before the name lock, so that one goes first
            self._release_name()
            self._take_user_lock(exclusive=exclusive)
        elif exclusive and not held.exclusive:
            raise MailboxLocked
        try:
            if self._name_lock is None:
                self._name_lock = self.store.locks.acquire(self._lock_name(), exclusive=False)
            self._open_index()
            lock.acquire(self._fd, exclusively=exclusive)
        except OSError as error:
            self._release_user()
            xlog.ioerror(log, "lock index failed", error, mailbox=self.name)
            raise IoError from error
        except BaseException:
            self._release_user()
            raise
        self.locked = Lock.EXCLUSIVE if exclusive else Lock.SHARED
        self._lock_time = time.monotonic()
        try:
            self._read()
        except BaseException as error:
            self._unlock()
            if isinstance(error, OSError):
                xlog.ioerror(log, "reading mailbox failed", error, mailbox=self.name)
                raise IoError from error
            raise

    def _unlock(self) -> None:
        if self.locked is not Lock.NONE:
            self.locked = Lock.NONE
            if self._fd >= 0:
                lock.release(self._fd)
            held = time.monotonic() - self._lock_time
            if held > 1.0:
                log.log(xlog.NOTICE, "mailbox: longlock %s for %0.1f seconds", self.name, held)
        self._release_user()

    def _open_index(self) -> None:
        """Open ``cyrus.index``, or find that the open one still is the file of that name."""
        path = self.paths.index
        if self._fd >= 0:
            status = os.stat(path)
            if (status.st_dev, status.st_ino) == self._index_id:
                return
            self.forget_files()
        try:
            self._fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except OSError as error:
            if error.errno not in (errno.EACCES, errno.EROFS):
                raise
            self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        status = os.fstat(self._fd)
        self._index_id = (status.st_dev, status.st_ino)

    def _read(self) -> None:
        """Read the index header, and ``cyrus.header`` unless its CRC says that it is the known one."""
        raw = os.pread(self._fd, index_header.HEADER_SIZE, 0)
        if raw != self._raw_header:
            try:
                self.i = index_header.unpack(raw)
            except (MailboxBadFormat, MailboxChecksum) as error:
                self._complain("IOERROR: refreshing index failed", reason=error)
                raise
            self._raw_header = raw
        i = self.i
        self._committed = i.num_records
        if os.fstat(self._fd).st_size < i.start_offset + i.num_records * i.record_size:
            self._complain("IOERROR: refreshing index failed", reason="shorter than its records")
            raise MailboxBadFormat
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
            self._dirty = True
        i.options &= ~index_header.CHANGING
        i.highestmodseq = max(i.highestmodseq, *(record.modseq for record in self.records()), 0)
        self._count_records()
        # what is on disk must be read again by the next lock
        self._raw_header = b""

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
        self._new_names.discard(os.path.dirname(path))
        self._header_dirty = False
        self._header_crc = self.i.header_file_crc = header.crc(data)
        self._flag_crcs = None
        self._dirty = True

    def _write_index(self) -> None:
        i = self.i
        version, size = i.minor_version, i.record_size
        old_size = os.fstat(self._fd).st_size
        in_place = any(recno <= self._committed for recno in self._changes)
        try:
            if in_place and self._raw_header:
                files.pwrite_all(self._fd, index_header.mark_changing(self._raw_header), 0)
            for first, run in _runs(self._changes):
                packed = b"".join(index_record.pack(record, version) for record in run)
                files.pwrite_all(self._fd, packed, i.start_offset + (first - 1) * size)
            raw = index_header.pack(i)
            files.pwrite_all(self._fd, raw, 0)
        except OSError:
            os.ftruncate(self._fd, old_size)
            raise
        os.fdatasync(self._fd)
        self._raw_header = raw
        self._committed = i.num_records
        if self.store.auditlog:
            audit.changes(self, self._changes, self._before)
            if self._modseq_dirty:
                audit.modseq(self)
        self._changes.clear()
        self._before.clear()

    def _commit_quota(self) -> None:
        before, self._usage = self._usage, None
        root = self.header.quotaroot
        if before is None or root is None:
            return
        differences = [now - was for now, was in zip(self.usage(), before, strict=True)]
        if any(differences):
            self.store.use_quota(root, differences, self)

    def _store_change(self, record: IndexRecord, old_flags: int) -> None:
        self._changes[record.recno] = record.copy()
        self._before.setdefault(record.recno, old_flags)

    def _recount(self, old: IndexRecord | None, new: IndexRecord) -> None:
        self.quota_dirty()
        i, flag_crcs, version = self.i, self.flag_crcs, self.i.minor_version
        if old is not None:
            i.uncount(old)
            i.sync_crc ^= synccrc.basic(old, flag_crcs)
            i.sync_crc_annot ^= synccrc.virtual(old, version)
        i.count(new)
        i.sync_crc ^= synccrc.basic(new, flag_crcs)
        i.sync_crc_annot ^= synccrc.virtual(new, version)

    def _uncount_annotations(self, uid: int) -> None:
        crc, size = self.annotations.crc_and_size(uid, self.i.minor_version)
        self.i.sync_crc_annot ^= crc
        self.i.quota_annot_used = max(0, self.i.quota_annot_used - size)

    def _note_expunged(self, record: IndexRecord) -> None:
        first = self.i.first_expunged
        if not first or first > record.last_updated:
            self.i.first_expunged = record.last_updated

    def _cache_file(self, archived: bool) -> CacheFile:
        found = self._caches.get(archived)
        if found is None:
            found = CacheFile(self.paths.meta("archivecache") if archived else self.paths.cache)
            self._caches[archived] = found
        return found

    def _finish_repack(self, archived: bool) -> bool:
        """Whether the cache that belongs to this index still waited for its rename, and is now in use."""
        i, old = self.i, self._cache_file(archived)
        new = CacheFile(old.path + ".NEW")
        if new.generation() != i.generation_no or old.generation() == i.generation_no:
            return False
        old.close()
        if self.locked is Lock.EXCLUSIVE:
            os.rename(new.path, old.path)
        else:
            self._caches[archived] = new
        return True

    def _append_cache(self, record: IndexRecord, data: bytes | memoryview) -> None:
        cache = self._cache_file(record.archived)
        try:
            record.cache_offset = cache.append(data, self.i.generation_no)
        except OSError as error:
            xlog.ioerror(log, "failed to append to cache", error, mailbox=self.name, uid=record.uid)
            raise _storage_error(error) from error

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


def _runs(changes: dict[int, IndexRecord]) -> Iterator[tuple[int, list[IndexRecord]]]:
    """Changed records in file order, neighbours together, with the first one's number."""
    first = 0
    run: list[IndexRecord] = []
    for recno in sorted(changes):
        if run and recno != first + len(run):
            yield first, run
            run = []
        if not run:
            first = recno
        run.append(changes[recno])
    if run:
        yield first, run


def _storage_error(error: OSError) -> NoSpace | IoError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return NoSpace()
    return IoError()
