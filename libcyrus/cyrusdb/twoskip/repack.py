"""Checking a file from end to end, and rewriting it in order.

A file is repacked when it has more than doubled since the last time and is not
tiny. The new file is written beside the old one, which stays locked, synced,
and given its name; its generation is one higher. Who waits for a lock on the
old file sees that the name means another now, and opens that.
"""

from __future__ import annotations

import logging
import os
import time
from array import array
from collections.abc import Iterable, Iterator
from mmap import mmap
from typing import TYPE_CHECKING
from zlib import crc32

from libcyrus.base import files
from libcyrus.errors import DatabaseCorrupt

from ..listfile import Sync
from .layout import (
    COMMIT,
    DELETE,
    DUMMY,
    DUMMY_OFFSET,
    HEADER_SIZE,
    MAXLEVEL,
    RECORD,
    Header,
    Record,
    fresh_file,
    pack_head,
    pack_tail,
    padding,
    random_level,
    read_record,
    read_value,
)

if TYPE_CHECKING:
    from .file import TwoskipFile

log = logging.getLogger(__name__)

MINREWRITE = 16834
_CHUNK = 1 << 20


def outgrown(header: Header) -> bool:
    """Whether a repack is worth its while."""
    return header.current_size > MINREWRITE and header.current_size > 2 * header.repack_size


def check(file: TwoskipFile) -> None:
    """Follow every pointer of every list; raises ``DatabaseCorrupt``. Any lock is held."""
    base, end, rank = file.map, file.header.current_size, file.rank
    record = read_record(base, DUMMY_OFFSET, end)
    expected = [record.next(level, end) for level in range(MAXLEVEL)]
    count = 0
    last = b""
    while offset := expected[0]:
        record = read_record(base, offset, end)
        if record.type == DELETE:
            expected[0] = record.pointers[0]
            continue
        key = rank(record.key)
        if record.type != RECORD or key <= last:
            raise DatabaseCorrupt(f"out of order at offset {offset:08X}")
        for level in range(record.level):
            if expected[level] != offset:
                raise DatabaseCorrupt(f"broken linkage at offset {offset:08X} in list {level}")
            expected[level] = record.next(level, end)
        last = key
        count += 1
    for level, offset in enumerate(expected):
        if offset:
            raise DatabaseCorrupt(f"broken tail at offset {offset:08X} in list {level}")
    if count != file.header.num_records:
        raise DatabaseCorrupt(
            f"record count mismatch: header says {file.header.num_records}, file has {count}"
        )


def repack(file: TwoskipFile) -> None:
    """Rewrite the file; the exclusive lock is held before and after.

    Raises ``DatabaseCorrupt`` or OSError with the old file in place.
    """
    started = time.process_time()
    before = file.header.current_size
    new = file.path + ".NEW"
    check(file)
    header = build(new, live_records(file), generation=file.header.generation + 1, sync=file.sync)
    file.adopt(new)
    file.header = header
    log.info(
        "twoskip: checkpointed %s (%d record%s, %d => %d bytes) in %2.3f seconds",
        file.path,
        header.num_records,
        "" if header.num_records == 1 else "s",
        before,
        header.current_size,
        time.process_time() - started,
    )


def build(
    path: str, records: Iterable[tuple[bytes, bytes]], *, generation: int, sync: Sync = Sync.FULL
) -> Header:
    """Write a new file at ``path`` from records in key order. It is removed again after an error.

    Tails are written first, with room for the heads. Where each list goes on
    is known only from behind, so heads are filled in from the last to the
    first, through a map.
    """
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
    try:
        header = _write(fd, records, generation)
        if sync is not Sync.NONE:
            os.fsync(fd)
    except BaseException:
        files.remove(path)
        raise
    finally:
        os.close(fd)
    return header


def _write(fd: int, records: Iterable[tuple[bytes, bytes]], generation: int) -> Header:
    header, start = fresh_file(generation)
    chunk = bytearray(start)
    written = 0
    heads = _Heads()
    for key, value in records:
        level = random_level()
        head_size = len(pack_head(RECORD, level, len(key), len(value), [0] * (level + 1), 0))
        chunk += padding(written + len(chunk), head_size)
        tail = pack_tail(key, value)
        heads.add(written + len(chunk), level, len(key), len(value), crc32(tail))
        chunk += bytes(head_size)
        chunk += tail
        if len(chunk) >= _CHUNK:
            files.write_all(fd, chunk)
            written += len(chunk)
            chunk.clear()
    head = pack_head(COMMIT, 0, 0, 0, [header.current_size], crc32(b""))
    if heads.offsets:
        header.repack_size = written + len(chunk)
        chunk += padding(header.repack_size, len(head))
        chunk += head
    files.write_all(fd, chunk)
    header.current_size = written + len(chunk)
    header.num_records = len(heads.offsets)
    _fill_heads(fd, header, heads)
    return header


class _Heads:
    """What is known of each head while the tails are written, in as little memory as can be."""

    def __init__(self) -> None:
        self.offsets = array("Q")
        self._levels = array("B")
        self._sizes = array("Q")
        self._crcs = array("L")

    def add(self, offset: int, level: int, key_size: int, value_size: int, tail_crc: int) -> None:
        self.offsets.append(offset)
        self._levels.append(level)
        self._sizes.extend((key_size, value_size))
        self._crcs.append(tail_crc)

    def backwards(self) -> Iterator[tuple[int, int, int, int, int]]:
        for index in range(len(self.offsets) - 1, -1, -1):
            key_size, value_size = self._sizes[2 * index : 2 * index + 2]
            yield self.offsets[index], self._levels[index], key_size, value_size, self._crcs[index]


def _fill_heads(fd: int, header: Header, heads: _Heads) -> None:
    following = [0] * MAXLEVEL
    with mmap(fd, header.current_size) as base:
        for offset, level, key_size, value_size, tail_crc in heads.backwards():
            head = pack_head(RECORD, level, key_size, value_size, [0, *following[:level]], tail_crc)
            base[offset : offset + len(head)] = head
            following[:level] = [offset] * level
        dummy = pack_head(DUMMY, MAXLEVEL, 0, 0, [0, *following], crc32(b""))
        base[DUMMY_OFFSET : DUMMY_OFFSET + len(dummy)] = dummy
        base[:HEADER_SIZE] = header.pack()


def live_records(file: TwoskipFile) -> Iterator[tuple[bytes, bytes]]:
    """The records of the last commit, as the lowest list gives them; raises ``DatabaseCorrupt``."""
    end = file.header.current_size
    size = min(end, file.size)
    last: bytes | None = None
    record: Record = read_record(file.map, DUMMY_OFFSET, size)
    while offset := record.next(0, end):
        record = read_record(file.map, offset, size)
        while record.type == DELETE:
            if not record.pointers[0]:
                return
            record = read_record(file.map, record.pointers[0], size)
        rank = file.rank(record.key)
        if record.type != RECORD or (last is not None and rank <= last):
            raise DatabaseCorrupt(f"out of order at offset {record.offset:08X}")
        last = rank
        yield record.key, read_value(file.map, record)
