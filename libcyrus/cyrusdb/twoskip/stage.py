"""The changes of one transaction, kept in memory until its commit.

Records to be appended lie in ``tail``, as they will in the file; records whose
pointers change are kept as objects. Until the commit the file is untouched: an
abort costs nothing, and a process that dies leaves nothing to recover.

Commit, and why each sync is needed
-----------------------------------
1. Append the tail, set the dirty flag; sync. From here on every reader,
   ours or the original's, knows by flag or size that the file needs recovery.
2. Rewrite the pointers in place; sync. Only now do the old lists go: had a
   pointer reached the disk before 1, a clean-looking file would be broken.
3. Write the header with the new size and without the flag; sync. Had it
   reached the disk before 2, again a clean-looking file would be broken.

So three ordered steps are the least that this format allows, and a commit that
shall survive must wait for the last. The original syncs as often for one commit.
What is saved is saved elsewhere: appending goes into the first sync instead of
the second, a store of the same value writes nothing, an aborted or unchanged
transaction syncs nothing, and a caller with ten changes makes one transaction.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from zlib import crc32

from libcyrus.base import files
from libcyrus.base.dataclasses import replace
from libcyrus.errors import DatabaseCorrupt

from ..listfile import Sync
from . import search
from .layout import (
    COMMIT,
    DELETE,
    DIRTY,
    DUMMY_OFFSET,
    MAXLEVEL,
    RECORD,
    Record,
    lowest,
    pack_head,
    pack_tail,
    padding,
    random_level,
    read_record,
    read_value,
)

if TYPE_CHECKING:
    from .file import TwoskipFile

_NO_TAIL = crc32(b"")


class Stage:
    """Staged changes of a file that is locked for writing and clean."""

    def __init__(self, file: TwoskipFile) -> None:
        self.file = file
        self.start = file.header.current_size
        self.tail = bytearray()
        self.num_records = file.header.num_records
        self._records: dict[int, Record] = {}

    @property
    def changed(self) -> bool:
        return bool(self.tail)

    @property
    def end(self) -> int:
        return self.start + len(self.tail)

    def find(self, key: bytes) -> Record | None:
        """The live record of ``key``."""
        return self._locate(key)[0]

    def after(self, key: bytes, *, inclusive: bool = False) -> Record | None:
        """The first live record behind ``key`` (or at it)."""
        exact, _back, forward = self._locate(key)
        if exact is None:
            return self._live(forward[0])
        return exact if inclusive else self.following(exact)

    def following(self, record: Record) -> Record | None:
        """The live record behind one that is still as it was found."""
        return self._live(record.next(0, self.end))

    def value(self, record: Record) -> bytes:
        if record.offset < self.start:
            return read_value(self.file.map, record)
        start = record.key_offset + len(record.key) - self.start
        return bytes(self.tail[start : start + record.value_size])

    def store(self, key: bytes, value: bytes) -> None:
        """Add or replace a record; nothing happens when the value is the same."""
        exact, back, forward = self._locate(key)
        replaced = 0
        if exact is not None:
            if exact.value_size == len(value) and self.value(exact) == value:
                return
            replaced = exact.level
            for level in range(replaced):
                forward[level] = exact.next(level, self.end)
            self.num_records -= 1
        level = random_level()
        tail = pack_tail(key, value)
        record = self._append(RECORD, level, key, len(value), [0, *forward[:level]], tail)
        for index in range(level):
            forward[index] = record.offset
        self._stitch(back, forward, max(level, replaced))
        self.num_records += 1

    def delete(self, key: bytes) -> bool:
        """Remove a record; False when there was none."""
        exact, back, forward = self._locate(key)
        if exact is None:
            return False
        end = self.end
        for level in range(exact.level):
            forward[level] = exact.next(level, end)
        follower = self._live(forward[0])
        ghost = self._append(DELETE, 0, b"", 0, [follower.offset if follower else 0], b"")
        forward[0] = ghost.offset
        self._stitch(back, forward, exact.level)
        self.num_records -= 1
        return True

    def commit(self) -> None:
        """Write everything. Raises OSError with the file as it was, as far as the system allows."""
        if not self.tail:
            return
        file = self.file
        nodes, file.nodes = file.nodes, {}
        self._append(COMMIT, 0, b"", 0, [self.start], b"")
        try:
            self._append_tail()
            file.flush()
        except OSError:
            self._undo()
            raise
        self._rewrite_pointers()
        file.write_header(
            replace(
                file.header,
                num_records=self.num_records,
                current_size=self.end,
                flags=file.header.flags & ~DIRTY,
            )
        )
        # what this commit did not touch is as it was
        for place in self._records:
            nodes.pop(place, None)
        file.nodes = nodes
        if file.sync is Sync.FULL:
            file.flush()

    def break_off(self) -> None:
        """Do half of a commit, as a process does that is killed then."""
        self._append_tail()
        self._rewrite_pointers()

    def _append_tail(self) -> None:
        files.pwrite_all(self.file.fd, self.tail, self.start)
        header = self.file.header
        self.file.write_header(replace(header, flags=header.flags | DIRTY))

    def _rewrite_pointers(self) -> None:
        for offset, record in self._records.items():
            if offset < self.start:
                files.pwrite_all(self.file.fd, record.pack_head(), offset)
        self.file.flush()

    def _undo(self) -> None:
        """Before any pointer was touched: cut the tail off again, so that nobody need recover the file."""
        header = self.file.header
        os.ftruncate(self.file.fd, self.start)
        self.file.write_header(replace(header, flags=header.flags & ~DIRTY))

    def _record(self, offset: int) -> Record:
        record = self._records.get(offset)
        if record is None:
            if offset >= self.start:
                raise DatabaseCorrupt(f"broken list at offset {offset:08X}")
            record = read_record(self.file.map, offset, self.file.size)
        return record

    def _live(self, offset: int) -> Record | None:
        """The record at ``offset`` or, when that was deleted, the next one; None at the end."""
        while offset:
            record = self._record(offset)
            if record.type != DELETE:
                return record
            offset = record.pointers[0]
        return None

    def _locate(self, key: bytes) -> tuple[Record | None, list[int], list[int]]:
        """The record of ``key`` if it lives; for each list the place before it and that one's pointer."""
        wanted = self.file.rank(key)
        end = self.end
        place = DUMMY_OFFSET
        _found, pointers, _kind = self._node(place)
        back = [place] * MAXLEVEL
        forward = [0] * MAXLEVEL
        exact = seen = 0
        for level in range(min(len(pointers) - 1, MAXLEVEL) - 1, -1, -1):
            while True:
                offset = pointers[level + 1] if level else lowest(pointers[0], pointers[1], end)
                back[level], forward[level] = place, offset
                if not offset or offset in (seen, exact):
                    # that one was found to lie behind
                    break
                seen = offset
                found, further, kind = self._node(offset)
                while kind == DELETE and further[0]:
                    offset = further[0]
                    found, further, kind = self._node(offset)
                if kind == DELETE:
                    break
                if kind != RECORD or len(further) - 1 <= level:
                    raise DatabaseCorrupt(f"broken list at offset {offset:08X}")
                if found < wanted:
                    place, pointers = offset, further
                    continue
                if found == wanted:
                    exact = offset
                break
        if not exact:
            return None, back, forward
        record = self._record(exact)
        self._check(record)
        return record, back, forward

    def _node(self, offset: int) -> search.Node:
        """What a search needs to know of a record: its rank, its pointers, its type."""
        record = self._records.get(offset)
        if record is not None:
            return self.file.rank(record.key), record.pointers, record.type
        if offset >= self.start:
            raise DatabaseCorrupt(f"broken list at offset {offset:08X}")
        file = self.file
        return search.node(file.map, file.size, file.rank, offset, file.nodes)

    def _check(self, record: Record) -> None:
        if record.offset < self.start:
            read_value(self.file.map, record)

    def _append(
        self, kind: int, level: int, key: bytes, value_size: int, pointers: list[int], tail: bytes
    ) -> Record:
        tail_crc = crc32(tail) if tail else _NO_TAIL
        head = pack_head(kind, level, len(key), value_size, pointers, tail_crc)
        self.tail += padding(self.end, len(head))
        offset = self.end
        self.tail += head
        self.tail += tail
        record = Record(
            offset,
            kind,
            level,
            key,
            value_size,
            pointers,
            tail_crc,
            offset + len(head),
            len(head) + len(tail),
        )
        if kind != COMMIT:
            self._records[offset] = record
        return record

    def _stitch(self, back: list[int], forward: list[int], height: int) -> None:
        """Let the records before a change point to what follows it now, in the lists below ``height``."""
        index = 0
        while index < height:
            record = self._record(back[index])
            if record.level <= index:
                raise DatabaseCorrupt(f"broken list at offset {record.offset:08X}")
            top = min(record.level, height)
            while index < top:
                record.point(index, forward[index], self.start)
                index += 1
            self._records[record.offset] = record
            if record.offset >= self.start:
                place = record.offset - self.start
                head = record.pack_head()
                self.tail[place : place + len(head)] = head
