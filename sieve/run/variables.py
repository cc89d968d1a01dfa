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

_REFERENCE = re.compile(rb"\$\{(?:(?P<number>[0-9]+)|(?P<name>[A-Za-z_][A-Za-z0-9_]*))\}")
_SYSTEM_FLAGS = frozenset((rb"\seen", rb"\answered", rb"\flagged", rb"\draft", rb"\deleted"))
_NOT_ATOM = re.compile(rb'[\x00-\x1e\x20\x7f-\xff"%()*\\{]')
_WILD = re.compile(rb"[*?\\]")
_REGEX = re.compile(rb"[.^$+()\[{|*?\\]")
_RESERVED = re.compile(rb"[^A-Za-z0-9._~-]")


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
        expanded = _REFERENCE.sub(self._value, text)
        if len(expanded) > LONGEST:
            raise OutOfSpace
        return expanded

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
    """The value that SET stores, changed in the order of precedence (RFC 5229 section 4.1)."""
    if modifiers & Modifier.LOWER:
        value = value.lower()
    elif modifiers & Modifier.UPPER:
        value = value.upper()
    if modifiers & Modifier.LOWERFIRST:
        value = value[:1].lower() + value[1:]
    elif modifiers & Modifier.UPPERFIRST:
        value = value[:1].upper() + value[1:]
    if modifiers & Modifier.QUOTEREGEX:
        value = _REGEX.sub(rb"\\\g<0>", value)
    elif modifiers & Modifier.QUOTEWILDCARD:
        value = _WILD.sub(rb"\\\g<0>", value)
    if modifiers & Modifier.ENCODEURL:
        value = _RESERVED.sub(lambda found: b"%%%02X" % found[0][0], value)
    if modifiers & Modifier.LENGTH:
        # octets, as in the original; RFC 5229 section 4.1.3 means characters
        value = b"%d" % len(value)
    return value


def valid_flags(words: Iterable[bytes]) -> list[bytes]:
    """The flags that strings name, several to a string perhaps (RFC 5232 section 2).

    Invalid ones are left out, and those that are there already in another case.
    """
    found: list[bytes] = []
    seen: set[bytes] = set()
    for flag in b" ".join(words).split():
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
