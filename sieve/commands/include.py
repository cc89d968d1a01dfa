"""include another script, and return from it (RFC 6609)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sieve import tags
from sieve.bytecode.opcodes import Include, Op, Tag
from sieve.extensions import Extension
from sieve.messages import INVALID_VALUE
from sieve.tags import Slots, Take, conflict
from sieve.tree import Action

if TYPE_CHECKING:
    from sieve.parser import Parser


def _location(location: Tag) -> Take:
    def take(parser: Parser, slots: Slots) -> None:
        if "location" in slots:
            parser.report(conflict(":personal", ":location"))
        slots["location"] = location

    return take


_TAGS: tags.Table = {
    ":personal": _location(Tag.PERSONAL),
    ":global": _location(Tag.GLOBAL),
    ":once": tags.tag(":once", "once"),
    ":optional": tags.tag(":optional", "optional"),
}


def build(parser: Parser, keyword: str) -> Action:
    parser.need(Extension.INCLUDE)
    slots = parser.tagged(_TAGS)
    script = parser.string()
    if parser.peek() != ";":
        parser.expect(";")
    if b"/" in script:
        parser.report(INVALID_VALUE.format("script-name"))
    flags: int = slots.get("location", Tag.PERSONAL)
    if "once" in slots:
        flags |= Include.ONCE
    if "optional" in slots:
        flags |= Include.OPTIONAL
    return Action(Op.INCLUDE, (int(flags), script))


def return_(parser: Parser, keyword: str) -> Action:
    if parser.peek() != ";":
        parser.expect(";")
    parser.need(Extension.INCLUDE)
    return Action(Op.RETURN)
