"""reject and ereject: refuse the message (RFC 5429); error: end with an error (RFC 5463 section 5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sieve import checks
from sieve.bytecode.opcodes import Op
from sieve.extensions import Extension
from sieve.tree import Action

if TYPE_CHECKING:
    from sieve.parser import Parser

_KINDS = {
    "reject": (Op.REJECT, Extension.REJECT),
    "ereject": (Op.EREJECT, Extension.EREJECT),
    "error": (Op.ERROR, Extension.IHAVE),
}


def build(parser: Parser, keyword: str) -> Action:
    op, extension = _KINDS[keyword]
    text = parser.string()
    if op is Op.ERROR and parser.peek() != ";":
        # the only one of them whose ";" belongs to it, so that nothing is checked before
        parser.expect(";")
    checks.utf8(parser, text)
    parser.need(extension)
    return Action(op, (text,))
