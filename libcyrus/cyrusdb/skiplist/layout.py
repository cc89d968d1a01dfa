"""The skiplist file format, version 1.2: bytes and values, no files.

All numbers are big-endian, 4 bytes, and everything begins at a multiple of 4::

    header, 48 bytes
        magic          20   a1 02 8b 0d "skiplist file" 0 0 0
        version         4   1
        minor version   4   2
        maxlevel        4   20, the height of the dummy
        curlevel        4   no record is higher
        listsize        4   live records, right after the last checkpoint or recovery
        logstart        4   size right after the last checkpoint
        last_recovery   4   when the file was last made, rewritten or recovered

    dummy, in order, add
        type            4   257 the dummy that begins all lists, 1 in order, 2 add
        keylen          4
        key                 and zeros up to a multiple of 4
        vallen          4
        value               and zeros up to a multiple of 4
        pointers        4   each: offsets, 0 for the end of a list
        end             4   ff ff ff ff

    delete              8   4, and the offset of the record that goes
    commit              4   255

The dummy comes first, then the records of the last checkpoint "in order", then
the log: what each transaction added and deleted, and its commit. A replaced
record is deleted and added again. Live records form a skiplist in key order;
pointers are changed in place. Nothing carries a checksum.
"""

from __future__ import annotations

import time
from mmap import mmap
from random import getrandbits
from struct import Struct
from typing import Final

from libcyrus.base.dataclasses import dataclass
from libcyrus.errors import DatabaseCorrupt

MAGIC: Final = b"\xa1\x02\x8b\x0dskiplist file\0\0\0"
VERSION: Final = 1
VERSION_MINOR: Final = 2
HEADER_SIZE: Final = 48
DUMMY_OFFSET: Final = HEADER_SIZE
DUMMY_POINTERS: Final = DUMMY_OFFSET + 12
MAXLEVEL: Final = 20
LARGEST: Final = 0xFFFFFFFF
"""Offsets end here, and so does a file."""

INORDER: Final = 1
ADD: Final = 2
DELETE: Final = 4
COMMIT: Final = 255
DUMMY: Final = 257

END: Final = b"\xff\xff\xff\xff"
COMMIT_RECORD: Final = COMMIT.to_bytes(4)
_DELETE_WORD: Final = DELETE.to_bytes(4)

_HEADER = Struct(">20s7I")
WORD: Final = Struct(">I")
HEAD: Final = Struct(">II")
POINTERS: Final = tuple(Struct(f">{level}I") for level in range(MAXLEVEL + 1))
"""``POINTERS[level]`` packs the pointers of a record of that level."""


@dataclass(slots=True)
class Header:
    maxlevel: int = MAXLEVEL
    curlevel: int = 1
    listsize: int = 0
    logstart: int = 0
    last_recovery: int = 0
    version_minor: int = VERSION_MINOR

    @property
    def first(self) -> int:
        """The offset behind the dummy."""
        return DUMMY_POINTERS + 4 * self.maxlevel + 4

    def pack(self) -> bytes:
        return _HEADER.pack(
            MAGIC,
            VERSION,
            self.version_minor,
            self.maxlevel,
            self.curlevel,
            self.listsize,
            self.logstart,
            self.last_recovery,
        )

    @classmethod
    def unpack(cls, content: mmap | bytes) -> Header:
        """From the beginning of a file; raises ``DatabaseCorrupt`` unless header and dummy are right."""
        if len(content) < HEADER_SIZE:
            raise DatabaseCorrupt("file not large enough for header")
        magic, version, minor, maxlevel, curlevel, listsize, logstart, recovered = _HEADER.unpack_from(
            content
        )
        if magic != MAGIC:
            raise DatabaseCorrupt("invalid magic header")
        if version != VERSION:
            raise DatabaseCorrupt(f"version mismatch: file has version {version}.{minor}")
        if not 0 < maxlevel <= MAXLEVEL:
            raise DatabaseCorrupt(f"MAXLEVEL {maxlevel} in database beyond maximum {MAXLEVEL}")
        header = cls(maxlevel, curlevel, listsize, logstart, recovered, minor)
        if curlevel > maxlevel:
            raise DatabaseCorrupt(f"CURLEVEL {curlevel} in database beyond maximum {maxlevel}")
        end = header.first
        if end > len(content) or content[DUMMY_OFFSET:DUMMY_POINTERS] != _DUMMY_HEAD:
            raise DatabaseCorrupt("first node not type DUMMY")
        if content[end - 4 : end] != END:
            raise DatabaseCorrupt(f"DUMMY level != maxlevel {maxlevel}")
        return header


_DUMMY_HEAD = DUMMY.to_bytes(4) + bytes(8)


class Record:
    """A record that may stand in a list."""

    __slots__ = ("key", "offset", "pointers", "pointers_offset", "type", "value_offset", "value_size")

    def __init__(
        self,
        offset: int,
        kind: int,
        key: bytes,
        value_offset: int,
        value_size: int,
        pointers: list[int],
    ) -> None:
        self.offset = offset
        self.type = kind
        self.key = key
        self.value_offset = value_offset
        self.value_size = value_size
        self.pointers = pointers
        self.pointers_offset = value_offset + roundup(value_size)

    @property
    def level(self) -> int:
        return len(self.pointers)

    @property
    def end(self) -> int:
        """The offset behind it."""
        return self.pointers_offset + 4 * len(self.pointers) + 4

    def pack_pointers(self) -> bytes:
        return POINTERS[len(self.pointers)].pack(*self.pointers)


def read_record(base: mmap | bytes, offset: int, size: int) -> Record:
    """The record at ``offset`` in a file of ``size`` bytes; raises ``DatabaseCorrupt``."""
    if offset % 4 or offset + 16 > size:
        raise past_end(offset, size)
    kind, key_size = HEAD.unpack_from(base, offset)
    if kind not in (ADD, INORDER, DUMMY):
        raise DatabaseCorrupt(f"unknown record type {kind} at offset {offset:04X}")
    place = offset + 8 + key_size + -key_size % 4
    if place + 8 > size:
        raise past_end(offset, size)
    (value_size,) = WORD.unpack_from(base, place)
    first = place + 4 + value_size + -value_size % 4
    stop = first
    while base[stop : stop + 4] != END:
        stop += 4
        if stop + 4 > size:
            raise past_end(offset, size)
        if stop - first > 4 * MAXLEVEL:
            raise DatabaseCorrupt(f"record without end at offset {offset:04X}")
    level = (stop - first) // 4
    if not level:
        raise DatabaseCorrupt(f"record without level at offset {offset:04X}")
    return Record(
        offset,
        kind,
        base[offset + 8 : offset + 8 + key_size],
        place + 4,
        value_size,
        list(POINTERS[level].unpack_from(base, first)),
    )


def pack_record(kind: int, key: bytes, value: bytes, pointers: list[int]) -> bytes:
    key_size, value_size = len(key), len(value)
    return b"%b%b%b%b%b%b%b%b" % (
        HEAD.pack(kind, key_size),
        key,
        bytes(-key_size % 4),
        WORD.pack(value_size),
        value,
        bytes(-value_size % 4),
        POINTERS[len(pointers)].pack(*pointers),
        END,
    )


def pack_delete(offset: int) -> bytes:
    return HEAD.pack(DELETE, offset)


def ends_whole(base: mmap | bytes, size: int, logstart: int) -> bool:
    """Whether the file ends as after a complete commit, or as a checkpoint leaves it."""
    if size % 4 or size < logstart:
        return False
    if size == logstart:
        return base[size - 4 : size] == END
    if base[size - 4 : size] != COMMIT_RECORD:
        return False
    return base[size - 8 : size - 4] == END or base[size - 12 : size - 8] == _DELETE_WORD


def random_level(maxlevel: int = MAXLEVEL) -> int:
    """1, or one more with probability one half, and so on up to ``maxlevel``."""
    bits = getrandbits(maxlevel - 1) if maxlevel > 1 else 0
    return (~bits & (bits + 1)).bit_length()


def roundup(size: int) -> int:
    """To a multiple of 4."""
    return size + -size % 4


def past_end(offset: int, size: int) -> DatabaseCorrupt:
    return DatabaseCorrupt(f"record at offset {offset:04X} does not end before {size:04X}")


def fresh_file() -> tuple[Header, bytes]:
    """The content of a database without records, and its header."""
    header = Header(last_recovery=int(time.time()))
    header.logstart = header.first
    return header, header.pack() + _DUMMY_HEAD + bytes(4 * header.maxlevel) + END


SIGNED: Final = bytes(byte ^ 0x80 for byte in range(256))


def signed_order(key: bytes) -> bytes:
    """What a key sorts by: the original compares bytes as signed numbers, so 0x80 to 0xff come first."""
    return key.translate(SIGNED)
