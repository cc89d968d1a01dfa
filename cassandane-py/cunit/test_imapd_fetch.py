"""The grammar of FETCH (RFC 3501 sections 6.4.5 and 9)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imap.imapd.commands.fetch import FetchArgs, parse
from imap.imapd.fetch_response import FetchItems, Section
from imap.imapd.parse import Limits, ParseError, Parser
from libcyrus.errors import Fatal
from libcyrus.prot import ConnectionClosed, LineTooLong


class Source:
    """A client that has sent one line."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def readline(self, limit: int) -> bytes:
        line, newline, self.data = self.data.partition(b"\n")
        if not newline:
            raise ConnectionClosed("end of file reached")
        return line + newline

    def read(self, size: int) -> bytes:
        data, self.data = self.data[:size], self.data[size:]
        if len(data) < size:
            raise ConnectionClosed("end of file reached")
        return data

    def read_some(self, size: int) -> bytes:
        return self.read(min(size, len(self.data)))

    def unread(self, data: bytes) -> None:
        self.data = data + self.data


def parsed(text: bytes) -> FetchArgs:
    parser = Parser(Source(b" " + text + b"\r\n"), lambda: None, Limits())
    parser.next_line()
    parser.begin_arguments()
    return parse(parser)


def items(text: str) -> FetchItems:
    args = parsed(b"1:* " + text.encode("ascii"))
    assert args.sequence == "1:*"
    return args.items


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("FLAGS", {"flags"}),
        ("(flags uid)", {"flags", "uid"}),
        ("(FLAGS FLAGS)", {"flags"}),
        ("ALL", {"flags", "internaldate", "size", "envelope"}),
        ("FAST", {"flags", "internaldate", "size"}),
        ("FULL", {"flags", "internaldate", "size", "envelope", "body"}),
        ("RFC822", {"rfc822", "set_seen"}),
        ("RFC822.PEEK", {"rfc822"}),
        ("RFC822.HEADER", {"rfc822_header"}),
        ("RFC822.TEXT", {"rfc822_text", "set_seen"}),
        ("(BODY BODYSTRUCTURE)", {"body", "bodystructure"}),
    ],
)
def test_an_item_is_a_wish(text: str, names: set[str]) -> None:
    expected = FetchItems()
    for name in names:
        setattr(expected, name, True)
    assert items(text) == expected


@pytest.mark.parametrize(
    ("text", "section", "set_seen"),
    [
        ("BODY[]", Section(b"BODY[]", (), ""), True),
        ("BODY.PEEK[]", Section(b"BODY[]", (), ""), False),
        ("body.peek[header]", Section(b"BODY[HEADER]", (), "HEADER"), False),
        ("BODY.PEEK[TEXT]", Section(b"BODY[TEXT]", (), "TEXT"), False),
        ("BODY.PEEK[1.2]", Section(b"BODY[1.2]", (1, 2), ""), False),
        ("BODY.PEEK[1.MIME]", Section(b"BODY[1.MIME]", (1,), "MIME"), False),
        ("BODY.PEEK[1.2.HEADER]", Section(b"BODY[1.2.HEADER]", (1, 2), "HEADER"), False),
        ("BODY.PEEK[]<5.10>", Section(b"BODY[]<5>", (), "", 5, 10), False),
        ("BODY[TEXT]<0.1>", Section(b"BODY[TEXT]<0>", (), "TEXT", 0, 1), True),
    ],
)
def test_a_section_is_a_path_and_a_kind(text: str, section: Section, set_seen: bool) -> None:
    assert items(text) == FetchItems(sections=[section], set_seen=set_seen)


@pytest.mark.parametrize(
    ("text", "section"),
    [
        (
            'BODY.PEEK[HEADER.FIELDS (from "To")]',
            Section(b"HEADER.FIELDS", (), "FIELDS", 0, 0, (b"from", b"To"), False, b"]"),
        ),
        (
            "BODY.PEEK[1.HEADER.FIELDS.NOT (X)]<2.3>",
            Section(b"1.HEADER.FIELDS.NOT", (1,), "FIELDS", 2, 3, (b"X",), True, b"]<2>"),
        ),
    ],
)
def test_header_fields_have_names(text: str, section: Section) -> None:
    assert items(text) == FetchItems(field_sections=[section])


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (b"1", "Missing required argument to {command}"),
        (b"x FLAGS", "Invalid sequence in {command}"),
        (b"1 FOO", "Invalid {full} attribute FOO"),
        (b"1 (ALL)", "Invalid {full} attribute ALL"),
        (b"1 ()", "Invalid {full} attribute "),
        (b"1 (FLAGS", "Missing close parenthesis in {full}"),
        (b"1 FLAGS)", "Unexpected extra arguments to {full}"),
        (b"1 FLAGS x", "Missing required open parenthesis in {full} modifiers"),
        (b"1 FLAGS (X)", "Invalid {full} modifier X"),
        (b"1 BODY[MIME]", "Invalid body section"),
        (b"1 BODY[01]", "Invalid body section"),
        (b"1 BODY[]<1>", "Invalid body partial"),
        (b"1 BODY[]<1.0>", "Invalid body partial"),
        (b"1 BODY[]x", "Junk after body section"),
    ],
)
def test_what_is_wrong_is_said(text: bytes, complaint: str) -> None:
    with pytest.raises(ParseError) as caught:
        parsed(text)
    assert caught.value.text == complaint


_PIECES = st.sampled_from(
    b'BODY BODY.PEEK [ ] < > HEADER .FIELDS .NOT TEXT MIME 1 2 . 0 ( ) FLAGS UID From " 5.10 ALL'.split()
    + [b" "]
)


@given(st.lists(_PIECES, max_size=25).map(b"".join) | st.binary(max_size=40))
@settings(max_examples=400, deadline=None)
def test_anything_is_a_fetch_or_refused(data: bytes) -> None:
    try:
        args = parsed(b"1 " + data)
    except (ParseError, Fatal, ConnectionClosed, LineTooLong):
        return
    assert isinstance(args, FetchArgs)
