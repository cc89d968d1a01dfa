"""Variables (RFC 5229): what strings stand for, what SET stores; and flags, which are variables too.

A variable holds a list of words; in a string it stands for them joined by blanks. The nameless one is the
implicit list of flags (RFC 5232).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from sieve.bytecode.opcodes import Modifier
from sieve.run.errors import RunError

LONGEST = 16 * 1024 * 1024
"""Bytes that all variables of a script may hold together; a script that doubles a string ends there."""
LONGEST_FLAGS = 1024 * 1024
"""Bytes of the strings that name flags."""

_REFERENCE = re.compile(rb"\$\{(?:(?P<number>[0-9]+)|(?P<name>[A-Za-z_][A-Za-z0-9_]*))\}")
_SYSTEM_FLAGS = frozenset((rb"\seen", rb"\answered", rb"\flagged", rb"\draft", rb"\deleted"))
_NOT_ATOM = re.compile(rb'[\x00-\x1e\x20\x7f-\xff"%()*\\{]')
_WILD = rb"\*?"
_REGEX = rb"\.^$+()[{|*?"
_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~-")


class OutOfSpace(RunError):
    """Variables grew beyond what a script may hold."""

    text = "Variables take too much space"


class Variables:
    def __init__(self) -> None:
        self._values: dict[bytes, list[bytes]] = {b"": []}
        self.matched: list[bytes] = []
        """What ``${0}``, ``${1}`` ... stand for."""

    def expand(self, text: bytes) -> bytes:
        """Unknown variables are empty. Raises OutOfSpace."""
        if b"${" not in text:
            return text
        pieces: list[bytes] = []
        end = size = 0
        for found in _REFERENCE.finditer(text):
            value = self._value(found)
            pieces += (text[end : found.start()], value)
            end = found.end()
            # counted before they are put together: a short text can stand for more than there is memory
            size += len(value)
            if size > LONGEST:
                raise OutOfSpace
        pieces.append(text[end:])
        return b"".join(pieces)

    def set(self, name: bytes, value: bytes) -> None:
        """Raises OutOfSpace."""
        self._values[_fold(name)] = [value]
        if sum(len(word) for words in self._values.values() for word in words) > LONGEST:
            raise OutOfSpace

    def set_flags(self, name: bytes, flags: list[bytes]) -> None:
        self._values[_fold(name)] = flags

    def get(self, name: bytes) -> list[bytes] | None:
        return self._values.get(_fold(name))

    @property
    def flags(self) -> tuple[bytes, ...]:
        """The implicit list of flags."""
        return tuple(self._values[b""])

    def _value(self, reference: re.Match[bytes]) -> bytes:
        if reference["number"] is not None:
            digits = reference["number"].lstrip(b"0")
            number = int(digits or b"0") if len(digits) < 4 else len(self.matched)
            return self.matched[number] if number < len(self.matched) else b""
        return b" ".join(self._values.get(_fold(reference["name"]), ()))


def modified(value: bytes, modifiers: int) -> bytes:
    """The value that SET stores, changed in the order of precedence (RFC 5229 section 4.1).

    Raises OutOfSpace.
    """
    if modifiers & Modifier.LOWER:
        value = value.lower()
    elif modifiers & Modifier.UPPER:
        value = value.upper()
    if modifiers & Modifier.LOWERFIRST:
        value = value[:1].lower() + value[1:]
    elif modifiers & Modifier.UPPERFIRST:
        value = value[:1].upper() + value[1:]
    if modifiers & Modifier.QUOTEREGEX:
        value = _escaped(value, _REGEX)
    elif modifiers & Modifier.QUOTEWILDCARD:
        value = _escaped(value, _WILD)
    if modifiers & Modifier.ENCODEURL:
        value = _url_encoded(value)
    if modifiers & Modifier.LENGTH:
        # octets, as in the original; RFC 5229 section 4.1.3 means characters
        value = b"%d" % len(value)
    return value


def _escaped(value: bytes, special: bytes) -> bytes:
    """With a backslash before each special byte, which the backslash, the first of them, is too.

    One pass for each of them: values are large, and a pass of ``replace`` takes no time.
    """
    for byte in special:
        value = value.replace(b"%c" % byte, b"\\%c" % byte)
    return value


def _url_encoded(value: bytes) -> bytes:
    """As ``_escaped``; what encodes the others is encoded first."""
    for byte in sorted(set(value) - _UNRESERVED, key=lambda byte: byte != ord("%")):
        value = value.replace(b"%c" % byte, b"%%%02X" % byte)
        if len(value) > LONGEST:
            raise OutOfSpace
    return value


def valid_flags(words: Iterable[bytes]) -> list[bytes]:
    """The flags that strings name, several to a string perhaps (RFC 5232 section 2).

    Invalid ones are left out, and those that are there already in another case. Raises OutOfSpace.
    """
    found: list[bytes] = []
    seen: set[bytes] = set()
    named = b" ".join(words)
    if len(named) > LONGEST_FLAGS:
        raise OutOfSpace
    for flag in named.split():
        folded = flag.lower()
        if flag.startswith(b"\\"):
            if folded not in _SYSTEM_FLAGS:
                continue
            flag = folded
        elif _NOT_ATOM.search(flag):
            continue
        if folded not in seen:
            seen.add(folded)
            found.append(flag)
    return found


def _fold(name: bytes) -> bytes:
    return name.lower()
