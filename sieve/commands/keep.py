"""keep: file the message into the main mailbox (RFC 5228 section 4.3, RFC 5232 section 5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sieve import checks, tags
from sieve.bytecode.opcodes import Op
from sieve.tree import Action

if TYPE_CHECKING:
    from sieve.parser import Parser


def build(parser: Parser, keyword: str) -> Action:
    slots = parser.tagged(tags.FLAGS)
    return Action(Op.KEEP, (checks.maybe_flags(parser, slots.get("flags")),))
