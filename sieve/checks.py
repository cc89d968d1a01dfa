"""Rules on the values in a script. Each function tells the parser what is wrong and lets reading go on."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

from sieve.bytecode.opcodes import DATE_PARTS, Tag
from sieve.extensions import Extension
from sieve.lexer import readable
from sieve.messages import MATCH_CONFLICT
from sieve.regexes import BadPattern, compile_pattern

if TYPE_CHECKING:
    from sieve.parser import Parser

MATCH_VARIABLES = 9
"""``${0}`` to ``${9}`` (RFC 5229 section 3.2)."""

_IDENTIFIER = re.compile(rb"[A-Za-z_][A-Za-z0-9_]*")
_PART = rb"(?:[0-9]+|[A-Za-z_][A-Za-z0-9_]*)"
_VARIABLE = re.compile(rb"\$\{(?:[0-9]+|[A-Za-z_][A-Za-z0-9_]*(?:\.%b)*)\}" % _PART)
_NUMBERED = re.compile(rb"\$\{([0-9]+)\}")
# as RFC 2640 has it: up to six bytes a character, and surrogates
_UTF8 = re.compile(
    rb"(?:[\0-\x7f]|[\xc2-\xdf][\x80-\xbf]|(?:\xe0[\xa0-\xbf]|[\xe1-\xef][\x80-\xbf])[\x80-\xbf]"
    rb"|(?:\xf0[\x90-\xbf]|[\xf1-\xf7][\x80-\xbf])[\x80-\xbf]{2}"
    rb"|(?:\xf8[\x88-\xbf]|[\xf9-\xfb][\x80-\xbf])[\x80-\xbf]{3}"
    rb"|(?:\xfc[\x84-\xbf]|\xfd[\x80-\xbf])[\x80-\xbf]{4})*"
)
_FIELD_NAME = re.compile(rb"[!-9;-~]*")
_ADDRESS_HEADERS = frozenset(
    b"from sender reply-to to cc bcc message-id in-reply-to references resent-from resent-sender "
    b"resent-to resent-cc resent-bcc return-path disposition-notification-to approved "
    b"delivered-to".split()
)
_ENVELOPE_PARTS = frozenset({b"from", b"to", b"auth"})
_SYSTEM_FLAGS = frozenset({b"\\seen", b"\\answered", b"\\flagged", b"\\draft", b"\\deleted"})
_NO_FLAG_ATOM = re.compile(rb'[\0-\x1e\x7f-\xff {()"%*\\]')
_LONGEST_FLAG = 1023

_REGEX_WORDS = (
    ("missing )", "unbalanced ()"),
    ("unbalanced parenthesis", "unbalanced ()"),
    ("unterminated character set", "unbalanced []"),
    ("nothing to repeat", "? * + invalid"),
    ("multiple repeat", "? * + invalid"),
    ("bad character range", "bad range inside []"),
    ("bad escape", "bad escape sequence"),
    ("\\ at end", "bad escape sequence"),
)
_ADDRESS_TOKEN = re.compile(
    rb'(?P<quoted>"(?P<text>(?:[^\n\r"\\]|\\.)*)"[\n\r]*)|(?P<literal>\[(?:[^\[\]\n\r\\]|\\.)+\])'
    rb'|(?P<atom>[^()<>@,;:\\".\[\] \n\r]+)|(?P<space>[\t \n\r]+)|(?P<char>.)'
)
_ADDRESS = re.compile(r"(?:[aq](?:\.[aq])*@[al](?:\.[al])*|[aq]+<[aq](?:\.[aq])*@[al](?:\.[al])*>)")


def match_variables(parser: Parser, text: bytes) -> None:
    if not parser.supports(Extension.VARIABLES):
        return
    for found in _NUMBERED.finditer(text):
        digits = found[1].lstrip(b"0")
        if len(digits) > 1:
            parser.report(f"string '{readable(text)}': match variable index > {MATCH_VARIABLES} unsupported")
            return


def has_variable(parser: Parser, text: bytes) -> bool:
    return parser.supports(Extension.VARIABLES) and _VARIABLE.search(text) is not None


def utf8(parser: Parser, text: bytes) -> bool:
    if text.isascii() or _UTF8.fullmatch(text):
        return True
    parser.report(f"string '{readable(text)}': not valid utf8")
    return False


def all_utf8(parser: Parser, texts: list[bytes]) -> bool:
    return all(utf8(parser, text) for text in texts)


def mailbox(parser: Parser, name: bytes) -> None:
    if not utf8(parser, name):
        parser.report(f"mailbox '{readable(name)}': not a valid mailbox")


def identifier(parser: Parser, name: bytes) -> bool:
    """The name of a variable; namespaces are none that we have."""
    if is_identifier(name):
        return True
    parser.report(f"string '{readable(name)}': not a valid sieve identifier")
    return False


def is_identifier(name: bytes) -> bool:
    return not name or _IDENTIFIER.fullmatch(name) is not None


def address(parser: Parser, text: bytes) -> bool:
    """The simplified addresses of RFC 5228 section 2.4.2.3; groups and routes are none."""
    if has_variable(parser, text) or is_address(text):
        return True
    parser.report(f"address '{readable(text)}': syntax error")
    return False


def is_address(text: bytes) -> bool:
    return _ADDRESS.fullmatch(_address_tokens(text)) is not None


def _address_tokens(text: bytes) -> str:
    """One character for each token: a(tom), q(uoted string), domain l(iteral), or itself."""
    kinds = []
    position = 0
    while position < len(text):
        if text[position : position + 1] == b"(":
            position = _after_comment(text, position)
            continue
        found = _ADDRESS_TOKEN.match(text, position)
        if found is None:
            break
        position = found.end()
        if found["char"] == b")":
            break
        if found["quoted"] is not None:
            kinds.append("q" if found["text"] else "?")
        elif found["literal"] is not None:
            kinds.append("l")
        elif found["atom"] is not None:
            kinds.append("a")
        elif found["char"] is not None:
            kinds.append(found["char"].decode("latin-1"))
    return "".join(kinds)


def _after_comment(text: bytes, start: int) -> int:
    """Where a comment ends; they nest, and one without an end is the rest."""
    depth = 0
    position = start
    while position < len(text):
        char = text[position : position + 1]
        if char == b"\\":
            position += 1
        depth += (char == b"(") - (char == b")")
        position += 1
        if not depth:
            return position
    return len(text)


def header(parser: Parser, name: bytes) -> bool:
    if _FIELD_NAME.fullmatch(name):
        return True
    parser.report(f"header '{readable(name)}': not a valid header")
    return False


def headers(parser: Parser, names: list[bytes]) -> bool:
    return all(header(parser, name) for name in names)


def address_headers(parser: Parser, names: list[bytes]) -> list[bytes]:
    """Headers for a test of addresses, in lower case; ``rfc3028_strict`` has a list of them."""
    found = []
    for number, name in enumerate(names):
        if has_variable(parser, name):
            found.append(name)
        elif not parser.rules.strict_headers:
            if not header(parser, name):
                return found + names[number:]
            found.append(name)
        else:
            lower = name.lower()
            found.append(lower)
            if lower not in _ADDRESS_HEADERS:
                parser.report(f"header '{readable(lower)}': not a valid header for an address test")
                return found + names[number + 1 :]
    return found


def envelope_parts(parser: Parser, names: list[bytes]) -> list[bytes]:
    """Parts of the envelope, in lower case; ``rfc3028_strict`` knows three."""
    found = []
    for number, name in enumerate(names):
        if has_variable(parser, name):
            found.append(name)
            continue
        lower = name.lower()
        found.append(lower)
        if parser.rules.strict_headers and lower not in _ENVELOPE_PARTS:
            parser.report(f"env-part '{readable(lower)}': not a valid part for an envelope test")
            return found + names[number + 1 :]
    return found


def flags(parser: Parser, given: list[bytes]) -> list[bytes]:
    """Flags as RFC 5232 section 2 wants them: split at spaces, each once, what is no flag left out.

    With variables nobody knows yet what they will be, so they stay. No flag at all becomes an empty one.
    """
    if parser.supports(Extension.VARIABLES):
        return given
    found: dict[bytes, bytes] = {}
    for word in b" ".join(given).split(b" "):
        flag = word.strip()
        if flag.startswith(b"\\"):
            flag = flag.lower()
            if flag not in _SYSTEM_FLAGS:
                continue
        elif not flag or len(flag) > _LONGEST_FLAG or _NO_FLAG_ATOM.search(flag):
            continue
        found.setdefault(flag.lower(), flag)
    return list(found.values()) or [b""]


def maybe_flags(parser: Parser, given: list[bytes] | None) -> list[bytes]:
    return [] if given is None else flags(parser, given)


def comparison(parser: Parser, match: int, collation: int) -> None:
    """Which match types go with which comparator (RFC 4790 section 9.1, RFC 5231 section 4.2)."""
    if collation == Tag.ASCIINUMERIC:
        if match in (Tag.CONTAINS, Tag.MATCHES, Tag.REGEX):
            parser.report(MATCH_CONFLICT.format(f":{Tag(match).name.lower()}", "i;ascii-numeric"))
    elif match == Tag.COUNT:
        name = "i;octet" if collation == Tag.OCTET else "i;ascii-casemap"
        parser.report(MATCH_CONFLICT.format(":count", name))


def regexes(parser: Parser, patterns: list[bytes], collation: int) -> None:
    """Patterns must compile; those with variables cannot be known yet."""
    for pattern in patterns:
        if parser.supports(Extension.VARIABLES) and b"${" in pattern:
            continue
        try:
            compile_pattern(pattern, collation == Tag.ASCIICASEMAP)
        except BadPattern as error:
            parser.report(_regex_message(str(error)))
            return


def _regex_message(text: str) -> str:
    """What is wrong with a pattern, in the words of the library that the original uses."""
    reason, _, position = text.partition(" at position ")
    known = next((words for start, words in _REGEX_WORDS if reason.startswith(start)), "pattern error")
    return f"{known} at offset {position.partition(' ')[0] or '0':<6}"


def date_part(parser: Parser, part: bytes) -> int:
    tag = DATE_PARTS.get(part.lower())
    if tag is None:
        parser.report(f"invalid date-part '{readable(part)}'")
        return 0
    return tag


def weekday(parser: Parser, day: bytes) -> int:
    """The bit of a day, "0" for Sunday."""
    if len(day) == 1 and b"0" <= day <= b"6":
        return 1 << int(day)
    parser.report(f"'{readable(day)}': not a valid weekday for snooze")
    return 0


def time_of_day(parser: Parser, text: bytes) -> int:
    """Seconds since midnight of "hh:mm:ss"."""
    try:
        found = time.strptime(text.decode("ascii"), "%H:%M:%S")
    except ValueError:
        parser.report(f"'{readable(text)}': not a valid time for snooze")
        return 0
    return found.tm_hour * 3600 + found.tm_min * 60 + found.tm_sec
