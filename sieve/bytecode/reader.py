"""Bytes of a bytecode file to instructions, believing nothing.

Whatever the bytes are, :func:`read` takes time and memory in proportion to them and either raises
BytecodeError or gives instructions of which is true: every argument lies within the file; each test
ends where its IF says, and a JUMP stands there, to which nothing else leads; jumps lead forward, to an
instruction or the end, so that no run is longer than the file; tests are nested at most ``MAX_NESTING`` deep.

What the values mean is not looked at here; see ``program``.
"""

from __future__ import annotations

import struct

from libcyrus.base.dataclasses import dataclass
from sieve.bytecode.opcodes import (
    ACTION_ARGUMENTS,
    MAGIC,
    MIN_VERSION,
    REQUIRES_SINCE,
    TEST_ARGUMENTS,
    VERSION,
    WORD,
    Op,
    Shape,
    Tag,
    TestOp,
)
from sieve.errors import BytecodeError, BytecodeVersion

MAX_NESTING = 200
MAX_SIZE = 8 << 20
"""Bytes of a file; scripts are far below (``sieve_maxscriptsize`` is 32 KiB by default)."""

_INT = struct.Struct(">i")
_NO_STRING = -1
_VACATION_SENDER_SINCE = 0x05
_INDEX_UNDECLARED = 0x07
"""Some programs wrote :index and :zone into this version without a new number."""
_COLLATIONS = (Tag.ASCIICASEMAP, Tag.OCTET, Tag.ASCIINUMERIC)


@dataclass(frozen=True, slots=True)
class Comparator:
    """Numbers as the file has them; ``relation`` is -1 where the match type has none."""

    match: int
    relation: int
    collation: int


@dataclass(frozen=True, slots=True)
class Zone:
    """``offset`` is "+hhmm" for ``Tag.TIMEZONE``, or None for the server's own zone."""

    tag: int
    offset: bytes | None


@dataclass(frozen=True, slots=True)
class Copy:
    """Where a copy of an answer is filed (RFC 8580)."""

    folder: bytes
    create: int
    flags: tuple[bytes, ...]
    specialuse: bytes | None = None
    mailboxid: bytes | None = None


Value = int | bytes | None | tuple[bytes, ...] | tuple[int, ...] | Comparator | Zone | Copy
Arguments = dict[str, Value]


@dataclass(frozen=True, slots=True)
class Test:
    __test__ = False

    op: TestOp
    arguments: Arguments
    tests: tuple[Test, ...] = ()


@dataclass(frozen=True, slots=True)
class Instruction:
    """``position`` is where it stands and ``end`` where the next one does, in words; an IF has a test."""

    position: int
    op: Op
    arguments: Arguments
    end: int
    test: Test | None = None


@dataclass(frozen=True, slots=True)
class Code:
    """A whole file; ``words`` is its length."""

    version: int
    requires: int
    instructions: tuple[Instruction, ...]
    words: int


def read(data: bytes) -> Code:
    """Take bytecode apart. Raises BytecodeError, BytecodeVersion."""
    reader = _Reader(data)
    code = Code(reader.version, reader.requires, tuple(reader.instructions()), reader.words)
    _check_jumps(code)
    return code


def read_header(data: bytes) -> tuple[int, int, int]:
    """Version, required extensions and the position of the first action. Raises BytecodeError."""
    if data[: len(MAGIC)] != MAGIC:
        raise BytecodeError
    position = len(MAGIC) // WORD
    try:
        version: int = _INT.unpack_from(data, position * WORD)[0]
        if version < REQUIRES_SINCE:
            return version, 0, position + 1
        requires: int = _INT.unpack_from(data, (position + 1) * WORD)[0]
    except struct.error as error:
        raise BytecodeError("end of file in the header") from error
    return version, requires, position + 2


class _Reader:
    def __init__(self, data: bytes) -> None:
        if len(data) > MAX_SIZE:
            raise BytecodeError("bytecode too large")
        self.version, self.requires, self._position = read_header(data)
        if not MIN_VERSION <= self.version <= VERSION:
            raise BytecodeVersion
        self._data = data
        self.words = len(data) // WORD
        self._values: tuple[int, ...] = struct.unpack_from(f">{self.words}i", data)
        self._kinds = {
            "i": self._number,
            "s": self._string,
            "S": self._strings,
            "U": self._numbers,
            "C": self._comparator,
            "Z": self._zone,
            "z": self._numeric_zone,
            "F": self._copy,
            "G": self._copy_with_use,
            "H": self._copy_with_id,
        }

    def instructions(self) -> list[Instruction]:
        found = []
        while (start := self._position) < self.words:
            op = self._op()
            arguments = self._arguments(self._action_shape(op))
            test = self._test(0) if op is Op.IF else None
            found.append(Instruction(start, op, arguments, self._position, test))
        return found

    def _op(self) -> Op:
        number = self._number()
        try:
            return Op(number)
        except ValueError as error:
            raise BytecodeError(f"no action {number}", self._position - 1) from error

    def _action_shape(self, op: Op) -> Shape:
        if op is Op.VACATION_ORIG and self.version >= _VACATION_SENDER_SINCE:
            return ACTION_ARGUMENTS[Op.VACATION_SEC]
        return ACTION_ARGUMENTS[op]

    def _test(self, depth: int) -> Test:
        if depth > MAX_NESTING:
            raise BytecodeError("tests nested too deep", self._position)
        number = self._number()
        try:
            op = TestOp(number)
        except ValueError as error:
            raise BytecodeError(f"no test {number}", self._position - 1) from error
        if op is TestOp.NOT:
            return Test(op, {}, (self._test(depth + 1),))
        if op is TestOp.ANYOF or op is TestOp.ALLOF:
            return Test(op, {}, self._tests(depth))
        if self.version == _INDEX_UNDECLARED:
            return self._undeclared(op)
        return Test(op, self._arguments(TEST_ARGUMENTS[op]))

    def _tests(self, depth: int) -> tuple[Test, ...]:
        count, end = self._number(), self._number()
        self._check_count(count)
        tests = tuple([self._test(depth + 1) for _ in range(count)])
        if end != self._position * WORD:
            raise BytecodeError("list of tests ends elsewhere", self._position)
        return tests

    def _undeclared(self, op: TestOp) -> Test:
        """A test of version 7, whose numbers alone tell whether it has an index."""
        shape = TEST_ARGUMENTS[op]
        if op is TestOp.HEADER_PRE_INDEX and self._is_match(1):
            op, shape = TestOp.HEADER, TEST_ARGUMENTS[TestOp.HEADER]
        elif op is TestOp.ADDRESS_PRE_INDEX and self._is_match(1):
            op, shape = TestOp.ADDRESS, TEST_ARGUMENTS[TestOp.ADDRESS]
        elif op is TestOp.DATE_ORIG and not self._has_index():
            shape = shape[1:]
        elif op is TestOp.CURRENTDATE_ORIG and self._has_index():
            shape = (("unused", "="), *shape)
        arguments = self._arguments(shape)
        if op is TestOp.DATE_ORIG:
            arguments.setdefault("index", 0)
        return Test(op, arguments)

    def _is_match(self, ahead: int) -> bool:
        return Tag.IS <= self._ahead(ahead) <= Tag.VALUE

    def _has_index(self) -> bool:
        """Whether a date test has an index: by where its collation is, "+0101" winning over index 60."""
        if self._ahead(3) in _COLLATIONS:
            return False
        return self._ahead(4) not in _COLLATIONS or self._ahead(0) != Tag.TIMEZONE

    def _arguments(self, shape: Shape) -> Arguments:
        arguments: Arguments = {}
        for name, kind in shape:
            if kind == "=":
                self._number()
            else:
                arguments[name] = self._kinds[kind]()
        return arguments

    def _ahead(self, words: int) -> int:
        try:
            return self._values[self._position + words]
        except IndexError as error:
            raise BytecodeError("end of file in arguments", self._position) from error

    def _number(self) -> int:
        try:
            number = self._values[self._position]
        except IndexError as error:
            raise BytecodeError("end of file in arguments", self._position) from error
        self._position += 1
        return number

    def _check_count(self, count: int) -> None:
        # whatever is counted takes a word at least
        if not 0 <= count <= self.words - self._position:
            raise BytecodeError("list longer than the file", self._position)

    def _string(self) -> bytes | None:
        length = self._number()
        if length == _NO_STRING:
            return None
        start = self._position * WORD
        # one NUL at least follows, so a string never ends with the file
        if not 0 <= length < self.words * WORD - start:
            raise BytecodeError("string longer than the file", self._position)
        self._position += length // WORD + 1
        return self._data[start : start + length].partition(b"\0")[0]

    def _strings(self) -> tuple[bytes, ...]:
        count, _end = self._number(), self._number()
        self._check_count(count)
        return tuple([self._string() or b"" for _ in range(count)])

    def _numbers(self) -> tuple[int, ...]:
        count, _end = self._number(), self._number()
        self._check_count(count)
        return tuple([self._number() for _ in range(count)])

    def _comparator(self) -> Comparator:
        return Comparator(self._number(), self._number(), self._number())

    def _zone(self) -> Zone:
        tag = self._number()
        return Zone(tag, self._string() if tag == Tag.TIMEZONE else None)

    def _numeric_zone(self) -> Zone:
        tag = self._number()
        if tag != Tag.TIMEZONE:
            return Zone(tag, None)
        hours, minutes = divmod(abs(east := self._number()), 60)
        return Zone(tag, b"%c%02d%02d" % (b"-" if east < 0 else b"+", hours, minutes))

    def _copy(self) -> Copy | None:
        folder = self._string()
        return None if folder is None else Copy(folder, self._number(), self._strings())

    def _copy_with_use(self) -> Copy | None:
        folder = self._string()
        return None if folder is None else Copy(folder, self._number(), self._strings(), self._string())

    def _copy_with_id(self) -> Copy | None:
        folder = self._string()
        if folder is None:
            return None
        return Copy(folder, self._number(), self._strings(), self._string(), self._string())


def _check_jumps(code: Code) -> None:
    places = {code.words}
    previous = None
    for instruction in code.instructions:
        if previous is None or previous.op is not Op.IF:
            places.add(instruction.position)
        elif instruction.op is not Op.JUMP or previous.arguments["testend"] != instruction.position:
            raise BytecodeError("test without its jump", previous.position)
        previous = instruction
    if previous is not None and previous.op is Op.IF:
        raise BytecodeError("test without its jump", previous.position)
    for instruction in code.instructions:
        if instruction.op is Op.JUMP:
            target = instruction.arguments["target"]
            if not isinstance(target, int) or target < instruction.end or target not in places:
                raise BytecodeError("jump to nowhere", instruction.position)
