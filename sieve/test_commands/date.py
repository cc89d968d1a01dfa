"""date and currentdate (RFC 5260)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sieve import checks, tags
from sieve.bytecode.opcodes import Tag, TestOp
from sieve.extensions import Extension
from sieve.tags import Slots
from sieve.tree import Argument, Test

if TYPE_CHECKING:
    from sieve.parser import Parser

_ORIGINAL = tags.tag(":originalzone", "zone", lambda _parser: None)
_ZONE: tags.Table = {":zone": tags.tag(":zone", "zone", tags.text)}
_CURRENT_TAGS: tags.Table = {**_ZONE, **tags.MATCH, **tags.COMPARATOR}
_TAGS: tags.Table = {**_CURRENT_TAGS, ":originalzone": _ORIGINAL, **tags.INDEX}
_FIRST = 1


def date(parser: Parser, keyword: str) -> Test:
    parser.need(Extension.DATE)
    slots = parser.tagged(_TAGS)
    name, part, keys = parser.string(), parser.string(), parser.strings()
    checks.header(parser, name)
    comparator = tags.patterns(parser, slots, keys)
    index = tags.index(parser, slots) or _FIRST
    number = checks.date_part(parser, part)
    return Test(TestOp.DATE, (index, *_zone(slots), *comparator, number, name, keys))


def currentdate(parser: Parser, keyword: str) -> Test:
    parser.need(Extension.DATE)
    slots = parser.tagged(_CURRENT_TAGS)
    part, keys = parser.string(), parser.strings()
    comparator = tags.patterns(parser, slots, keys)
    number = checks.date_part(parser, part)
    return Test(TestOp.CURRENTDATE, (*_zone(slots), *comparator, number, keys))


def _zone(slots: Slots) -> tuple[Argument, ...]:
    """A zone as words: the field's own, one that is given, or the server's without a name."""
    if "zone" in slots and slots["zone"] is None:
        return (Tag.ORIGINALZONE,)
    return (Tag.TIMEZONE, slots.get("zone"))
