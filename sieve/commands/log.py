"""log: write a line to the server's log (vnd.cyrus.log)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sieve import checks
from sieve.bytecode.opcodes import Op
from sieve.extensions import Extension
from sieve.tree import Action

if TYPE_CHECKING:
    from sieve.parser import Parser


def build(parser: Parser, keyword: str) -> Action:
    text = parser.string()
    checks.utf8(parser, text)
    parser.need(Extension.LOG)
    return Action(Op.LOG, (text,))
