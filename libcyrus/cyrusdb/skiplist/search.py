"""Finding and walking committed records: the hot path of every lookup.

One step of a search unpacks one head and compares one key, without making an
object. There are no checksums; that pointers stay inside the file and lead on
in key order is checked, so that a damaged file ends a search with an error.
Callers hold a lock.
"""

from __future__ import annotations

from collections.abc import Callable
from mmap import mmap

from libcyrus.errors import DatabaseCorrupt

from .layout import ADD, DUMMY_POINTERS, HEAD, INORDER, WORD, past_end

Rank = Callable[[bytes], bytes]
Nodes = dict[int, tuple[bytes, int]]
"""Offset to rank and offset of the first pointer, of records in the fourth list or higher."""

_REMEMBERED = 4096
Found = tuple[bytes, bytes]


def fetch(base: mmap | bytes, end: int, curlevel: int, rank: Rank, key: bytes, nodes: Nodes) -> bytes | None:
    """The value of ``key``."""
    exact, _next = locate(base, end, curlevel, rank, key, nodes)
    if not exact:
        return None
    (key_size,) = WORD.unpack_from(base, exact + 4)
    place = exact + 12 + key_size + -key_size % 4
    (value_size,) = WORD.unpack_from(base, place - 4)
    return base[place : place + value_size]


def locate(
    base: mmap | bytes, end: int, curlevel: int, rank: Rank, key: bytes, nodes: Nodes
) -> tuple[int, int]:
    """Offsets of the record with this key (0: none) and of the first one behind it (0: none)."""
    wanted = rank(key)
    unpack_head, unpack_word = HEAD.unpack_from, WORD.unpack_from
    reached = b""
    pointers = DUMMY_POINTERS
    level = curlevel - 1
    seen = behind = 0
    while level >= 0:
        (offset,) = unpack_word(base, pointers + 4 * level)
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
            found, first = node
        else:
            if offset % 4 or offset + 16 > end:
                raise past_end(offset, end)
            kind, key_size = unpack_head(base, offset)
            place = offset + 8 + key_size + -key_size % 4
            if (kind != ADD and kind != INORDER) or place + 4 > end:
                raise DatabaseCorrupt(f"broken list at offset {offset:04X}")
            (value_size,) = unpack_word(base, place)
            first = place + 4 + value_size + -value_size % 4
            if first + 4 * level + 8 > end:
                raise past_end(offset, end)
            found = rank(base[offset + 8 : offset + 8 + key_size])
            if level > 2 and len(nodes) < _REMEMBERED:
                nodes[offset] = (found, first)
        if found < wanted:
            if found <= reached:
                raise DatabaseCorrupt(f"out of order at offset {offset:04X}")
            reached, pointers = found, first
            continue
        if found == wanted:
            return offset, unpack_word(base, first)[0]
        behind = offset
        level -= 1
    return 0, behind


def collect(
    base: mmap | bytes, end: int, offset: int, rank: Rank, prefix: bytes, limit: int, room: int
) -> tuple[list[Found], int]:
    """Walk the lowest list from ``offset``: see ``listfile.file``."""
    found: list[Found] = []
    unpack_head, unpack_word = HEAD.unpack_from, WORD.unpack_from
    size = len(prefix)
    last: bytes | None = None
    while offset and limit and room > 0:
        if offset % 4 or offset + 16 > end:
            raise past_end(offset, end)
        kind, key_size = unpack_head(base, offset)
        start = offset + 8
        stop = start + key_size
        place = stop + -key_size % 4
        if (kind != ADD and kind != INORDER) or place + 4 > end:
            raise DatabaseCorrupt(f"broken list at offset {offset:04X}")
        (value_size,) = unpack_word(base, place)
        place += 4
        first = place + value_size + -value_size % 4
        if first + 8 > end:
            raise past_end(offset, end)
        key = base[start:stop]
        if size and not key.startswith(prefix):
            return found, 0
        ranked = rank(key)
        if last is not None and ranked <= last:
            raise DatabaseCorrupt(f"out of order at offset {offset:04X}")
        last = ranked
        found.append((key, base[place : place + value_size]))
        limit -= 1
        room -= key_size + value_size
        (offset,) = unpack_word(base, first)
    return found, offset
