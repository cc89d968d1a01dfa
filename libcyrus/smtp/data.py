"""A message as DATA carries it (RFC 5321 section 4.5.2)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

READ_SIZE = 64 * 1024

_LONE_CR = re.compile(rb"\r+(?!\n)")
_LONE_LF = re.compile(rb"(?<!\r)\n")


def stuffed(read: Callable[[int], bytes]) -> Iterator[bytes]:
    """What ``read`` gives, piece by piece: lines end in CRLF, dots are doubled, and the final dot follows."""
    at_start = True
    carry = b""
    while piece := read(READ_SIZE):
        piece = carry + piece
        # a carriage return at the end may belong to a line end, and a line feed at the start to the last
        whole = piece.rstrip(b"\r")
        carry = piece[len(whole) :]
        if whole:
            yield _stuff(whole, at_start)
            at_start = whole.endswith(b"\n")
    yield b".\r\n" if at_start else b"\r\n.\r\n"


def _stuff(text: bytes, at_start: bool) -> bytes:
    text = _LONE_LF.sub(b"\r\n", _LONE_CR.sub(b"", text)).replace(b"\n.", b"\n..")
    return b"." + text if at_start and text.startswith(b".") else text
