"""string (RFC 5229 section 5) and hasflag (RFC 5232 section 4): the values of variables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sieve import checks, tags
from sieve.bytecode.opcodes import TestOp
from sieve.extensions import Extension
from sieve.tree import Test

if TYPE_CHECKING:
    from sieve.parser import Parser

_HASFLAG_TAGS: tags.Table = {**tags.MATCH, **tags.COMPARATOR}
_TAGS: tags.Table = {**_HASFLAG_TAGS, **tags.LIST}


def build(parser: Parser, keyword: str) -> Test:
    parser.need(Extension.VARIABLES)
    slots = parser.tagged(_TAGS)
    strings, patterns = parser.strings(), parser.strings()
    checks.all_utf8(parser, strings)
    return Test(TestOp.STRING, (*tags.patterns(parser, slots, patterns, utf8=True), strings, patterns))


def hasflag(parser: Parser, keyword: str) -> Test:
    """A list of variables in front is optional, so one list alone is the flags."""
    parser.need(Extension.IMAP4FLAGS)
    slots = parser.tagged(_HASFLAG_TAGS)
    variables: list[bytes] = []
    patterns = parser.strings()
    if parser.at_strings():
        variables, patterns = patterns, parser.strings()
        parser.need(Extension.VARIABLES)
        all(checks.identifier(parser, name) for name in variables)
    comparator = tags.patterns(parser, slots, patterns, utf8=True)
    return Test(TestOp.HASFLAG, (*comparator, variables, patterns))
