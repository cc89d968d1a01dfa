"""The grammar of SEARCH (RFC 3501 section 6.4.4, RFC 4731): what a client writes becomes this tree."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imap.imapd.commands.search import parse
from imap.imapd.parse import Limits, ParseError, Parser
from imap.imapd.response import No
from imap.imapd.search_program import Return, SearchArgs
from libcyrus.errors import Fatal
from libcyrus.prot import ConnectionClosed, LineTooLong
from libcyrus.search.expr import (
    MAX_DEPTH,
    All,
    And,
    Between,
    Contains,
    ConversationFlag,
    ConversationModseq,
    Expr,
    Flag,
    Fuzzy,
    HasFlag,
    Header,
    InFolder,
    Item,
    Keyword,
    Not,
    Number,
    Or,
    Sequence,
    SpamScore,
    Text,
    depth,
)

SEEN, DRAFT, DELETED = HasFlag(Flag.SEEN), HasFlag(Flag.DRAFT), HasFlag(Flag.DELETED)


class Source:
    """A client that has sent all its octets."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def readline(self, limit: int) -> bytes:
        line, newline, rest = self.data.partition(b"\n")
        if not newline:
            raise ConnectionClosed("end of file reached")
        if len(line) >= limit:
            raise LineTooLong("line too long")
        self.data = rest
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


def parsed(text: str | bytes, limits: Limits | None = None) -> SearchArgs | No:
    data = text.encode("ascii") if isinstance(text, str) else text
    parser = Parser(Source(b" " + data + b"\r\n"), lambda: None, limits or Limits())
    parser.next_line()
    parser.begin_arguments()
    return parse(parser)


def program(text: str | bytes) -> Expr:
    args = parsed(text)
    assert isinstance(args, SearchArgs)
    return args.program


def day(year: int, month: int, number: int) -> int:
    return int(time.mktime((year, month, number, 0, 0, 0, 0, 0, -1)))


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("ALL", All()),
        ("all", All()),
        ("SEEN", SEEN),
        ("UNSEEN", Not(SEEN)),
        ("NEW", And((HasFlag(Flag.RECENT), Not(SEEN)))),
        ("OLD", Not(HasFlag(Flag.RECENT))),
        ("SEEN DRAFT", And((SEEN, DRAFT))),
        ("(SEEN DRAFT)", And((SEEN, DRAFT))),
        ("((SEEN) (DRAFT (DELETED)))", And((SEEN, DRAFT, DELETED))),
        ("NOT SEEN", Not(SEEN)),
        ("NOT NOT SEEN", SEEN),
        ("NOT (SEEN DRAFT)", Not(And((SEEN, DRAFT)))),
        ("OR SEEN DRAFT DELETED", And((Or((SEEN, DRAFT)), DELETED))),
        ("OR (SEEN DRAFT) DELETED", Or((And((SEEN, DRAFT)), DELETED))),
        ("OR OR SEEN DRAFT DELETED", Or((SEEN, DRAFT, DELETED))),
        ("NOT OR SEEN DRAFT", Not(Or((SEEN, DRAFT)))),
        ("OR NOT SEEN NOT DRAFT", Or((Not(SEEN), Not(DRAFT)))),
        ("1:3,*", Sequence("1:3,*", by_uid=False)),
        ("*", Sequence("*", by_uid=False)),
        ("UID 5:*", Sequence("5:*", by_uid=True)),
        ("KEYWORD $X", Keyword("$X")),
        ("UNKEYWORD $X", Not(Keyword("$X"))),
        ("FROM bob", Contains(Item.FROM, "bob")),
        ('SUBJECT "two words"', Contains(Item.SUBJECT, "two words")),
        (b"TO {3+}\r\nbob", Contains(Item.TO, "bob")),
        ("HEADER X-Spam yes", Header(b"x-spam", "yes")),
        ("HEADER From bob", Contains(Item.FROM, "bob", exact=True)),
        ("HEADER Message-ID x", Contains(Item.MESSAGE_ID, "x", exact=True)),
        ("FUZZY SUBJECT x", Fuzzy(Contains(Item.SUBJECT, "x"))),
        ("FUZZY (SEEN BODY x)", Fuzzy(And((SEEN, Text("x", body_only=True))))),
        ("NOT FUZZY OR SEEN DRAFT", Not(Fuzzy(Or((SEEN, DRAFT))))),
        ("SPAMABOVE 1.5", SpamScore(low=150)),
        ("SPAMBELOW -2", SpamScore(high=-199)),
        ('SPAMBELOW "1e99 or so"', SpamScore(high=-(1 << 31))),
        ("FOLDER INBOX", InFolder("INBOX")),
        ("XLISTID x", Contains(Item.LIST_ID, "x")),
        ("XCONTENTTYPE text/plain", Contains(Item.CONTENT_TYPE, "text/plain")),
        ("XATTACHMENTNAME x", Contains(Item.ATTACHMENT_NAME, "x")),
        ("XATTACHMENTBODY x", Text("x", body_only=False)),
        ("DELIVEREDTO x", Contains(Item.DELIVERED_TO, "x")),
        ("BODY x", Text("x", body_only=True)),
        ("TEXT x", Text("x", body_only=False)),
        ("LARGER 100", Between(Number.SIZE, low=101)),
        ("SMALLER 100", Between(Number.SIZE, high=100)),
        ("SINCE 3-Feb-2020", Between(Number.INTERNALDATE, low=day(2020, 2, 3))),
        ('BEFORE "03-feb-2020"', Between(Number.INTERNALDATE, high=day(2020, 2, 3))),
        ("ON 3-Feb-20", Between(Number.INTERNALDATE, day(1920, 2, 3), day(1920, 2, 4))),
        ("SENTON 31-Feb-2020", Between(Number.SENTDATE, day(2020, 3, 2), day(2020, 3, 3))),
        (b"CHARSET UTF-8 FROM {2+}\r\n\xc3\xa4", Contains(Item.FROM, "ä")),
        (b"CHARSET KOI8-R FROM {1+}\r\n\xc1", Contains(Item.FROM, "а")),
        (b"FROM {1+}\r\n\xc1", Contains(Item.FROM, "\ufffd")),
    ],
)
def test_a_program_is_read_as_it_is_meant(text: str | bytes, tree: Expr) -> None:
    assert program(text) == tree


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        (r"CONVFLAG \Flagged", ConversationFlag(r"\flagged")),
        ("CONVSEEN", ConversationFlag(r"\seen")),
        ("CONVREAD", ConversationFlag(r"\seen")),
        ("CONVUNSEEN", Not(ConversationFlag(r"\seen", on_all=True))),
        ("CONVUNREAD", Not(ConversationFlag(r"\seen", on_all=True))),
        ("CONVMODSEQ 5", ConversationModseq(5)),
    ],
)
def test_keys_of_conversations_are_known_only_where_there_are_any(text: str, tree: Expr) -> None:
    args = parsed(text, Limits(conversations=True))
    assert isinstance(args, SearchArgs)
    assert args.program == tree
    with pytest.raises(ParseError, match="Invalid Search criteria"):
        parsed(text)


@pytest.mark.parametrize(
    ("text", "returns"),
    [
        ("ALL", Return.NONE),
        ("RETURN () ALL", Return.ALL),
        ("RETURN (MIN max) ALL", Return.MIN | Return.MAX),
        ("RETURN (COUNT) CHARSET utf-8 ALL", Return.COUNT),
    ],
)
def test_return_options_come_first(text: str, returns: Return) -> None:
    args = parsed(text)
    assert isinstance(args, SearchArgs)
    assert (args.returns, args.program) == (returns, All())


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "Invalid Search criteria"),
        ("MODSEQ x", "Invalid number in Search command"),
        ("ALL CHARSET utf-8", "Invalid Search criteria"),
        ("CHARSET utf-8 RETURN (MIN) ALL", "Invalid Search criteria"),
        ("NOT CHARSET utf-8 ALL", "Invalid Search criteria"),
        ("OR RETURN (MIN) ALL", "Invalid Search criteria"),
        ("OR SEEN", "Missing required argument to Search seen"),
        ("NOT", "Missing required argument to Search not"),
        ("FROM", "Missing required argument to Search from"),
        ("(SEEN", "Missing required close paren in Search command"),
        ("SEEN)", "Unexpected extra arguments to Search"),
        ("KEYWORD \\Seen", "Invalid flag name \\Seen in Search command"),
        ("LARGER x", "Invalid number in Search command"),
        ("ON 1-Foo-2020", "Invalid date in Search command"),
        ('ON "1-Jan-2020', "Invalid date in Search command"),
        ("CHARSET nosuch ALL", "Unrecognized character set"),
        ("CHARSET utf-8", "Missing charset"),
        ("RETURN MIN ALL", "Missing return options in Search"),
        ("RETURN (FOO) ALL", "Invalid Search return option foo"),
        ("RETURN (MIN ALL", "Missing close parenthesis in Search"),
    ],
)
def test_what_is_wrong_is_said(text: str, complaint: str) -> None:
    with pytest.raises(ParseError) as caught:
        parsed(text)
    assert caught.value.text == complaint


def test_a_literal_that_is_too_large_is_refused_by_name() -> None:
    refusal = parsed(b"FROM {100}", Limits(literal=10))
    assert refusal == No("[TOOBIG] Literal size exceeds fixed limit in Search")


def test_a_number_too_big_ends_the_connection() -> None:
    with pytest.raises(Fatal):
        parsed("LARGER 2147483648")


def test_a_chain_of_or_is_wide_and_not_deep() -> None:
    """Clients that look for many messages at once write it."""
    count = 3000
    tree = program("OR SEEN " * count + "DRAFT")
    assert isinstance(tree, Or) and len(tree.children) == count + 1
    tree = program("OR " * count + "SEEN " * count + "DRAFT")
    assert isinstance(tree, Or) and len(tree.children) == count + 1
    tree = program("OR SEEN (" * count + "DRAFT" + ")" * count)
    assert isinstance(tree, Or) and depth(tree) == 2


def test_parentheses_may_be_many() -> None:
    assert program("(" * 9000 + "SEEN" + ")" * 9000) == SEEN


@pytest.mark.parametrize(
    "text", ["NOT OR DRAFT (SEEN " * MAX_DEPTH + "SEEN" + ")" * MAX_DEPTH, "SEEN " * 30000, "(" * 30000]
)
def test_what_would_take_too_much_is_refused(text: str) -> None:
    with pytest.raises(ParseError):
        program(text.strip())


_WORDS = st.sampled_from(
    "ALL SEEN NOT OR ( ) FROM BODY x RETURN MIN CHARSET utf-8 UID 1:* ON 1-Jan-2020 HEADER KEYWORD".split()
)


@given(st.lists(_WORDS, max_size=30).map(" ".join).map(str.encode) | st.binary(max_size=60))
@settings(max_examples=400, deadline=None)
def test_anything_is_a_program_or_refused(data: bytes) -> None:
    try:
        args = parsed(data)
    except (ParseError, Fatal, ConnectionClosed, LineTooLong):
        return
    assert isinstance(args, SearchArgs | No)
