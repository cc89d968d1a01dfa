"""Finding and walking committed records: the hot path of every lookup.

Everything is inlined on purpose. One step of a search unpacks one head, checks
its CRC and compares one key, without making an object; the tail's CRC is
checked only on what is returned. Callers hold a lock.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from mmap import mmap
from zlib import crc32

from libcyrus.errors import DatabaseCorrupt

from .layout import (
    CRCS,
    DELETE,
    DUMMY,
    DUMMY_OFFSET,
    HEAD,
    MAXLEVEL,
    MINIMUM_RECORD,
    POINTERS,
    QUAD,
    RECORD,
    lowest,
    past_end,
    read_record,
    read_value,
)

Rank = Callable[[bytes], bytes]
Nodes = dict[int, tuple[bytes, tuple[int, ...]]]
"""Offset to rank and pointers, of records in the third list or higher."""

Node = tuple[bytes, Sequence[int], int]
"""Rank, pointers and type of a record."""

_REMEMBERED = 4096
Found = tuple[bytes, bytes]


def fetch(
    base: mmap | bytes, end: int, rank: Rank, plain: bool, key: bytes, nodes: Nodes
) -> bytes | None:
    """The value of ``key``. ``plain`` says that ``rank`` changes nothing."""
    exact, _next = locate(base, end, rank, plain, key, nodes)
    if not exact:
        return None
    return read_value(base, read_record(base, exact, end))


def locate(
    base: mmap | bytes, end: int, rank: Rank, plain: bool, key: bytes, nodes: Nodes
) -> tuple[int, int]:
    """Offsets of the record with this key (0: none) and of the first one behind it (0: none).

    ``nodes`` remembers high records that were read and checked. The caller
    clears it whenever the header has changed: between two commits, heads do not.
    """
    wanted = key if plain else rank(key)
    unpack_head, pointers_of = HEAD.unpack_from, POINTERS
    start = nodes.get(DUMMY_OFFSET)
    if start is None:
        start = nodes[DUMMY_OFFSET] = (b"", tuple(read_record(base, DUMMY_OFFSET, end).pointers))
    current = start[1]
    level = len(current) - 1
    seen = behind = 0
    while level:
        if level > 1:
            offset = current[level]
        else:
            first, second = current[0], current[1]
            offset = second if first >= end or (second < end and second >= first) else first
        if offset == seen:
            level -= 1
            continue
        seen = offset
        if not offset:
            behind = 0
            level -= 1
            continue
        node = nodes.get(offset) if level > 2 else None
        if node is not None:
            found, pointers = node
            if found < wanted:
                current = pointers
                continue
            if found == wanted:
                return offset, lowest(pointers[0], pointers[1], end)
            behind = offset
            level -= 1
            continue
        while True:
            if offset + MINIMUM_RECORD > end:
                raise past_end(offset, MINIMUM_RECORD, end)
            kind, height, key_size, value_size = unpack_head(base, offset)
            if height > MAXLEVEL:
                raise DatabaseCorrupt(f"invalid level {height} at offset {offset:08X}")
            place = offset + 8
            if key_size == 0xFFFF:
                (key_size,) = QUAD.unpack_from(base, place)
                place += 8
            if value_size == 0xFFFFFFFF:
                place += 8
            crcs = place + 8 * height + 8
            key_place = crcs + 8
            if key_place + key_size > end:
                raise past_end(offset, key_place + key_size - offset, end)
            pointers = pointers_of[height].unpack_from(base, place)
            if CRCS.unpack_from(base, crcs)[0] != crc32(base[offset:crcs]):
                raise DatabaseCorrupt(f"checksum head error at offset {offset:08X}")
            if kind != DELETE:
                break
            offset = pointers[0]
            if not offset:
                break
        if not offset:
            behind = 0
            level -= 1
            continue
        if kind != RECORD or height < level:
            raise DatabaseCorrupt(f"broken list at offset {offset:08X}")
        found = base[key_place : key_place + key_size]
        if not plain:
            found = rank(found)
        if height > 2 and len(nodes) < _REMEMBERED:
            nodes[offset] = (found, pointers)
        if found < wanted:
            current = pointers
            continue
        if found == wanted:
            return offset, lowest(pointers[0], pointers[1], end)
        behind = offset
        level -= 1
    return 0, behind


def node(base: mmap | bytes, end: int, rank: Rank, offset: int, nodes: Nodes) -> Node:
    """One step of a search by others; ``nodes`` as for ``locate``."""
    known = nodes.get(offset)
    if known is not None:
        return known[0], known[1], DUMMY if offset == DUMMY_OFFSET else RECORD
    if offset + MINIMUM_RECORD > end:
        raise past_end(offset, MINIMUM_RECORD, end)
    kind, height, key_size, value_size = HEAD.unpack_from(base, offset)
    if height > MAXLEVEL:
        raise DatabaseCorrupt(f"invalid level {height} at offset {offset:08X}")
    place = offset + 8
    if key_size == 0xFFFF:
        (key_size,) = QUAD.unpack_from(base, place)
        place += 8
    if value_size == 0xFFFFFFFF:
        place += 8
    crcs = place + 8 * height + 8
    key_place = crcs + 8
    if key_place + key_size > end:
        raise past_end(offset, key_place + key_size - offset, end)
    if CRCS.unpack_from(base, crcs)[0] != crc32(base[offset:crcs]):
        raise DatabaseCorrupt(f"checksum head error at offset {offset:08X}")
    pointers = POINTERS[height].unpack_from(base, place)
    found = rank(base[key_place : key_place + key_size])
    if height > 2 and (kind == RECORD or offset == DUMMY_OFFSET) and len(nodes) < _REMEMBERED:
        nodes[offset] = (found, pointers)
    return found, pointers, kind


def collect(
    base: mmap | bytes, end: int, offset: int, prefix: bytes, limit: int, room: int
) -> tuple[list[Found], int]:
    """Walk the lowest list from ``offset``: at most ``limit`` records, at most about ``room`` bytes.

    Returns the records whose key begins with ``prefix``, up to the first that
    does not, and the offset to go on from; 0 at the end.
    """
    found: list[Found] = []
    unpack_head, unpack_crcs = HEAD.unpack_from, CRCS.unpack_from
    pair, quad = POINTERS[1].unpack_from, QUAD.unpack_from
    size = len(prefix)
    while offset and limit and room > 0:
        if offset + MINIMUM_RECORD > end:
            raise past_end(offset, MINIMUM_RECORD, end)
        kind, height, key_size, value_size = unpack_head(base, offset)
        if height > MAXLEVEL:
            raise DatabaseCorrupt(f"invalid level {height} at offset {offset:08X}")
        place = offset + 8
        if key_size == 0xFFFF:
            (key_size,) = quad(base, place)
            place += 8
        if value_size == 0xFFFFFFFF:
            (value_size,) = quad(base, place)
            place += 8
        crcs = place + 8 * height + 8
        start = crcs + 8
        length = key_size + value_size
        stop = start + length + -length % 8
        if stop > end:
            raise past_end(offset, stop - offset, end)
        head_crc, tail_crc = unpack_crcs(base, crcs)
        if crc32(base[offset:crcs]) != head_crc:
            raise DatabaseCorrupt(f"checksum head error at offset {offset:08X}")
        if kind == DELETE:
            (offset,) = quad(base, place)
            continue
        if kind != RECORD or not height:
            raise DatabaseCorrupt(f"broken list at offset {offset:08X}")
        tail = base[start:stop]
        if crc32(tail) != tail_crc:
            raise DatabaseCorrupt(f"invalid tail crc at offset {offset:X}")
        key = tail[:key_size]
        if size and not key.startswith(prefix):
            return found, 0
        found.append((key, tail[key_size:length]))
        limit -= 1
        room -= length
        first, second = pair(base, place)
        offset = second if first >= end or (second < end and second >= first) else first
    return found, offset
