"""body: what the message says (RFC 5173)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sieve import tags
from sieve.bytecode.opcodes import Tag, TestOp
from sieve.extensions import Extension
from sieve.messages import MULTIPLE_TAGS
from sieve.tags import Slots
from sieve.tree import Test

if TYPE_CHECKING:
    from sieve.parser import Parser


def _content(parser: Parser, slots: Slots) -> None:
    types = parser.strings()
    if "transform" in slots:
        parser.report(MULTIPLE_TAGS.format("transform"))
    slots["transform"] = Tag.CONTENT
    slots["types"] = types


_TAGS: tags.Table = {
    ":raw": tags.one_of("transform", "transform", Tag.RAW),
    ":text": tags.one_of("transform", "transform", Tag.TEXT),
    ":content": _content,
    **tags.MATCH,
    **tags.COMPARATOR,
}


def build(parser: Parser, keyword: str) -> Test:
    parser.need(Extension.BODY)
    slots = parser.tagged(_TAGS)
    patterns = parser.strings()
    comparator = tags.patterns(parser, slots, patterns, utf8=True)
    transform = slots.get("transform", Tag.TEXT)
    types = slots.get("types", [b"" if transform == Tag.RAW else b"text"])
    return Test(TestOp.BODY, (*comparator, transform, 0, types, patterns))
