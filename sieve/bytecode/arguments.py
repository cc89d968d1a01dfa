"""Arguments of decoded instructions, each as what it must be (the reader has given them their types).

All raise BytecodeError for values that mean nothing.
"""

from __future__ import annotations

from typing import Any

from sieve.bytecode.actions import Fcc
from sieve.bytecode.conditions import Match
from sieve.bytecode.opcodes import Tag
from sieve.bytecode.reader import Arguments, Comparator, Copy
from sieve.errors import BytecodeError

_MATCHES = frozenset({Tag.IS, Tag.CONTAINS, Tag.MATCHES, Tag.REGEX, Tag.LIST, Tag.COUNT, Tag.VALUE})
_RELATIONS = frozenset({Tag.GT, Tag.GE, Tag.LT, Tag.LE, Tag.EQ, Tag.NE})
_COLLATIONS = frozenset({Tag.ASCIICASEMAP, Tag.OCTET, Tag.ASCIINUMERIC})
_ZONES = frozenset({Tag.TIMEZONE, Tag.ORIGINALZONE})


def number(arguments: Arguments, name: str) -> int:
    value: Any = arguments.get(name, 0)
    return int(value)


def text(arguments: Arguments, name: str) -> bytes:
    """A string that must be there."""
    value: Any = arguments.get(name)
    if value is None:
        raise BytecodeError(f"no {name}")
    return bytes(value)


def maybe(arguments: Arguments, name: str) -> bytes | None:
    value: Any = arguments.get(name)
    return value  # type: ignore[no-any-return]


def strings(arguments: Arguments, name: str) -> tuple[bytes, ...]:
    value: Any = arguments.get(name, ())
    return value  # type: ignore[no-any-return]


def one_of(number: int, known: frozenset[Tag], what: str) -> Tag:
    if number not in known:
        raise BytecodeError(f"no {what} {number}")
    return Tag(number)


def tag(arguments: Arguments, name: str, known: frozenset[Tag]) -> Tag:
    return one_of(number(arguments, name), known, name)


def match(arguments: Arguments) -> Match:
    comparator = arguments["comparator"]
    assert isinstance(comparator, Comparator)
    return matched(comparator.match, comparator.relation, comparator.collation)


def matched(match: int, relation: int, collation: int) -> Match:
    kind = one_of(match, _MATCHES, "match type")
    relational = kind is Tag.COUNT or kind is Tag.VALUE
    return Match(
        kind,
        one_of(relation, _RELATIONS, "relation") if relational else None,
        one_of(collation, _COLLATIONS, "comparator"),
    )


def zone(arguments: Arguments) -> tuple[bytes | None, bool]:
    zone: Any = arguments["zone"]
    return zone.offset, one_of(zone.tag, _ZONES, "zone") is Tag.ORIGINALZONE


def fcc(arguments: Arguments) -> Fcc | None:
    copy = arguments.get("fcc")
    if not isinstance(copy, Copy):
        return None
    return Fcc(copy.folder, bool(copy.create), copy.flags, copy.specialuse, copy.mailboxid)
