"""Turning what follows DATA into the message that is stored (RFC 5321 section 4.5.2).

The header is taken whole, checked and put in order; the body flows through in blocks. What happens to
the bytes is the original's: every line ends in CRLF, lone carriage returns vanish from the body and end
a line in the header, a leading dot goes, the sender's Return-Path fields are dropped, 8-bit bytes in
header fields become X or refuse the message. NUL refuses it always. The end is a line that is a dot,
whether it ends in CRLF or LF.
"""

from __future__ import annotations

import re

from libcyrus.base.dataclasses import dataclass, field
from libcyrus.errors import (
    MessageBadHeader,
    MessageContains8Bit,
    MessageContainsNull,
)

# A header is held in memory; nobody's is larger by honest means.
LONGEST_HEADER = 16 * 1024 * 1024
LONGEST_PARTIAL_LINE = 256 * 1024

# a lone carriage return ends a field, but never puts a dot at the start of a line
_HEADER_END = re.compile(rb"(?:\r\n|\r(?!\n)|\n)(?=[\r\n])|\n(?=\.[\r\n])")
_NEWLINE = re.compile(rb"\r\n?|\n")
_LONE_CR = re.compile(rb"\r+(?!\n)")
_LONE_LF = re.compile(rb"(?<!\r)\n")
_DOT_LINE = re.compile(rb"\.\r*\n")
_LF_DOT_LINE = re.compile(rb"\n\.\r*\n")
_FIELD_NAME_BYTES = bytes(byte for byte in range(33, 127) if byte != 58)
_ASCII = bytes(range(128))
_MUNGE = _ASCII + b"X" * 128

# the fields whose values delivery and notification need
_KEPT = frozenset((b"message-id", b"date", b"from", b"subject", b"to"))


@dataclass(frozen=True, slots=True)
class Header:
    """``text`` is what is stored, without the empty line. ``values`` are unfolded, by lower-case name."""

    text: bytes
    values: dict[bytes, list[bytes]] = field(default_factory=dict)

    def first(self, name: bytes) -> bytes | None:
        found = self.values.get(name)
        return found[0] if found else None


def header_end(data: bytes | bytearray, start: int = 0) -> int:
    """Where the header in ``data`` ends (the empty line or final dot begins), -1 if that is not here yet.

    ``start`` is where to look from when the earlier part has been searched; it should overlap by 4.
    """
    if data[:1] in (b"\r", b"\n") or (data[:1] == b"." and data[1:2] in (b"\r", b"\n")):
        return 0
    found = _HEADER_END.search(data, start)
    return found.end() if found else -1


def read_header(block: bytes, *, reject8bit: bool, munge8bit: bool) -> Header:
    """Check and tidy a whole header. Raises MessageBadHeader, MessageContainsNull, MessageContains8Bit."""
    if b"\0" in block:
        raise MessageContainsNull
    if block.count(b"\r\n") != block.count(b"\n") or block.count(b"\r") != block.count(b"\n"):
        block = _NEWLINE.sub(b"\r\n", block)
    dirty = bool(block.translate(None, _ASCII))
    munge = dirty and munge8bit and not reject8bit
    kept: list[bytes] = []
    values: dict[bytes, list[bytes]] = {}
    skipping = False
    current: list[bytes] | None = None
    started = False
    for line in block.split(b"\r\n")[:-1]:
        if line[:1] in (b" ", b"\t"):
            if not started:
                raise MessageBadHeader
            if not skipping:
                kept.append(line)
            if current is not None:
                current[-1] += line.translate(_MUNGE) if munge else line
            continue
        started = True
        name, colon, value = line.partition(b":")
        name = name.rstrip(b" \t")
        if not colon or not name or name.translate(None, _FIELD_NAME_BYTES):
            raise MessageBadHeader
        lower = name.lower()
        skipping = lower == b"return-path"
        if skipping:
            current = None
            continue
        kept.append(line)
        current = None
        if lower in _KEPT:
            current = values.setdefault(lower, [])
            current.append(value.translate(_MUNGE) if munge else value)
    if dirty and reject8bit:
        raise MessageContains8Bit
    for found in values.values():
        found[:] = [value.lstrip(b" \t") for value in found]
    kept.append(b"")
    text = b"\r\n".join(kept)
    return Header(text.translate(_MUNGE) if munge else text, values)


class Body:
    """The body, fed in blocks from its empty line on."""

    def __init__(self) -> None:
        self._carry = b""
        self._inside_line = False
        self.contains_null = False
        self.rest: bytes | None = None
        """After the end: the bytes behind the final dot. None before."""

    def feed(self, data: bytes) -> bytes:
        """The part of the message that is now complete, ready to be stored; may be empty."""
        if self._carry:
            data = self._carry + data
            self._carry = b""
        at_start = not self._inside_line
        end = _DOT_LINE.match(data) if at_start else None
        if end is not None:
            self.rest = data[end.end() :]
            return b""
        end = _LF_DOT_LINE.search(data)
        if end is not None:
            self.rest = data[end.end() :]
            return self._clean(data[: end.start() + 1], at_start)
        cut = data.rfind(b"\n") + 1
        if cut:
            self._inside_line = False
            self._carry = data[cut:]
            return self._clean(data[:cut], at_start)
        if len(data) < LONGEST_PARTIAL_LINE:
            self._carry = data
            return b""
        # one carriage return at the cut may belong to the line's end; those before it are dropped
        whole = data.removesuffix(b"\r")
        self._carry = data[len(whole) :]
        text = self._clean(whole, at_start)
        self._inside_line = not at_start or bool(text)
        return text

    def _clean(self, text: bytes, at_start: bool) -> bytes:
        if b"\0" in text:
            self.contains_null = True
        # one replace and two searches cost half of three counts
        alone = text.replace(b"\r\n", b"")
        if b"\r" in alone:
            text = _LONE_CR.sub(b"", text)
        if b"\n" in alone:
            text = _LONE_LF.sub(b"\r\n", text)
        if at_start and text.startswith(b"."):
            text = text[1:]
        return text.replace(b"\n.", b"\n")

