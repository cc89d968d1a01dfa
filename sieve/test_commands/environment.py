"""environment: facts about the server (RFC 5183)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sieve import tags
from sieve.bytecode.opcodes import TestOp
from sieve.extensions import Extension
from sieve.tree import Test

if TYPE_CHECKING:
    from sieve.parser import Parser

_TAGS: tags.Table = {**tags.MATCH, **tags.COMPARATOR}


def build(parser: Parser, keyword: str) -> Test:
    parser.need(Extension.ENVIRONMENT)
    slots = parser.tagged(_TAGS)
    item, keys = parser.string(), parser.strings()
    return Test(TestOp.ENVIRONMENT, (*tags.comparator(parser, slots), item, keys))
