"""The twoskip file format, version 1: bytes and values, no files.

All numbers are big-endian. The file is a header, then records, each beginning
at a multiple of 8::

    header, 64 bytes
        magic          20   a1 02 8b 0d "twoskip file" 0 0 0 0
        version         4   1
        generation      8   1, and one more with each repack: old offsets are void
        num_records     8   live records
        repack_size     8   size right after the last repack
        current_size    8   size at the last commit; what follows is not committed
        flags           4   bit 0: dirty, a commit is being written
        crc32           4   of the 60 bytes before

    record
        type            1   '=' the dummy that begins all lists, '+' record, '-' delete, '$' commit
        level           1   0 to 31
        keylen          2   65535: the true length follows in 8 bytes
        vallen          4   4294967295: the true length follows in 8 bytes
        pointers        8   each, level + 1 of them: offsets, 0 for the end of a list
        crc32           4   of the head, everything before
        crc32           4   of the tail, everything after
        key, value, and zeros up to a multiple of 8

    blank, 8 bytes          " BLANK" 07 a0: keeps a head from crossing a 512-byte block

Live records form a skiplist in key order. Pointer *n+1* is the next record of
list *n*, except that pointers 0 and 1 both belong to the lowest list: a commit
overwrites the older of the two, so that with every pointer beyond
``current_size`` ignored the lowest list is what it was before the commit.
The next record is the higher one that is not beyond the end.

A delete record takes the deleted record's place in the lowest list; its one
pointer goes on to the next record. A commit record ends each commit; its one
pointer says where the commit's records begin.
"""

from __future__ import annotations

from mmap import mmap
from random import getrandbits
from struct import Struct
from typing import Final
from zlib import crc32

from libcyrus.base.dataclasses import dataclass
from libcyrus.errors import DatabaseCorrupt

MAGIC: Final = b"\xa1\x02\x8b\x0dtwoskip file\0\0\0\0"
VERSION: Final = 1
HEADER_SIZE: Final = 64
DUMMY_OFFSET: Final = HEADER_SIZE
MAXLEVEL: Final = 31
DIRTY: Final = 1

DUMMY: Final = ord("=")
RECORD: Final = ord("+")
DELETE: Final = ord("-")
COMMIT: Final = ord("$")
BLANK: Final = b" BLANK\x07\xa0"

MINIMUM_RECORD: Final = 24
_BLOCK: Final = 512
_LONG_KEY: Final = 0xFFFF
_LONG_VALUE: Final = 0xFFFFFFFF

_HEADER = Struct(">20sIQQQQII")
HEAD = Struct(">BBHI")
QUAD = Struct(">Q")
CRCS = Struct(">II")
POINTERS: Final = tuple(Struct(f">{level + 1}Q") for level in range(MAXLEVEL + 1))
"""``POINTERS[level]`` packs the pointers of a record of that level."""


@dataclass(slots=True)
class Header:
    generation: int = 1
    num_records: int = 0
    repack_size: int = 0
    current_size: int = 0
    flags: int = 0
    version: int = VERSION

    def pack(self) -> bytes:
        body = _HEADER.pack(
            MAGIC,
            self.version,
            self.generation,
            self.num_records,
            self.repack_size,
            self.current_size,
            self.flags,
            0,
        )[:60]
        return body + crc32(body).to_bytes(4)

    @classmethod
    def unpack(cls, content: bytes) -> Header:
        """Raises ``DatabaseCorrupt`` for anything but a whole header of a version we know."""
        if len(content) < HEADER_SIZE:
            raise DatabaseCorrupt("file not large enough for header")
        magic, version, generation, num_records, repack_size, current_size, flags, crc = _HEADER.unpack(
            content[:HEADER_SIZE]
        )
        if magic != MAGIC:
            raise DatabaseCorrupt("invalid magic header")
        if version > VERSION:
            raise DatabaseCorrupt(f"version mismatch: file has version {version}")
        if crc != crc32(content[:60]):
            raise DatabaseCorrupt("header CRC failure")
        return cls(generation, num_records, repack_size, current_size, flags, version)


class Record:
    """One record's head, with its key; the value stays in the file."""

    __slots__ = ("key", "key_offset", "level", "offset", "pointers", "size", "tail_crc", "type", "value_size")

    def __init__(
        self,
        offset: int,
        kind: int,
        level: int,
        key: bytes,
        value_size: int,
        pointers: list[int],
        tail_crc: int,
        key_offset: int,
        size: int,
    ) -> None:
        self.offset = offset
        self.type = kind
        self.level = level
        self.key = key
        self.value_size = value_size
        self.pointers = pointers
        self.tail_crc = tail_crc
        self.key_offset = key_offset
        self.size = size

    def pack_head(self) -> bytes:
        return pack_head(self.type, self.level, len(self.key), self.value_size, self.pointers, self.tail_crc)

    def next(self, level: int, end: int) -> int:
        """The offset of the next record in list ``level``, nothing at or beyond ``end`` being believed."""
        pointers = self.pointers
        return pointers[level + 1] if level else lowest(pointers[0], pointers[1], end)

    def point(self, level: int, offset: int, committed: int) -> None:
        """Let list ``level`` go on at ``offset``; ``committed`` is the size at the last commit."""
        pointers = self.pointers
        if level:
            pointers[level + 1] = offset
        elif pointers[0] >= committed:
            pointers[0] = offset
        elif pointers[1] >= committed or pointers[0] >= pointers[1]:
            pointers[1] = offset
        else:
            pointers[0] = offset


def lowest(first: int, second: int, end: int) -> int:
    """Choose between the two pointers of the lowest list."""
    if first >= end:
        return second
    if second >= end:
        return first
    return first if first > second else second


def read_record(base: mmap | bytes, offset: int, size: int) -> Record:
    """The record at ``offset`` in a file of ``size`` bytes; raises ``DatabaseCorrupt``."""
    if offset + MINIMUM_RECORD > size:
        raise past_end(offset, MINIMUM_RECORD, size)
    kind, level, key_size, value_size = HEAD.unpack_from(base, offset)
    if level > MAXLEVEL:
        raise DatabaseCorrupt(f"invalid level {level} at offset {offset:08X}")
    place = offset + 8
    if key_size == _LONG_KEY:
        (key_size,) = QUAD.unpack_from(base, place)
        place += 8
    if value_size == _LONG_VALUE and place + 8 <= size:
        (value_size,) = QUAD.unpack_from(base, place)
        place += 8
    crcs = place + 8 * (level + 1)
    key_offset = crcs + 8
    length = key_offset - offset + roundup(key_size + value_size)
    if offset + length > size:
        raise past_end(offset, length, size)
    head_crc, tail_crc = CRCS.unpack_from(base, crcs)
    if crc32(base[offset:crcs]) != head_crc:
        raise DatabaseCorrupt(f"checksum head error at offset {offset:08X}")
    return Record(
        offset,
        kind,
        level,
        base[key_offset : key_offset + key_size],
        value_size,
        list(POINTERS[level].unpack_from(base, place)),
        tail_crc,
        key_offset,
        length,
    )


def read_value(base: mmap | bytes, record: Record) -> bytes:
    """A record's value, its tail checked; raises ``DatabaseCorrupt``."""
    tail = base[record.key_offset : record.offset + record.size]
    if crc32(tail) != record.tail_crc:
        raise DatabaseCorrupt(f"invalid tail crc at offset {record.offset:X}")
    start = len(record.key)
    return tail[start : start + record.value_size]


def pack_head(
    kind: int, level: int, key_size: int, value_size: int, pointers: list[int], tail_crc: int
) -> bytes:
    """A record up to its key."""
    long = b""
    short_key, short_value = key_size, value_size
    if key_size >= _LONG_KEY:
        long, short_key = QUAD.pack(key_size), _LONG_KEY
    if value_size >= _LONG_VALUE:
        long, short_value = long + QUAD.pack(value_size), _LONG_VALUE
    head = HEAD.pack(kind, level, short_key, short_value) + long + POINTERS[level].pack(*pointers)
    return head + CRCS.pack(crc32(head), tail_crc)


def pack_tail(key: bytes, value: bytes) -> bytes:
    """Key, value and padding."""
    size = len(key) + len(value)
    return b"%b%b%b" % (key, value, bytes(-size % 8))


def padding(offset: int, head_size: int) -> bytes:
    """The blanks that a head of this size needs before it at ``offset``.

    A head is rewritten in place, all but its first 8 bytes; a disk writes a
    block whole or not at all. So what is rewritten may not cross a block.
    """
    blanks = 0
    if head_size <= _BLOCK - 8:
        while (offset + 8) % _BLOCK > (offset - 8 + head_size) % _BLOCK:
            blanks += 1
            offset += 8
    return BLANK * blanks


def random_level() -> int:
    """1, or one more with probability one half, and so on up to ``MAXLEVEL``."""
    bits = getrandbits(MAXLEVEL - 1)
    return (~bits & (bits + 1)).bit_length()


def roundup(size: int) -> int:
    """To a multiple of 8."""
    return size + -size % 8


def past_end(offset: int, length: int, size: int) -> DatabaseCorrupt:
    return DatabaseCorrupt(f"attempt to read past end of file: {offset + length:08X} > {size:08X}")


def fresh_file(generation: int = 1) -> tuple[Header, bytes]:
    """The content of a database without records, and its header."""
    head = pack_head(DUMMY, MAXLEVEL, 0, 0, [0] * (MAXLEVEL + 1), crc32(b""))
    size = HEADER_SIZE + len(head)
    header = Header(generation=generation, repack_size=size, current_size=size)
    return header, header.pack() + head
