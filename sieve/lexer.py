"""Bytes of a script to tokens (RFC 5228 section 8.1).

Keywords and tags are found by their longest known spelling, in any case; they end wherever they end, so that
``:over100K`` is a tag and a number as it is in the original. What follows ``:comparator``, ``:count``,
``:value`` and ``:importance`` is one of a few quoted words, and a token of its own.

Three things are read as RFC 5228 says and not as the original does: keywords in upper case are keywords; a
bracketed comment ends at the first ``*/`` also where another star stands before it; a NUL or a byte that is
no ASCII is an error outside of strings and comments, not the end of the script.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from libcyrus.base.dataclasses import dataclass
from sieve.bytecode.opcodes import Tag

NUMBER = "<number>"
STRING = "<string>"
CHOICE = "<choice>"
"""A quoted word of a fixed list; the value is its Tag."""
END = "<end>"

_KEYWORDS = """
    if elsif else require stop
    anyof allof exists false true not header address envelope size :over :under
    discard keep fileinto redirect :copy :comparator :is :contains :matches :regex :quoteregex
    :list valid_ext_list :all :localpart :domain :user :detail body :raw :text :content environment
    string set :lower :upper :lowerfirst :upperfirst :quotewildcard :length
    vacation :days :addresses :subject :from :handle :mime :seconds :count :value
    setflag addflag removeflag hasflag :flags mark unmark
    date :originalzone :zone currentdate :index :last addheader deleteheader reject ereject
    notify_method_capability valid_notify_method notify :options :message :encodeurl :importance
    denotify :method :id :low :normal :high ihave error
    mailboxexists :create metadata metadataexists servermetadata servermetadataexists
    :bytimerelative :bytimeabsolute :bymode :bytrace :notify :ret
    include :personal :global :optional :once return duplicate :header :uniqueid
    specialuse_exists :specialuse :fcc mailboxidexists :mailboxid
    snooze :mailbox :addflags :removeflags :weekdays :tzid log jmapquery
    processimip :invitesonly :updatesonly :deletecanceled :calendarid :outcome :errstr
""".split()

_SPACE = re.compile(rb"(?:[ \t\n\r]+|#[^\n]*|/\*.*?\*/)*", re.DOTALL)
_SPACE_UNCOMMENTED = re.compile(rb"(?:[ \t\n\r]+|#[^\n]*)*")
_WORD = re.compile(
    b"|".join(re.escape(word.encode()) for word in sorted(_KEYWORDS, key=len, reverse=True)), re.IGNORECASE
)
_NUMBER = re.compile(rb"([0-9]+)([KMGkmg]?)")
_QUOTED = re.compile(rb'"([^"\\]*(?:\\[\s\S][^"\\]*)*)"')
# a backslash in front of a line end stands for itself
_ESCAPED = re.compile(rb"\\([^\n])")
_TEXT = re.compile(rb"text:[ \t]*(?:#[^\n]*)?(?:\r\n|\r|\n)", re.IGNORECASE)
_TEXT_END = re.compile(rb"(?<=\n)\.(?:\r\n|\r|\n)")
_STUFFED = re.compile(rb"(?<=\n)\.\.")
_CHOICE = re.compile(rb'[ \t\n\r]*("[^"]*")')
_CHOICE_SPACE = re.compile(rb"[ \t\n\r]*")
_ENCODED = re.compile(rb"\$\{(?:(hex)|unicode):\s*([0-9A-Fa-f][0-9A-Fa-f \t\r\n]*)\}", re.IGNORECASE)

_UNITS = {b"": 0, b"K": 10, b"M": 20, b"G": 30}
_LARGEST = 0x7FFFFFFF
_LARGEST_RAW = 0xFFFFFFFFFFFFFFFF
_DIGITS = 20

_COLLATIONS = {
    b'"i;octet"': Tag.OCTET,
    b'"i;ascii-casemap"': Tag.ASCIICASEMAP,
    b'"i;ascii-numeric"': Tag.ASCIINUMERIC,
}
_RELATIONS = {b'"%s"' % name.encode(): Tag[name.upper()] for name in ("eq", "ne", "gt", "ge", "lt", "le")}
_IMPORTANCES = {b'"1"': Tag.HIGH, b'"2"': Tag.NORMAL, b'"3"': Tag.LOW}

_Choices = tuple[dict[bytes, Tag], str]
_CHOICES: dict[str, _Choices] = {
    ":comparator": (_COLLATIONS, "unknown comparator-name"),
    ":count": (_RELATIONS, "invalid relational-match"),
    ":value": (_RELATIONS, "invalid relational-match"),
    ":importance": (_IMPORTANCES, "invalid importance"),
}


@dataclass(frozen=True, slots=True)
class Token:
    """``kind`` is a keyword in lower case, a single character, or one of the constants above."""

    kind: str
    number: int = 0
    text: bytes = b""


class Lexer:
    """Tokens of ``data`` one at a time; ``report`` is told of faults that do not end a token.

    ``line`` and ``column`` (from 1) say where reading stands: the line in which the last token ended, as the
    original counts, and the column where it began in its own line.
    """

    def __init__(self, data: bytes, report: Callable[[str], None]) -> None:
        self._data = data
        self._report = report
        self._position = 0
        self._line_start = 0
        self._choices: _Choices | None = None
        # behind it no comment ends, and nothing must look for that again at every "/*"
        self._last_comment = data.rfind(b"*/")
        self.encoded_characters = False
        self.line = 1
        self.column = 1

    def next(self) -> Token:
        while True:
            token = self._choice() if self._choices else self._plain()
            if token is not None:
                return token

    def _advance(self, end: int) -> None:
        lines = self._data.count(b"\n", self._position, end)
        if lines:
            self.line += lines
            self._line_start = self._data.rindex(b"\n", self._position, end) + 1
        self._position = end

    def _skip(self, pattern: re.Pattern[bytes]) -> None:
        space = pattern.match(self._data, self._position)
        assert space is not None
        self._advance(space.end())
        self.column = self._position - self._line_start + 1

    def _choice(self) -> Token | None:
        assert self._choices is not None
        known, complaint = self._choices
        self._skip(_CHOICE_SPACE)
        found = _CHOICE.match(self._data, self._position)
        if found is None:
            return self._character()
        self._advance(found.end())
        self._choices = None
        tag = known.get(found[1])
        if tag is None:
            self._report(f"{complaint} {readable(found[1])}")
            return None
        return Token(CHOICE, tag)

    def _plain(self) -> Token:
        self._skip(_SPACE if self._position < self._last_comment else _SPACE_UNCOMMENTED)
        start = self._position
        byte = self._data[start : start + 1]
        if byte == b'"':
            return self._quoted()
        if byte.isdigit():
            return self._number()
        found = _TEXT.match(self._data, start)
        if found is not None:
            return self._multiline(found.end())
        found = _WORD.match(self._data, start)
        if found is None:
            return self._character()
        self._advance(found.end())
        word = found[0].lower().decode()
        self._choices = _CHOICES.get(word)
        return Token(word)

    def _character(self) -> Token:
        start = self._position
        if start >= len(self._data):
            return Token(END)
        self._advance(start + 1)
        return Token(chr(self._data[start]))

    def _number(self) -> Token:
        found = _NUMBER.match(self._data, self._position)
        assert found is not None
        self._advance(found.end())
        digits = found[1].lstrip(b"0") or b"0"
        value = int(digits) if len(digits) <= _DIGITS else _LARGEST_RAW + 1
        value = min(value, _LARGEST_RAW) << (_UNITS[found[2].upper()] if value <= _LARGEST_RAW else 0)
        value &= _LARGEST_RAW
        if value > _LARGEST:
            self._report(f"number too large {readable(found[0])}")
        return Token(NUMBER, value)

    def _quoted(self) -> Token:
        found = _QUOTED.match(self._data, self._position)
        if found is None:
            return self._unfinished()
        self._advance(found.end())
        return self._string(_ESCAPED.sub(rb"\1", found[1]))

    def _multiline(self, start: int) -> Token:
        found = _TEXT_END.search(self._data, start)
        if found is None:
            return self._unfinished()
        self._advance(found.end())
        # the line end before shows whether the first line is the start of one
        stuffed = self._data[start - 1 : found.start()]
        return self._string(_STUFFED.sub(b".", stuffed)[1:])

    def _unfinished(self) -> Token:
        self._advance(len(self._data))
        self._report("unexpected end of file in string")
        return Token(END)

    def _string(self, text: bytes) -> Token:
        if self.encoded_characters:
            try:
                text = _ENCODED.sub(_decoded, text)
            except ValueError:
                self._report(f"invalid unicode encoding: {readable(text)}")
        return Token(STRING, text=text.partition(b"\0")[0])


def readable(text: bytes) -> str:
    """Bytes of a script in a message; what is no UTF-8 comes out as it went in."""
    return text.partition(b"\0")[0].decode("utf-8", "surrogateescape")


def _decoded(found: re.Match[bytes]) -> bytes:
    """One reference of RFC 5228 section 2.4.2.4. Raises ValueError for what is no character."""
    numbers = found[2].split()
    if found[1] is None:
        return b"".join(_character(int(number[-8:], 16)) for number in numbers)
    if any(len(number) > 2 for number in numbers):
        return found[0]
    return bytes(int(number, 16) for number in numbers)


def _character(code: int) -> bytes:
    if 0xD800 <= code < 0xE000 or code > 0x10FFFF:
        raise ValueError
    return chr(code).encode()
