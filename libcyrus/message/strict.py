"""Whether octets are a message that may be stored as they are: the rules of IMAP APPEND.

Lines end in CR LF, there is no NUL anywhere, and the header is one: field names without white space or
controls before a colon, continuation lines, perhaps an mbox ``From `` line. 8-bit octets in the header are
refused, or replaced by ``X``, or let through.
"""

from __future__ import annotations

import mmap
import re
from typing import Protocol

from libcyrus.errors import (
    CyrusError,
    MessageBadHeader,
    MessageContains8Bit,
    MessageContainsNewline,
    MessageContainsNull,
)

_BLANK_LINE = re.compile(rb"\n\r*\n")
_EIGHT_BIT = re.compile(rb"[\x80-\xff]")
_MUNGE = bytes(octet if octet < 0x80 else ord("X") for octet in range(256))
# a hundred at a time: the memory a match takes grows with the times its group repeats
_HEADER_LINES = re.compile(rb"(?:(?:[ \t]|From |[^\x00-\x20:]+:)[^\n]*\n){1,100}")


class Writer(Protocol):
    def write(self, data: bytes, /) -> object: ...


class StrictWriter:
    """Passes a message on, block by block, and judges it: ``failure`` is the first thing wrong with it.

    A ``binary`` message may hold anything after its header.

    After a failure nothing more is passed on. A failure of the target, if it is a CyrusError, counts too, so
    that whoever reads from a network can go on to the end of the message.
    """

    def __init__(
        self, target: Writer, *, reject8bit: bool = False, munge8bit: bool = True, binary: bool = False
    ) -> None:
        self._target = target
        self._reject8bit = reject8bit
        self._munge8bit = munge8bit
        self._binary = binary
        self._in_header = True
        self._blank = True
        self._last = b""
        self.failure: CyrusError | None = None

    def write(self, data: bytes, /) -> None:
        if self.failure is None:
            self.failure = self._judge(data)
        elif b"\0" in data and not self._binary:
            self.failure = MessageContainsNull()
        if self.failure is not None:
            return
        if self._in_header:
            data = self._header(data)
        if self.failure is None:
            try:
                self._target.write(data)
            except CyrusError as error:
                self.failure = error

    def _judge(self, data: bytes) -> CyrusError | None:
        if self._binary:
            data = data[: self._header_end(data)[0]] if self._in_header else b""
        if b"\0" in data:
            return MessageContainsNull()
        joined = self._last + data
        self._last = data[-1:]
        if joined.count(b"\n", len(joined) - len(data)) != joined.count(b"\r\n"):
            return MessageContainsNewline()
        return None

    def _header(self, data: bytes) -> bytes:
        """Deal with 8-bit octets in the part of the block that is header."""
        end, ends = self._header_end(data)
        if ends:
            self._in_header = False
        else:
            line = data.rpartition(b"\n")
            self._blank = (self._blank or bool(line[1])) and not line[2].strip(b"\r")
        if _EIGHT_BIT.search(data, 0, end) is None:
            return data
        if self._reject8bit:
            self.failure = MessageContains8Bit()
        if not self._munge8bit:
            return data
        return data[:end].translate(_MUNGE) + data[end:]

    def _header_end(self, data: bytes) -> tuple[int, bool]:
        """How much of the block is header, and whether that is all of it."""
        prefix = b"\n" if self._blank else b""
        found = _BLANK_LINE.search(prefix + data)
        return (len(data), False) if found is None else (found.end() - len(prefix), True)


def check_header(data: bytes | mmap.mmap) -> None:
    """Raise MessageBadHeader for a message, all of it at hand, whose header is none."""
    end = 0
    while found := _HEADER_LINES.match(data, end):
        end = found.end()
    if data[end : end + 1] not in (b"\r", b""):
        raise MessageBadHeader
