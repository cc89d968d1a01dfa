"""What a stored message and its cache record answer: sections, envelope, fields, text, dates."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libcyrus import message
from libcyrus.message import ParseOptions, cached_headers, dates, nstring, search
from libcyrus.message.prune import FieldFilter
from libcyrus.message.section import SectionTable
from libcyrus.text import searchform, transfer
from libcyrus.text.addresses import Address

TEXT = (
    b"From: Joe <joe@example.com>\r\nSubject: =?utf-8?q?h=C3=A9llo?=\r\n"
    b"Date: Fri, 6 Nov 2020 10:00:00 +0100\r\n"
    b"To: g: a@b;\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\npreamble\r\n"
    b"--b\r\nContent-Type: text/plain; charset=iso-8859-1\r\n\r\nfirst caf\xe9\r\n"
    b"--b\r\nContent-Type: message/rfc822\r\n\r\n"
    b"Subject: inner\r\nContent-Type: multipart/alternative; boundary=c\r\n\r\n"
    b"--c\r\n\r\ninner one\r\n--c\r\nContent-Transfer-Encoding: base64\r\n\r\naW5uZXIgdHdv\r\n--c--\r\n"
    b"--b\r\nContent-Type: application/x\r\n\r\nbinary\r\n--b--\r\n"
)
SINGLE = b"Subject: x\r\n\r\nbody\r\n"
NESTED = b"Content-Type: message/rfc822\r\n\r\n" + SINGLE


def table(text: bytes) -> SectionTable:
    return SectionTable(message.parse(text).cache_items().section)


def content(text: bytes, *path: int) -> bytes | None:
    found = table(text).find(path)
    return None if found is None else text[found.content_offset : found.content_offset + found.content_size]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ((1,), b"first caf\xe9"),
        ((2, 1), b"inner one"),
        ((2, 2), b"aW5uZXIgdHdv"),
        ((3,), b"binary"),
        ((4,), None),
        ((1, 1), None),
        ((2, 3), None),
        ((2, 1, 1), None),
        ((1, 0), None),
        ((2, 0, 1), None),
    ],
)
def test_section_content(path: tuple[int, ...], expected: bytes | None) -> None:
    assert content(TEXT, *path) == expected


def test_sections_of_messages() -> None:
    sections = table(TEXT)
    whole = sections.message(())
    inner = sections.message((2,))
    assert whole is not None and inner is not None
    assert TEXT[: whole.header_size].endswith(b"boundary=b\r\n\r\n")
    assert TEXT[inner.header_offset :][: inner.header_size].startswith(b"Subject: inner\r\n")
    assert TEXT[inner.content_offset :].startswith(b"--c\r\n")
    assert sections.message((1,)) is None
    part = sections.find((2,))
    assert part is not None
    assert TEXT[part.header_offset :].startswith(b"Content-Type: message/rfc822\r\n\r\nSubject: inner")


def test_sections_know_charset_and_encoding() -> None:
    sections = table(TEXT)
    first, second, third = sections.find((1,)), sections.find((2, 2)), sections.find((3,))
    assert first is not None and second is not None and third is not None
    assert (first.charset, first.encoding) == (b"iso-8859-1", transfer.NONE)
    assert (second.charset, second.encoding, second.decoded_size) == (b"us-ascii", transfer.BASE64, 9)
    assert third.charset is None


@pytest.mark.parametrize(
    ("text", "path", "body"), [(SINGLE, (1,), b"body\r\n"), (NESTED, (1, 1), b"body\r\n")]
)
def test_a_single_part_is_part_1(text: bytes, path: tuple[int, ...], body: bytes) -> None:
    assert content(text, *path) == body


def test_damaged_section_items_are_noticed() -> None:
    item = bytes(message.parse(TEXT).cache_items().section)
    for end in range(len(item)):
        try:
            SectionTable(item[:end]).find((3,))
        except ValueError:
            continue
        assert end > len(item) // 2
    with pytest.raises(ValueError):
        SectionTable(b"\xff" * 100).find((1,))


@settings(deadline=None)
@given(st.binary(max_size=200), st.lists(st.integers(0, 3), max_size=4).map(tuple))
def test_no_section_item_does_more_than_fail(item: bytes, path: tuple[int, ...]) -> None:
    try:
        SectionTable(item).find(path)
    except ValueError:
        pass


def test_envelope_reads_back() -> None:
    found = nstring.parse_envelope(message.parse(TEXT).cache_items().envelope)
    assert found.date == b"Fri, 6 Nov 2020 10:00:00 +0100"
    assert found.subject == b"=?utf-8?q?h=C3=A9llo?="
    assert found.from_ == found.sender == found.reply_to == [Address(b"Joe", None, b"joe", b"example.com")]
    group = Address(None, None, b"g", None)
    assert found.to == [group, Address(None, None, b"a", b"b"), Address(None, None, None, None)]
    assert (found.cc, found.message_id) == ([], None)


def test_literals_read_back() -> None:
    text = b'Subject: a "quoted" \xe9 ' + b"x" * 2000 + b'\r\nFrom: "a\\\\b" <c@d>\r\n\r\n'
    items = message.parse(text).cache_items()
    found = nstring.parse_envelope(items.envelope)
    assert found.subject is not None and found.subject.endswith(b"x" * 2000)
    assert found.from_ == [Address(b"a\\b", None, b"c", b"d")]
    subject = nstring.parse_nstring(items.subject)
    assert subject is not None and subject.startswith('a "quoted" \ufffd'.encode())
    assert nstring.parse_nstring(b"NIL") is None


@settings(deadline=None)
@given(
    st.lists(st.sampled_from([b"(", b")", b"NIL", b" ", b'"x"', b"{1}\r\n", b"{9}\r\n", b"y"])).map(b"".join)
)
def test_no_envelope_item_does_more_than_fail(item: bytes) -> None:
    for parse in (nstring.parse_envelope, nstring.parse_nstring):
        try:
            parse(item)
        except ValueError:
            pass


HEADER = b"From: a\r\nTo: b\r\n c\r\nSUBJECT: d\r\nno colon\r\nTo: e\r\nX-Y: f\r\n\r\nbody: g\r\n"


@pytest.mark.parametrize(
    ("names", "inverted", "kept"),
    [
        ([b"to"], False, b"To: b\r\n c\r\nTo: e\r\n"),
        ([b"Subject", b"FROM"], False, b"From: a\r\nSUBJECT: d\r\n"),
        ([b"body", b"t", b"to: b"], False, b""),
        ([b"to", b"from"], True, b"SUBJECT: d\r\nno colon\r\nX-Y: f\r\n"),
    ],
)
def test_fields_are_picked(names: list[bytes], inverted: bool, kept: bytes) -> None:
    assert FieldFilter(names, inverted=inverted).apply(HEADER) == kept


FLAGS = searchform.SKIPDIACRIT | searchform.MERGESPACE


@pytest.mark.parametrize(
    ("wanted", "anywhere", "in_body"),
    [
        (b"hello", True, False),
        (b"FIRST  cafe", True, True),
        (b"inner two", True, True),
        (b"subject: inner", True, True),
        (b"binary", False, False),
        (b"preamble", False, False),
        (b"", True, True),
    ],
)
def test_text_is_found(wanted: bytes, anywhere: bool, in_body: bool) -> None:
    pattern = search.pattern(wanted, b"utf-8", FLAGS)
    assert pattern is not None
    assert search.message_contains(TEXT, pattern, FLAGS) == anywhere
    assert search.message_contains(TEXT, pattern, FLAGS, body_only=True) == in_body


def test_patterns_come_in_any_charset() -> None:
    assert search.pattern(b"caf\xe9", b"iso-8859-1", FLAGS) == b"CAFE"
    assert search.pattern("café".encode(), b"utf-8", 0) == "CAFE\u0301".encode()
    assert search.pattern(b"x", b"nosuch", FLAGS) is None


def test_items_and_fields_are_searched() -> None:
    assert search.item_contains("Joe Ü <a@b>".encode(), b"JOE U", FLAGS)
    assert not search.item_contains(b"", b"", FLAGS)
    assert search.fields_contain(b"X: =?utf-8?q?=C3=9C?=\r\n y\r\n", b"U Y", FLAGS)
    assert search.fields_contain(b"X:\r\n", b"", FLAGS)
    assert not search.fields_contain(b"", b"", FLAGS)


@pytest.mark.parametrize(
    ("name", "version"),
    [
        (b"List-Id", 1),
        (b"References", 0),
        (b"X-Mailer", 1),
        (b"x-priority", 2),
        (b"X-Other", cached_headers.NEVER),
        (b"Subject", cached_headers.NEVER),
        (b"a" * 31, 1),
        (b"a" * 32, cached_headers.NEVER),
    ],
)
def test_cached_fields(name: bytes, version: int) -> None:
    assert cached_headers.min_version(name) == version


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("berlin")
def test_dates_are_those_of_the_index_record() -> None:
    date = b"Fri, 6 Nov 2020 10:00:00 -0500"
    assert dates.sent_time(date) == 1604674800
    assert dates.sent_day(date) == 1604617200
    assert (dates.sent_time(None), dates.sent_day(b"6 Foo 2020")) == (0, 0)


def test_options_bound_the_work() -> None:
    header = b"X-Mailer: 1\r\nX-Mailer: 2\r\nX-Mailer: 3\r\nSubject: x\r\n\r\n"
    cut = message.parse(header, ParseOptions(max_header_lines=1))
    assert (cut.cached_headers, cut.subject) == (b"X-Mailer: 1\r\nX-Mailer: 2\r\n", None)
    assert cut.notices("7.") == ["ERROR: message (7.) has more than 1 header lines not caching any more"]
    whole = message.parse(header, ParseOptions(max_header_lines=0))
    assert (whole.subject, whole.notices("7.")) == (b"x", [])
    mixed = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nx\r\n" * 50
    assert len(message.parse(mixed, ParseOptions(part_limit=10)).body.parts) == 9
    assert len(message.parse(mixed).body.parts) == 50
    shallow = message.parse(mixed, ParseOptions(boundary_limit=1))
    assert shallow.body.parts == []
    assert shallow.notices("7.") == ["ERROR: mime boundary limit 1 exceeded, not parsing anymore (7.)"]


def test_boundaries_may_be_read_strictly() -> None:
    text = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--bc\r\n\r\nx\r\n--b\r\n\r\ny\r\n--b--\r\n"
    assert len(message.parse(text).body.parts) == 1
    assert len(message.parse(text, ParseOptions(strict_boundaries=True)).body.parts) == 2


def test_raw_headers_may_be_utf8() -> None:
    text = "Subject: é\r\n\r\n".encode()
    assert message.parse(text, ParseOptions(utf8_headers=True)).cache_items().subject == b"{2}\r\n\xc3\xa9"
    assert message.parse(text).cache_items().subject == "{6}\r\n\ufffd\ufffd".encode()
