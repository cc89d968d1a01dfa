"""Looking for text in cache records, which have the header fields that are searched most."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from struct import Struct
from typing import Final

from libcyrus.base.numbers import hundredths
from libcyrus.index import contents
from libcyrus.message import bodystructure, nstring, search
from libcyrus.message.prune import FieldFilter
from libcyrus.search.expr import Item
from libcyrus.text.mimeheader import decode_mimeheader, parse_mimeheader, parse_mimexvalue
from libcyrus.text.searchform import (
    ESCAPEHTML,
    KEEPCASE,
    MERGESPACE,
    MIME_UTF8,
    SKIPSPACE,
    searchable_ascii,
)

RecordTest = Callable[[memoryview], bool]
"""Whether a cache record has what is looked for. Patterns are in search form."""

HeaderTest = Callable[[bytes], bool]
"""The same of a header, or of fields of it."""

_PLACES: Final = {Item.FROM: 5, Item.TO: 6, Item.CC: 7, Item.BCC: 8, Item.SUBJECT: 9}
LIST_FIELDS: Final = (b"list-id", b"mailing-list")
SCORE_FIELD: Final = b"x-spam-score"
_SCORE_FIELD: Final = FieldFilter([SCORE_FIELD])
_RUN: Final = re.compile(rb"[A-Za-z0-9]+")
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

    runs = _needed_runs(patterns[9], flags) if not any(patterns[:9]) else []

    def contains(record: memoryview) -> bool:
        if runs:
            # the subject is the last item, but it is also in the first, which is at hand
            subject = _quoted_subject(record)
            if subject is not None and not any([run in subject for run in runs]):
                return False
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


def _quoted_subject(record: memoryview) -> bytes | None:
    """The subject in the envelope, in lower case, if it is plain text with nothing to decode."""
    envelope = bytes(contents.item(record, contents.ENVELOPE))
    end_of_date = envelope.find(b'"', 2)
    if not envelope.startswith(b'" "', end_of_date) or not envelope.startswith(b'("'):
        return None
    subject = envelope[end_of_date + 3 : envelope.find(b'"', end_of_date + 3)]
    if b"=?" in subject or b"\0" in subject or not subject.isascii():
        return None
    return subject.lower()


def _needed_runs(patterns: Sequence[bytes], flags: int) -> list[bytes]:
    """For each pattern some letters or digits, in lower case, that plain text must have to contain it.

    Empty when there is no such word for one of them, or words of the text may melt together.
    """
    if flags & (SKIPSPACE | KEEPCASE | ESCAPEHTML):
        return []
    runs = [max(_RUN.findall(pattern), key=len, default=b"").lower() for pattern in patterns]
    return runs if all(runs) else []


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


def in_header_test(name: bytes, pattern: bytes, flags: int, max_lines: int) -> HeaderTest:
    """Whether a header's fields of this name contain a pattern; an empty field is as good as none."""
    fields = FieldFilter([name], max_lines=max_lines)

    def contains(header: bytes) -> bool:
        _, colon, value = fields.apply(header).partition(b":")
        if not colon:
            return False
        text = parse_mimeheader(value, utf8=bool(flags & MIME_UTF8))
        return search.item_contains(text, pattern, flags)

    return contains


def list_id_in_header_test(pattern: bytes, flags: int, max_lines: int) -> HeaderTest:
    """Either field of mailing lists contains the pattern, as it is in the header; an empty one is in all."""
    fields = [FieldFilter([name], max_lines=max_lines) for name in LIST_FIELDS]

    def contains(header: bytes) -> bool:
        if not pattern:
            return True
        values = (_raw_value(field, header) for field in fields)
        return any(search.item_contains(value, pattern, flags) for value in values)

    return contains


def delivered_to_in_header_test(pattern: bytes, flags: int, max_lines: int) -> HeaderTest:
    """The first of the fields that is there contains the pattern, as it is in the header."""
    fields = [
        FieldFilter([name], max_lines=max_lines) for name in (b"x-original-delivered-to", b"x-delivered-to")
    ]

    def contains(header: bytes) -> bool:
        value = next(filter(None, (_raw_value(field, header) for field in fields)), b"")
        return search.item_contains(value, pattern, flags)

    return contains


def spam_score_in_header_test(low: int | None, high: int | None) -> HeaderTest:
    """Limits are in hundredths. A negative one is above all scores."""

    def matches(header: bytes) -> bool:
        score = spam_score(header)
        if low is not None and not 0 <= low <= score:
            return False
        return high is None or high < 0 or score < high

    return matches


def spam_score(header: bytes) -> int:
    """In hundredths of a point; to the original, negative scores are greater than all others."""
    return hundredths(os.fsdecode(_raw_value(_SCORE_FIELD, header))) & 0xFFFFFFFF


def on_headers(test: HeaderTest) -> RecordTest:
    """A test of the fields that the cache record has."""
    return lambda record: test(bytes(contents.item(record, contents.HEADERS)))


def content_type_test(pattern: bytes, flags: int) -> RecordTest:
    def contains(record: memoryview) -> bool:
        item = bytes(contents.item(record, contents.BODYSTRUCTURE))
        # the type of multiparts goes without saying
        form = searchable_ascii(item, flags) + b" MULTIPART" if item.isascii() else None
        # what is nowhere in the item is no part's type, which takes time to find
        if form is not None and not all(piece in form for piece in pattern.split(b"/")):
            return False
        try:
            return any(
                search.item_contains(name, pattern, flags)
                for part in bodystructure.parts(item)
                for name in (part.type, part.subtype, b"%b/%b" % (part.type, part.subtype))
            )
        except ValueError:
            return False

    return contains


def attachment_name_test(pattern: bytes, flags: int) -> RecordTest:
    def contains(record: memoryview) -> bool:
        item = bytes(contents.item(record, contents.BODYSTRUCTURE))
        if b"NAME" not in item.upper():
            return False
        try:
            return any(pattern in name for part in bodystructure.parts(item) for name in _names(part, flags))
        except ValueError:
            return False

    return contains


def _names(part: bodystructure.Part, flags: int) -> Iterator[bytes]:
    """The names of a part, in search form."""
    if part.disposition.upper() == b"ATTACHMENT":
        for name, value in part.disposition_params:
            if name == b"FILENAME":
                yield decode_mimeheader(value, flags)
            elif name == b"FILENAME*":
                extended = parse_mimexvalue(value)
                yield decode_mimeheader(value if extended is None else extended, flags | MIME_UTF8)
    for name, value in part.params:
        if name == b"NAME":
            yield decode_mimeheader(value, flags)


def _raw_value(field: FieldFilter, header: bytes) -> bytes:
    return field.apply(header).partition(b":")[2]


def _nstring(value: bytes) -> bytes:
    try:
        return nstring.parse_nstring(value) or b""
    except ValueError:
        return b""
