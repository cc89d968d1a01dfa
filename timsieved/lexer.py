"""ManageSieve's words (RFC 5804 section 4): names of commands, numbers, strings, and the ends of lines.

After an error the rest of the line is dropped; what comes next is read as a new command.
"""

from __future__ import annotations

import enum
import re

from libcyrus.base.dataclasses import dataclass
from libcyrus.prot import LineTooLong, ProtStream

_LITERAL = re.compile(rb"\{(\d{1,20})\+\}\r\n\Z")
_QUOTED = re.compile(rb'"((?:[^"\\\x00\r\n\x80-\xff]|\\["\\])*)"')
_ESCAPE = re.compile(rb"\\(.)")
_NUMBER = re.compile(rb"\d{1,19}")
_ATOM = re.compile(rb"[A-Za-z]+")
_END = re.compile(rb"\r?\n")
_ROOM = 1024
"""Bytes of a line beside one string."""


class Kind(enum.Enum):
    ATOM = enum.auto()
    NUMBER = enum.auto()
    STRING = enum.auto()
    SPACE = enum.auto()
    EOL = enum.auto()
    OTHER = enum.auto()


@dataclass(frozen=True, slots=True)
class Token:
    """``data`` is the string's content, the atom in lower case, or the number's digits."""

    kind: Kind
    data: bytes = b""


_END_TOKEN = Token(Kind.EOL)
_BLANK = Token(Kind.SPACE)
_NONSENSE = Token(Kind.OTHER)


class Lexer:
    """Tokens of a connection. ``longest`` bounds strings, in bytes. Raises ProtError when it breaks."""

    def __init__(self, stream: ProtStream, longest: int) -> None:
        self._stream = stream
        self._longest = longest
        self._line = b""
        self._at = 0

    def next(self) -> Token:
        """The next token; an OTHER has dropped its line."""
        if self._at >= len(self._line) and not self._read_line():
            return _NONSENSE
        line, at = self._line, self._at
        byte = line[at : at + 1]
        if byte == b" ":
            self._at = at + 1
            return _BLANK
        if byte in (b"\r", b"\n"):
            return self._match(_END, _END_TOKEN)
        if byte == b'"':
            found = _QUOTED.match(line, at)
            if found is None or len(found[1]) > self._longest:
                return self._lost()
            self._at = found.end()
            return Token(Kind.STRING, _ESCAPE.sub(rb"\1", found[1]))
        if byte == b"{":
            return self._literal()
        for pattern, kind in ((_ATOM, Kind.ATOM), (_NUMBER, Kind.NUMBER)):
            found = pattern.match(line, at)
            if found is not None:
                self._at = found.end()
                return Token(kind, found[0].lower())
        return self._lost()

    def drop_line(self) -> None:
        """Forget what is left of this line."""
        self._line, self._at = b"", 0

    def forget_input(self) -> None:
        """Forget all that was sent already."""
        self.drop_line()
        self._stream.discard_input()

    def _match(self, pattern: re.Pattern[bytes], token: Token) -> Token:
        found = pattern.match(self._line, self._at)
        if found is None:
            return self._lost()
        self._at = found.end()
        return token

    def _literal(self) -> Token:
        """Only those that the client sends without being asked to, as RFC 5804 has them."""
        found = _LITERAL.match(self._line, self._at)
        if found is None:
            return self._lost()
        size = int(found[1])
        if size > self._longest:
            while size > 0:
                size -= len(self._stream.read_some(min(size, 1 << 16)))
            self._stream.skip_line()
            return self._lost()
        data = self._stream.read(size)
        # the command goes on behind the literal
        self._line, self._at = b"", 0
        return Token(Kind.STRING, data)

    def _read_line(self) -> bool:
        try:
            self._line, self._at = self._stream.readline(2 * self._longest + _ROOM), 0
        except LineTooLong:
            self._stream.skip_line()
            self.drop_line()
            return False
        return True

    def _lost(self) -> Token:
        self.drop_line()
        return _NONSENSE
