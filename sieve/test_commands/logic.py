"""true, false, not, anyof and allof (RFC 5228 sections 5.2, 5.3, 5.6, 5.8, 5.10).

They also carry what ``ihave`` found out: as long as a test is sure to fail, because of an extension that is
not there, errors that follow are not told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sieve.bytecode.opcodes import TestOp
from sieve.tree import Test

if TYPE_CHECKING:
    from sieve.parser import Parser

_CONSTANTS = {"true": TestOp.TRUE, "false": TestOp.FALSE}


def constant(parser: Parser, keyword: str) -> Test:
    return Test(_CONSTANTS[keyword])


def not_(parser: Parser, keyword: str) -> Test:
    test = parser.test()
    if test.unknown:
        # it will be true, so what it guards is run and its errors count
        parser.ignoring = test.unknown - 1
    return Test(TestOp.NOT, (), (test,))


def anyof(parser: Parser, keyword: str) -> Test:
    tests = parser.tests()
    if len(tests) == 1:
        return tests[0]
    unknown = next((test.unknown for test in tests if test.unknown), 0)
    if unknown and not all(test.unknown for test in tests):
        # another one may be true
        parser.ignoring = unknown - 1
        unknown = 0
    elif unknown:
        parser.ignoring = unknown
    return Test(TestOp.ANYOF, (), tuple(tests), unknown)


def allof(parser: Parser, keyword: str) -> Test:
    tests = parser.tests()
    if len(tests) == 1:
        return tests[0]
    unknown = next((test.unknown for test in tests if test.unknown), 0)
    if unknown:
        parser.ignoring = unknown
    return Test(TestOp.ALLOF, (), tuple(tests), unknown)
