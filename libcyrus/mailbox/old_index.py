"""Index versions 6 to 10, of Cyrus 2.2 and 2.3: neither checksums nor seen state, the newest without dates.

In memory their records have the layout of version 12, checksum included, so that nobody else needs to know
these. On disk::

    version   header   record
    6         76       60       ends before the guid
    7         76       72       a unique number of 12 bytes at 60, no longer used
    8, 9      92, 96   80       as 7, then modseq (64 bit) at 72
    10        96       88       guid at 60, modseq at 80, as in 12

``gmtime`` holds the size of the header, again. Version 11 never left the place it was made at.
What such a record does not have is null: guid, modseq. ``gmtime`` is taken from the sent date.
"""

from __future__ import annotations

import struct
from typing import Final
from zlib import crc32

from libcyrus.mailbox.index_record import NULL_GUID

NEWEST: Final = 10
_CRC = struct.Struct(">I")
_NO_MODSEQ = bytes(8)
_NO_CACHE_CRC = bytes(4)
_NO_LINES = bytes(4)
_OLD_GUID = bytes(12)
_HEADER_SIZES: Final = {6: 76, 7: 76, 8: 92, 9: 96, 10: 96}
_RECORD_SIZES: Final = {6: 60, 7: 72, 8: 80, 9: 80, 10: 88}


def header_size(version: int) -> int | None:
    """Bytes of the header; None for a version that is not one of these."""
    return _HEADER_SIZES.get(version)


def record_size(version: int) -> int | None:
    """Bytes of a record on disk; None for a version that is not one of these."""
    return _RECORD_SIZES.get(version)


def widen(data: memoryview, size: int, version: int) -> bytes:
    """Records of ``size`` bytes on disk, in the layout of version 12."""
    found = []
    for at in range(0, len(data) - size + 1, size):
        old = bytes(data[at : at + size])
        if version < 8:
            tail = NULL_GUID + _NO_MODSEQ
        elif version < 10:
            tail = NULL_GUID + old[72:80]
        else:
            tail = old[60:88]
        body = old[:20] + old[8:12] + old[24:60] + tail + _NO_CACHE_CRC
        found.append(body)
        found.append(_CRC.pack(crc32(body)))
    return b"".join(found)


def narrow(record: bytes, size: int, version: int) -> bytes:
    """A record in the layout of version 12, as ``size`` bytes on disk."""
    if version < 7:
        tail = b""
    elif version < 8:
        tail = _OLD_GUID
    elif version < 10:
        tail = _OLD_GUID + record[80:88]
    else:
        tail = record[60:88]
    body = record[:20] + record[16:20] + record[24:52] + _NO_LINES + record[56:60] + tail
    return body.ljust(size, b"\0")
