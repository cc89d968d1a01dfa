"""header and exists: fields of the message's header (RFC 5228 sections 5.5, 5.7; :index RFC 5260)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sieve import checks, tags
from sieve.bytecode.opcodes import TestOp
from sieve.tree import Test

if TYPE_CHECKING:
    from sieve.parser import Parser

_TAGS: tags.Table = {**tags.MATCH, **tags.LIST, **tags.COMPARATOR, **tags.INDEX}


def build(parser: Parser, keyword: str) -> Test:
    slots = parser.tagged(_TAGS)
    names, patterns = parser.strings(), parser.strings()
    index = tags.index(parser, slots)
    checks.headers(parser, names)
    comparator = tags.patterns(parser, slots, patterns, utf8=True)
    return Test(TestOp.HEADER, (index, *comparator, names, patterns))


def exists(parser: Parser, keyword: str) -> Test:
    return Test(TestOp.EXISTS, (parser.strings(),))
