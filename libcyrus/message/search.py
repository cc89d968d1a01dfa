"""Find text in messages and in cache items, by the canonical form of ``text.searchform``.

Where the original stops reading before the last bytes of a part (a part in a
charset other than ASCII and UTF-8, a last line without a line end in
quoted-printable), it misses matches that are found here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from libcyrus.message.options import DEFAULT, ParseOptions
from libcyrus.message.parser import Parser, Source, walk
from libcyrus.message.section import Searchable
from libcyrus.text import charset, searchform, transfer
from libcyrus.text.mimeheader import decode_mimeheader, parse_mimeheader
from libcyrus.text.searchform import KEEPCASE, MERGESPACE, MIME_UTF8

_KEEP_ASCII: Final = (charset.US_ASCII, charset.UTF_8)
_PIECE: Final = 1024 * 1024
"""Bytes of text brought into search form at a time."""


def pattern(text: bytes, charset_name: bytes, flags: int) -> bytes | None:
    """What to look for, from a search key in the charset it came in; None if that charset is unknown."""
    found = charset.lookup(charset_name)
    if found is None:
        return None
    kept = searchform.to_form(found.decode(text), flags | KEEPCASE)
    return searchform.searchable(kept, flags)


def item_contains(item: bytes | memoryview, wanted: bytes, flags: int) -> bool:
    """Whether decoded text in UTF-8, such as the cache's from item, contains ``wanted``.

    Empty text contains nothing, not even nothing.
    """
    text = bytes(item)
    if not text:
        return False
    flags = _needed(flags, wanted)
    if text.isascii():
        return wanted.isascii() and wanted in searchform.searchable_ascii(text, flags)
    return wanted in searchform.searchable(charset.decode_utf8(text), flags)


def fields_contain(fields: bytes, wanted: bytes, flags: int) -> bool:
    """Whether the values of header fields, as they are in the header, contain ``wanted``.

    An empty ``wanted`` is in any field there is.
    """
    _, colon, value = fields.partition(b":")
    if not colon:
        return False
    return not wanted or item_contains(parse_mimeheader(value, utf8=bool(flags & MIME_UTF8)), wanted, flags)


def message_contains(
    data: Source, wanted: bytes, flags: int, *, body_only: bool = False, options: ParseOptions = DEFAULT
) -> bool:
    """Whether any header or text part of the message contains ``wanted``.

    ``body_only`` leaves out the message's own header, but not those of its
    parts. Parts other than text/* are not read.
    """
    flags = _needed(flags, wanted)
    parser = Parser(data, options, digest=False)
    root = parser.run()
    whole = parser.data
    messages = {id(root)}
    for part in walk(root):
        if part.is_message:
            messages.update(map(id, part.parts))
        start = part.header_offset
        if part.header_size and not (body_only and part is root) and wanted:
            header = whole[start : start + part.header_size]
            if wanted in decode_mimeheader(header, flags):
                return True
        name = part.charset
        size = part.content_size
        if part.is_multipart and not part.parts:
            # the original makes an empty text of it, but looks at all that is there in a whole message
            name = charset.US_ASCII.encode("ascii")
            size = size if id(part) in messages else 0
        elif part.type != b"TEXT":
            continue
        if not wanted:
            return True
        start = part.content_offset
        content = whole[start : start + size]
        if _part_contains(content, wanted, flags, part.transfer_encoding, name):
            return True
    return False


def stored_contains(
    data: bytes, places: Searchable, wanted: bytes, flags: int, *, body_only: bool = False
) -> bool:
    """As ``message_contains`` for a message whose parts are known from its cache record."""
    if not wanted:
        return bool(places.texts)
    flags = _needed(flags, wanted)
    for offset, size in places.headers[1:] if body_only else places.headers:
        if wanted in decode_mimeheader(data[offset : offset + size], flags):
            return True
    return any(
        _part_contains(data[offset : offset + size], wanted, flags, encoding, name)
        for offset, size, encoding, name in places.texts
    )


def _needed(flags: int, wanted: bytes) -> int:
    """The flags without those that make no difference to where ``wanted`` is found.

    Spaces that are merged may have had characters between them, but no ASCII.
    """
    return flags & ~MERGESPACE if wanted.isascii() and b" " not in wanted else flags


def _part_contains(content: bytes, wanted: bytes, flags: int, encoding: int, name: bytes | None) -> bool:
    found = None if name is None else charset.lookup(name)
    decoded = transfer.decode(content, encoding)
    if found is None or decoded is None:
        return False
    text = bytes(decoded)
    if found.canonical in _KEEP_ASCII and not wanted.isascii() and text.isascii():
        return False
    before = b""
    for piece in _pieces(text, whole=found.canonical.upper().startswith(("UTF-16", "UTF-32"))):
        if found.canonical in _KEEP_ASCII and piece.isascii():
            form = searchform.searchable_ascii(piece, flags)
        else:
            form = searchform.searchable(found.decode(piece), flags)
        if before.endswith(b" ") and flags & MERGESPACE and form.startswith(b" "):
            form = form[1:]
        form = before + form
        if wanted in form:
            return True
        before = form[-len(wanted) :]
    return False


def _pieces(text: bytes, *, whole: bool) -> Iterator[bytes]:
    """A long text in pieces that end with a line, since its form takes many times its own memory."""
    start = 0
    while not whole and len(text) - start > 2 * _PIECE:
        end = text.find(b"\n", start + _PIECE) + 1
        if not end:
            break
        yield text[start:end]
        start = end
    yield text[start:] if start else text
