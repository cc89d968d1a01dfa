"""mailboxexists (RFC 5490), mailboxidexists (RFC 9042) and specialuse_exists (RFC 8579)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sieve.bytecode.opcodes import TestOp
from sieve.extensions import Extension
from sieve.tree import Test

if TYPE_CHECKING:
    from sieve.parser import Parser

_KINDS = {
    "mailboxexists": (TestOp.MAILBOXEXISTS, Extension.MAILBOX),
    "mailboxidexists": (TestOp.MAILBOXIDEXISTS, Extension.MAILBOXID),
}


def build(parser: Parser, keyword: str) -> Test:
    op, extension = _KINDS[keyword]
    names = parser.strings()
    parser.need(extension)
    return Test(op, (names,))


def specialuse_exists(parser: Parser, keyword: str) -> Test:
    """A mailbox in front is optional: a string before other strings."""
    mailbox = None
    bracketed = parser.peek() == "["
    uses = parser.strings()
    if not bracketed and parser.at_strings():
        mailbox, uses = uses[0], parser.strings()
    parser.need(Extension.SPECIAL_USE)
    return Test(TestOp.SPECIALUSEEXISTS, (mailbox, uses))
