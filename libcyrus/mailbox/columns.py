"""One field of every index record at once, without a Python object per record.

``region`` is the records part of an index file (``Mailbox.region``), ``size`` the
bytes of one record, ``offset`` the place of the field in it (``index_record.OFFSET_*``).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import compress
from struct import Struct

from libcyrus.mailbox.index_record import EXPUNGED, OFFSET_FLAGS, OFFSET_MODSEQ, OFFSET_UID, UNLINKED

_LITTLE = sys.byteorder == "little"
_EXPUNGED_BYTE = EXPUNGED >> 24
_NOT_EXPUNGED = bytes(0 if value & _EXPUNGED_BYTE else 1 for value in range(256))
_UNLINKED_BYTE = UNLINKED >> 24
_NOT_UNLINKED = bytes(0 if value & _UNLINKED_BYTE else 1 for value in range(256))


def words(region: memoryview, size: int, offset: int) -> memoryview:
    """The 32-bit numbers of a column, as a view that indexes and iterates like a list of int."""
    return _column(region, size, offset, 4).cast("I")


def longs(region: memoryview, size: int, offset: int) -> memoryview:
    """The 64-bit numbers of a column."""
    return _column(region, size, offset, 8).cast("Q")


def octets(region: memoryview, size: int, offset: int) -> bytes:
    """One byte of every record."""
    return bytes(region[offset::size])


def living(region: memoryview, size: int) -> bytes:
    """For every record 1, or 0 if it is expunged: selectors for ``itertools.compress``."""
    return octets(region, size, OFFSET_FLAGS).translate(_NOT_EXPUNGED)


def linked(region: memoryview, size: int) -> bytes:
    """As ``living``, with 0 only for records whose message file is to go or has gone."""
    return octets(region, size, OFFSET_FLAGS).translate(_NOT_UNLINKED)


def living_recnos(region: memoryview, size: int) -> list[int]:
    """The record numbers (from 1) that are not expunged."""
    selectors = living(region, size)
    return list(compress(range(1, len(selectors) + 1), selectors))


def uids(region: memoryview, size: int) -> memoryview:
    return words(region, size, OFFSET_UID)


def modseqs(region: memoryview, size: int) -> memoryview:
    return longs(region, size, OFFSET_MODSEQ)


def fields(region: memoryview, size: int, layout: str) -> Iterator[tuple[int, ...]]:
    """Several columns: ``layout`` is a big-endian struct format with pad bytes; what follows it is skipped.

    ``fields(region, size, ">I28xI")`` gives (uid, flags) of every record.
    """
    used = Struct(layout).size
    return Struct(f"{layout}{size - used}x").iter_unpack(region)


def _column(region: memoryview, size: int, offset: int, width: int) -> memoryview:
    count = len(region) // size
    column = bytearray(count * width)
    for byte in range(width):
        source = offset + width - 1 - byte if _LITTLE else offset + byte
        column[byte::width] = region[source::size]
    return memoryview(column)
