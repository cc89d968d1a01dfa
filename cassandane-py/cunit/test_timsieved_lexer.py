"""ManageSieve's words."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from libcyrus.prot import ConnectionClosed, ProtStream
from timsieved.lexer import Kind, Lexer, Token
from timsieved.response import Reply, Response, literal, no, ok, string

EOL = Token(Kind.EOL)
SPACE = Token(Kind.SPACE)
LOST = Token(Kind.OTHER)


def tokens(data: bytes, *, longest: int = 100) -> list[Token]:
    ours, theirs = socket.socketpair()

    def feed() -> None:
        with theirs:
            theirs.sendall(data)

    thread = threading.Thread(target=feed)
    thread.start()

    def read() -> Iterator[Token]:
        lexer = Lexer(ProtStream(ours), longest)
        while True:
            try:
                yield lexer.next()
            except ConnectionClosed:
                return

    try:
        return list(read())
    finally:
        thread.join()
        ours.close()


def word(text: bytes) -> Token:
    return Token(Kind.ATOM, text)


def text(data: bytes) -> Token:
    return Token(Kind.STRING, data)


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"NOOP\r\n", [word(b"noop"), EOL]),
        (b"noop\n", [word(b"noop"), EOL]),
        (b'GetScript "a b"\r\n', [word(b"getscript"), SPACE, text(b"a b"), EOL]),
        (rb'x "a\"b\\c"' + b"\r\n", [word(b"x"), SPACE, text(rb'a"b\c'), EOL]),
        (b"x {3+}\r\na\r\n y\r\n", [word(b"x"), SPACE, text(b"a\r\n"), SPACE, word(b"y"), EOL]),
        (b"x {0+}\r\n\r\n", [word(b"x"), SPACE, text(b""), EOL]),
        (b"x 12\r\n", [word(b"x"), SPACE, Token(Kind.NUMBER, b"12"), EOL]),
        (b"x {3}\r\nnoop\r\n", [word(b"x"), SPACE, LOST, word(b"noop"), EOL]),
        (b'x "a\r\nnoop\r\n', [word(b"x"), SPACE, LOST, word(b"noop"), EOL]),
        (b'x "\xc3\xa9"\r\nnoop\r\n', [word(b"x"), SPACE, LOST, word(b"noop"), EOL]),
        (rb'x "\a"' + b"\r\n", [word(b"x"), SPACE, LOST]),
        (b"%x\r\nnoop\r\n", [LOST, word(b"noop"), EOL]),
        (b"x {101+}\r\n" + b"a" * 101 + b" more\r\nnoop\r\n", [word(b"x"), SPACE, LOST, word(b"noop"), EOL]),
        (b"x" * 5000 + b"\r\nnoop\r\n", [LOST, word(b"noop"), EOL]),
        (b'x "' + b"a" * 101 + b'"\r\nnoop\r\n', [word(b"x"), SPACE, LOST, word(b"noop"), EOL]),
        (b"x\ry\r\n", [word(b"x"), LOST]),
    ],
)
def test_tokens(data: bytes, found: list[Token]) -> None:
    assert tokens(data) == found


def test_a_literal_that_does_not_come_ends_the_conversation() -> None:
    assert tokens(b"x {99999999999+}\r\nabc") == [word(b"x"), SPACE]


@pytest.mark.parametrize(
    ("reply", "line"),
    [
        (ok(), b"OK\r\n"),
        (ok("Done"), b'OK "Done"\r\n'),
        (ok("Done", code=b"TAG " + literal(b"x")), b'OK (TAG {1}\r\nx) "Done"\r\n'),
        (no("no such", "NONEXISTENT"), b'NO (NONEXISTENT) "no such"\r\n'),
        (no(b"a\r\nb"), b"NO {4}\r\na\r\nb\r\n"),
        (no('say "x"'), b'NO {7}\r\nsay "x"\r\n'),
        (Reply("BYE", "over"), b'BYE "over"\r\n'),
    ],
)
def test_replies(reply: Reply, line: bytes) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        out = Response(ProtStream(ours))
        out.reply(reply)
        out.flush()
        assert theirs.recv(4096) == line


def test_strings() -> None:
    assert string(b"a b") == b'"a b"'
    assert string("é".encode()) == b"{2}\r\n\xc3\xa9"
    assert string(b"x" * 1025).startswith(b"{1025}\r\n")
