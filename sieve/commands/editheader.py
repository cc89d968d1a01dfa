"""addheader and deleteheader: change the header that later tests and actions see (RFC 5293)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sieve import checks, tags
from sieve.bytecode.opcodes import Op
from sieve.extensions import Extension
from sieve.tree import Action

if TYPE_CHECKING:
    from sieve.parser import Parser

_ADD_TAGS: tags.Table = {":last": tags.tag(":last", "last")}
_DELETE_TAGS: tags.Table = {**tags.MATCH, **tags.LIST, **tags.COMPARATOR, **tags.HEADER_INDEX}
_PROTECTED = frozenset({b"received", b"auto-submitted"})
_FIRST, _LAST = 1, -1


def addheader(parser: Parser, keyword: str) -> Action:
    parser.need(Extension.EDITHEADER)
    slots = parser.tagged(_ADD_TAGS)
    name, value = parser.string(), parser.string()
    checks.header(parser, name)
    checks.utf8(parser, value)
    return Action(Op.ADDHEADER, (_LAST if "last" in slots else _FIRST, name, value))


def deleteheader(parser: Parser, keyword: str) -> Action:
    parser.need(Extension.EDITHEADER)
    slots = parser.tagged(_DELETE_TAGS)
    name = parser.string()
    values = parser.strings() if parser.at_strings() else []
    index = 0
    if name.lower() in _PROTECTED:
        parser.report("MUST NOT delete Received or Auto-Submitted headers")
    else:
        index = tags.index(parser, slots)
    checks.header(parser, name)
    comparator = tags.patterns(parser, slots, values, utf8=True)
    return Action(Op.DELETEHEADER, (index, *comparator, name, values))
