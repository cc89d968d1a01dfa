"""IMAP responses as values: lists for parentheses, bytes for strings and atoms, None for NIL."""

from __future__ import annotations

import re

from libcyrus.backend.peer import Peer
from libcyrus.errors import ProtocolError

Value = bytes | None | list["Value"]

DEEPEST = 20
LARGEST_RESPONSE = 16 * 1024 * 1024

_LITERAL = re.compile(rb"~?\{(\d{1,9})\+?\}\Z")
_TOKEN = re.compile(
    rb"""[ ]*(?: "((?:[^"\\]|\\.)*)" | ~?\{(\d{1,9})\+?\}\r\n | ([()])
    | ((?:\[[^\]]*\] | [^\s()"{\[])+ | \{ | \[) )""",
    re.DOTALL | re.VERBOSE,
)


def read(peer: Peer) -> bytes:
    """One response with its literals, without the last line end. Raises ProtError, ProtocolError."""
    data = line = peer.receive()
    while found := _LITERAL.search(line):
        size = int(found[1])
        if len(data) + size > LARGEST_RESPONSE:
            raise ProtocolError
        literal = peer.stream.read(size)
        line = peer.receive()
        data += b"\r\n" + literal + line
    return data


def parse(data: bytes) -> list[Value]:
    """The values of a response. Raises ProtocolError."""
    stack: list[list[Value]] = [[]]
    position = 0
    data = data.rstrip(b" ")
    while position < len(data):
        found = _TOKEN.match(data, position)
        if found is None:
            raise ProtocolError
        position = found.end()
        quoted, literal, bracket, atom = found.groups()
        if quoted is not None:
            stack[-1].append(re.sub(rb"\\(.)", rb"\1", quoted, flags=re.DOTALL))
        elif literal is not None:
            stack[-1].append(data[position : position + int(literal)])
            position += int(literal)
        elif atom is not None:
            stack[-1].append(None if atom.upper() == b"NIL" else atom)
        elif bracket == b"(":
            if len(stack) > DEEPEST:
                raise ProtocolError
            deeper: list[Value] = []
            stack[-1].append(deeper)
            stack.append(deeper)
        else:
            if len(stack) == 1:
                raise ProtocolError
            stack.pop()
    if len(stack) != 1:
        raise ProtocolError
    return stack[0]


def text(value: Value) -> str:
    """A string or atom as text. Raises ProtocolError for a list."""
    if isinstance(value, list):
        raise ProtocolError
    return (value or b"").decode("utf-8", "surrogateescape")
