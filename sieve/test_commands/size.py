"""size of the message (RFC 5228 section 5.9)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sieve.bytecode.opcodes import Tag, TestOp
from sieve.tree import Test

if TYPE_CHECKING:
    from sieve.parser import Parser


def build(parser: Parser, keyword: str) -> Test:
    if parser.peek() == ":over":
        relation = Tag.OVER
        parser.shift()
    else:
        relation = Tag.UNDER
        parser.expect(":under")
    return Test(TestOp.SIZE, (relation, parser.number()))
