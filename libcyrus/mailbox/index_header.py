"""The header of ``cyrus.index``: counters and state of the whole mailbox.

All numbers are big-endian, 32 bit unless said. Versions 14 to 17, 160 bytes::

    0   generation_no          64  leaked_cache_records
    4   format (0)             68  highestmodseq (64 bit)
    8   minor_version          76  deletedmodseq (64 bit)
    12  start_offset           84  exists
    16  record_size            88  first_expunged
    20  num_records            92  last_repack_time
    24  last_appenddate        96  header_file_crc (CRC-32 of cyrus.header)
    28  last_uid               100 sync_crc (XOR over all living records)
    32  quota_mailbox_used (64 bit)
    40  pop3_last_login        104 recentuid
    44  uidvalidity            108 recenttime
    48  deleted                112 pop3_show_after
    52  answered               116 quota_annot_used
    56  flagged                120 sync_crc_annot
    60  options                124 unseen
                               128 createdmodseq (64 bit, since 16)
                               136 changes_epoch (since 17)
                               140 four spare words, written as zero
                               156 CRC-32 of bytes 0..155

Versions 12 and 13 end after 120: 128 bytes with the CRC at 124, and ``unseen``
is counted when opened (``unseen_known`` says so). Versions 6 to 10 end with highestmodseq or before it,
have no CRC and count expunged messages too; see ``old_index``.
"""

from __future__ import annotations

import struct
import time
from typing import Final
from zlib import crc32

from libcyrus.base.dataclasses import dataclass
from libcyrus.errors import MailboxBadFormat, MailboxChecksum
from libcyrus.mailbox import old_index
from libcyrus.mailbox.index_record import (
    ANSWERED,
    DELETED,
    EXPUNGED,
    FLAGGED,
    SEEN,
    IndexRecord,
    record_size,
)

MINOR_VERSION: Final = 17
VERSIONS: Final = frozenset({6, 7, 8, 9, 10, 12, 13, 14, 15, 16, 17})
#: since when the owner's \Seen and the recent mark are in the index; before, they are in the seen database
OWN_SEEN_VERSION: Final = 12
#: since when records have a checksum of their cache record
CACHE_CRC_VERSION: Final = 12
#: since when records have a guid
GUID_VERSION: Final = 10
#: since when records have a modseq
MODSEQ_VERSION: Final = 8
HEADER_SIZE: Final = 160
OFFSET_LAST_UID: Final = 28

# mailbox options
POP3_NEW_UIDL: Final = 1 << 0
SHAREDSEEN: Final = 1 << 2
DUPDELIVER: Final = 1 << 3
HAS_ALARMS: Final = 1 << 4
NEEDS_UNLINK: Final = 1 << 29
NEEDS_REPACK: Final = 1 << 30
MAILBOX_DELETED: Final = 1 << 31
#: ours: records are being changed in place; whoever finds it counts anew (see ``mailbox``). The original
#: ignores it, and drops it when it writes the header.
CHANGING: Final = 1 << 28
OPTIONS_MASK: Final = POP3_NEW_UIDL | SHAREDSEEN | DUPDELIVER | HAS_ALARMS
CLEANUP_MASK: Final = NEEDS_UNLINK | NEEDS_REPACK | MAILBOX_DELETED

#: where the sync CRC of annotations starts
SYNC_CRC_ANNOT_START: Final = 12345678

_U32 = 0xFFFFFFFF
_SIZE_12: Final = 128
_LAYOUT = struct.Struct(">8IQ7IQQ11IQI16xI")
_LAYOUT_12 = struct.Struct(">8IQ7IQQ10II")
_LAYOUT_6 = struct.Struct(">8IQ7I")
_START = struct.Struct(">3I")


@dataclass(slots=True)
class IndexHeader:
    """``record_size`` is that of records in memory, ``disk_record_size``, unless 0, that on disk."""

    generation_no: int = 0
    format: int = 0
    minor_version: int = MINOR_VERSION
    start_offset: int = HEADER_SIZE
    record_size: int = 112
    num_records: int = 0
    last_appenddate: int = 0
    last_uid: int = 0
    quota_mailbox_used: int = 0
    pop3_last_login: int = 0
    uidvalidity: int = 0
    deleted: int = 0
    answered: int = 0
    flagged: int = 0
    options: int = 0
    leaked_cache_records: int = 0
    highestmodseq: int = 0
    deletedmodseq: int = 0
    exists: int = 0
    first_expunged: int = 0
    last_repack_time: int = 0
    header_file_crc: int = 0
    sync_crc: int = 0
    recentuid: int = 0
    recenttime: int = 0
    pop3_show_after: int = 0
    quota_annot_used: int = 0
    sync_crc_annot: int = SYNC_CRC_ANNOT_START
    unseen: int = 0
    createdmodseq: int = 0
    changes_epoch: int = 0
    disk_record_size: int = 0

    @property
    def stored_record_size(self) -> int:
        """Bytes of a record on disk."""
        return self.disk_record_size or self.record_size

    @property
    def end(self) -> int:
        """Where the last record ends in the file."""
        return self.start_offset + self.num_records * self.stored_record_size

    @property
    def unseen_known(self) -> bool:
        return self.minor_version > 13

    def count(self, record: IndexRecord) -> None:
        """Add a record to the counters; expunged ones count for nothing."""
        if record.internal_flags & EXPUNGED:
            return
        flags = record.system_flags
        self.answered += flags & ANSWERED
        self.flagged += (flags & FLAGGED) >> 1
        self.deleted += (flags & DELETED) >> 2
        if not flags & SEEN:
            self.unseen += 1
        self.exists += 1
        self.quota_mailbox_used += record.size

    def uncount(self, record: IndexRecord) -> None:
        """Take a record out of the counters, never below zero."""
        if record.internal_flags & EXPUNGED:
            return
        flags = record.system_flags
        self.answered = max(0, self.answered - (flags & ANSWERED))
        self.flagged = max(0, self.flagged - ((flags & FLAGGED) >> 1))
        self.deleted = max(0, self.deleted - ((flags & DELETED) >> 2))
        if not flags & SEEN:
            self.unseen = max(0, self.unseen - 1)
        self.exists = max(0, self.exists - 1)
        self.quota_mailbox_used = max(0, self.quota_mailbox_used - record.size)


def mark_changing(packed: bytes) -> bytes:
    """A packed header with the option CHANGING, whatever else it says."""
    options = int.from_bytes(packed[60:64], "big") | CHANGING
    if _START.unpack_from(packed)[2] <= old_index.NEWEST:
        return packed[:60] + options.to_bytes(4, "big") + packed[64:]
    body = packed[:60] + options.to_bytes(4, "big") + packed[64:-4]
    return body + struct.pack(">I", crc32(body))


def header_size(version: int) -> int:
    """Bytes of the header in this index version; raises MailboxBadFormat for one we do not handle."""
    if version in (12, 13):
        return _SIZE_12
    if version in (14, 15, 16, 17):
        return HEADER_SIZE
    size = old_index.header_size(version)
    if size is None:
        raise MailboxBadFormat(f"Index version {version} is not supported")
    return size


def unpack(data: bytes | memoryview) -> IndexHeader:
    """Read the header at the start of an index file.

    Raises MailboxBadFormat when there are too few bytes, the version is not
    supported or its geometry impossible, MailboxChecksum when the CRC is wrong.
    """
    if len(data) < _START.size:
        raise MailboxBadFormat
    version = _START.unpack_from(data)[2]
    size = header_size(version)
    if len(data) < size:
        raise MailboxBadFormat
    if version <= old_index.NEWEST:
        return _unpack_old(data, version)
    fields = (_LAYOUT if size == HEADER_SIZE else _LAYOUT_12).unpack_from(data)
    if crc32(data[: size - 4]) != fields[-1]:
        raise MailboxChecksum
    header = IndexHeader(*fields[:28])
    if size == HEADER_SIZE:
        header.unseen = fields[28]
        if version >= 16:
            header.createdmodseq = fields[29]
        if version >= 17:
            header.changes_epoch = fields[30]
    if header.start_offset < size or header.record_size < record_size(version):
        raise MailboxBadFormat
    if not header.exists:
        header.options |= POP3_NEW_UIDL
    if not header.highestmodseq:
        header.highestmodseq = 1
    if version < 17:
        header.changes_epoch = header.last_repack_time or int(time.time())
    return header


def pack(header: IndexHeader) -> bytes:
    """The header's bytes, as many as its version has, with a fresh CRC."""
    version = header.minor_version
    if version <= old_index.NEWEST:
        return _pack_old(header)
    size = header_size(version)
    fields = [
        header.generation_no,
        header.format,
        version,
        header.start_offset,
        header.record_size,
        header.num_records,
        header.last_appenddate & _U32,
        header.last_uid,
        header.quota_mailbox_used,
        header.pop3_last_login & _U32,
        header.uidvalidity,
        header.deleted,
        header.answered,
        header.flagged,
        header.options & (OPTIONS_MASK | CLEANUP_MASK),
        header.leaked_cache_records,
        header.highestmodseq,
        header.deletedmodseq,
        header.exists,
        header.first_expunged & _U32,
        header.last_repack_time & _U32,
        header.header_file_crc,
        header.sync_crc,
        header.recentuid,
        header.recenttime & _U32,
        header.pop3_show_after & _U32 if version > 12 else 0,
        header.quota_annot_used & _U32 if version > 12 else 0,
        header.sync_crc_annot if version > 12 else 0,
    ]
    if size == HEADER_SIZE:
        fields.append(header.unseen)
        fields.append(header.createdmodseq if version > 15 else 0)
        fields.append(header.changes_epoch & _U32 if version > 16 else 0)
        body = _LAYOUT.pack(*fields, 0)[:-4]
    else:
        body = _LAYOUT_12.pack(*fields, 0)[:-4]
    return body + struct.pack(">I", crc32(body))


def _unpack_old(data: bytes | memoryview, version: int) -> IndexHeader:
    header = IndexHeader(*_LAYOUT_6.unpack_from(data))
    header.disk_record_size, header.record_size = header.record_size, record_size(version)
    smallest = old_index.record_size(version) or 0
    # without a checksum, an index of today with a damaged version must not pass for one of these
    if header.disk_record_size < smallest or not header_size(version) <= header.start_offset < _SIZE_12:
        raise MailboxBadFormat
    if version >= MODSEQ_VERSION:
        header.highestmodseq = int.from_bytes(data[68:76], "big")
    header.highestmodseq = header.deletedmodseq = header.highestmodseq or 1
    header.exists = header.num_records
    # the original looks at ``exists`` before it knows it
    header.options |= POP3_NEW_UIDL
    header.changes_epoch = int(time.time())
    header.sync_crc_annot = 0
    return header


def _pack_old(header: IndexHeader) -> bytes:
    version = header.minor_version
    options = header.options & (OPTIONS_MASK | CLEANUP_MASK)
    body = _LAYOUT_6.pack(
        header.generation_no,
        header.format,
        version,
        header.start_offset,
        header.stored_record_size,
        header.num_records,
        header.last_appenddate & _U32,
        header.last_uid,
        header.quota_mailbox_used,
        header.pop3_last_login & _U32,
        header.uidvalidity,
        header.deleted,
        header.answered,
        header.flagged,
        options if version >= MODSEQ_VERSION else options & POP3_NEW_UIDL,
        header.leaked_cache_records if version >= MODSEQ_VERSION else 0,
    )
    if version >= MODSEQ_VERSION:
        body = body[:68] + header.highestmodseq.to_bytes(8, "big")
    return body.ljust(header_size(version), b"\0")
