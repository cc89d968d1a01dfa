"""The IMAP grammar as a pull parser: a command's parse() asks for the next element, by its RFC name.

The parser holds one line at a time. A literal (RFC 3501 section 4.3, RFC 7888) ends the line; asking
for the string it carries sends the continuation request, reads the octets and goes on with the next
line. It is as liberal as Cyrus has always been: a word ends at white space, a parenthesis or a double
quote and nowhere else, and a line may end with a bare LF.

Sizes are limited by `Limits`. What is too long for a word, a quoted string or the arguments as a whole
ends the connection (`Fatal`), and so does a non-synchronizing literal that is too long, since its octets
are already on their way (RFC 7888 section 4); a synchronizing one is only refused.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import Protocol

from libcyrus.base.dataclasses import dataclass
from libcyrus.errors import Fatal
from libcyrus.prot import LineTooLong

_WORD = re.compile(rb'[^\s()"]*')
_LAST_WORD = re.compile(rb'[^\s()"]+\Z')
_QUOTED = re.compile(rb'"((?:[^"\\\r\n]|\\[^\r\n])*)"', re.DOTALL)
_QUOTED_PAIR = re.compile(rb"\\(.)", re.DOTALL)
_LITERAL = re.compile(rb"(~?)\{([0-9]{1,20})(\+?)\}\r?\n\Z")
_TRAILING_LITERAL = re.compile(rb"\{([0-9]{0,10})\+\}\r?\n\Z")
_NUMBER = re.compile(rb"[0-9]+")
_SEQUENCE = re.compile(rb"(?:\*|[0-9]+)(?::(?:\*|[0-9]+))?(?:,(?:\*|[0-9]+)(?::(?:\*|[0-9]+))?)*\Z")
_ATOM = re.compile(rb"[^\x00-\x1e \x7f-\xff{()\"%*\\]{1,1023}\Z")

SP = 0x20
LBRACE = 0x7B
LPAREN = 0x28
RPAREN = 0x29
DQUOTE = 0x22
CR = 0x0D
# ends a word without being any argument's end
_OTHER_SPACE = b"\t\v\f"
LF = 0x0A

MAX_UINT32 = 0xFFFFFFFF
MAX_MODSEQ = 0xFFFFFFFFFFFFFFFF
_MAX_MODSEQ_DIGITS = 31
_MAX_INT32 = 0x7FFFFFFF
_EX_PROTOCOL = os.EX_PROTOCOL
# the arguments of a command that nobody limited must still fit into memory
_MOST_ARGUMENTS = 64 * 1024 * 1024

ARGUMENTS_TOO_LARGE = "[TOOBIG] Command arguments total size exceeds fixed limit"
LITERAL_TOO_LARGE = "[TOOBIG] Literal size exceeds fixed limit"
LITERAL_MINUS_TOO_LARGE = "[TOOBIG] Non-synchronizing literal size exceeds 4K"


class ParseError(Exception):
    """The client wrote what the grammar does not allow.

    ``{command}`` in the text becomes the command's name as Cyrus prints it (``Select``, ``Uid``) and
    ``{full}`` the name with its UID prefix (``UID Fetch``).
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text

    def about(self, command: str, full: str) -> str:
        return self.text.replace("{command}", command).replace("{full}", full)


class MissingArgument(ParseError):
    def __init__(self) -> None:
        super().__init__("Missing required argument to {command}")


class ExtraArguments(ParseError):
    def __init__(self) -> None:
        super().__init__("Unexpected extra arguments to {command}")


class InvalidSequence(ParseError):
    def __init__(self) -> None:
        super().__init__("Invalid sequence in {command}")


class LiteralTooLarge(Exception):
    """A synchronizing literal over the limit: the client has not sent it, so the line just ends here.

    ``place`` is where it stands, if the refusal does not just name the command.
    """

    def __init__(self, place: str = "") -> None:
        super().__init__(place)
        self.place = place


class LineSource(Protocol):
    """What the parser needs of a connection."""

    def readline(self, limit: int) -> bytes: ...
    def read(self, n: int) -> bytes: ...
    def read_some(self, size: int) -> bytes: ...
    def unread(self, data: bytes) -> None: ...


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes in octets; 0 means no limit of the administrator's. ``line`` bounds memory in any case.

    ``conversations`` says that the words of XCONVERSATIONS are known.
    """

    word: int = 131072
    quoted: int = 131072
    literal: int = 131072
    arguments: int = 0
    literal_minus: bool = False
    conversations: bool = False
    line: int = 4 * 1024 * 1024


class Parser:
    """One connection's tokenizer. ``go_ahead`` sends a continuation request and flushes."""

    def __init__(self, source: LineSource, go_ahead: Callable[[], None], limits: Limits) -> None:
        self._source = source
        self._go_ahead = go_ahead
        self.limits = limits
        self.line = b"\n"
        self.pos = 0
        self._consumed = 0

    # lines

    def next_line(self) -> None:
        """Read the line that starts a command. Raises what the stream raises."""
        self.line = self._readline()
        self.pos = 0
        self._consumed = 0

    def begin_arguments(self) -> None:
        """Count the octets of the arguments from here. Raises Fatal if there are too many already."""
        self._consumed = -self.pos
        self.check_arguments()

    def check_arguments(self) -> None:
        """Close the connection if the arguments so far are over the limit. Raises Fatal."""
        limit = self.limits.arguments or _MOST_ARGUMENTS
        if self._consumed + len(self.line) > limit:
            raise Fatal(ARGUMENTS_TOO_LARGE, _EX_PROTOCOL)

    def skip_line(self) -> None:
        """Drop the rest of the command, with the non-synchronizing literals that it still carries."""
        while (found := _TRAILING_LITERAL.search(self.line, self.pos)) is not None:
            size = int(found[1] or b"0")
            if size > MAX_UINT32:
                break
            while size > 0:
                size -= len(self._source.read(min(size, 65536)))
            self.line = self._readline()
            self.pos = 0
        self.pos = len(self.line)

    # single characters

    def peek(self) -> int:
        """The next octet; LF at the end of the line."""
        return self.line[self.pos] if self.pos < len(self.line) else LF

    def accept(self, octet: int) -> bool:
        """Step over the octet if it is next."""
        if self.pos < len(self.line) and self.line[self.pos] == octet:
            self.pos += 1
            return True
        return False

    def step(self) -> None:
        """Step over whatever is next, but not over the end of the line."""
        if not self.at_eol():
            self.pos += 1

    def sp(self) -> None:
        """A space must be next, or an argument is missing."""
        if not self.accept(SP):
            raise MissingArgument

    def at_eol(self) -> bool:
        rest = len(self.line) - self.pos
        return rest <= 1 or (rest == 2 and self.line[self.pos] == CR)

    def eol(self) -> None:
        """The line must end here."""
        if not self.at_eol():
            raise ExtraArguments
        self.pos = len(self.line)

    # words and numbers

    def word(self) -> bytes:
        """All up to white space, a parenthesis or a double quote; maybe empty."""
        found = _WORD.match(self.line, self.pos)
        assert found is not None
        word = found[0]
        if self.limits.word and len(word) > self.limits.word:
            raise Fatal("[TOOBIG] Word too long", _EX_PROTOCOL)
        self.pos = found.end()
        return word

    def number(self, maximum: int = MAX_UINT32) -> int | None:
        """Digits, or None if there are none; a number over ``maximum`` ends the connection."""
        found = _NUMBER.match(self.line, self.pos)
        if found is None:
            return None
        self.pos = found.end()
        digits = found[0].lstrip(b"0")
        if len(digits) > 20 or int(digits or b"0") > maximum:
            raise Fatal("num too big", _EX_PROTOCOL)
        return int(digits or b"0")

    def modseq(self) -> int | None:
        """A mod-sequence (RFC 7162 section 7), None if there is none; what is too large is the largest."""
        found = _NUMBER.match(self.line, self.pos)
        if found is None or len(found[0]) > _MAX_MODSEQ_DIGITS:
            return None
        self.pos = found.end()
        return min(int(found[0]), MAX_MODSEQ)

    def sequence_set(self) -> str:
        """A sequence-set or UID set, checked for its form (RFC 3501 section 9). Raises InvalidSequence."""
        word = self.word()
        if not is_sequence(word):
            raise InvalidSequence
        return word.decode("ascii")

    def sequence_argument(self) -> str:
        """sequence_set() and the space behind it; a line that ends there lacks an argument."""
        start = self.pos
        self.word()
        if self.peek() == CR:
            raise MissingArgument
        self.pos = start
        sequence = self.sequence_set()
        if not self.accept(SP):
            raise InvalidSequence
        return sequence

    # strings

    def astring(self) -> bytes:
        """An atom, quoted string or literal. Raises MissingArgument."""
        octet = self.peek()
        if octet == DQUOTE:
            return self._quoted()
        if octet == LBRACE:
            return self._literal()
        word = self.word()
        if not word and self.peek() not in _OTHER_SPACE:
            raise MissingArgument
        return word

    def quoted(self) -> bytes:
        """A quoted string. Raises MissingArgument."""
        if self.peek() != DQUOTE:
            raise MissingArgument
        return self._quoted()

    def string(self) -> bytes:
        """A quoted string or literal. Raises MissingArgument."""
        octet = self.peek()
        if octet == DQUOTE:
            return self._quoted()
        if octet == LBRACE:
            return self._literal()
        raise MissingArgument

    def nstring(self) -> bytes | None:
        """A string, or None for NIL. Raises MissingArgument."""
        if self.peek() == 0x4E:
            start = self.pos
            if self.word() == b"NIL":
                return None
            self.pos = start
        return self.string()

    def binary_nstring(self) -> bytes | None:
        """An nstring whose literal may hold NUL octets. Raises MissingArgument."""
        if self.peek() == 0x4E:
            start = self.pos
            if self.word() == b"NIL":
                return None
            self.pos = start
        if self.peek() == LBRACE:
            return self._literal(binary=True)
        return self.string()

    def mailbox(self) -> str:
        """A mailbox name as the client spells it, undecodable octets kept as surrogates.

        It ends before a NUL, as names have always done.
        """
        return os.fsdecode(self.astring().partition(b"\0")[0])

    def message_literal(self) -> MessageLiteral | None:
        """The head of a message literal, its octets still unread; None if no literal is next.

        Nothing is checked against a limit and no continuation is sent: `go_ahead` and `resume` do the rest.
        """
        found = _LITERAL.match(self.line, self.pos)
        if found is None:
            return None
        self.pos = len(self.line)
        return MessageLiteral(int(found[2]), bool(found[3]), bool(found[1]))

    def go_ahead(self) -> None:
        """Ask the client for the literal's octets."""
        self._go_ahead()

    def resume(self) -> None:
        """Go on with the line after a message literal whose octets the caller has read."""
        self._consumed += len(self.line)
        self.line = self._readline()
        self.pos = 0

    def _readline(self) -> bytes:
        """One line. A word that is too long is noticed before its line has ended."""
        limits = self.limits
        longest = max(limits.word, limits.quoted)
        limit = min(limits.line, 2 * longest) if longest else limits.line
        while True:
            try:
                return self._source.readline(limit)
            except LineTooLong:
                beginning = self._source.read_some(limit)
                self._source.unread(beginning)
                if limit >= limits.line or _LAST_WORD.match(beginning, len(beginning) - longest - 1):
                    raise Fatal("[TOOBIG] Word too long", _EX_PROTOCOL) from None
                limit = min(2 * limit, limits.line)

    def _quoted(self) -> bytes:
        found = _QUOTED.match(self.line, self.pos)
        if found is None:
            rest = len(self.line) - self.pos
            if self.limits.quoted and rest > self.limits.quoted + 3:
                raise Fatal("[TOOBIG] Quoted value too long", _EX_PROTOCOL)
            self.pos = len(self.line.rstrip(b"\r\n"))
            raise MissingArgument
        value = found[1]
        if b"\\" in value:
            value = _QUOTED_PAIR.sub(rb"\1", value)
        if self.limits.quoted and len(value) > self.limits.quoted:
            raise Fatal("[TOOBIG] Quoted value too long", _EX_PROTOCOL)
        self.pos = found.end()
        return value

    def _literal(self, *, binary: bool = False) -> bytes:
        found = _LITERAL.match(self.line, self.pos)
        if found is None or found[1] or not self.line.endswith(b"\r\n"):
            self._check_number()
            if found is not None:
                # its octets do not belong to it
                self.pos = len(self.line.rstrip(b"\r\n"))
            raise MissingArgument
        size = int(found[2])
        if size > _MAX_INT32:
            raise Fatal("num too big", _EX_PROTOCOL)
        limits = self.limits
        if found[3]:
            if limits.literal_minus and size > 4096:
                raise Fatal(LITERAL_MINUS_TOO_LARGE, _EX_PROTOCOL)
            if limits.literal and size > limits.literal:
                raise Fatal(LITERAL_TOO_LARGE, _EX_PROTOCOL)
        else:
            if limits.literal and size > limits.literal:
                self.pos = len(self.line)
                raise LiteralTooLarge
            self._go_ahead()
        value = self._read(size)
        self._consumed += len(self.line) + size
        self.line = self._readline()
        self.pos = 0
        self.check_arguments()
        if b"\0" in value and not binary:
            raise MissingArgument
        return value

    def _check_number(self) -> None:
        """A literal's size that no number can hold ends the connection, even in a broken literal."""
        found = _NUMBER.match(self.line, self.pos + 1)
        if found is not None and int(found[0][:20]) > _MAX_INT32:
            raise Fatal("num too big", _EX_PROTOCOL)

    def _read(self, size: int) -> bytes:
        chunks = []
        while size > 0:
            chunk = self._source.read(size)
            chunks.append(chunk)
            size -= len(chunk)
        return b"".join(chunks)


@dataclass(frozen=True, slots=True)
class MessageLiteral:
    """``{size}``, ``{size+}`` or ``~{size}`` (RFC 3516) at the end of a line."""

    size: int
    non_synchronizing: bool
    binary: bool


def is_atom(word: bytes) -> bool:
    """Whether the word is an atom as Cyrus understands it: ``]`` may be in it, 8-bit octets may not."""
    return _ATOM.match(word) is not None


def is_sequence(word: bytes) -> bool:
    """Whether the word has the form of a sequence-set; what its numbers mean is not looked at."""
    return _SEQUENCE.match(word) is not None


def no_arguments(parser: Parser) -> None:
    """The parse() of a command without arguments."""
    parser.eol()


def one_mailbox(parser: Parser) -> str:
    """The parse() of a command whose one argument is a mailbox name."""
    parser.sp()
    name = parser.mailbox()
    parser.eol()
    return name
