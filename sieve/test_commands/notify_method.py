"""valid_notify_method, notify_method_capability (RFC 5435 sections 4, 5) and valid_ext_list (RFC 6134)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sieve import tags
from sieve.bytecode.opcodes import TestOp
from sieve.extensions import Extension
from sieve.tree import Test

if TYPE_CHECKING:
    from sieve.parser import Parser

_TAGS: tags.Table = {**tags.MATCH, **tags.COMPARATOR}


def valid(parser: Parser, keyword: str) -> Test:
    uris = parser.strings()
    parser.need(Extension.ENOTIFY)
    return Test(TestOp.VALIDNOTIFYMETHOD, (uris,))


def capability(parser: Parser, keyword: str) -> Test:
    parser.need(Extension.ENOTIFY)
    slots = parser.tagged(_TAGS)
    uri, name, keys = parser.string(), parser.string(), parser.strings()
    return Test(TestOp.NOTIFYMETHODCAPABILITY, (*tags.comparator(parser, slots), uri, name, keys))


def valid_ext_list(parser: Parser, keyword: str) -> Test:
    names = parser.strings()
    parser.need(Extension.EXTLISTS)
    return Test(TestOp.VALIDEXTLIST, (names,))
