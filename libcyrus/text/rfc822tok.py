"""Tokens of structured header fields: atoms, quoted strings and specials (RFC 2822 section 3.2)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum
from typing import Final, NamedTuple


class Kind(Enum):
    ATOM = "atom"
    QUOTED = "quoted string"
    SPECIAL = "special"


class Token(NamedTuple):
    """A token and its text, without quotes and backslashes."""

    kind: Kind
    text: bytes


_SPACE: Final = b" \t\n\v\f\r"
_SPECIALS: Final = b"()<>[]:;@\\,"
_COMMENT: Final = re.compile(rb"\\.|[()]", re.DOTALL)
_QUOTED: Final = re.compile(rb'"((?:[^"\\]++|\\\r\n|\\.)*)"', re.DOTALL)
# a backslash before a line end is no escape, and the line end goes
_ESCAPE: Final = re.compile(rb"(\\?)\r\n|\\(.)", re.DOTALL)


def tokens(text: bytes, *, dot: bool = False, equals: bool = False) -> Iterator[Token]:
    """The tokens of ``text``; white space and comments between them vanish.

    A dot or an equals sign is part of an atom unless asked to be special.
    ``ValueError`` for a comment or quoted string that does not end.
    """
    specials = _SPECIALS + (b"." if dot else b"") + (b"=" if equals else b"")
    atom = re.compile(b'[^"' + re.escape(_SPACE + specials) + b"]+")
    at = 0
    while True:
        at = _skip(text, at)
        if at >= len(text):
            return
        byte = text[at]
        if byte == 0x22:
            quoted = _QUOTED.match(text, at)
            if quoted is None:
                raise ValueError("quoted string does not end")
            yield Token(Kind.QUOTED, _ESCAPE.sub(_unescape, quoted.group(1)))
            at = quoted.end()
        elif byte in specials:
            yield Token(Kind.SPECIAL, text[at : at + 1])
            at += 1
        else:
            word = atom.match(text, at)
            assert word is not None
            yield Token(Kind.ATOM, word.group())
            at = word.end()


def _unescape(found: re.Match[bytes]) -> bytes:
    return found.group(1) or found.group(2) or b""


def _skip(text: bytes, at: int) -> int:
    size = len(text)
    while at < size and (text[at] in _SPACE or text[at] == 0x28):
        if text[at] != 0x28:
            at += 1
            continue
        depth, at = 1, at + 1
        while depth:
            mark = _COMMENT.search(text, at)
            if mark is None:
                raise ValueError("comment does not end")
            at = mark.end()
            depth += {b"(": 1, b")": -1}.get(mark.group(), 0)
    return at
