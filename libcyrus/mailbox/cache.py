"""``cyrus.cache``: the precomputed answers about each message.

The file starts with the generation number (4 bytes, big-endian) of the index
it belongs to. After it come cache records, one for each index record, at the
offset that the index record gives; ``cache_crc`` there is the CRC-32 of the
whole cache record. Nothing else says where a record ends.

A record is ten items in this order: envelope, bodystructure, body, section,
headers, from, to, cc, bcc, subject. An item is its length (4 bytes), as many
bytes, and zero to three NUL bytes that bring it to a multiple of four.

The file only ever grows while anybody has the mailbox open; a repack writes a
new one. Records are not synced: of one that a power cut took, the CRC does not fit, and both servers make
it again from the message. So a mapping stays valid, and is renewed when a record lies behind it.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterable, Iterator
from typing import Final
from zlib import crc32

from libcyrus.base import files
from libcyrus.errors import IoError, MailboxChecksum

ITEMS: Final = 10
GENERATION_SIZE: Final = 4


def record_length(data: bytes | memoryview | mmap.mmap, offset: int, limit: int) -> int:
    """Length of the cache record at ``offset``, by walking its items; ``limit`` is the end of the data.

    Raises IoError when it does not fit.
    """
    place = offset
    for _item in range(ITEMS):
        if place < 0 or place + 4 > limit:
            raise IoError
        size = int.from_bytes(data[place : place + 4], "big")
        if place + 4 + size > limit:
            raise IoError
        place += 4 + (size + 3 & ~3)
    if place > limit:
        raise IoError
    return place - offset


class CacheFile:
    """A cache file, opened when first needed."""

    __slots__ = ("_before", "_fd", "_map", "path")

    def __init__(self, path: str) -> None:
        self.path = path
        self._fd = -1
        self._map: memoryview | None = None
        self._before = -1

    def read(self, offset: int, crc: int | None = None, *, end: int = 0) -> memoryview:
        """The cache record at ``offset``, checked against its CRC, if that is known.

        ``end`` may say where the record probably ends (where the next begins); a wrong
        one costs time only. The view stays valid after the file was closed.
        Raises MailboxChecksum when the bytes are not those that ``crc`` was computed of,
        IoError when there is no such record; OSError from opening the file.
        """
        data = self._map
        if data is None or offset >= len(data) or end > len(data):
            data = self._remap()
        if end and GENERATION_SIZE <= offset < end <= len(data):
            record = data[offset:end]
            if crc32(record) == crc:
                return record
        try:
            length = record_length(data, offset, len(data))
        except IoError:
            if self._grown():
                data = self._remap()
                length = record_length(data, offset, len(data))
            else:
                raise
        record = data[offset : offset + length]
        if crc is not None and crc32(record) != crc:
            raise MailboxChecksum
        return record

    def read_each(self, places: Iterable[tuple[int, int, int]]) -> Iterator[memoryview | None]:
        """Many records, as ``read`` gives them one by one, from (offset, crc, end); None for a bad one.

        Raises OSError from opening the file.
        """
        data = self._map if self._map is not None else self._remap()
        size = len(data)
        for offset, crc, end in places:
            if GENERATION_SIZE <= offset < end <= size:
                record = data[offset:end]
                if crc32(record) == crc:
                    yield record
                    continue
            try:
                yield self.read(offset, crc, end=end)
            except (IoError, MailboxChecksum):
                yield None
            # looking for it may have mapped the file anew
            data = self._map or data
            size = len(data)

    def generation(self) -> int | None:
        """The generation number at the start of the file; None when there is no such file."""
        try:
            with open(self.path, "rb") as file:
                start = file.read(GENERATION_SIZE)
        except OSError:
            return None
        return int.from_bytes(start, "big") if len(start) == GENERATION_SIZE else None

    def append(self, record: bytes | memoryview, generation: int) -> int:
        """Write a record behind all others and return its offset; needs the exclusive index lock.

        Nobody may refer to it before ``settle``. Raises OSError with the file as it was.
        """
        if self._fd < 0:
            self._fd = files.open_making_dirs(self.path, os.O_RDWR | os.O_CREAT)
        size = os.fstat(self._fd).st_size
        prefix = b""
        if size < GENERATION_SIZE:
            size = 0
            prefix = generation.to_bytes(GENERATION_SIZE, "big")
        try:
            files.pwrite_all(self._fd, prefix + record if prefix else record, size)
        except OSError:
            os.ftruncate(self._fd, size)
            raise
        if self._before < 0:
            self._before = size
        return size + len(prefix)

    def settle(self) -> None:
        """What was appended stays. A new file is brought to disk, for the number at its start."""
        if self._before >= 0:
            if self._before < GENERATION_SIZE:
                os.fdatasync(self._fd)
            self._before = -1

    def undo(self) -> None:
        """Cut off what was appended since the last ``settle``; nothing can refer to it yet."""
        if self._before >= 0:
            self._map = None
            os.ftruncate(self._fd, self._before)
            self._before = -1

    def close(self) -> None:
        """Let go of the file; views handed out live on."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        self._map = None

    def _grown(self) -> bool:
        return self._map is not None and self._fd >= 0 and os.fstat(self._fd).st_size > len(self._map)

    def _remap(self) -> memoryview:
        if self._fd < 0:
            try:
                self._fd = os.open(self.path, os.O_RDWR | os.O_CLOEXEC)
            except PermissionError:
                self._fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        size = os.fstat(self._fd).st_size
        if not size:
            raise IoError
        self._map = memoryview(mmap.mmap(self._fd, size, prot=mmap.PROT_READ))
        return self._map
