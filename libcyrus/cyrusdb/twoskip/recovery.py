"""Recovery of a file whose last commit was not completed, or that lost its end.

First way, in place: ignore every pointer beyond the size at the last commit,
walk the lowest list, which is complete, rebuild the higher lists over it, and
cut off what follows. Gives exactly the last committed state.

Second way, for a file whose end is missing: if the lowest list leads through
whole records only, copy them to a new file, which then takes the name. (The
original fills the gap with zeros.)

Third way, for a file with damaged records: read the records from the beginning
and apply each complete commit to a new file. A damaged stretch costs the
commit it belongs to. Delete records name no key, only the record behind: the
deleted one is the last before it. After a damaged commit that is no longer
sure, and deletions are not repeated: rather an old record too many. (The
original takes the record behind for the deleted one, or stops dead.)
"""

from __future__ import annotations

import logging
import os
import time
from bisect import bisect_left, insort
from typing import TYPE_CHECKING

from libcyrus.base import files, xlog
from libcyrus.base.dataclasses import replace
from libcyrus.errors import DatabaseCorrupt

from .layout import (
    BLANK,
    COMMIT,
    DELETE,
    DIRTY,
    DUMMY_OFFSET,
    HEADER_SIZE,
    MAXLEVEL,
    RECORD,
    Record,
    lowest,
    read_record,
    read_value,
)
from .repack import build, live_records

if TYPE_CHECKING:
    from .file import TwoskipFile

log = logging.getLogger(__name__)


def recover(file: TwoskipFile) -> None:
    """Make the file clean again; the exclusive lock is held before and after.

    Raises ``DatabaseCorrupt`` with the file untouched when nothing can be
    rescued, OSError when writing fails: recovery can then be tried again.
    """
    started = time.process_time()
    try:
        count = _recover_in_place(file)
    except DatabaseCorrupt as error:
        file.corrupt(error)
        xlog.xsyslog(
            log, logging.ERROR, "DBERROR: recovery1 failed, trying recovery2", filename=file.path
        )
        count = _rescue(file)
        file.lock_exclusive()
    header = file.header
    log.info(
        "twoskip: recovered %s (%d record%s, %d bytes) in %2.3f seconds - fixed %d offset%s",
        file.path,
        header.num_records,
        "" if header.num_records == 1 else "s",
        header.current_size,
        time.process_time() - started,
        count,
        "" if count == 1 else "s",
    )


def _recover_in_place(file: TwoskipFile) -> int:
    """The first way; returns the number of pointers that changed.

    Everything is worked out before anything is written. Then, each step synced
    before the next: the dirty flag; pointers and length; the clean header.
    """
    header = file.header
    end = header.current_size
    if end > file.size:
        raise DatabaseCorrupt(f"file is cut off at {file.size:08X}, before its end {end:08X}")
    if end < HEADER_SIZE:
        raise DatabaseCorrupt(f"impossible size {end:08X} in header")
    fixed, count, num_records = _repairs(file, end)
    if not header.flags & DIRTY:
        header = replace(header, flags=header.flags | DIRTY)
        file.write_header(header)
        file.flush()
    for record in fixed.values():
        files.pwrite_all(file.fd, record.pack_head(), record.offset)
    os.ftruncate(file.fd, end)
    file.flush()
    file.write_header(replace(header, flags=header.flags & ~DIRTY, num_records=num_records))
    file.flush()
    file.reload()
    return count


def _repairs(file: TwoskipFile, end: int) -> tuple[dict[int, Record], int, int]:
    """The records to rewrite, how many of their pointers changed, and how many records live."""
    base, rank = file.map, file.rank
    fixed: dict[int, Record] = {}
    count = num_records = 0

    def point(record: Record, index: int, offset: int) -> None:
        nonlocal count
        record.pointers[index] = offset
        fixed[record.offset] = record
        count += 1

    previous = read_record(base, DUMMY_OFFSET, end)
    last = [previous] * (MAXLEVEL + 1)
    while True:
        for index in (0, 1):
            if previous.pointers[index] >= end:
                point(previous, index, 0)
        offset = lowest(previous.pointers[0], previous.pointers[1], end)
        while offset:
            record = read_record(base, offset, end)
            if record.type != DELETE:
                break
            offset = record.pointers[0]
        if not offset:
            break
        if record.type != RECORD or not record.level:
            raise DatabaseCorrupt(f"broken list at offset {offset:08X}")
        if num_records and rank(record.key) <= rank(previous.key):
            raise DatabaseCorrupt(f"out of order at offset {offset:08X}")
        for index in range(2, record.level + 1):
            if last[index].pointers[index] != offset:
                point(last[index], index, offset)
            last[index] = record
        num_records += 1
        previous = record
    for index in range(2, MAXLEVEL + 1):
        if last[index].pointers[index]:
            point(last[index], index, 0)
    return fixed, count, num_records


def _rescue(file: TwoskipFile) -> int:
    """The other ways; returns the number of records in the new file, which replaces the old."""
    before = file.header.num_records
    generation = file.header.generation + 1
    new = file.path + ".NEW"
    try:
        count = build(new, live_records(file), generation=generation, sync=file.sync).num_records
    except DatabaseCorrupt:
        replay = _Replay(file)
        replay.run()
        if not replay.places:
            raise DatabaseCorrupt("no records found in recovery2") from None
        records = ((key, read_value(file.map, replay.places[key])) for key in replay.keys)
        count = build(new, records, generation=generation, sync=file.sync).num_records
    file.adopt(new)
    log.log(xlog.NOTICE, "twoskip: recovery2 %s - rescued %d of %d records", file.path, count, before)
    return count


class _Replay:
    """Applies the commits of a damaged file, in their order, to a table in memory."""

    def __init__(self, file: TwoskipFile) -> None:
        self._file = file
        self._ranks: list[tuple[bytes, bytes]] = []
        self._damaged = False
        self.places: dict[bytes, Record] = {}

    @property
    def keys(self) -> list[bytes]:
        return [key for _rank, key in self._ranks]

    def run(self) -> None:
        base, size = self._file.map, self._file.size
        offset = DUMMY_OFFSET
        pending: list[Record] = []
        sound = True
        while offset < size:
            if base[offset : offset + 8] == BLANK:
                offset += 8
                continue
            try:
                record = read_record(base, offset, size)
                if record.type == RECORD:
                    read_value(base, record)
            except DatabaseCorrupt:
                if sound:
                    xlog.xsyslog(
                        log,
                        logging.ERROR,
                        "DBERROR: failed to read in recovery2, continuing",
                        filename=self._file.path,
                        offset=f"{offset:08X}",
                    )
                sound = False
                offset += 8
                continue
            if record.type == COMMIT:
                if sound:
                    for change in pending:
                        self._apply(change)
                else:
                    self._damaged = True
                pending, sound = [], True
            elif offset > DUMMY_OFFSET:
                pending.append(record)
            offset += record.size

    def _apply(self, record: Record) -> None:
        rank = self._file.rank
        if record.type == RECORD:
            if record.key not in self.places:
                insort(self._ranks, (rank(record.key), record.key))
            self.places[record.key] = record
        elif record.type == DELETE and not self._damaged:
            place = len(self._ranks)
            if record.pointers[0]:
                behind = read_record(self._file.map, record.pointers[0], self._file.size)
                place = bisect_left(self._ranks, (rank(behind.key), behind.key))
            if place:
                del self.places[self._ranks.pop(place - 1)[1]]
