"""jmapquery: an email filter of JMAP (vnd.cyrus.jmapquery). Refused: this server has no JMAP."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sieve.bytecode.opcodes import TestOp
from sieve.extensions import Extension
from sieve.messages import UNSUPPORTED_EXTENSION
from sieve.tree import Test

if TYPE_CHECKING:
    from sieve.parser import Parser


def build(parser: Parser, keyword: str) -> Test:
    parser.string()
    parser.need(Extension.JMAPQUERY)
    parser.report(UNSUPPORTED_EXTENSION)
    return Test(TestOp.FALSE)
