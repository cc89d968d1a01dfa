"""``:regex``: patterns in the dialect of PCRE, which the original matches with, bounded in time.

The library ``regex`` does the matching: its dialect is PCRE's but for some escapes, which are rewritten
here, and it gives up when told. Text and pattern are UTF-8; classes such as ``\\w`` know ASCII only.
"""

from __future__ import annotations

import functools
import re

import regex

LONGEST = 0.5
"""Seconds that one match may take; after that there is none."""
LARGEST_PATTERN = 64 * 1024
_KNOWN_GROUPS = 9

_ESCAPE = re.compile(
    r"\\(?:Q(?P<quoted>.*?)(?:\\E|$)|c(?P<control>.)|x\{(?P<hex>[0-9A-Fa-f]+)\}|(?P<one>.))", re.DOTALL
)
_NAMED_CLASS = re.compile(r"\[:\^?[a-z]+:\]")
_CLASS_START = re.compile(r"\[\^?\]?")
_REWRITTEN = {
    "e": r"\x1b",
    "E": "",
    "h": r"[ \t\xa0\u1680\u180e\u2000-\u200a\u202f\u205f\u3000]",
    "H": r"[^ \t\xa0\u1680\u180e\u2000-\u200a\u202f\u205f\u3000]",
    "v": r"[\n\x0b\f\r\x85\u2028\u2029]",
    "V": r"[^\n\x0b\f\r\x85\u2028\u2029]",
    "N": r"[^\n]",
    "C": r"(?s:.)",
    "Z": r"(?=\n?\Z)",
    "z": r"\Z",
}
_REWRITTEN_IN_CLASS = {
    "e": r"\x1b",
    "E": "",
    "h": r" \t\xa0\u1680\u180e\u2000-\u200a\u202f\u205f\u3000",
    "v": r"\n\x0b\f\r\x85\u2028\u2029",
    "b": r"\x08",
}
_SHARED = frozenset("abdDwWsSBAGRXpPkgKfnrtx0123456789")


class BadPattern(ValueError):
    """The pattern cannot be compiled; the text says why."""


class Pattern:
    """A compiled pattern. :meth:`search` gives the match variables ``${0}`` to ``${9}``, or None."""

    def __init__(self, compiled: regex.Pattern[str]) -> None:
        self._compiled = compiled

    def search(self, text: bytes) -> list[bytes] | None:
        try:
            readable = text.decode("utf-8")
        except UnicodeDecodeError:
            return None
        try:
            found = self._compiled.search(readable, timeout=LONGEST, concurrent=False)
        except (TimeoutError, MemoryError):
            return None
        if found is None:
            return None
        groups = min(found.re.groups, _KNOWN_GROUPS)
        # as the original, ten variables always; a group that took no part is empty
        values = [(found[number] or "").encode("utf-8") for number in range(groups + 1)]
        return values + [b""] * (_KNOWN_GROUPS - groups)


@functools.lru_cache(maxsize=256)
def compile_pattern(pattern: bytes, ignore_case: bool) -> Pattern:
    """Raises BadPattern."""
    if len(pattern) > LARGEST_PATTERN:
        raise BadPattern("pattern is too large")
    try:
        text = _translated(pattern.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise BadPattern(f"invalid UTF-8 at offset {error.start}") from error
    flags = regex.VERSION0 | regex.ASCII | (regex.IGNORECASE if ignore_case else 0)
    try:
        return Pattern(regex.compile(text, flags))
    except (regex.error, OverflowError, RecursionError, ValueError) as error:
        raise BadPattern(str(error)) from error


def _translated(pattern: str) -> str:
    """PCRE's escapes in the words of ``regex``."""
    pieces: list[str] = []
    position = 0
    in_class = False
    while position < len(pattern):
        char = pattern[position]
        if char == "\\":
            found = _ESCAPE.match(pattern, position)
            if found is None:
                raise BadPattern(f"\\ at end of pattern at offset {len(pattern)}")
            pieces.append(_escape(found, in_class))
            position = found.end()
            continue
        if not in_class and char == "[":
            start = _CLASS_START.match(pattern, position)
            assert start is not None
            in_class = True
            # a bracket inside a class needs a backslash here, and the first of the class too
            pieces.append(start[0].replace("]", "\\]"))
            position = start.end()
            continue
        if in_class and char == "[":
            named = _NAMED_CLASS.match(pattern, position)
            pieces.append(named[0] if named else "\\[")
            position = named.end() if named else position + 1
            continue
        if in_class and char == "]":
            in_class = False
        pieces.append(char)
        position += 1
    return "".join(pieces)


def _escape(found: re.Match[str], in_class: bool) -> str:
    if found["quoted"] is not None:
        return regex.escape(found["quoted"], special_only=True)
    if found["control"] is not None:
        return f"\\x{ord(found['control'].upper()) ^ 64 & 0xFF:02x}"
    if found["hex"] is not None:
        code = int(found["hex"], 16)
        if code > 0x10FFFF:
            raise BadPattern("character value in \\x{...} sequence is too large")
        return f"\\U{code:08x}"
    one = found["one"]
    rewritten = (_REWRITTEN_IN_CLASS if in_class else _REWRITTEN).get(one)
    if rewritten is not None:
        return rewritten
    if one in _SHARED or not one.isalnum():
        return "\\" + one
    # PCRE takes an escape that it does not know for the character itself
    return one
