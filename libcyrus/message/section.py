"""The cache's section item: where each part of a message lies, for FETCH BODY[1.2.HEADER].

All numbers are 32 bits in network order. A table per entity, depth first: the
count of its entries (0 for a leaf), the entries, then the tables of the
entities of entries 1 and up. An entry is header offset, header size, content
offset, content size, charset length << 16 | encoding, the charset's name
padded with NULs to that length, SHA-1 of the decoded content (20 bytes), size
of the decoded content, lines of the content. Entry 0 of a message is its
header and text; of a multipart it cannot be fetched, and its sizes are -1.
The item starts with the table of the message as a message/rfc822.
"""

from __future__ import annotations

from struct import Struct, error
from typing import Final, NamedTuple

from libcyrus.message.body import NULL_GUID, BodyPart
from libcyrus.text import transfer

_COUNT: Final = Struct(">I")
_ENTRY: Final = Struct(">IIIII")
_TAIL: Final = Struct(">20sII")
_NO_CHARSET: Final = 0x0000FFFF
_NO_SIZE: Final = 0xFFFFFFFF
_LONGEST_NAME: Final = 0xFFFF
_FIXED: Final = _ENTRY.size + _TAIL.size

_UNFETCHABLE: Final = _ENTRY.pack(0, _NO_SIZE, 0, _NO_SIZE, _NO_CHARSET) + _TAIL.pack(NULL_GUID, 0, 0)


class Section(NamedTuple):
    """One entry: offsets and sizes in bytes from the start of the message.

    ``encoding`` is a constant of ``text.transfer``; ``charset`` is None when
    the part has none. ``fetchable`` is False for entry 0 of a multipart.
    """

    header_offset: int
    header_size: int
    content_offset: int
    content_size: int
    encoding: int
    charset: bytes | None
    content_guid: bytes
    decoded_size: int
    content_lines: int

    @property
    def fetchable(self) -> bool:
        return self.header_size != _NO_SIZE


def pack(root: BodyPart) -> bytes:
    """The section item of a message."""
    out: list[bytes] = []
    _pack_message(out, root)
    waiting = list(reversed(root.parts)) if _real_parts(root) else [root]
    while waiting:
        part = waiting.pop()
        if part.is_message:
            inner = part.parts[0]
            _pack_message(out, inner)
            waiting.extend(reversed(inner.parts) if _real_parts(inner) else [inner])
        elif _real_parts(part):
            out.append(_COUNT.pack(len(part.parts) + 1))
            out.append(_UNFETCHABLE)
            for inner in part.parts:
                out.append(_pack_entry(inner, zero_part_charset=False))
            waiting.extend(reversed(part.parts))
        else:
            out.append(_COUNT.pack(0))
    return b"".join(out)


def _real_parts(part: BodyPart) -> bool:
    """Whether the parts are those of a multipart, and not the message in a message/rfc822."""
    return bool(part.parts) and not part.is_message


def _pack_message(out: list[bytes], message: BodyPart) -> None:
    """The table of a message/rfc822 that holds ``message``."""
    multipart = _real_parts(message)
    out.append(_COUNT.pack(len(message.parts) + 1 if multipart else 2))
    out.append(
        _ENTRY.pack(
            message.header_offset,
            message.header_size,
            message.content_offset,
            message.content_size,
            _NO_CHARSET,
        )
        + _TAIL.pack(message.content_guid, message.decoded_size, message.content_lines)
    )
    if multipart:
        for part in message.parts:
            out.append(_pack_entry(part, zero_part_charset=True))
    elif message.is_multipart:
        # a multipart without parts is an empty text
        place = message.header_offset, message.header_size, message.content_offset
        out.append(_ENTRY.pack(*place, 0, _NO_CHARSET) + _TAIL.pack(NULL_GUID, 0, 0))
    else:
        out.append(_pack_entry(message, zero_part_charset=True))


def _pack_entry(part: BodyPart, *, zero_part_charset: bool) -> bytes:
    size = part.content_size
    charset: bytes | None
    if part.is_multipart and not part.parts:
        size = 0
        if not zero_part_charset:
            head = _ENTRY.pack(part.header_offset, part.header_size, part.content_offset, 0, _NO_CHARSET)
            return head + _TAIL.pack(part.content_guid, part.decoded_size, part.content_lines)
    charset = part.charset
    name = b""
    if charset is not None:
        length = (len(charset) // 4 + 1) * 4
        if length <= _LONGEST_NAME:
            name = charset.ljust(length, b"\0")
    head = _ENTRY.pack(
        part.header_offset,
        part.header_size,
        part.content_offset,
        size,
        len(name) << 16 | part.transfer_encoding,
    )
    return head + name + _TAIL.pack(part.content_guid, part.decoded_size, part.content_lines)


class Searchable(NamedTuple):
    """Where a message has what can be searched: (offset, size) of headers, and text parts.

    The message's own header comes first, unless it is empty. A text is offset, size, encoding and charset.
    """

    headers: list[tuple[int, int]]
    texts: list[tuple[int, int, int, bytes]]


def searchable(item: bytes) -> Searchable:
    """Read a whole section item. ``ValueError`` for a damaged one.

    A part of type message other than rfc822 looks like a text part here.
    """
    headers: dict[tuple[int, int], None] = {}
    texts: list[tuple[int, int, int, bytes]] = []
    at, end = 0, len(item)
    try:
        while at < end:
            count = _COUNT.unpack_from(item, at)[0]
            at += _COUNT.size
            message: tuple[int, int] | None = None
            for number in range(count):
                header_offset, header_size, offset, size, word = _ENTRY.unpack_from(item, at)
                at += _ENTRY.size
                charset = b""
                if word != _NO_CHARSET:
                    charset = item[at : at + (word >> 16)]
                    at += word >> 16
                at += _TAIL.size
                if header_size and header_size != _NO_SIZE:
                    headers[header_offset, header_size] = None
                if not number:
                    message = offset, size
                elif charset:
                    texts.append((offset, size, word & 0xFF, charset.rstrip(b"\0")))
                elif word == _NO_CHARSET:
                    # a multipart without parts is an empty text; that of a message is not empty to SEARCH
                    if count == 2 and message is not None and message[0] == offset:
                        size = message[1]
                    texts.append((offset, size, transfer.NONE, b"us-ascii"))
    except error:
        raise ValueError("section item is cut short") from None
    return Searchable(list(headers), texts)


class SectionTable:
    """Reads a section item. A damaged one raises ``ValueError``; the caller then rebuilds the cache."""

    def __init__(self, item: bytes | memoryview) -> None:
        self._item = bytes(item)

    def find(self, path: tuple[int, ...]) -> Section | None:
        """The entry of part ``path``, () being the message itself; None when there is no such part.

        A last number of 0 is the header and text of the message at the rest of
        the path, as in BODY[2.0]; a path to a message/rfc822 gives the part.
        """
        at, count = self._table(0)
        if not path:
            return self._entry(at)[0]
        entry: Section | None = None
        for depth, number in enumerate(path):
            if depth:
                at, count = self._table(at)
            if not 0 <= number < count:
                return None
            start = at
            for _ in range(number):
                start = self._entry(start)[1]
            entry = self._entry(start)[0]
            if depth == len(path) - 1:
                return entry
            if number == 0:
                return None
            for _ in range(count):
                at = self._entry(at)[1]
            for _ in range(number - 1):
                at = self._skip(at)
        return entry

    def message(self, path: tuple[int, ...]) -> Section | None:
        """Header and text of the message inside part ``path`` (() is the whole); None if it is not one."""
        entry = self.find((*path, 0)) if path else self.find(())
        return entry if entry is not None and entry.fetchable else None

    def _table(self, at: int) -> tuple[int, int]:
        """The position after the count at ``at``, and the count."""
        if at + 4 > len(self._item):
            raise ValueError("section item is cut short")
        count: int = _COUNT.unpack_from(self._item, at)[0]
        if count * _FIXED > len(self._item):
            raise ValueError("section item is damaged")
        return at + 4, count

    def _entry(self, at: int) -> tuple[Section, int]:
        item = self._item
        if at + _FIXED > len(item):
            raise ValueError("section item is cut short")
        header_offset, header_size, content_offset, content_size, word = _ENTRY.unpack_from(item, at)
        at += _ENTRY.size
        charset: bytes | None = None
        encoding = word & 0xFF
        if word != _NO_CHARSET:
            length = word >> 16
            if at + length + _TAIL.size > len(item):
                raise ValueError("section item is cut short")
            if length:
                charset = item[at : at + length].split(b"\0", 1)[0]
            at += length
        guid, decoded_size, lines = _TAIL.unpack_from(item, at)
        entry = Section(
            header_offset,
            header_size,
            content_offset,
            content_size,
            encoding,
            charset,
            guid,
            decoded_size,
            lines,
        )
        return entry, at + _TAIL.size

    def _skip(self, at: int) -> int:
        """The position after the table at ``at`` and all tables below it."""
        left = 1
        while left:
            left -= 1
            at, count = self._table(at)
            for _ in range(count):
                at = self._entry(at)[1]
            left += max(count - 1, 0)
        return at
