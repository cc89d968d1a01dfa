"""An open mailbox: its locks, its records, and the transaction in which they change.

A mailbox is opened by ``MailStore.open`` with its index locked, shared or
exclusive. ``unlock_index`` commits what changed and lets others in, ``release`` and
``reacquire`` do the same around the pauses of a session, keeping descriptors and
mappings when the files are still the same.
What changes, and in which order it gets to disk, is in ``changes``; how files are locked and
their headers read in ``locking``, how records are read in ``reader``.
"""

from __future__ import annotations

import logging
import mmap
import os
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Self

from libcyrus.base import xlog
from libcyrus.errors import MailboxNonexistent
from libcyrus.mailbox import counting, index_header, synccrc
from libcyrus.mailbox.annotations import MessageAnnotations
from libcyrus.mailbox.cache_files import CacheFiles
from libcyrus.mailbox.changes import Changes
from libcyrus.mailbox.conversing import Conversing
from libcyrus.mailbox.flagchange import FlagChange
from libcyrus.mailbox.header import MailboxHeader
from libcyrus.mailbox.index_file import IndexFile
from libcyrus.mailbox.index_header import IndexHeader
from libcyrus.mailbox.index_record import IndexRecord
from libcyrus.mailbox.locking import Lock, Locking
from libcyrus.mailbox.namelock import MailboxLocks, NameLock
from libcyrus.mailbox.paths import MailboxPaths
from libcyrus.mailbox.reader import Reader
from libcyrus.records.annotate import OWNER
from libcyrus.records.mbentry import MboxEntry

if TYPE_CHECKING:
    from libcyrus.mailbox.mailstore import MailStore

log = logging.getLogger(__name__)


class Mailbox:
    """One open mailbox. Made by ``MailStore.open`` only; a context manager that closes.

    ``entry`` is its record of mailboxes.db, ``header`` the content of ``cyrus.header``, ``i`` the
    index header, all as of the last time the index was locked. ``silent`` (set by replication)
    keeps changes from raising modseqs. ``in_deleted_tree``: a delayed delete put it out of sight.
    """

    def __init__(self, store: MailStore, entry: MboxEntry) -> None:
        self.store = store
        self.entry = entry
        self.paths = MailboxPaths(store.config, store.rules, entry)
        name = store.rules.from_internal(entry.name)
        self.userid = name.userid
        self.in_deleted_tree = bool(name.deleted)
        self.header = MailboxHeader()
        self.i = IndexHeader()
        self.silent = False
        self.opened = 1
        names = MailboxLocks(store.locks, self.userid, entry.path_id or entry.name)
        self._locking = Locking(self, names)
        self._reader = Reader(self)
        self.index_file = IndexFile()
        self.cache_files = CacheFiles(self.paths)
        self.changes = Changes(self)
        self.conversing = Conversing(self)
        self._annotations: MessageAnnotations | None = None
        self._flag_crcs: synccrc.FlagCrcs | None = None

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

    @property
    def locked(self) -> Lock:
        """How the index is locked."""
        return self._locking.kind

    def lock_index(self, *, exclusive: bool) -> None:
        """Lock ``cyrus.index`` and read its header, and ``cyrus.header`` when that changed.

        Raises MailboxLocked when already locked, MailboxNonexistent when the mailbox was deleted
        meanwhile, MailboxBadFormat or MailboxChecksum for files that make no sense, IoError.
        """
        self._locking.lock(exclusive=exclusive)
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
                if self.changes.committed:
                    self.changes.committed = False
                    self.store.changed(self)
        except BaseException:
            self.conversing.abort()
            raise
        finally:
            self._locking.unlock_index()
            self.conversing.leave()
            self._locking.names.release_user()

    def release(self) -> None:
        """Give up all locks between two commands of a session; opened files are kept for ``reacquire``."""
        self.unlock_index()
        self._locking.names.release_name()
        self.store.note_cleanup(self)

    def reacquire(self, *, write: bool) -> bool:
        """Lock again after ``release``; True when ``cyrus.index`` was replaced, so record numbers changed.

        ``entry`` is looked up anew, since name and ACL may have changed. Raises what ``MailStore.open`` and
        ``lock_index`` raise; MailboxNonexistent also when the name now means another mailbox.
        """
        return self._locking.reacquire(exclusive=write)

    @property
    def raw_header(self) -> bytes:
        """The index header as it was last read or written."""
        return self.index_file.raw

    def unchanged(self, since: bytes) -> bool:
        """Whether, without any lock, the index header on disk is still the ``raw_header`` it once was.

        Every change of the mailbox, its name or its ACL changes that header. False in doubt.
        """
        return self.index_file.unchanged(self.paths.index, since)

    def newest_uid(self) -> int:
        """The last uid on disk, perhaps: read without any lock."""
        return self.index_file.newest_uid()

    # reading

    @property
    def num_records(self) -> int:
        return self.i.num_records

    @property
    def region(self) -> memoryview:
        """The records as they are on disk, for ``columns``; uncommitted changes are not in it.

        A view stays readable after later commits, showing in-place changes of all processes.
        """
        return self.index_file.region()

    def record(self, recno: int) -> IndexRecord:
        """The record with this number (from 1), with uncommitted changes. The caller may change it.

        Raises MailboxChecksum when its CRC is wrong, IoError when there is none.
        """
        return self._reader.record(recno)

    def records(self, *, expunged: bool = True, unlinked: bool = True) -> Iterator[IndexRecord]:
        """All readable records in order; those with a wrong CRC are logged and left out."""
        return self._reader.records(expunged=expunged, unlinked=unlinked)

    def recno_before(self, uid: int) -> int:
        """The number of the last record whose uid is ``uid`` or less; 0 when there is none."""
        return self._reader.recno_before(uid)

    def find_uid(self, uid: int) -> IndexRecord | None:
        """The record of a message, expunged or not; None when there is none. Raises as ``record`` does."""
        return self._reader.find_uid(uid)

    def cache(self, record: IndexRecord, *, end: int = 0) -> memoryview:
        """The checked cache record of a message.

        Missing or damaged ones are logged, computed again from the message file and, when the index is
        locked exclusively, written. ``end`` may give the next record's cache_offset, which saves time.
        The views stay valid. Raises IoError when the message file cannot be read either.
        """
        stored = self.stored_cache(record, end=end)
        return memoryview(self.rebuild_cache(record)) if stored is None else stored

    def stored_cache(self, record: IndexRecord, *, end: int = 0) -> memoryview | None:
        """The cache record as it is on disk; None, logged, when it is missing or damaged."""
        return self._reader.stored_cache(record, end=end)

    def cache_at(self, offset: int, crc: int, *, archived: bool, end: int = 0) -> memoryview:
        """The cache record at this place; unlike ``cache``, a bad one is not repaired.

        Raises IoError or MailboxChecksum; the view stays valid.
        """
        return self.cache_files.read(offset, crc, archived=archived, end=end)

    def cache_each(self, places: Iterable[tuple[int, int, int]]) -> Iterator[memoryview | None]:
        """Many cache records that are not archived, from (offset, crc, end), as ``cache_at`` gives one.

        A bad one is None. Raises IoError when there is no cache file.
        """
        return self.cache_files.read_each(places)

    def message_path(self, record: IndexRecord) -> str:
        return self.paths.message(record.uid, archived=record.archived)

    def map_message(self, record: IndexRecord) -> mmap.mmap | bytes:
        """The message's bytes, mapped. Raises IoError (logged) when the file is missing or unreadable."""
        return self._reader.map_message(record)

    def flag_number(self, name: str) -> int | None:
        """The number of a user flag, whatever its case; None when the mailbox does not know it."""
        return self.header.flag_number(name)

    def internal_seen(self, userid: str | None) -> bool:
        """Whether this user's \\Seen is in the index (owner, or sharedseen); else in the seen database."""
        if self.i.minor_version < index_header.OWN_SEEN_VERSION:
            return False
        if self.i.options & index_header.SHAREDSEEN or not userid:
            return True
        return userid == self.userid

    def seen_user(self, userid: str) -> str:
        """Whose seen database has a user's \\Seen, where the index has not."""
        return "anyone" if self.i.options & index_header.SHAREDSEEN else userid

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

    # changing; all of this needs the exclusive index lock, else MailboxLocked is raised

    def dirty(self) -> None:
        """Say that ``i`` was changed and must be written by the next commit."""
        self.changes.dirty()

    def recent_dirty(self) -> None:
        """Say that only the recent mark of ``i`` was changed; what a power cut takes of it is no loss."""
        self.changes.recent_dirty()

    def quota_dirty(self) -> None:
        """Remember what the mailbox counts for now, before it changes."""
        self.changes.quota_dirty()

    def bump_modseq(self) -> int:
        """Raise the mailbox's highest modseq and return it; when ``silent`` only return it."""
        return self.changes.bump_modseq()

    def create_flag(self, name: str, *, reserve: bool = True) -> int:
        """The number of a user flag, taking a free one for a new name.

        With ``reserve`` users may take 100 of the 128 only, except for names of ``mailbox_initial_flags``.
        Raises UserFlagsExhausted, InvalidIdentifier for what is no atom.
        """
        return self.changes.create_flag(name, reserve=reserve)

    def remove_flag(self, number: int) -> None:
        """Free the number of a user flag that no record has any more."""
        self.changes.remove_flag(number)

    def header_changed(self) -> None:
        """Say that ``header`` was changed and must be written by the next commit."""
        self.changes.header_dirty()

    def set_acl(self, acl: str) -> None:
        """Copy a new ACL into ``cyrus.header``; mailboxes.db is the caller's."""
        if self.header.acl != acl:
            self.header.acl = acl
            self.changes.header_dirty()

    def set_quotaroot(self, root: str | None) -> None:
        """Name another quota root in ``cyrus.header``; ``lifecycle.UsageMoves`` does the accounting."""
        if self.header.quotaroot != (root or None):
            self.header.quotaroot = root or None
            self.changes.header_dirty()

    def rewrite(self, record: IndexRecord, *, silent: bool = False) -> None:
        """Change the record with ``record.recno``; counters, CRCs and modseq follow.

        ``silent`` leaves modseq and last_updated as they are. uid and guid must be those of the old record,
        and an expunged message stays expunged. ``record`` gets its new modseq and flags.
        """
        self.changes.rewrite(record, silent=silent)

    def rewrite_flags(self, changes: Iterable[FlagChange]) -> None:
        """Give many records other flags, as ``rewrite`` would one by one."""
        self.changes.rewrite_flags(changes)

    def append(
        self, record: IndexRecord, cache: bytes | memoryview | None, *, ignore_limits: bool = False
    ) -> None:
        """Add a record behind all others, with its cache record.

        uid must be above ``i.last_uid``, size and guid set; the message file must be there already.
        ``cache`` is None for a record that has a cache_offset or is unlinked. ``record`` gets
        its recno, modseq, dates, cache_offset and conversation. Raises NoSpace, IoError, and
        ConversationGuidLimit (see ``conversing``) unless ``ignore_limits``.
        """
        self.changes.append(record, cache, ignore_limits=ignore_limits)

    def names_changed(self, *, archived: bool = False, staged: bool = False) -> None:
        """Say that a message file was linked into the directory, see ``Changes.names_changed``."""
        self.changes.names_changed(self.paths.archive if archived else self.paths.data, staged=staged)

    def annotation_user(self, userid: str) -> str:
        """What stands for a user in the keys of annotations here."""
        return OWNER if userid and userid == self.userid else userid

    def commit(self) -> None:
        """Bring all changes to disk, in the order that ``changes`` gives. Nothing to do is cheap.

        Raises NoSpace or IoError, with everything undone.
        """
        self.changes.commit()

    def abort(self) -> None:
        """Drop all changes since the last commit and read the mailbox again from disk."""
        if self._annotations is not None:
            self._annotations.abort()
        self.conversing.abort()
        if self.changes.abort() and self.locked is not Lock.NONE:
            self._flag_crcs = None
            self.index_file.forget()
            self._locking.forget_header()
            self._locking.read()

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
        names = self._locking.names
        names.adopt_user(user_lock)
        names.take_name(exclusive=exclusive_name, nonblock=nonblock)
        self.lock_index(exclusive=write)

    def begin(self, new_header: MailboxHeader, index: IndexHeader) -> None:
        """Write the files of a new mailbox, locked. The directories are there. Raises OSError, IoError."""
        self._locking.names.take_name(exclusive=True)
        self.index_file.create(self.paths.index, index)
        self.index_file.lock(exclusive=True)
        self._locking.locked(exclusive=True)
        self.header = new_header
        self.i = index
        self.changes.begin()
        # the directory of the index may be another than that of the header
        self.changes.names_changed(os.path.dirname(self.paths.index))
        self.commit()

    def relock_exclusively(self, *, nonblock: bool = False) -> None:
        """Give up every lock and take all again, the name lock too exclusively, to remove or replace files.

        Others may change the mailbox in between. Deleted mailboxes can be locked too. ``nonblock`` raises
        MailboxLocked instead of waiting until nobody else has the mailbox open.
        """
        self.unlock_index()
        self._locking.relock_exclusively(nonblock=nonblock)

    def reopen_replaced(self) -> None:
        """Go on with a ``cyrus.index`` that this process just put in place; the lock moves to it."""
        self._locking.reopen_replaced()
        self.changes.committed = True

    @property
    def name_locked_exclusively(self) -> bool:
        return self._locking.names.name_exclusively

    @property
    def released(self) -> bool:
        """Open, but without any lock: between ``release`` and ``reacquire``."""
        return not self._locking.names.has_name

    def drop(self) -> None:
        """Let go of everything without commit; the store calls it."""
        self.forget_files()
        self.conversing.abort()
        self._locking.drop()

    def move_to(self, entry: MboxEntry) -> None:
        """Look for the files where ``entry`` says from now on."""
        self.forget_files()
        self.paths = MailboxPaths(self.store.config, self.store.rules, entry)
        self.cache_files = CacheFiles(self.paths)

    def forget_files(self) -> None:
        """Close the files, so that the next lock opens them anew."""
        self.index_file.close()
        self.cache_files.close()
        self._locking.forget_header()
        if self._annotations is not None:
            self._annotations.close()
            self._annotations = None

    @property
    def writable(self) -> bool:
        """The index is locked exclusively."""
        return self.locked is Lock.EXCLUSIVE

    def forget_flag_crcs(self) -> None:
        """The names of user flags change."""
        self._flag_crcs = None

    def header_written(self, crc: int) -> None:
        """``cyrus.header`` was replaced by what ``header`` says."""
        self._locking.header_written(crc)
        self._flag_crcs = None

    def count_all(self) -> None:
        """Count everything in ``i`` anew, without saying that it changed."""
        counting.count_all(
            self.i,
            self._reader.region(),
            self.flag_crcs,
            self.annotations,
            annotation_size=self.store.annotation_size(self.uniqueid),
        )

    def rebuild_cache(self, record: IndexRecord) -> bytes:
        """Compute a cache record from the message file; written, if the index is locked for it."""
        return self._reader.rebuild_cache(record)

    def complain(self, description: str, **pairs: object) -> None:
        """Log what is wrong with this mailbox."""
        xlog.xsyslog(log, logging.ERROR, description, None, mailbox=self.name, **pairs)
