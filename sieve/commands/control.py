"""stop and discard: what has no arguments (RFC 5228 sections 3.3, 4.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sieve.bytecode.opcodes import Op
from sieve.tree import Action

if TYPE_CHECKING:
    from sieve.parser import Parser

_OPS = {"stop": Op.STOP, "discard": Op.DISCARD}


def build(parser: Parser, keyword: str) -> Action:
    return Action(_OPS[keyword])
