"""Recovery: what a file's log says, whatever its pointers say.

The records of the last checkpoint are all there, or the file is damaged; after
them, each complete transaction of the log is applied. One that is not complete
and stands last is forgotten. If something in the middle cannot be read, with a
commit behind it, the file is refused and left alone: transactions that counted
would be lost. (The original cuts the file off at the damage.)

The result is written to a new file, which takes the name, when the option
``skiplist_always_checkpoint`` is on or the log holds oddities. Otherwise the
pointers are mended in place, then the end cut off, then the header marked, each
synced before the next; broken off at any place, it will be done again.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from libcyrus.base import files, xlog
from libcyrus.base.dataclasses import replace
from libcyrus.errors import DatabaseCorrupt

from .checkpoint import rewrite
from .layout import (
    ADD,
    COMMIT,
    COMMIT_RECORD,
    DELETE,
    DUMMY_OFFSET,
    END,
    INORDER,
    WORD,
    Record,
    read_record,
)

if TYPE_CHECKING:
    from .file import SkiplistFile

log = logging.getLogger(__name__)

_LAST_WORDS = END + COMMIT_RECORD


def recover(file: SkiplistFile) -> None:
    """Make the file clean again; the exclusive lock is held before and after.

    Raises ``DatabaseCorrupt`` with the file untouched when it is damaged,
    OSError when writing fails: recovery can then be tried again.
    """
    started = time.time()
    replay = Replay(file)
    replay.run()
    places = [replay.live[rank] for rank in sorted(replay.live)]
    if file.always_checkpoint or replay.odd:
        rewrite(file, _records(file, places))
        file.lock_exclusive()
    else:
        _mend(file, replay, places)
    took = int(time.time() - started)
    log.log(
        xlog.NOTICE,
        "skiplist: recovered %s (%d record%s, %d bytes) in %d second%s",
        file.path,
        len(places),
        "" if len(places) == 1 else "s",
        file.size,
        took,
        "" if took == 1 else "s",
    )


def _records(file: SkiplistFile, places: list[int]) -> Iterator[tuple[bytes, bytes]]:
    base, size = file.map, file.size
    for place in places:
        record = read_record(base, place, size)
        yield record.key, base[record.value_offset : record.value_offset + record.value_size]


def _mend(file: SkiplistFile, replay: Replay, places: list[int]) -> None:
    base, size = file.map, file.size
    header = replace(
        file.header, listsize=len(places), logstart=replay.logstart, last_recovery=int(time.time())
    )
    following = [0] * header.maxlevel
    wrong: list[tuple[int, bytes]] = []
    for place in [*reversed(places), DUMMY_OFFSET]:
        record = read_record(base, place, size)
        level = record.level
        if level > header.maxlevel:
            raise DatabaseCorrupt(f"level {level} at offset {place:04X}")
        if record.pointers != following[:level]:
            record.pointers = following[:level]
            wrong.append((record.pointers_offset, record.pack_pointers()))
        if place != DUMMY_OFFSET:
            following[:level] = [place] * level
            header.curlevel = max(header.curlevel, level)
    for offset, pointers in wrong:
        files.pwrite_all(file.fd, pointers, offset)
    file.flush()
    if replay.end != size:
        os.ftruncate(file.fd, replay.end)
    file.flush()
    file.write_header(header)
    file.flush()
    file.reload()


class Replay:
    """Reads a whole file in its own order.

    ``live`` maps what a key sorts by to its record's offset, ``end`` is behind
    the last complete transaction, ``logstart`` where the log begins. ``odd``
    tells of a log that can be read, but that nobody should have written.
    """

    def __init__(self, file: SkiplistFile) -> None:
        self._file = file
        self.live: dict[bytes, int] = {}
        self._seen: set[int] = set()
        self._last: bytes | None = None
        self.end = self.logstart = file.header.first
        self.odd = False

    def run(self) -> None:
        """Raises ``DatabaseCorrupt``."""
        file = self._file
        base, size, logstart = file.map, file.size, file.header.logstart
        if logstart > size:
            raise DatabaseCorrupt(f"file is cut off at {size:04X}, before the log at {logstart:04X}")
        offset = self.logstart
        pending: list[int] = []
        in_order = True
        while offset < size:
            try:
                if offset + 4 > size:
                    raise DatabaseCorrupt(f"file ends within a word at {size:04X}")
                (kind,) = WORD.unpack_from(base, offset)
                if in_order and kind != INORDER:
                    in_order = False
                    self._begin_log(offset)
                if kind == COMMIT:
                    self._apply(pending)
                    pending.clear()
                    offset += 4
                    self.end = offset
                    continue
                if not kind and not pending and offset >= logstart:
                    offset = self._skip_zeros(offset)
                    continue
                if kind == DELETE:
                    if offset + 8 > size:
                        raise DatabaseCorrupt(f"record at offset {offset:04X} is cut off")
                    pending.append(offset)
                    offset += 8
                    continue
                if kind not in (INORDER, ADD) or (kind == INORDER) != in_order:
                    raise DatabaseCorrupt(f"{offset:04X} should be ADD or DELETE")
                record = read_record(base, offset, size)
            except DatabaseCorrupt as error:
                self._judge(offset, error)
                break
            if in_order:
                rank = self._put(record)
                if self._last is not None and rank <= self._last:
                    raise DatabaseCorrupt(f"out of order at offset {offset:04X}")
                self._last = rank
                self.logstart = self.end = record.end
            else:
                pending.append(offset)
            offset = record.end
        if pending:
            log.log(
                xlog.NOTICE, "skiplist recovery %s: found partial txn, not replaying", file.path
            )

    def _begin_log(self, offset: int) -> None:
        logstart = self._file.header.logstart
        if offset != logstart:
            log.log(
                xlog.NOTICE,
                "skiplist recovery %s: incorrect logstart %04X changed to %04X",
                self._file.path,
                logstart,
                offset,
            )

    def _skip_zeros(self, offset: int) -> int:
        """Old versions of the original could leave some in the log."""
        base, size = self._file.map, self._file.size
        start = offset
        while offset + 4 <= size and base[offset : offset + 4] == b"\0\0\0\0":
            offset += 4
        log.error(
            "skiplist recovery %s: skipped %d bytes of zeros at %04X", self._file.path, offset - start, start
        )
        self.odd = True
        return offset

    def _judge(self, offset: int, error: DatabaseCorrupt) -> None:
        """Nothing can be read from here on: the end of an unfinished transaction, or damage?"""
        base = self._file.map
        if offset < self._file.header.logstart:
            raise error
        found = base.find(_LAST_WORDS, offset)
        while found >= 0:
            if not found % 4:
                raise error
            found = base.find(_LAST_WORDS, found + 1)

    def _apply(self, pending: list[int]) -> None:
        base, size = self._file.map, self._file.size
        for offset in pending:
            (kind,) = WORD.unpack_from(base, offset)
            if kind == ADD:
                self._put(read_record(base, offset, size))
                continue
            (place,) = WORD.unpack_from(base, offset + 4)
            if place not in self._seen:
                raise DatabaseCorrupt(f"DELETE at {offset:04X} of {place:04X}, where no record is")
            rank = self._file.rank(read_record(base, place, size).key)
            if self.live.pop(rank, None) is None:
                log.error(
                    "DBERROR: skiplist recovery %s: DELETE at %04X doesn't exist, skipping",
                    self._file.path,
                    offset,
                )
                self.odd = True

    def _put(self, record: Record) -> bytes:
        rank = self._file.rank(record.key)
        if rank in self.live:
            log.error(
                "DBERROR: skiplist recovery %s: ADD at %04X exists, replacing", self._file.path, record.offset
            )
            self.odd = True
        self.live[rank] = record.offset
        self._seen.add(record.offset)
        return rank
