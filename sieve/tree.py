"""What a script says, checked and with all defaults filled in: the tree that ``bytecode.emit`` writes down.

Arguments stand in the order of ``opcodes.ACTION_ARGUMENTS`` and ``TEST_ARGUMENTS``; comparators and zones
are spread into their words.
"""

from __future__ import annotations

from libcyrus.base.dataclasses import dataclass
from sieve.bytecode.opcodes import Op, TestOp

Argument = int | bytes | None | list[bytes] | tuple[int, ...]
"""A word, a string, no string, strings, numbers."""


@dataclass(frozen=True, slots=True)
class Test:
    """``unknown`` counts how many ``ihave`` tests around it made errors pass; 0 if none did."""

    __test__ = False

    op: TestOp
    arguments: tuple[Argument, ...] = ()
    tests: tuple[Test, ...] = ()
    unknown: int = 0


@dataclass(frozen=True, slots=True)
class Action:
    op: Op
    arguments: tuple[Argument, ...] = ()


@dataclass(frozen=True, slots=True)
class If:
    """"if" and "elsif" with their blocks, in order; ``otherwise`` may be empty."""

    arms: tuple[tuple[Test, tuple[Command, ...]], ...]
    otherwise: tuple[Command, ...]


Command = Action | If


@dataclass(frozen=True, slots=True)
class Script:
    commands: tuple[Command, ...]
    variables: bool
