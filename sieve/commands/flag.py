"""setflag, addflag and removeflag (RFC 5232 section 3); mark and unmark, of the older draft."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sieve import checks
from sieve.bytecode.opcodes import Op
from sieve.extensions import Extension
from sieve.messages import DUPLICATE_ARGUMENT, INVALID_VALUE
from sieve.tree import Action

if TYPE_CHECKING:
    from sieve.parser import Parser

_OPS = {
    "setflag": Op.SETFLAG,
    "addflag": Op.ADDFLAG,
    "removeflag": Op.REMOVEFLAG,
    "mark": Op.ADDFLAG,
    "unmark": Op.REMOVEFLAG,
}
_FLAGGED = rb"\Flagged"


def build(parser: Parser, keyword: str) -> Action:
    parser.need(Extension.IMAP4FLAGS)
    variable = None
    while parser.peek() != "[":
        # a string is the only flag if nothing follows, else the variable
        text = parser.string()
        if parser.peek() == ";":
            return _action(parser, keyword, variable, [text])
        if variable is not None:
            parser.report(DUPLICATE_ARGUMENT.format("variablename"))
        else:
            parser.need(Extension.IMAP4FLAGS)
        variable = text
    return _action(parser, keyword, variable, parser.strings())


def mark(parser: Parser, keyword: str) -> Action:
    parser.need(Extension.IMAP4FLAGS)
    return _action(parser, keyword, None, [_FLAGGED])


def _action(parser: Parser, keyword: str, variable: bytes | None, given: list[bytes]) -> Action:
    flags = checks.flags(parser, given)
    if variable is not None and not checks.is_identifier(variable):
        parser.report(INVALID_VALUE.format("variablename"))
    return Action(_OPS[keyword], (variable or b"", flags))
