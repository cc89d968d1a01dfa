"""The IMAP grammar: every element whole, behind literals, wrong, too long, and on any octets at all."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imap.imapd.parse import (
    ExtraArguments,
    InvalidSequence,
    Limits,
    LiteralTooLarge,
    MessageLiteral,
    MissingArgument,
    ParseError,
    Parser,
    is_atom,
    is_sequence,
)
from libcyrus.errors import Fatal
from libcyrus.prot import ConnectionClosed, LineTooLong


class Source:
    """A client that has sent all its octets and then gone away."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def readline(self, limit: int) -> bytes:
        end = self.data.find(b"\n") + 1
        if not end and len(self.data) < limit:
            raise ConnectionClosed("end of file reached")
        if not end or end > limit:
            raise LineTooLong("line too long")
        line, self.data = self.data[:end], self.data[end:]
        return line

    def read(self, size: int) -> bytes:
        if len(self.data) < size:
            raise ConnectionClosed("end of file reached")
        data, self.data = self.data[:size], self.data[size:]
        return data

    def read_some(self, size: int) -> bytes:
        return self.read(min(size, len(self.data)))

    def unread(self, data: bytes) -> None:
        self.data = data + self.data


class Asked:
    """Counts continuation requests."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> None:
        self.count += 1


def parser_of(data: bytes, limits: Limits | None = None, asked: Asked | None = None) -> Parser:
    parser = Parser(Source(data), asked or Asked(), limits or Limits())
    parser.next_line()
    parser.begin_arguments()
    return parser


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"INBOX\r\n", b"INBOX"),
        (b"INBOX\n", b"INBOX"),
        (b'"a b"\r\n', b"a b"),
        (b'""\r\n', b""),
        (b'"a\\"b\\\\"\r\n', b'a"b\\'),
        (b"{5}\r\nab cd\r\n", b"ab cd"),
        (b"{5+}\r\nab cd\r\n", b"ab cd"),
        (b"{0}\r\n\r\n", b""),
        (b"a[b]{c}\r\n", b"a[b]{c}"),
        (b"\xff\xfe\r\n", b"\xff\xfe"),
    ],
)
def test_an_astring_is_read_whole(data: bytes, value: bytes) -> None:
    parser = parser_of(data)
    assert parser.astring() == value
    parser.eol()


@pytest.mark.parametrize(
    "data",
    [
        b"\r\n",
        b" x\r\n",
        b"(x)\r\n",
        b'"abc\r\n',
        b'"abc\\\r\n',
        b"{5}x\r\n",
        b"{x}\r\n",
        b"{5\r\n",
        b"{5}\nabcde\r\n",
        b"{3}\r\na\0b\r\n",
        b"~{3}x\r\n"[1:],
    ],
)
def test_what_is_no_astring_is_a_missing_argument(data: bytes) -> None:
    with pytest.raises(MissingArgument):
        parser_of(data).astring()


def test_only_a_synchronizing_literal_asks_the_client_to_go_ahead() -> None:
    asked = Asked()
    parser = parser_of(b"{1+}\r\na {1}\r\nb\r\n", asked=asked)
    assert parser.astring() == b"a"
    assert asked.count == 0
    parser.sp()
    assert parser.astring() == b"b"
    assert asked.count == 1
    parser.eol()


@pytest.mark.parametrize(
    ("data", "value"), [(b"NIL\r\n", None), (b'"NIL"\r\n', b"NIL"), (b"{3+}\r\nNIL\r\n", b"NIL")]
)
def test_nil_is_no_string(data: bytes, value: bytes | None) -> None:
    assert parser_of(data).nstring() == value


@pytest.mark.parametrize("data", [b"nil\r\n", b"NILS\r\n", b"x\r\n"])
def test_an_nstring_is_no_atom(data: bytes) -> None:
    with pytest.raises(MissingArgument):
        parser_of(data).nstring()


def test_a_command_ends_where_its_line_ends() -> None:
    parser = parser_of(b"x y\r\n")
    assert parser.word() == b"x"
    with pytest.raises(ExtraArguments):
        parser.eol()
    parser.sp()
    assert parser.word() == b"y"
    parser.eol()


@pytest.mark.parametrize(
    ("word", "good"),
    [
        (b"1", True),
        (b"1:*", True),
        (b"*:1", True),
        (b"1,2:4,*", True),
        (b"0", True),
        (b"", False),
        (b"1:", False),
        (b":1", False),
        (b"1,,2", False),
        (b"1:2:3", False),
        (b"1,", False),
        (b"$", False),
        (b"*5", False),
        (b"1\xb2", False),
    ],
)
def test_the_form_of_a_sequence_set(word: bytes, good: bool) -> None:
    assert is_sequence(word) is good
    parser = parser_of(word + b" x\r\n")
    if good:
        assert parser.sequence_set().encode() == word
    else:
        with pytest.raises(InvalidSequence):
            parser.sequence_set()


@pytest.mark.parametrize(
    ("word", "good"),
    [
        (b"a", True),
        (b"a]+-/.", True),
        (b"", False),
        (b"a*", False),
        (b"a%", False),
        (b"a\\", False),
        (b"{a", False),
        (b"\x7f", False),
        (b"\x80", False),
        (b"a" * 1023, True),
        (b"a" * 1024, False),
    ],
)
def test_atoms(word: bytes, good: bool) -> None:
    assert is_atom(word) is good


def test_a_number_that_is_too_big_ends_the_connection() -> None:
    assert parser_of(b"4294967295\r\n").number() == 4294967295
    assert parser_of(b"x\r\n").number() is None
    for text in (b"4294967296\r\n", b"9" * 5000 + b"\r\n"):
        with pytest.raises(Fatal, match="num too big"):
            parser_of(text).number()


SMALL = Limits(word=10, quoted=10, literal=10, arguments=40, line=200)


def test_a_word_over_the_limit_ends_the_connection() -> None:
    assert parser_of(b"0123456789\r\n", SMALL).astring() == b"0123456789"
    with pytest.raises(Fatal, match=r"\[TOOBIG\] Word too long"):
        parser_of(b"0123456789a\r\n", SMALL).astring()


def test_a_word_over_the_limit_is_noticed_before_its_line_ends() -> None:
    with pytest.raises(Fatal, match=r"\[TOOBIG\] Word too long"):
        parser_of(b"a" * 100, SMALL)


def test_a_long_line_of_short_words_is_no_long_word() -> None:
    parser = parser_of(b"a " * 20 + b"\r\n", Limits(word=10, quoted=10, line=200))
    for _ in range(20):
        assert parser.word() == b"a"
        parser.sp()
    parser.eol()


def test_a_line_over_the_memory_limit_ends_the_connection() -> None:
    with pytest.raises(Fatal, match="TOOBIG"):
        parser_of(b"a " * 200, Limits(word=10, quoted=10, line=200))


def test_a_quoted_string_over_the_limit_ends_the_connection() -> None:
    assert parser_of(b'"0123456789"\r\n', SMALL).astring() == b"0123456789"
    for text in (b'"0123456789a"\r\n', b'"0123456789abcdef\r\n'):
        with pytest.raises(Fatal, match=r"\[TOOBIG\] Quoted value too long"):
            parser_of(text, SMALL).astring()


def test_a_synchronizing_literal_over_the_limit_is_refused_before_it_is_sent() -> None:
    asked = Asked()
    parser = parser_of(b"{11}\r\n", SMALL, asked)
    with pytest.raises(LiteralTooLarge):
        parser.astring()
    assert asked.count == 0


def test_a_non_synchronizing_literal_over_the_limit_ends_the_connection() -> None:
    with pytest.raises(Fatal, match=r"\[TOOBIG\] Literal size exceeds"):
        parser_of(b"{11+}\r\n" + b"a" * 11 + b"\r\n", SMALL).astring()


def test_literal_minus_allows_4096_octets() -> None:
    limits = Limits(literal_minus=True)
    assert len(parser_of(b"{4096+}\r\n" + b"a" * 4096 + b"\r\n", limits).astring()) == 4096
    with pytest.raises(Fatal, match="exceeds 4K"):
        parser_of(b"{4097+}\r\n" + b"a" * 4097 + b"\r\n", limits).astring()


def test_arguments_are_counted_over_literals() -> None:
    parser = parser_of(b"{10+}\r\n0123456789 {10+}\r\n0123456789 {10+}\r\n0123456789\r\n", SMALL)
    with pytest.raises(Fatal, match="arguments total size"):
        for _ in range(3):
            parser.astring()
            parser.sp()


def test_skipping_a_line_swallows_what_it_announces() -> None:
    source = Source(b"a {3+}\r\nx\ny {2+}\r\nz\n\r\nnext\r\n")
    parser = Parser(source, Asked(), Limits())
    parser.next_line()
    parser.skip_line()
    parser.next_line()
    assert parser.word() == b"next"


def test_the_head_of_a_message_literal_is_not_limited() -> None:
    parser = parser_of(b"~{999999999+}\r\n", SMALL)
    assert parser.message_literal() == MessageLiteral(999999999, non_synchronizing=True, binary=True)
    assert parser_of(b"x {3}\r\n").message_literal() is None


ELEMENTS: list[Callable[[Parser], object]] = [
    Parser.word,
    Parser.astring,
    Parser.string,
    Parser.nstring,
    Parser.mailbox,
    Parser.number,
    Parser.sequence_set,
    Parser.message_literal,
    Parser.sp,
    Parser.eol,
    Parser.skip_line,
]
OCTETS = st.lists(
    st.one_of(
        st.sampled_from(
            [b" ", b"(", b")", b'"', b"\\", b"{3}\r\n", b"{3+}\r\n", b"NIL", b"\r", b"\n", b"~{2}"]
        ),
        st.binary(max_size=8),
        st.just(b"a" * 30),
    ),
    max_size=30,
).map(b"".join)


@settings(max_examples=300, deadline=None)
@given(data=OCTETS, order=st.lists(st.sampled_from(ELEMENTS), max_size=12))
def test_any_octets_end_in_a_value_or_a_known_error(
    data: bytes, order: list[Callable[[Parser], object]]
) -> None:
    try:
        parser = parser_of(data, Limits(word=20, quoted=20, literal=20, arguments=100, line=400))
        for element in order:
            element(parser)
            assert 0 <= parser.pos <= len(parser.line)
    except (ParseError, LiteralTooLarge, Fatal, ConnectionClosed):
        pass
