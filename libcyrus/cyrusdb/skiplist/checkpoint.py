"""Checking a file from end to end, and rewriting it in order.

The new file is written beside the old one, which stays locked, synced, and
given its name. Who waits for a lock on the old file sees that the name means
another now, and opens that.
"""

from __future__ import annotations

import logging
import os
import time
from array import array
from collections.abc import Iterable, Iterator
from mmap import mmap
from struct import pack_into
from typing import TYPE_CHECKING

from libcyrus.base import files
from libcyrus.errors import DatabaseCorrupt

from ..listfile import Sync
from .layout import (
    DUMMY,
    DUMMY_OFFSET,
    DUMMY_POINTERS,
    HEADER_SIZE,
    INORDER,
    LARGEST,
    MAXLEVEL,
    POINTERS,
    Header,
    fresh_file,
    pack_record,
    random_level,
    read_record,
)

if TYPE_CHECKING:
    from .file import SkiplistFile

log = logging.getLogger(__name__)

_CHUNK = 1 << 20
_NO_POINTERS = tuple([0] * level for level in range(MAXLEVEL + 1))


def check(file: SkiplistFile) -> None:
    """Follow every pointer of every list; raises ``DatabaseCorrupt``. Any lock is held."""
    base, end, rank = file.map, file.size, file.rank
    curlevel = file.header.curlevel
    expected = read_record(base, DUMMY_OFFSET, end).pointers[:curlevel]
    last: bytes | None = None
    while expected and (offset := expected[0]):
        record = read_record(base, offset, end)
        key = rank(record.key)
        if record.type == DUMMY or (last is not None and key <= last):
            raise DatabaseCorrupt(f"out of order at offset {offset:04X}")
        if record.level > curlevel:
            raise DatabaseCorrupt(f"level too high at offset {offset:04X}")
        for level, pointer in enumerate(record.pointers):
            if expected[level] != offset:
                raise DatabaseCorrupt(f"broken linkage at offset {offset:04X} in list {level}")
            expected[level] = pointer
        last = key
    for level, offset in enumerate(expected):
        if offset:
            raise DatabaseCorrupt(f"broken tail at offset {offset:04X} in list {level}")


def repack(file: SkiplistFile) -> None:
    """Rewrite the file; the exclusive lock is held before and after.

    Raises ``DatabaseCorrupt`` or OSError with the old file in place.
    """
    check(file)
    rewrite(file, live_records(file))


def rewrite(file: SkiplistFile, records: Iterable[tuple[bytes, bytes]]) -> None:
    """Put a file of these records, which come in key order, into the place of this one."""
    started = time.process_time()
    new = file.path + ".NEW"
    header = build(new, records, sync=file.sync)
    file.adopt(new)
    file.header = header
    log.info(
        "skiplist: checkpointed %s (%d record%s, %d bytes) in %2.3f sec",
        file.path,
        header.listsize,
        "" if header.listsize == 1 else "s",
        header.logstart,
        time.process_time() - started,
    )


def build(path: str, records: Iterable[tuple[bytes, bytes]], *, sync: Sync = Sync.FULL) -> Header:
    """Write a new file at ``path`` from records in key order. It is removed again after an error.

    Records are written first, with room for their pointers. Where each list
    goes on is known only from behind, so pointers are filled in from the last
    record to the first, through a map.
    """
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
    try:
        header = _write(fd, records)
        if sync is not Sync.NONE:
            os.fsync(fd)
    except BaseException:
        files.remove(path)
        raise
    finally:
        os.close(fd)
    return header


def _write(fd: int, records: Iterable[tuple[bytes, bytes]]) -> Header:
    header, start = fresh_file()
    chunk = bytearray(start)
    written = 0
    offsets, ends, levels = array("L"), array("L"), array("B")
    for key, value in records:
        level = random_level()
        offset = written + len(chunk)
        chunk += pack_record(INORDER, key, value, _NO_POINTERS[level])
        offsets.append(offset)
        ends.append(written + len(chunk) - 4)
        levels.append(level)
        if len(chunk) >= _CHUNK:
            files.write_all(fd, chunk)
            written += len(chunk)
            chunk.clear()
            if written > LARGEST:
                raise OverflowError("a skiplist file cannot be this large")
    files.write_all(fd, chunk)
    header.logstart = written + len(chunk)
    header.listsize = len(offsets)
    header.curlevel = max(levels, default=1)
    following = [0] * header.maxlevel
    with mmap(fd, header.logstart) as base:
        for index in range(len(offsets) - 1, -1, -1):
            level = levels[index]
            POINTERS[level].pack_into(base, ends[index] - 4 * level, *following[:level])
            following[:level] = [offsets[index]] * level
        pack_into(f">{len(following)}I", base, DUMMY_POINTERS, *following)
        base[:HEADER_SIZE] = header.pack()
    return header


def live_records(file: SkiplistFile) -> Iterator[tuple[bytes, bytes]]:
    """All records, as the lowest list gives them; raises ``DatabaseCorrupt``."""
    (place,) = POINTERS[1].unpack_from(file.map, DUMMY_POINTERS)
    while place:
        found, place = file.collect(place, b"", 1024, _CHUNK)
        yield from found
