"""Looking for text in cache records, which have the header fields that are searched most."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from struct import Struct
from typing import Final

from libcyrus.index import contents
from libcyrus.message import nstring, search
from libcyrus.message.prune import FieldFilter
from libcyrus.search.expr import Item
from libcyrus.text.mimeheader import parse_mimeheader
from libcyrus.text.searchform import MERGESPACE, MIME_UTF8, SKIPSPACE, searchable_ascii

RecordTest = Callable[[memoryview], bool]
"""Whether a cache record has what is looked for. Patterns are in search form."""

_PLACES: Final = {Item.FROM: 5, Item.TO: 6, Item.CC: 7, Item.BCC: 8, Item.SUBJECT: 9}
_LENGTH = Struct(">I").unpack_from


def any_item_test(wanted: Sequence[tuple[Item, bytes]], flags: int) -> RecordTest:
    """A test for any of these items to contain its pattern; none is MESSAGE_ID."""
    patterns: list[list[bytes]] = [[] for _ in range(10)]
    for item, pattern in wanted:
        patterns[_PLACES[item]].append(pattern)
    last = max(place for place, some in enumerate(patterns) if some)
    steps = list(enumerate(patterns[: last + 1]))
    # the same people write again and again, and all but ASCII takes time
    known: dict[tuple[bytes, bytes], bool] = {}

    def value_contains(value: bytes, some: list[bytes]) -> bool:
        if value.isascii():
            form = searchable_ascii(value, flags)
            return any([pattern in form for pattern in some])
        for pattern in some:
            found = known.get((value, pattern))
            if found is None:
                found = known[value, pattern] = search.item_contains(value, pattern, flags)
            if found:
                return True
        return False

    def contains(record: memoryview) -> bool:
        at = 0
        for place, some in steps:
            size = _LENGTH(record, at)[0]
            if some:
                value = bytes(record[at + 4 : at + 4 + size])
                if place == 9:
                    value = value[1:-1] if value.startswith(b'"') else _nstring(value)
                elif value == b"NIL":
                    value = b""
                if value and value_contains(value, some):
                    return True
            at += 4 + (size + 3 & ~3)
        return False

    return contains


def message_id_test(pattern: bytes, flags: int) -> RecordTest:
    def contains(record: memoryview) -> bool:
        envelope = bytes(contents.item(record, contents.ENVELOPE))
        # what is nowhere in the envelope is not in its last item, which takes time to find
        if envelope.isascii() and pattern not in searchable_ascii(envelope, flags):
            return False
        try:
            value = nstring.parse_envelope(envelope).message_id
        except ValueError:
            return False
        return value is not None and search.item_contains(value, pattern, flags)

    return contains


def header_test(name: bytes, pattern: bytes, flags: int, max_lines: int) -> RecordTest:
    """For a field that is kept in the cache."""
    in_header = in_header_test(name, pattern, flags, max_lines)
    # a fold in a value is one blank less than in the header
    comparable = b" " not in pattern or flags & (MERGESPACE | SKIPSPACE)

    def contains(record: memoryview) -> bool:
        header = bytes(contents.item(record, contents.HEADERS))
        # what is nowhere in the header is not in the field, which takes time to find
        plain = comparable and header.isascii() and b"=?" not in header
        if plain and pattern not in searchable_ascii(header, flags):
            return False
        return in_header(header)

    return contains


def in_header_test(name: bytes, pattern: bytes, flags: int, max_lines: int) -> Callable[[bytes], bool]:
    """Whether a header's fields of this name contain a pattern; an empty field is as good as none."""
    fields = FieldFilter([name], max_lines=max_lines)

    def contains(header: bytes) -> bool:
        _, colon, value = fields.apply(header).partition(b":")
        if not colon:
            return False
        text = parse_mimeheader(value, utf8=bool(flags & MIME_UTF8))
        return search.item_contains(text, pattern, flags)

    return contains


def _nstring(value: bytes) -> bytes:
    try:
        return nstring.parse_nstring(value) or b""
    except ValueError:
        return b""
