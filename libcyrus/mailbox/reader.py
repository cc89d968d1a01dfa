"""Reading the records, cache records and messages of an open mailbox, uncommitted changes included."""

from __future__ import annotations

import logging
import mmap
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING
from zlib import crc32

from libcyrus import message
from libcyrus.base import xlog, xstats
from libcyrus.base.xstats import Metric
from libcyrus.errors import IoError, MailboxChecksum
from libcyrus.mailbox import index_header, index_record
from libcyrus.mailbox.index_record import (
    CACHE_VERSION,
    EXPUNGED,
    OLDEST_CACHE_VERSION,
    UNLINKED,
    IndexRecord,
)

if TYPE_CHECKING:
    from libcyrus.mailbox.mailbox import Mailbox

log = logging.getLogger(__name__)


class Reader:
    """What the methods of ``Mailbox`` with the same names promise. Needs the index lock."""

    __slots__ = ("_mailbox",)

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox

    def record(self, recno: int) -> IndexRecord:
        mailbox = self._mailbox
        changed = mailbox.changes.records.get(recno)
        if changed is not None:
            return changed.copy()
        version = mailbox.i.minor_version
        packed = mailbox.changes.packed.get(recno)
        if packed is not None:
            return index_record.unpack(packed, version=version, recno=recno, check=False)
        if not 0 < recno <= mailbox.index_file.num_records:
            raise IoError
        try:
            return mailbox.index_file.record(recno, version)
        except MailboxChecksum:
            mailbox.complain("IOERROR: index record corrupted", recno=recno)
            raise

    def records(self, *, expunged: bool, unlinked: bool) -> Iterator[IndexRecord]:
        skip = (0 if expunged else EXPUNGED) | (0 if unlinked else UNLINKED)
        for recno in range(1, self._mailbox.i.num_records + 1):
            try:
                record = self.record(recno)
            except MailboxChecksum:
                continue
            # reconstruct wipes records that cannot be read: they have no uid
            if record.uid and not record.internal_flags & skip:
                yield record

    def region(self) -> memoryview:
        """All records packed, with uncommitted changes."""
        mailbox = self._mailbox
        changes, region = mailbox.changes, mailbox.region
        if not changes.records and not changes.packed:
            return region
        i, size = mailbox.i, mailbox.i.record_size
        found = bytearray(region).ljust(i.num_records * size, b"\0")
        for recno, packed in changes.packed.items():
            found[(recno - 1) * size : recno * size] = packed
        for recno, record in changes.records.items():
            found[(recno - 1) * size : recno * size] = index_record.pack(record, i.minor_version)
        return memoryview(found)

    def recno_before(self, uid: int) -> int:
        mailbox = self._mailbox
        index, changes = mailbox.index_file, mailbox.changes.records
        low, high = 1, mailbox.i.num_records
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
        recno = self.recno_before(uid)
        if not recno:
            return None
        record = self.record(recno)
        return record if record.uid == uid else None

    def stored_cache(self, record: IndexRecord, *, end: int) -> memoryview | None:
        mailbox = self._mailbox
        offset, crc, archived = record.cache_offset, record.cache_crc, record.archived
        if record.cache_version < OLDEST_CACHE_VERSION and record.cache_offset:
            return None
        if not crc and mailbox.i.minor_version < index_header.CACHE_CRC_VERSION:
            return None
        try:
            return mailbox.cache_files.read(offset, crc, archived=archived, end=end)
        except (IoError, MailboxChecksum) as error:
            generation = mailbox.i.generation_no
            if mailbox.cache_files.finish_repack(generation, archived=archived, rename=mailbox.writable):
                return self.stored_cache(record, end=end)
            mailbox.complain("IOERROR: invalid cache record", uid=record.uid, reason=error, offset=offset)
        return None

    def rebuild_cache(self, record: IndexRecord) -> bytes:
        mailbox = self._mailbox
        parsed = message.parse(self.map_message(record), mailbox.store.parse_options)
        data = parsed.cache_record()
        if record.cache_offset and mailbox.i.minor_version < index_header.CACHE_CRC_VERSION:
            # there is a cache record; its checksum could not be kept, so it would never be believed
            return data
        record.cache_offset = 0
        record.cache_version = CACHE_VERSION
        record.cache_crc = crc32(data)
        if mailbox.writable:
            mailbox.changes.append_cache(record, data)
            mailbox.dirty()
            mailbox.i.options |= index_header.NEEDS_REPACK
        return data

    def map_message(self, record: IndexRecord) -> mmap.mmap | bytes:
        path = self._mailbox.message_path(record)
        xstats.count(Metric.MESSAGE_MAP)
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
