"""set: give a variable a value (RFC 5229 section 4; :encodeurl RFC 5435 section 6; :quoteregex)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sieve import checks, tags
from sieve.bytecode.opcodes import Modifier, Op
from sieve.extensions import Extension
from sieve.messages import MULTIPLE_TAGS
from sieve.tags import Slots, Take
from sieve.tree import Action

if TYPE_CHECKING:
    from sieve.parser import Parser


def _modifier(modifier: Modifier, precedence: int, needs: Extension | None = None) -> Take:
    """There may be one modifier of each precedence; more than one are all kept and complained of."""
    slot = str(precedence)

    def take(parser: Parser, slots: Slots) -> None:
        if needs is not None:
            parser.need(needs)
        if slot in slots:
            parser.report(MULTIPLE_TAGS.format(f"precedence {precedence} modifier"))
        slots[slot] = slots.get(slot, 0) | modifier

    return take


_TAGS: tags.Table = {
    ":lower": _modifier(Modifier.LOWER, 40),
    ":upper": _modifier(Modifier.UPPER, 40),
    ":lowerfirst": _modifier(Modifier.LOWERFIRST, 30),
    ":upperfirst": _modifier(Modifier.UPPERFIRST, 30),
    ":quotewildcard": _modifier(Modifier.QUOTEWILDCARD, 20),
    ":quoteregex": _modifier(Modifier.QUOTEREGEX, 20, Extension.REGEX),
    ":encodeurl": _modifier(Modifier.ENCODEURL, 15, Extension.ENOTIFY),
    ":length": _modifier(Modifier.LENGTH, 10),
}


def build(parser: Parser, keyword: str) -> Action:
    parser.need(Extension.VARIABLES)
    modifiers = sum(parser.tagged(_TAGS).values())
    variable, value = parser.string(), parser.string()
    checks.identifier(parser, variable)
    checks.utf8(parser, value)
    return Action(Op.SET, (modifiers, variable, value))
