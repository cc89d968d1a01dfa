"""Sieve bytecode: what the original's sievec made of ``sieve/good``, and any other bytes."""

from __future__ import annotations

import random
import struct
from pathlib import Path

import pytest

from sieve.bytecode import actions, conditions
from sieve.bytecode.listing import listing
from sieve.bytecode.opcodes import MAGIC, Op, Tag, TestOp
from sieve.bytecode.program import Program, load
from sieve.bytecode.reader import read
from sieve.bytecode.regenerate import regenerate
from sieve.compiler import compile_script
from sieve.errors import BytecodeError, BytecodeVersion
from sieve.extensions import NOT_BUILT, Extension
from sieve.parser import Rules

SCRIPTS = sorted((Path(__file__).parent / "sieve" / "good").glob("*.sieve"))
RULES = Rules(frozenset(Extension) - NOT_BUILT)


def words(*values: int | bytes) -> bytes:
    """Words, and strings in their form: length, bytes, at least one NUL."""
    data = b""
    for value in values:
        if isinstance(value, int):
            data += struct.pack(">i", value)
        else:
            data += struct.pack(">i", len(value)) + value + bytes(4 - len(value) % 4)
    return data


def file(*values: int | bytes, version: int = 0x1F, requires: tuple[int, ...] = (0,)) -> bytes:
    return MAGIC + words(version, *requires, *values)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_scripts_compile_to_the_originals_bytes(path: Path) -> None:
    assert compile_script(path.read_bytes(), RULES) == path.with_suffix(".bc").read_bytes()


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_regenerated_scripts_compile_to_the_same_bytes(path: Path) -> None:
    bytecode = path.with_suffix(".bc").read_bytes()
    assert compile_script(regenerate(read(bytecode)), RULES) == bytecode


def test_layout() -> None:
    golden = bytes.fromhex(
        "437972534279746563 6f6465"  # 0   "CyrSBytecode"
        "0000001f"  # 12  version
        "00000001"  # 16  requires: variables
        "00000006"  # 20  IF
        "00000009"  # 24  test ends at word 9
        "00000002"  # 28  NOT
        "00000001"  # 32  TRUE
        "00000010"  # 36  JUMP
        "0000000d"  # 40  to word 13
        "0000001f"  # 44  EREJECT
        "00000002 61620000"  # 48 reason "ab"
    )
    script = b'require ["ereject","variables"]; if not true { ereject "ab"; }'
    compiled = compile_script(script, RULES)
    assert compiled[:36] == golden[:24] + bytes.fromhex("00000009") + golden[28:36]
    assert load(compiled).code == (
        actions.If(conditions.Not(conditions.Always(True)), 2),
        actions.Reject(b"ab", True),
    )


def test_string_of_word_length_has_a_word_of_nuls() -> None:
    assert compile_script(b'redirect "a@bc";', RULES).endswith(words(b"a@bc"))
    assert words(b"a@bc") == b"\0\0\0\4a@bc\0\0\0\0"


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_a_cut_file_is_refused_or_ends_between_actions(path: Path) -> None:
    data = path.with_suffix(".bc").read_bytes()
    whole = load(data)
    # what is not a whole word does not count
    for length in range(0, len(data), 4):
        try:
            program = load(data[:length])
        except BytecodeError:
            continue
        assert len(program.code) <= len(whole.code)


def test_other_files_and_versions_are_refused() -> None:
    for data in (b"", b"CyrSBytecod", b"#!/bin/sh\n" * 9, MAGIC, MAGIC + b"\0\0\0"):
        with pytest.raises(BytecodeError):
            load(data)
    for version in (0, 1, 2, 0x20, 0x01000000, -1):
        with pytest.raises(BytecodeVersion):
            load(file(version=version))


HEADER = (words(Tag.IS, -1, Tag.ASCIICASEMAP), words(1, 0, b"to"), words(1, 0, b"me"))
OLD = {
    "keep of version 3": (3, words(Op.KEEP_ORIG), actions.Keep(())),
    "fileinto without copy": (
        3,
        words(Op.FILEINTO_ORIG, b"x"),
        actions.Fileinto(b"x", False, False, (), None, None),
    ),
    "fileinto with flags": (
        9,
        words(Op.FILEINTO_FLAGS, 1, 0, b"f", 1, b"x"),
        actions.Fileinto(b"x", True, False, (b"f",), None, None),
    ),
    "redirect with list": (
        0x12,
        words(Op.REDIRECT_LIST, 1, 0, b"x"),
        actions.Redirect(b"x", False, True, None, None, False, None, None),
    ),
    "mark": (3, words(Op.MARK), actions.AddFlag(b"", (rb"\Flagged",))),
    "keep with copy": (0x10, words(Op.KEEP_COPY, 1, 0, b"f", 1), actions.Keep((b"f",))),
    "vacation in days": (
        4,
        words(Op.VACATION_ORIG, 0, 0, b"s", b"m", 3, 0),
        actions.Vacation((), b"s", b"m", 3 * 86400, False, None, None, None),
    ),
    "vacation in days with sender": (
        5,
        words(Op.VACATION_ORIG, 0, 0, b"s", b"m", 3, 1, b"f", b"h"),
        actions.Vacation((), b"s", b"m", 3 * 86400, True, b"f", b"h", None),
    ),
    "vacation with fcc": (
        0x12,
        words(Op.VACATION_FCC_ORIG, 0, 0, -1, b"m", 9, 1, -1, -1, b"Sent", 1, 1, 0, b"f"),
        actions.Vacation(
            (), None, b"m", 9, True, None, None, actions.Fcc(b"Sent", True, (b"f",), None, None)
        ),
    ),
    "snooze to an id": (
        0x19,
        words(Op.SNOOZE_ORIG, b"id", 0, 0, 0, 0, 0x81, 1, 0, 60),
        actions.Snooze(None, b"id", None, False, (), (), 1, None, (60,)),
    ),
}


@pytest.mark.parametrize(("version", "code", "action"), OLD.values(), ids=OLD.keys())
def test_older_forms_become_the_newest(version: int, code: bytes, action: actions.Action) -> None:
    requires = (0,) if version >= 0x11 else ()
    assert load(file(version=version, requires=requires) + code) == Program(version, False, (action,))


def if_test(version: int, *test: bytes) -> conditions.Condition:
    body = b"".join(test)
    start = 4 + (version >= 0x11) + 2
    end = start + len(body) // 4
    data = file(version=version, requires=(0,) if version >= 0x11 else ())
    data += words(Op.IF, end) + body + words(Op.JUMP, end + 2)
    [action] = load(data).code
    assert isinstance(action, actions.If)
    return action.test


def test_index_of_version_seven_is_told_by_its_place() -> None:
    match = conditions.Match(Tag.IS, None, Tag.ASCIICASEMAP)
    expected = conditions.Header(0, match, (b"to",), (b"me",))
    assert if_test(6, words(TestOp.HEADER_PRE_INDEX), *HEADER) == expected
    assert if_test(7, words(TestOp.HEADER_PRE_INDEX), *HEADER) == expected
    indexed = conditions.Header(2, match, (b"to",), (b"me",))
    assert if_test(7, words(TestOp.HEADER_PRE_INDEX, 2), *HEADER) == indexed
    assert if_test(8, words(TestOp.HEADER, 2), *HEADER) == indexed


@pytest.mark.parametrize(
    ("minutes", "zone"), [(60, b"+0100"), (-210, b"-0330"), (-30, b"-0030"), (0, b"+0000")]
)
def test_zones_in_minutes(minutes: int, zone: bytes) -> None:
    test = if_test(
        0x12,
        words(TestOp.CURRENTDATE_ORIG, Tag.TIMEZONE, minutes, Tag.IS, -1, Tag.OCTET, Tag.HOUR, 1, 0, b"1"),
    )
    assert isinstance(test, conditions.CurrentDate)
    assert test.zone == zone


BAD = {
    "action": words(99),
    "test": words(Op.IF, 7, 99, Op.JUMP, 9),
    "negative action": words(-1),
    "negative length": words(Op.REJECT, -2, 0),
    "long string": words(Op.REJECT, 0x7FFFFFFF),
    "no string": words(Op.REJECT, -1),
    "long list": words(Op.KEEP, 0x7FFFFFFF, 0),
    "negative list": words(Op.KEEP, -1, 0),
    "jump back": words(Op.JUMP, 5),
    "jump to itself": words(Op.STOP, Op.JUMP, 6),
    "jump into an action": words(Op.JUMP, 8, Op.KEEP, 0, 0),
    "jump past the end": words(Op.JUMP, 8),
    "no jump": words(Op.IF, 8, TestOp.TRUE, Op.STOP),
    "test at the end": words(Op.IF, 8, TestOp.TRUE),
    "test that ends elsewhere": words(Op.IF, 9, TestOp.TRUE, Op.JUMP, 10),
    "jump to the jump of a test": words(Op.JUMP, 10, Op.IF, 10, TestOp.TRUE, Op.JUMP, 12),
    "tests that end elsewhere": words(Op.IF, 10, TestOp.ANYOF, 1, 44, TestOp.TRUE, Op.JUMP, 13),
    "match type": words(Op.DENOTIFY, Tag.LOW, Tag.LOW, -1, b"x"),
    "relation": words(Op.DENOTIFY, Tag.LOW, Tag.VALUE, -1, b"x"),
    "priority": words(Op.DENOTIFY, Tag.ALL, Tag.IS, -1, b"x"),
    "location": words(Op.INCLUDE, 3, b"x"),
}


@pytest.mark.parametrize("code", BAD.values(), ids=BAD.keys())
def test_hostile_code_is_refused(code: bytes) -> None:
    with pytest.raises(BytecodeError):
        load(file() + code)


def test_deeply_nested_tests_are_refused() -> None:
    depth = 100_000
    with pytest.raises(BytecodeError, match="nested too deep"):
        load(
            file()
            + words(Op.IF, 8 + depth)
            + words(TestOp.NOT) * depth
            + words(TestOp.TRUE, Op.JUMP, 10 + depth)
        )


def mutated(chance: random.Random, data: bytes) -> bytes:
    """A file with a few words, bytes or stretches other than they were."""
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 5))):
        if len(changed) <= len(MAGIC):
            break
        place = chance.randrange(len(MAGIC), len(changed))
        word = place & ~3
        match chance.randrange(6):
            case 0:
                changed[place : place + 1] = bytes([chance.randrange(256)])
            case 1:
                small = chance.randrange(-3, 80)
                changed[word : word + 4] = struct.pack(">i", small)
            case 2:
                changed[word : word + 4] = chance.choice(
                    (b"\x7f\xff\xff\xff", b"\x80\0\0\0", b"\xff\xff\xff\xff")
                )
            case 3:
                del changed[word : word + 4 * chance.randrange(1, 4)]
            case 4:
                other = chance.randrange(0, len(changed)) & ~3
                changed[word:word] = changed[other : other + 4 * chance.randrange(1, 9)]
            case _:
                del changed[place:]
    return bytes(changed)


def check_mutations(seed: int, count: int) -> None:
    """Whatever the bytes: a program of which all jumps lead forward, or BytecodeError."""
    chance = random.Random(seed)
    files = [path.with_suffix(".bc").read_bytes() for path in SCRIPTS]
    for _ in range(count):
        data = mutated(chance, chance.choice(files))
        try:
            code = read(data)
        except BytecodeError:
            continue
        assert b"".join(listing(code))
        try:
            regenerate(code)
        except BytecodeError:
            pass
        try:
            program = load(data)
        except BytecodeError:
            continue
        for number, action in enumerate(program.code):
            if isinstance(action, actions.If):
                assert number < action.otherwise <= len(program.code)
            elif isinstance(action, actions.Jump):
                assert number < action.target <= len(program.code)


@pytest.mark.parametrize("seed", range(4))
def test_mutated_files(seed: int) -> None:
    check_mutations(seed, count=2500)
