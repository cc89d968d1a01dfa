"""jmapquery: an email filter of JMAP (vnd.cyrus.jmapquery). No script can require it until there is JMAP."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sieve.bytecode.opcodes import TestOp
from sieve.extensions import Extension
from sieve.tree import Test

if TYPE_CHECKING:
    from sieve.parser import Parser


def build(parser: Parser, keyword: str) -> Test:
    parser.string()
    parser.need(Extension.JMAPQUERY)
    return Test(TestOp.FALSE)
