"""The locks of one open mailbox, and what is read from its files as soon as they are locked."""

from __future__ import annotations

import logging
import time
from enum import IntEnum
from typing import TYPE_CHECKING

from libcyrus.base import files, xlog
from libcyrus.errors import IoError, MailboxBadFormat, MailboxChecksum, MailboxLocked, MailboxNonexistent
from libcyrus.mailbox import header, index_header, index_record, leftovers
from libcyrus.mailbox.namelock import MailboxLocks

if TYPE_CHECKING:
    from libcyrus.mailbox.mailbox import Mailbox

log = logging.getLogger(__name__)


class Lock(IntEnum):
    NONE = 0
    SHARED = 1
    EXCLUSIVE = 2


class Locking:
    """Takes and gives up the locks of a mailbox, in the order of the package's docstring.

    ``kind`` is that of the index lock, ``names`` are the name locks. ``replaced`` says that this process put
    another ``cyrus.index`` in place since it was last reset.
    """

    __slots__ = ("_header_crc", "_mailbox", "_since", "kind", "names", "replaced")

    def __init__(self, mailbox: Mailbox, names: MailboxLocks) -> None:
        self._mailbox = mailbox
        self.names = names
        self.kind = Lock.NONE
        self.replaced = False
        self._since = 0.0
        self._header_crc = 0

    def lock(self, *, exclusive: bool) -> None:
        """Take what is missing of the name locks, and the index lock; read both headers.

        Raises MailboxLocked, MailboxBadFormat, MailboxChecksum, IoError. Deleted mailboxes can be locked.
        """
        if self.kind is not Lock.NONE:
            raise MailboxLocked
        mailbox = self._mailbox
        try:
            self.names.take(exclusive=exclusive)
            self._open_index()
            mailbox.index_file.lock(exclusive=exclusive)
        except OSError as error:
            self.names.release_user()
            xlog.ioerror(log, "lock index failed", error, mailbox=mailbox.name)
            raise IoError from error
        except BaseException:
            self.names.release_user()
            raise
        self.locked(exclusive=exclusive)
        try:
            self.read()
            leftovers.remove(mailbox.paths, mailbox.i.last_uid)
        except OSError as error:
            self.unlock()
            xlog.ioerror(log, "reading mailbox failed", error, mailbox=mailbox.name)
            raise IoError from error
        except BaseException:
            self.unlock()
            raise

    def locked(self, *, exclusive: bool) -> None:
        """The index was locked."""
        self.kind = Lock.EXCLUSIVE if exclusive else Lock.SHARED
        self._since = time.monotonic()

    def unlock(self) -> None:
        """Give up the index and the namespace, without commit."""
        self.unlock_index()
        self.names.release_user()

    def unlock_index(self) -> None:
        if self.kind is not Lock.NONE:
            self.kind = Lock.NONE
            self._mailbox.index_file.unlock()
            held = time.monotonic() - self._since
            if held > 1.0:
                log.log(xlog.NOTICE, "mailbox: longlock %s for %0.1f seconds", self._mailbox.name, held)

    def drop(self) -> None:
        """Let go of everything; the files are closed already."""
        self.kind = Lock.NONE
        self.names.release_user()
        self.names.release_name()

    def reacquire(self, *, exclusive: bool) -> bool:
        """What ``Mailbox.reacquire`` does, but for the check whether the mailbox was deleted."""
        self.names.take_user(exclusive=exclusive)
        mailbox = self._mailbox
        before = mailbox.index_file.identity
        try:
            entry = mailbox.store.lookup(mailbox.entry.name)
            if entry.uniqueid != mailbox.entry.uniqueid:
                raise MailboxNonexistent
            if (entry.partition, entry.path_id) != (mailbox.entry.partition, mailbox.entry.path_id):
                mailbox.move_to(entry)
                self.names.lock_name = entry.path_id or entry.name
            mailbox.entry = entry
        except BaseException:
            self.names.release_user()
            raise
        mailbox.lock_index(exclusive=exclusive)
        replaced, self.replaced = self.replaced, False
        return replaced or mailbox.index_file.identity != before

    def relock_exclusively(self, *, nonblock: bool) -> None:
        """What ``Mailbox.relock_exclusively`` does to a mailbox whose index is unlocked."""
        self.names.release_name()
        self.names.take_user(exclusive=True)
        try:
            self.names.take_name(exclusive=True, nonblock=nonblock)
        except BaseException:
            self.names.release_user()
            raise
        self.lock(exclusive=True)

    def reopen_replaced(self) -> None:
        """Move the lock to the ``cyrus.index`` that this process just put in place. Raises IoError."""
        mailbox = self._mailbox
        mailbox.forget_files()
        self.kind = Lock.NONE
        try:
            self._open_index()
            mailbox.index_file.lock(exclusive=True)
            self.kind = Lock.EXCLUSIVE
            self.read()
        except OSError as error:
            xlog.ioerror(log, "reading mailbox failed", error, mailbox=mailbox.name)
            raise IoError from error
        self.replaced = True

    def _open_index(self) -> None:
        """Open ``cyrus.index``, or find that the open one still is the file of that name."""
        mailbox = self._mailbox
        if not mailbox.index_file.is_current(mailbox.paths.index):
            mailbox.forget_files()
            mailbox.index_file.open(mailbox.paths.index)

    # reading the headers

    def forget_header(self) -> None:
        """``cyrus.header`` must be read again."""
        self._header_crc = 0

    def header_written(self, crc: int) -> None:
        """``cyrus.header`` was replaced by what is in memory."""
        self._header_crc = crc

    def read(self) -> None:
        """Read the index header, and ``cyrus.header`` unless its CRC says that it is the known one."""
        mailbox = self._mailbox
        try:
            mailbox.i = mailbox.index_file.read() or mailbox.i
            if mailbox.index_file.lacking:
                self._accept_lacking()
        except (MailboxBadFormat, MailboxChecksum) as error:
            mailbox.complain("IOERROR: refreshing index failed", reason=error)
            raise
        i = mailbox.i
        if not self._header_crc or self._header_crc != i.header_file_crc:
            self._read_header()
        if i.options & index_header.CHANGING:
            self._finish_change()
        elif not i.unseen_known:
            i.unseen = sum(
                not record.system_flags & index_record.SEEN for record in mailbox.records(expunged=False)
            )

    def _accept_lacking(self) -> None:
        """Go on without the records that are not there, if a power cut can have taken them.

        One that comes while a delivery is brought to disk may leave the header that counts the new records
        without them, and each message without its file or with the staged one still beside it. Raises
        MailboxBadFormat for anything else, which is damage. No file is touched.
        """
        mailbox = self._mailbox
        lacking = mailbox.index_file.lacking
        missing = range(self._last_uid() + 1, mailbox.i.last_uid + 1)
        if len(missing) < lacking or not leftovers.were_unfinished(mailbox.paths, missing):
            mailbox.index_file.forget()
            raise MailboxBadFormat
        log.warning(
            "mailbox %s: %d messages of an interrupted append did not get to disk", mailbox.name, lacking
        )

    def _last_uid(self) -> int:
        """The uid of the last record that is on disk."""
        index = self._mailbox.index_file
        return index.uid(index.num_records) if index.num_records else 0

    def _finish_change(self) -> None:
        """A writer died while it changed records in place: make the header agree with them."""
        mailbox = self._mailbox
        log.warning("mailbox %s: counting anew after an interrupted change", mailbox.name)
        i = mailbox.i
        if mailbox.writable:
            # the quota database still has what the old header said
            mailbox.quota_dirty()
            mailbox.dirty()
            # a new message's were written before the message itself
            mailbox.annotations.remove_behind(self._last_uid() if mailbox.index_file.lacking else i.last_uid)
        i.options &= ~index_header.CHANGING
        flags = 0
        for record in mailbox.records():
            i.highestmodseq = max(i.highestmodseq, record.modseq)
            flags |= record.internal_flags
        if flags & (index_record.NEEDS_CLEANUP | index_record.UNLINKED):
            i.options |= index_header.NEEDS_UNLINK
        mailbox.count_all()
        # what is on disk must be read again by the next lock
        mailbox.index_file.forget()

    def _read_header(self) -> None:
        mailbox, crc = self._mailbox, self._mailbox.i.header_file_crc
        mailbox.forget_flag_crcs()
        headers = mailbox.store.headers
        known = headers.get(mailbox.uniqueid, crc, mailbox.paths.header)
        if known is not None:
            mailbox.header = known
            self._header_crc = crc
            return
        data = files.read_all(mailbox.paths.header)
        try:
            mailbox.header = header.unpack(data)
        except MailboxBadFormat as error:
            mailbox.complain("IOERROR: read header failed", reason=error)
            raise
        self._header_crc = header.crc(data)
        headers.put(mailbox.uniqueid, self._header_crc, len(data), mailbox.header)
        if crc and self._header_crc != crc:
            log.warning("Header CRC mismatch for mailbox %s: %08X %08X", mailbox.name, self._header_crc, crc)
