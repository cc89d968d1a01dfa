"""address and envelope: addresses of the message (RFC 5228 sections 5.1, 5.4).

Parts :user and :detail are RFC 5233's, :index RFC 5260's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sieve import checks, tags
from sieve.bytecode.opcodes import Tag, TestOp
from sieve.extensions import Extension
from sieve.tree import Test

if TYPE_CHECKING:
    from sieve.parser import Parser

_PART = "address-part"
_PARTS: tags.Table = {
    ":all": tags.one_of("part", _PART, Tag.ALL),
    ":localpart": tags.one_of("part", _PART, Tag.LOCALPART),
    ":domain": tags.one_of("part", _PART, Tag.DOMAIN),
    ":user": tags.one_of("part", _PART, Tag.USER, Extension.SUBADDRESS),
    ":detail": tags.one_of("part", _PART, Tag.DETAIL, Extension.SUBADDRESS),
}
_ENVELOPE_TAGS: tags.Table = {**_PARTS, **tags.MATCH, **tags.LIST, **tags.COMPARATOR}
_ADDRESS_TAGS: tags.Table = {**_ENVELOPE_TAGS, **tags.INDEX}


def address(parser: Parser, keyword: str) -> Test:
    slots = parser.tagged(_ADDRESS_TAGS)
    names, patterns = parser.strings(), parser.strings()
    index = tags.index(parser, slots)
    names = checks.address_headers(parser, names)
    comparator = tags.patterns(parser, slots, patterns)
    return Test(TestOp.ADDRESS, (index, *comparator, slots.get("part", Tag.ALL), names, patterns))


def envelope(parser: Parser, keyword: str) -> Test:
    parser.need(Extension.ENVELOPE)
    slots = parser.tagged(_ENVELOPE_TAGS)
    names, patterns = parser.strings(), parser.strings()
    names = checks.envelope_parts(parser, names)
    comparator = tags.patterns(parser, slots, patterns)
    return Test(TestOp.ENVELOPE, (*comparator, slots.get("part", Tag.ALL), names, patterns))
