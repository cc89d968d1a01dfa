"""The changes of one transaction, kept in memory until its commit.

What is to be appended to the log lies in ``tail``, as it will in the file;
records whose pointers change are kept as objects. Until the commit the file is
untouched: an abort costs nothing, and a process that dies leaves nothing to
recover. (The original writes each change at once.)

Commit, in the order that the format asks for
---------------------------------------------
1. Append the log records without their commit record. From here on every
   writer, ours or the original's, knows by the file's end that it needs
   recovery, which forgets them.
2. Write the header, if a record is higher than any before, and the pointers of
   old records, in place; sync.
3. Append the commit record; sync, but for ``Sync.ORDERED``. Now the transaction counts.

The format has no mark that would tell after a power cut that pointers of step 2
reached the disk before the records of step 1. That is what the recovery stamp
is for: after the machine was started, each file is recovered when it is opened.
"""

from __future__ import annotations

import contextlib
import errno
import os
from typing import TYPE_CHECKING

from libcyrus.base import files
from libcyrus.base.dataclasses import replace
from libcyrus.errors import DatabaseCorrupt

from ..listfile import Sync
from .layout import (
    ADD,
    COMMIT_RECORD,
    DUMMY,
    DUMMY_OFFSET,
    LARGEST,
    Record,
    pack_delete,
    pack_record,
    random_level,
    read_record,
    roundup,
)

if TYPE_CHECKING:
    from .file import SkiplistFile

_REMEMBERED = 4096

class Stage:
    """Staged changes of a file that is locked for writing and clean."""

    def __init__(self, file: SkiplistFile) -> None:
        self.file = file
        self.start = file.size
        self.tail = bytearray()
        self._curlevel = file.header.curlevel
        self._maxlevel = file.header.maxlevel
        self._records: dict[int, Record] = {}
        self._high: dict[int, Record] = {}

    @property
    def changed(self) -> bool:
        return bool(self.tail)

    @property
    def end(self) -> int:
        return self.start + len(self.tail)

    def find(self, key: bytes) -> Record | None:
        return self._locate(key)[0]

    def after(self, key: bytes, *, inclusive: bool = False) -> Record | None:
        exact, _back, forward = self._locate(key)
        if exact is None:
            return self._record(forward[0]) if forward[0] else None
        return exact if inclusive else self.following(exact)

    def following(self, record: Record) -> Record | None:
        offset = record.pointers[0]
        return self._record(offset) if offset else None

    def value(self, record: Record) -> bytes:
        start, end = record.value_offset, record.value_offset + record.value_size
        if record.offset < self.start:
            return self.file.map[start:end]
        return bytes(self.tail[start - self.start : end - self.start])

    def store(self, key: bytes, value: bytes) -> None:
        """Add or replace a record; nothing happens when the value is the same."""
        exact, back, forward = self._locate(key)
        if exact is not None:
            if exact.value_size == len(value) and self.value(exact) == value:
                return
            self._append(pack_delete(exact.offset))
            pointers = exact.pointers.copy()
        else:
            level = random_level(self._maxlevel)
            self._curlevel = max(self._curlevel, level)
            pointers = forward[:level]
        offset = self.end
        self._append(pack_record(ADD, key, value, pointers))
        value_offset = offset + 12 + roundup(len(key))
        self._records[offset] = Record(offset, ADD, key, value_offset, len(value), pointers)
        self._stitch(back, [offset] * len(pointers))

    def delete(self, key: bytes) -> bool:
        """Remove a record; False when there was none."""
        exact, back, _forward = self._locate(key)
        if exact is None:
            return False
        self._append(pack_delete(exact.offset))
        self._stitch(back, exact.pointers)
        return True

    def commit(self) -> None:
        """Write everything. Raises OSError; the file is as it was, or marked by its end as unfinished."""
        if not self.tail:
            return
        file = self.file
        if self.end + 4 > LARGEST:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), file.path)
        try:
            files.pwrite_all(file.fd, self.tail, self.start)
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(file.fd, self.start)
            raise
        self._rewrite_pointers()
        file.flush()
        try:
            files.pwrite_all(file.fd, COMMIT_RECORD, self.end)
            if file.sync is Sync.FULL:
                file.flush()
        except OSError:
            # what is reported as failed must not count
            with contextlib.suppress(OSError):
                os.ftruncate(file.fd, self.end)
            raise

    def break_off(self) -> None:
        files.pwrite_all(self.file.fd, self.tail, self.start)
        self._rewrite_pointers()
        self.file.flush()

    def _rewrite_pointers(self) -> None:
        file = self.file
        if self._curlevel > file.header.curlevel:
            file.write_header(replace(file.header, curlevel=self._curlevel))
        for offset, record in self._records.items():
            if offset < self.start:
                files.pwrite_all(file.fd, record.pack_pointers(), record.pointers_offset)

    def _append(self, record: bytes) -> None:
        self.tail += record

    def _record(self, offset: int) -> Record:
        record = self._records.get(offset) or self._high.get(offset)
        if record is None:
            if offset >= self.start:
                raise DatabaseCorrupt(f"broken list at offset {offset:04X}")
            record = read_record(self.file.map, offset, self.start)
            if len(record.pointers) > 2 and len(self._high) < _REMEMBERED:
                self._high[offset] = record
        return record

    def _locate(self, key: bytes) -> tuple[Record | None, list[Record], list[int]]:
        """The record of ``key``; for each list the record before it and that one's pointer."""
        rank = self.file.rank
        wanted = rank(key)
        current = self._record(DUMMY_OFFSET)
        back = [current] * self._maxlevel
        forward = current.pointers.copy()
        exact: Record | None = None
        seen = 0
        reached = b""
        for level in range(self._curlevel - 1, -1, -1):
            while True:
                offset = current.pointers[level]
                back[level], forward[level] = current, offset
                if not offset or offset == seen:
                    break
                record = self._record(offset)
                if record.type == DUMMY or record.level <= level:
                    raise DatabaseCorrupt(f"broken list at offset {offset:04X}")
                found = rank(record.key)
                if found < wanted:
                    if found <= reached:
                        raise DatabaseCorrupt(f"out of order at offset {offset:04X}")
                    current, reached = record, found
                    continue
                seen = offset
                if found == wanted:
                    exact = record
                break
        return exact, back, forward

    def _stitch(self, back: list[Record], targets: list[int]) -> None:
        """Let the records before a change point to ``targets``, one for each list."""
        for level, target in enumerate(targets):
            record = back[level]
            record.pointers[level] = target
            self._records[record.offset] = record
            if record.offset >= self.start:
                place = record.pointers_offset - self.start + 4 * level
                self.tail[place : place + 4] = target.to_bytes(4)
