"""Bytecode back to a script, as sieved -s prints it.

The script compiles to the same bytecode as long as that came from a compiler of version 0x1F. Its looks are
the original's, which for some actions (redirect, date, quoted strings, empty blocks) writes scripts that
no compiler takes; those are right here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sieve.bytecode.opcodes import Op, Requires
from sieve.bytecode.phrases import INDENT, action_text, test_text
from sieve.bytecode.reader import MAX_NESTING, Code, Instruction
from sieve.errors import BytecodeError
from sieve.extensions import Extension

_TEST_INDENT = 10
_ELSIF = 3
_LINE = 60
_ORDER = {extension: number for number, extension in enumerate(Extension)}
# the original names this one by its future name
_REQUIRED_AS = {Extension.SNOOZE: "snooze"}


def regenerate(code: Code) -> bytes:
    """Raises BytecodeError where jumps are no "if"."""
    writer = _Writer()
    if code.requires & Requires.VARIABLES:
        writer.needs.add(Extension.VARIABLES)
    writer.block(code.instructions, 0, code.words, 0)
    return _require(writer.needs) + b"".join(writer.lines)


def _require(needs: set[Extension]) -> bytes:
    if not needs:
        return b""
    text, separator, width = b"require [", b"", 0
    for extension in sorted(needs, key=_ORDER.__getitem__):
        if width > _LINE:
            separator, width = b",\n          ", 0
        name = b'%b"%b"' % (separator, _REQUIRED_AS.get(extension, extension.value).encode())
        text += name
        width += len(name)
        separator = b", "
    return text + b"];\n\n"


class _Writer:
    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.needs: set[Extension] = set()

    def line(self, indent: int, text: bytes) -> None:
        self.lines.append(b" " * indent + text + b"\n")

    def block(self, instructions: Sequence[Instruction], start: int, end: int, indent: int) -> None:
        """The actions from number ``start`` up to position ``end``."""
        if indent > MAX_NESTING * INDENT:
            raise BytecodeError("blocks nested too deep")
        number = start
        while number < len(instructions) and instructions[number].position < end:
            instruction = instructions[number]
            if instruction.op is Op.IF:
                number = self._if(instructions, number, end, indent)
                continue
            if instruction.op is Op.JUMP:
                raise BytecodeError("jump that is no else", instruction.position)
            if instruction.op is not Op.NULL:
                self.line(indent, action_text(instruction, indent, self.needs) + b";")
            number += 1

    def _if(self, instructions: Sequence[Instruction], number: int, end: int, indent: int) -> int:
        """An IF with all its branches; gives the number of what follows."""
        keyword, extra = b"if ", 0
        while True:
            test = instructions[number].test
            assert test is not None
            self.line(indent, keyword + test_text(test, indent + _TEST_INDENT + extra, self.needs) + b" {")
            otherwise = _target(instructions[number + 1], end)
            first, after = number + 2, _number_at(instructions, otherwise, number + 2)
            last = instructions[after - 1]
            if after - 1 < first or last.op is not Op.JUMP or instructions[after - 2].op is Op.IF:
                self.block(instructions, first, otherwise, indent + INDENT)
                self.line(indent, b"}")
                return after
            # the jump at the end of a block passes over what is there otherwise
            self.block(instructions, first, last.position, indent + INDENT)
            self.line(indent, b"}")
            finish = _target(last, end)
            following = _number_at(instructions, finish, after)
            if not _is_elsif(instructions, after, finish):
                self.line(indent, b"else {")
                self.block(instructions, after, finish, indent + INDENT)
                self.line(indent, b"}")
                return following
            keyword, extra, number, end = b"elsif ", _ELSIF, after, finish


def _target(jump: Instruction, end: int) -> int:
    target: Any = jump.arguments["target"]
    if target > end:
        raise BytecodeError("jump out of its block", jump.position)
    return int(target)


def _number_at(instructions: Sequence[Instruction], position: int, start: int) -> int:
    """The number of the instruction at ``position``, not before number ``start``."""
    low, high = start, len(instructions)
    while low < high:
        middle = (low + high) // 2
        if instructions[middle].position < position:
            low = middle + 1
        else:
            high = middle
    return low


def _is_elsif(instructions: Sequence[Instruction], number: int, end: int) -> bool:
    """Whether one IF fills all from ``number`` to position ``end``."""
    while number < len(instructions) and instructions[number].op is Op.IF:
        otherwise = _target(instructions[number + 1], end)
        after = _number_at(instructions, otherwise, number + 2)
        last = instructions[after - 1]
        if otherwise == end:
            return True
        if after - 1 < number + 2 or last.op is not Op.JUMP or _target(last, end) != end:
            return False
        if instructions[after].op is not Op.IF:
            return True
        number = after
    return False
