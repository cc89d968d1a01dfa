"""A script's tree to bytecode, the bytes that the original's sievec writes (``opcodes`` draws them)."""

from __future__ import annotations

import struct

from sieve.bytecode.opcodes import MAGIC, VERSION, WORD, Op, Requires, TestOp
from sieve.tree import Action, Argument, Command, If, Script, Test

_NOWHERE = -1


def emit(script: Script) -> bytes:
    writer = _Writer()
    writer.raw(MAGIC)
    writer.word(VERSION)
    writer.word(Requires.VARIABLES if script.variables else 0)
    _block(writer, script.commands)
    return bytes(writer.data)


class _Writer:
    """Words and strings, and places to fill in once it is known what comes there."""

    def __init__(self) -> None:
        self.data = bytearray()

    def raw(self, data: bytes) -> None:
        self.data += data

    def word(self, value: int) -> None:
        # C keeps what fits into a word, signed or not
        self.data += (value & 0xFFFFFFFF).to_bytes(WORD, "big")

    def string(self, value: bytes | None) -> None:
        if value is None:
            self.word(-1)
            return
        self.word(len(value))
        self.data += value + bytes(WORD - len(value) % WORD)

    def place(self) -> int:
        self.word(_NOWHERE)
        return len(self.data) - WORD

    def fill(self, place: int, value: int) -> None:
        struct.pack_into(">i", self.data, place, value)

    @property
    def position(self) -> int:
        """Where the next word goes, in words."""
        return len(self.data) // WORD


def _block(writer: _Writer, commands: tuple[Command, ...]) -> None:
    if not commands:
        writer.word(Op.NULL)
    for command in commands:
        if isinstance(command, If):
            _if(writer, command)
        else:
            _action(writer, command)


def _action(writer: _Writer, action: Action) -> None:
    writer.word(action.op)
    for argument in action.arguments:
        _argument(writer, argument)


def _if(writer: _Writer, command: If) -> None:
    """Each "elsif" is an IF in the other branch of the one before, so all branches end at one place."""
    ends = []
    last = len(command.arms) - 1
    for number, (test, block) in enumerate(command.arms):
        writer.word(Op.IF)
        test_end = writer.place()
        _test(writer, test)
        writer.fill(test_end, writer.position)
        writer.word(Op.JUMP)
        otherwise = writer.place()
        _block(writer, block)
        if number < last or command.otherwise:
            writer.word(Op.JUMP)
            ends.append(writer.place())
        writer.fill(otherwise, writer.position)
    if command.otherwise:
        _block(writer, command.otherwise)
    for place in ends:
        writer.fill(place, writer.position)


def _test(writer: _Writer, test: Test) -> None:
    writer.word(test.op)
    if test.op is TestOp.NOT:
        _test(writer, test.tests[0])
    elif test.op is TestOp.ANYOF or test.op is TestOp.ALLOF:
        writer.word(len(test.tests))
        end = writer.place()
        for each in test.tests:
            _test(writer, each)
        writer.fill(end, writer.position * WORD)
    for argument in test.arguments:
        _argument(writer, argument)


def _argument(writer: _Writer, argument: Argument) -> None:
    if isinstance(argument, int):
        writer.word(argument)
    elif argument is None or isinstance(argument, bytes):
        writer.string(argument)
    else:
        writer.word(len(argument))
        end = writer.place()
        for each in argument:
            if isinstance(each, int):
                writer.word(each)
            else:
                writer.string(each)
        writer.fill(end, writer.position * WORD)
