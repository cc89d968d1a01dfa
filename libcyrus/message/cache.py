"""The cache record: ten items that answer most of FETCH, SEARCH and SORT without the message.

In cyrus.cache a record is its items in a row: length of the item (32 bits,
network order), the bytes, and 0 to 3 NULs up to a multiple of four. Version 11
of the items is written. The record's CRC-32 is kept in the index record.
"""

from __future__ import annotations

from struct import Struct, error
from typing import Final, NamedTuple

VERSION: Final = 11
NUM_ITEMS: Final = 10

_LENGTH: Final = Struct(">I")
_PADDING: Final = (b"", b"\0\0\0", b"\0\0", b"\0")

Item = bytes | memoryview


class CacheRecord(NamedTuple):
    """The items of one record, in their order on disk."""

    envelope: Item
    bodystructure: Item
    body: Item
    section: Item
    headers: Item
    from_: Item
    to: Item
    cc: Item
    bcc: Item
    subject: Item

    def pack(self) -> bytes:
        """The record's bytes, as appended to cyrus.cache and covered by its CRC."""
        out: list[bytes | memoryview] = []
        for item in self:
            size = len(item)
            out.append(_LENGTH.pack(size))
            out.append(item)
            out.append(_PADDING[size & 3])
        return b"".join(out)


def split(record: bytes | memoryview, at: int = 0) -> CacheRecord:
    """The items of the record at ``at``, as slices; ``ValueError`` when the bytes end too early."""
    view = memoryview(record)
    items: list[memoryview] = []
    try:
        for _ in range(NUM_ITEMS):
            size = _LENGTH.unpack_from(view, at)[0]
            at += 4
            items.append(view[at : at + size])
            at += (size + 3) & ~3
    except error:
        raise ValueError("cache record is cut short") from None
    if at > len(view):
        raise ValueError("cache record is cut short")
    return CacheRecord(*items)


def record_length(record: bytes | memoryview, at: int = 0) -> int:
    """The bytes that the record at ``at`` takes; ``ValueError`` when it ends too early."""
    start = at
    try:
        for _ in range(NUM_ITEMS):
            at += 4 + ((_LENGTH.unpack_from(record, at)[0] + 3) & ~3)
    except error:
        raise ValueError("cache record is cut short") from None
    if at > len(record):
        raise ValueError("cache record is cut short")
    return at - start
