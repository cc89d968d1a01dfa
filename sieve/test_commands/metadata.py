"""metadata, servermetadata and whether they exist (RFC 5490 sections 3.2, 3.3, 5.2, 5.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sieve import tags
from sieve.bytecode.opcodes import TestOp
from sieve.extensions import Extension
from sieve.tree import Test

if TYPE_CHECKING:
    from sieve.parser import Parser

_TAGS: tags.Table = {**tags.MATCH, **tags.COMPARATOR}


def metadata(parser: Parser, keyword: str) -> Test:
    parser.need(Extension.MBOXMETADATA)
    slots = parser.tagged(_TAGS)
    mailbox, annotation, keys = parser.string(), parser.string(), parser.strings()
    return Test(TestOp.METADATA, (*tags.comparator(parser, slots), mailbox, annotation, keys))


def servermetadata(parser: Parser, keyword: str) -> Test:
    parser.need(Extension.SERVERMETADATA)
    slots = parser.tagged(_TAGS)
    annotation, keys = parser.string(), parser.strings()
    return Test(TestOp.SERVERMETADATA, (*tags.comparator(parser, slots), annotation, keys))


def metadataexists(parser: Parser, keyword: str) -> Test:
    mailbox, annotations = parser.string(), parser.strings()
    parser.need(Extension.MBOXMETADATA)
    return Test(TestOp.METADATAEXISTS, (mailbox, annotations))


def servermetadataexists(parser: Parser, keyword: str) -> Test:
    annotations = parser.strings()
    parser.need(Extension.SERVERMETADATA)
    return Test(TestOp.SERVERMETADATAEXISTS, (annotations,))
