"""Scripts and bytecode made to fail: errors that can be caught, in little time and memory."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from random import Random

import pytest
from cunit.test_sieve_run import FakeHost, message, outcomes_of

from cassandane import fuzz_mail
from cassandane.sieve_rules import RULES
from sieve.bytecode.listing import listing
from sieve.bytecode.opcodes import Modifier
from sieve.bytecode.program import load
from sieve.bytecode.reader import read
from sieve.bytecode.regenerate import regenerate
from sieve.compiler import compile_script
from sieve.errors import BytecodeError, BytecodeVersion, ScriptErrors
from sieve.run import variables, wildcards
from sieve.run.interpreter import run
from sieve.run.outcomes import Target
from sieve.run.variables import OutOfSpace, modified, valid_flags


class Host(FakeHost):
    def resolve(self, target: Target) -> str | None:
        try:
            return super().resolve(target)
        except UnicodeDecodeError:
            return None


@pytest.fixture
def little_memory() -> Iterator[None]:
    """A GiB beyond what is used already, for what would otherwise ask for much more."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    with open("/proc/self/statm") as file:
        used = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + (1 << 30), before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


def damaged(seeds: range) -> None:
    for seed in seeds:
        data = fuzz_mail.bytecode(Random(seed))
        try:
            program, code = load(data), read(data)
        except (BytecodeError, BytecodeVersion):
            continue
        run(program, message(), Host())
        b"".join(listing(code))
        try:
            regenerate(code)
        except BytecodeError:
            # no script says what it does
            pass


def broken(seeds: range) -> None:
    for seed in seeds:
        try:
            load(compile_script(fuzz_mail.script(Random(seed)), RULES))
        except ScriptErrors as error:
            assert error.errors


def test_damaged_bytecode() -> None:
    damaged(range(150))


def test_broken_scripts() -> None:
    broken(range(150))


@pytest.mark.long
def test_damaged_bytecode_for_long() -> None:
    damaged(range(10000, 20000))


@pytest.mark.long
def test_broken_scripts_for_long() -> None:
    broken(range(10000, 20000))


def doubled(first: str, times: int) -> str:
    return f'set "a" "{first}";' + 'set "a" "${a}${a}";' * times


def test_a_short_string_that_stands_for_more_than_there_is_memory(little_memory: None) -> None:
    text = doubled("x" * 16, 18) + 'set "b" "' + "${a}" * 2000 + '";'
    assert outcomes_of(text).error == OutOfSpace.text


def test_a_pattern_with_millions_of_stars() -> None:
    text = doubled("*%*%*%*%", 19) + 'if string :matches "${a}" "${a}" { discard; }'
    assert outcomes_of(text).error is None
    assert wildcards.match(b"a", b"*" * wildcards.LARGEST_PATTERN, False) is not None
    assert wildcards.match(b"a", b"*" * (wildcards.LARGEST_PATTERN + 1), False) is None


def test_questions_that_are_asked_at_every_place(monkeypatch: pytest.MonkeyPatch) -> None:
    text = b"a" * (1 << 20)
    assert wildcards.match(text, b"*" + b"?" * 4000 + b"b*", False) is None
    # wherever the text is cut for a look at the clock, what lies there is found
    monkeypatch.setattr(wildcards, "LONGEST", 3600.0)
    for step in range(3, 40):
        monkeypatch.setattr(wildcards, "_STEP", step)
        for place in range(30):
            found = wildcards.match(b"." * place + b"abc" + b"." * 9, b"*a?c*", False)
            assert found is not None and found[1:] == [b"." * place, b"b", b"." * 9]
        assert wildcards.match(b"." * 50, b"*a?c*", False) is None


def test_millions_of_flags() -> None:
    assert outcomes_of(doubled("x ", 22) + 'addflag "${a}";').error == OutOfSpace.text
    assert valid_flags([b"x" * variables.LONGEST_FLAGS]) == [b"x" * variables.LONGEST_FLAGS]
    with pytest.raises(OutOfSpace):
        valid_flags([b"x" * variables.LONGEST_FLAGS, b"y"])


@pytest.mark.parametrize(
    ("tag", "value", "wanted"),
    [
        ("quotewildcard", rb"a*b\?.", rb"a\*b\\\?."),
        ("quoteregex", rb".^$+()[]{}|*?\-", rb"\.\^\$\+\(\)\[]\{}\|\*\?\\-"),
        ("encodeurl", b"a%b /\xff-._~Z9", b"a%25b%20%2F%FF-._~Z9"),
    ],
)
def test_quoting(tag: str, value: bytes, wanted: bytes) -> None:
    modifier = Modifier[tag.upper()]
    assert modified(value, modifier) == wanted
    assert modified(value * (1 << 16), modifier) == wanted * (1 << 16)


def test_quoting_of_what_gets_too_long() -> None:
    with pytest.raises(OutOfSpace):
        modified(b"/" * (variables.LONGEST // 2), Modifier.ENCODEURL)
