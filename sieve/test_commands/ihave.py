"""ihave: ask for extensions (RFC 5463)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sieve import extensions
from sieve.bytecode.opcodes import TestOp
from sieve.extensions import Extension
from sieve.lexer import readable
from sieve.messages import NOT_IN_IHAVE
from sieve.tree import Test

if TYPE_CHECKING:
    from sieve.parser import Parser


def build(parser: Parser, keyword: str) -> Test:
    names = parser.strings()
    parser.need(Extension.IHAVE)
    unknown = 0
    for name in names:
        extension = extensions.find(name)
        if extension in extensions.NOT_IN_IHAVE:
            parser.ignoring = 0
            parser.report(NOT_IN_IHAVE.format(readable(name)))
            break
        if not unknown and not extensions.is_known(name):
            # at once, for an unknown test may follow in the same list
            parser.ignoring += 1
            unknown = parser.ignoring
    return Test(TestOp.IHAVE, (names,), (), unknown)
