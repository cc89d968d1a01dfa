"""What FETCH reads of messages: index fields, cache items, pieces of the message file.

All of it may be read without the index lock, as long as the mailbox has not been released: records found
under the lock stay where they are, and so do cache records and message files.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator
from itertools import compress, repeat
from struct import Struct
from typing import Final, NamedTuple
from zlib import crc32

from libcyrus.base import xlog, xstats
from libcyrus.base.xstats import Metric
from libcyrus.errors import CyrusError, IoError, MailboxChecksum, UnknownCte
from libcyrus.index.rows import Rows
from libcyrus.index.view import IndexView
from libcyrus.mailbox.index_record import (
    ARCHIVED,
    OFFSET_CACHE_OFFSET,
    OFFSET_CACHE_VERSION,
    OFFSET_FLAGS,
    OLDEST_CACHE_VERSION,
)
from libcyrus.message.section import Section, SectionTable
from libcyrus.text import transfer
from libcyrus.text.transfer import Buffer

log = logging.getLogger(__name__)

ENVELOPE: Final = 0
BODYSTRUCTURE: Final = 1
BODY: Final = 2
SECTION: Final = 3
HEADERS: Final = 4

_LENGTH = Struct(">I").unpack_from
_IS_ARCHIVED = bytes(value >> 5 & 1 for value in range(256))

_FIELDS = Struct(">I I 4x I I 4x I 4x I 20x I 44x I")
_OLD_FIELDS = Struct(">I I 4x I I 4x I 4x I 20x I")


class Fields(NamedTuple):
    """The fixed fields of an index record that FETCH shows or needs."""

    uid: int
    internaldate: int
    size: int
    header_size: int
    cache_low: int
    flags: int
    cache_high: int
    cache_crc: int


def fields(view: IndexView, number: int) -> Fields:
    """Raises IoError for a message whose record is there no more, MailboxChecksum for a damaged one."""
    data = view.record_data(number)
    if crc32(data[:-4]) != int.from_bytes(data[-4:], "big"):
        xlog.xsyslog(
            log, logging.ERROR, "IOERROR: index record corrupted", None, mailbox=view.mboxname, number=number
        )
        raise MailboxChecksum
    if view.picture.size == 112:
        return Fields._make(_FIELDS.unpack_from(data))
    crc = int.from_bytes(data[-8:-4], "big")
    return Fields._make((*_OLD_FIELDS.unpack_from(data), crc))


def cache_record(view: IndexView, number: int, found: Fields) -> memoryview:
    """The checked cache record. A damaged one is computed anew; raises an error only if that fails too."""
    mailbox = view.mailbox
    if found.cache_high & 0xFFFF < OLDEST_CACHE_VERSION:
        return mailbox.cache(mailbox.record(view.picture.recnos[number - 1]))
    offset = found.cache_low | (found.cache_high & 0xFFFF0000) << 16
    picture = view.picture
    recno = picture.recnos[number - 1]
    after = recno * picture.size
    # where the next record begins, this one probably ends
    end = int.from_bytes(picture.data[after + 24 : after + 28], "big") if after < len(picture.data) else 0
    try:
        return mailbox.cache_at(offset, found.cache_crc, archived=bool(found.flags & ARCHIVED), end=end)
    except CyrusError:
        return mailbox.cache(mailbox.record(recno))


def cache_records(
    view: IndexView, rows: Rows, selectors: bytes | None = None
) -> Iterator[memoryview | None]:
    """The checked cache records of messages in a row; None for one that ``cache_record`` should be asked for.

    ``selectors`` has 1 for each message wanted, 0 for others.
    """
    offsets: Iterable[int] = rows.words(OFFSET_CACHE_OFFSET)
    ends: Iterable[int] = rows.after(OFFSET_CACHE_OFFSET)
    tops = rows.words(OFFSET_CACHE_VERSION)
    if any(map((0xFFFF).__lt__, tops)):
        # a cache beyond 4 GB: where the next record begins is worth no more arithmetic
        offsets = [low | (top & 0xFFFF0000) << 16 for low, top in zip(offsets, tops, strict=True)]
        ends = repeat(0, rows.count)
    archived = rows.octets(OFFSET_FLAGS).translate(_IS_ARCHIVED)
    count = rows.count if selectors is None else selectors.count(1)
    is_old = any(top & 0xFFFF < OLDEST_CACHE_VERSION for top in set(tops))
    if is_old or 1 in archived or not rows.are_sound():
        yield from repeat(None, count)
        return
    places = zip(offsets, rows.words(view.picture.size - 8), ends, strict=True)
    done = 0
    try:
        for record in view.mailbox.cache_each(places if selectors is None else compress(places, selectors)):
            done += 1
            yield record
    except IoError:
        yield from repeat(None, count - done)


def item(record: memoryview, wanted: int) -> memoryview:
    """One item of a cache record."""
    at = 0
    for _ in range(wanted):
        at += 4 + (_LENGTH(record, at)[0] + 3 & ~3)
    return record[at + 4 : at + 4 + _LENGTH(record, at)[0]]


def items(record: memoryview, wanted: Iterable[int]) -> list[bytes]:
    """Several items of a cache record, in rising order. Raises struct.error where there is none."""
    found = []
    at = place = 0
    for number in wanted:
        for _ in range(number - place):
            at += 4 + (_LENGTH(record, at)[0] + 3 & ~3)
        place = number
        found.append(bytes(record[at + 4 : at + 4 + _LENGTH(record, at)[0]]))
    return found


class MessageFile:
    """The file of one message, opened when first read. Reads past its end are short."""

    def __init__(self, view: IndexView, number: int, found: Fields) -> None:
        self._path = view.mailbox.paths.message(found.uid, archived=bool(found.flags & ARCHIVED))
        self._name = view.mboxname
        self._fd = -1

    def open(self) -> None:
        """Raises IoError, which is logged, when the file cannot be opened."""
        if self._fd < 0:
            xstats.count(Metric.MESSAGE_MAP)
            try:
                self._fd = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
            except OSError as error:
                xlog.ioerror(
                    log, "map message file failed", error, filename=self._path, mailbox=self._name
                )
                raise IoError from error

    def read(self, offset: int, size: int) -> bytes:
        """Raises IoError."""
        self.open()
        try:
            data = os.pread(self._fd, size, offset)
            while len(data) < size:
                more = os.pread(self._fd, size - len(data), offset + len(data))
                if not more:
                    break
                data += more
        except OSError as error:
            xlog.ioerror(log, "read message file failed", error, filename=self._path, mailbox=self._name)
            raise IoError from error
        return data

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def place(record: memoryview, path: tuple[int, ...], kind: str) -> tuple[int, int] | None:
    """Offset and size of a section of the message; None if there is no such part.

    ``kind`` is "" for the part's content, "MIME", "HEADER", "TEXT", or "FIELDS" for the header that
    HEADER.FIELDS looks into, which is the part's own if that is no message. Raises ValueError for a
    damaged section item.
    """
    table = SectionTable(item(record, SECTION))
    if kind in ("HEADER", "TEXT", "FIELDS"):
        inner = table.message(path)
        if inner is None and kind == "FIELDS":
            inner = table.find(path)
        if inner is None:
            return None
        if kind == "TEXT":
            first = table.find((*path, 1))
            if first is not None and first.header_offset == inner.header_offset:
                # not a multipart; one without parts has an empty text, which only this entry says
                return first.content_offset, first.content_size
            return inner.content_offset, inner.content_size
        return inner.header_offset, inner.header_size
    part = _part(table, path)
    if part is None:
        return None
    if kind == "MIME":
        return part.header_offset, part.header_size
    return part.content_offset, part.content_size


def part(record: memoryview, path: tuple[int, ...]) -> Section | None:
    """Part 1.2 and so on, None if there is no such part. Raises ValueError for a damaged section item."""
    return _part(SectionTable(item(record, SECTION)), path)


def decoded(file: MessageFile, part: Section) -> Buffer:
    """A part's content without its transfer encoding. Raises UnknownCte, IoError."""
    data = transfer.decode(_content(file, part), part.encoding)
    if data is None:
        raise UnknownCte
    return data


def decoded_size(file: MessageFile, part: Section) -> int:
    """Octets that ``decoded`` would give, without ever holding them all. Raises UnknownCte, IoError."""
    found = transfer.digest(_content(file, part), part.encoding)
    if found is None:
        raise UnknownCte
    return found[1]


def _content(file: MessageFile, part: Section) -> bytes:
    data = file.read(part.content_offset, part.content_size)
    if len(data) < part.content_size:
        raise IoError
    return data


def _part(table: SectionTable, path: tuple[int, ...]) -> Section | None:
    return table.find(path) if path and 0 not in path else None


def encoding(record: memoryview, path: tuple[int, ...]) -> int:
    """The transfer encoding of a part, NONE if there is no such part. Raises ValueError."""
    found = part(record, path)
    return transfer.NONE if found is None else found.encoding
