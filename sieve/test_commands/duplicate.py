"""duplicate: whether such a message came before (RFC 7352)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sieve import checks, tags
from sieve.bytecode.opcodes import Tag, TestOp
from sieve.extensions import Extension
from sieve.tags import Slots, Take, conflict
from sieve.tree import Test

if TYPE_CHECKING:
    from sieve.parser import Parser

_DEFAULT = 7 * 86400
_DEFAULT_HEADER = b"Message-ID"


def _id(kind: Tag) -> Take:
    def take(parser: Parser, slots: Slots) -> None:
        value = parser.string()
        if "idtype" in slots:
            parser.report(conflict(":header", ":uniqueid"))
        slots["idtype"], slots["idval"] = kind, value

    return take


_TAGS: tags.Table = {
    ":header": _id(Tag.HEADER),
    ":uniqueid": _id(Tag.UNIQUEID),
    ":handle": tags.tag(":handle", "handle", tags.text),
    ":seconds": tags.tag(":seconds", "seconds", tags.number),
    ":last": tags.tag(":last", "last"),
}


def build(parser: Parser, keyword: str) -> Test:
    parser.need(Extension.DUPLICATE)
    slots = parser.tagged(_TAGS)
    kind, value = slots.get("idtype", Tag.HEADER), slots.get("idval", _DEFAULT_HEADER)
    if kind == Tag.HEADER:
        checks.header(parser, value)
    else:
        checks.utf8(parser, value)
    handle = slots.get("handle", b"")
    checks.utf8(parser, handle)
    return Test(TestOp.DUPLICATE, (kind, value, handle, slots.get("seconds", _DEFAULT), int("last" in slots)))
