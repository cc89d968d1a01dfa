"""One record of ``cyrus.index``: what the mailbox knows about one message.

All numbers are big-endian. The layout of index versions 16 and 17, 112 bytes::

    0    uid                 60   guid (20 bytes, SHA-1 of the message)
    4    internaldate        80   modseq (64 bit)
    8    sentdate            88   cid (64 bit, conversation)
    12   size                96   createdmodseq (64 bit)
    16   header_size         104  cache_crc (CRC-32 of the cache record)
    20   gmtime              108  record_crc (CRC-32 of bytes 0..107)
    24   cache_offset (low 32 bits)
    28   last_updated
    32   flags: system flags in the low 16 bits, internal flags in the high 16
    36   user flags, four words; flag n is bit n % 32 of word n // 32
    52   savedate (since 15)
    56   high half: bits 32..47 of cache_offset; low half: cache_version

Versions 13 to 15 have no createdmodseq: cache_crc is at 96, record_crc at 100,
and a record has 104 bytes. Version 12 has no cid either: 88, 92 and 96 bytes.
What an older version cannot hold is dropped when packing and 0 when unpacking.
Records of versions 6 to 10 are in the layout of 12 here; ``old_index`` has what is on disk.
"""

from __future__ import annotations

import struct
import time
from typing import Final
from zlib import crc32

from libcyrus.base.dataclasses import dataclass
from libcyrus.errors import MailboxBadFormat, MailboxChecksum

RECORD_SIZE: Final = 112
CACHE_VERSION: Final = 11
#: cache records before this have other section items; they are computed anew where they are needed
OLDEST_CACHE_VERSION: Final = 9
MAX_USER_FLAGS: Final = 128

# system flags
ANSWERED: Final = 1 << 0
FLAGGED: Final = 1 << 1
DELETED: Final = 1 << 2
DRAFT: Final = 1 << 3
SEEN: Final = 1 << 4
SYSTEM_FLAGS: Final = ANSWERED | FLAGGED | DELETED | DRAFT | SEEN

# internal flags
SNOOZED: Final = 1 << 26
SPLITCONVERSATION: Final = 1 << 27
NEEDS_CLEANUP: Final = 1 << 28
ARCHIVED: Final = 1 << 29
UNLINKED: Final = 1 << 30
EXPUNGED: Final = 1 << 31

#: byte offsets for scans of one column, the same in every supported version up to MODSEQ
OFFSET_UID: Final = 0
OFFSET_INTERNALDATE: Final = 4
OFFSET_SENTDATE: Final = 8
OFFSET_SIZE: Final = 12
OFFSET_HEADER_SIZE: Final = 16
OFFSET_CACHE_OFFSET: Final = 24
OFFSET_LAST_UPDATED: Final = 28
OFFSET_FLAGS: Final = 32
OFFSET_USER_FLAGS: Final = 36
OFFSET_CACHE_VERSION: Final = 56
OFFSET_GUID: Final = 60
OFFSET_MODSEQ: Final = 80
OFFSET_CID: Final = 88
SMALLEST_WITH_CID: Final = 104
"""Shorter records have no CID."""

NULL_GUID: Final = bytes(20)

_U32 = 0xFFFFFFFF
_COMMON = ">9I4III20sQ"
_OLDEST = struct.Struct(_COMMON + "II")
_LAYOUTS: Final = {
    **dict.fromkeys((6, 7, 8, 9, 10, 12), _OLDEST),
    13: struct.Struct(_COMMON + "QII"),
    14: struct.Struct(_COMMON + "QII"),
    15: struct.Struct(_COMMON + "QII"),
    16: struct.Struct(_COMMON + "QQII"),
    17: struct.Struct(_COMMON + "QQII"),
}
_CRC = struct.Struct(">I")

_FLAG_CODES = (
    (ANSWERED, "AN"),
    (FLAGGED, "FL"),
    (DELETED, "DE"),
    (DRAFT, "DR"),
    (SEEN, "SE"),
    (SNOOZED, "SN"),
    (SPLITCONVERSATION, "SP"),
    (NEEDS_CLEANUP, "NC"),
    (ARCHIVED, "AR"),
    (UNLINKED, "UN"),
    (EXPUNGED, "EX"),
)


@dataclass(slots=True)
class IndexRecord:
    """A record in memory; ``user_flags`` is one number in which flag n is bit n.

    ``recno`` (from 1) is the record's place in the file, 0 while it has none.
    ``guid`` is 20 bytes. Times are unsigned 32-bit seconds.
    """

    uid: int = 0
    internaldate: int = 0
    sentdate: int = 0
    size: int = 0
    header_size: int = 0
    gmtime: int = 0
    cache_offset: int = 0
    last_updated: int = 0
    system_flags: int = 0
    internal_flags: int = 0
    user_flags: int = 0
    savedate: int = 0
    cache_version: int = 0
    guid: bytes = NULL_GUID
    modseq: int = 0
    cid: int = 0
    createdmodseq: int = 0
    cache_crc: int = 0
    recno: int = 0

    def copy(self) -> IndexRecord:
        # dataclasses.replace takes several times as long
        return IndexRecord(
            self.uid,
            self.internaldate,
            self.sentdate,
            self.size,
            self.header_size,
            self.gmtime,
            self.cache_offset,
            self.last_updated,
            self.system_flags,
            self.internal_flags,
            self.user_flags,
            self.savedate,
            self.cache_version,
            self.guid,
            self.modseq,
            self.cid,
            self.createdmodseq,
            self.cache_crc,
            self.recno,
        )

    @property
    def expunged(self) -> bool:
        return bool(self.internal_flags & EXPUNGED)

    @property
    def unlinked(self) -> bool:
        return bool(self.internal_flags & UNLINKED)

    @property
    def archived(self) -> bool:
        return bool(self.internal_flags & ARCHIVED)


def record_size(version: int) -> int:
    """Bytes of a record of this index version in memory; raises MailboxBadFormat for one we do not handle."""
    return _layout(version).size


def unpack(
    data: bytes | memoryview, offset: int = 0, *, version: int = 17, recno: int = 0, check: bool = True
) -> IndexRecord:
    """Read the record at ``offset``.

    Raises MailboxBadFormat when the bytes are too few, MailboxChecksum when
    ``check`` and the record's own CRC is wrong.
    """
    layout = _layout(version)
    try:
        fields = layout.unpack_from(data, offset)
    except struct.error:
        raise MailboxBadFormat from None
    if check and crc32(data[offset : offset + layout.size - 4]) != fields[-1]:
        raise MailboxChecksum
    flags = fields[8]
    words = fields[9:13]
    user = 0
    if words != (0, 0, 0, 0):
        user = words[0] | words[1] << 32 | words[2] << 64 | words[3] << 96
    place = fields[14]
    uid, internaldate, sentdate, size, header_size, gmtime = fields[:6]
    return IndexRecord(
        uid,
        internaldate,
        sentdate,
        size,
        header_size,
        gmtime,
        fields[6] | (place & 0xFFFF0000) << 16,
        fields[7],
        flags & 0xFFFF,
        flags & 0xFFFF0000,
        user,
        fields[13] if version >= 15 else 0,
        place & 0xFFFF,
        fields[15],
        fields[16],
        fields[17] if version >= 13 else 0,
        fields[18] if version >= 16 else 0,
        fields[-2],
        recno,
    )


def pack(record: IndexRecord, version: int = 17) -> bytes:
    """The record's bytes with a fresh CRC. Raises MailboxBadFormat for a version we do not handle."""
    layout = _layout(version)
    user = record.user_flags
    offset = record.cache_offset
    fields: list[int | bytes] = [
        record.uid,
        record.internaldate & _U32,
        record.sentdate & _U32,
        record.size,
        record.header_size,
        record.gmtime & _U32,
        offset & _U32,
        record.last_updated & _U32,
        record.system_flags | record.internal_flags,
        user & _U32,
        user >> 32 & _U32,
        user >> 64 & _U32,
        user >> 96 & _U32,
        record.savedate & _U32 if version >= 15 else 0,
        record.cache_version | offset >> 16 & 0xFFFF0000,
        record.guid,
        record.modseq,
    ]
    if version >= 13:
        fields.append(record.cid)
    if version >= 16:
        fields.append(record.createdmodseq)
    body = layout.pack(*fields, record.cache_crc, 0)[:-4]
    return body + _CRC.pack(crc32(body))


def complete_dates(record: IndexRecord, now: int) -> None:
    """Give what a message lacks: internaldate is ``now``, gmtime the same, sentdate its day (local time)."""
    record.internaldate = record.internaldate or now
    record.gmtime = record.gmtime or record.internaldate
    if not record.sentdate:
        day = time.localtime(record.internaldate)
        midnight = (day.tm_year, day.tm_mon, day.tm_mday, 0, 0, 0, 0, 0, day.tm_isdst)
        record.sentdate = int(time.mktime(midnight)) & _U32


def flag_codes(flags: int) -> str:
    """System and internal flags as the audit log writes them: ``FL|SE|EX``."""
    return "|".join(code for flag, code in _FLAG_CODES if flags & flag)


def _layout(version: int) -> struct.Struct:
    try:
        return _LAYOUTS[version]
    except KeyError:
        raise MailboxBadFormat(f"Index version {version} is not supported") from None
