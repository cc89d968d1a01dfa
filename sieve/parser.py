"""Tokens to the tree of a script (RFC 5228 section 8.2), and all errors in one go.

After a fault in a command reading goes on behind the next ";", after one in a test at the next "{", "," or
")"; a further syntax error is told only after three tokens without one. That is how the original's generated
parser does it, so that both complain of the same lines. Checks run as soon as their command or argument is
complete, often before the next token is read; an error is told with the line reached by then.

An ``ihave`` test for unknown extensions makes errors in its "if" pass unseen (RFC 5463 section 4). Here we
are stricter than the original: in "anyof" all tests must fail for that, and a script of which the rest cannot
be read is not taken for an empty one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NoReturn, TypeVar

from libcyrus.base.dataclasses import dataclass
from sieve import checks, extensions
from sieve.bytecode.opcodes import Op, TestOp
from sieve.commands import COMMANDS
from sieve.errors import ScriptError, ScriptErrors
from sieve.extensions import Extension
from sieve.lexer import CHOICE, END, NUMBER, STRING, Lexer, Token, readable
from sieve.messages import MISSING_REQUIRE
from sieve.tags import Slots, Take
from sieve.test_commands import TESTS
from sieve.tree import Action, Command, If, Script, Test

MAX_NESTING = 100
"""Levels of blocks and tests within each other; RFC 5228 section 2.10.5 asks for 15."""
MAX_ERRORS = 1000
MAX_SIZE = 2 << 20

Element = TypeVar("Element")

_QUIET_TOKENS = 3
"""So many tokens must follow a syntax error before the next one is told."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What a configuration has to say on scripts; times in seconds."""

    offered: frozenset[Extension]
    strict_headers: bool = True
    vacation_min: int = 3 * 86400
    vacation_max: int = 90 * 86400


def parse(text: bytes, rules: Rules) -> Script:
    """Raises ScriptErrors."""
    parser = Parser(text, rules)
    try:
        script = parser.script()
    except _Abandoned as error:
        if not parser.errors:
            # a failed "ihave" hides errors, but not that the rest of the script is lost
            parser.ignoring = 0
            parser.report("syntax error")
        raise ScriptErrors(parser.errors) from error
    if parser.errors:
        raise ScriptErrors(parser.errors)
    return script


class _Abandoned(Exception):
    """There is no point from which reading could go on."""


class _Unexpected(Exception):
    """A token that the grammar does not have here; the error has been told."""


class Parser:
    """The state of reading one script, and the grammar elements that commands are made of."""

    def __init__(self, text: bytes, rules: Rules) -> None:
        self.rules = rules
        self.errors: list[ScriptError] = []
        self.enabled: set[Extension] = set()
        self.ignoring = 0
        """How many ``ihave`` tests that failed enclose this place."""
        self._lexer = Lexer(text, self.report)
        self._ahead: Token | None = None
        self._quiet = 0
        self._depth = 0
        if len(text) > MAX_SIZE:
            self.report("script too large")
            raise ScriptErrors(self.errors)

    # errors

    def report(self, text: str) -> None:
        if self.ignoring:
            return
        self.errors.append(ScriptError(self._lexer.line, self._lexer.column, text))
        if len(self.errors) >= MAX_ERRORS:
            raise _Abandoned

    def need(self, extension: Extension, name: str = "") -> None:
        """Complain if a script uses what it does not require; ``name`` where messages have another one."""
        if extension not in self.enabled:
            self.report(MISSING_REQUIRE.format(name or extension.value))

    def supports(self, extension: Extension) -> bool:
        return extension in self.enabled

    def _unexpected(self) -> NoReturn:
        self._complain()
        raise _Unexpected

    def _complain(self) -> None:
        if not self._quiet:
            self.report("syntax error")

    def _recover(self) -> None:
        """A fault has been told: from here on tokens are passed over quietly."""
        if self._quiet == _QUIET_TOKENS:
            self._drop()
        self._quiet = _QUIET_TOKENS

    def _drop(self) -> None:
        if self.peek() == END:
            raise _Abandoned
        self._ahead = None

    # tokens

    def peek(self) -> str:
        if self._ahead is None:
            self._ahead = self._lexer.next()
        return self._ahead.kind

    def shift(self) -> Token:
        self.peek()
        token = self._ahead
        assert token is not None
        self._ahead = None
        self._quiet = max(0, self._quiet - 1)
        return token

    def expect(self, kind: str) -> Token:
        if self.peek() != kind:
            self._unexpected()
        return self.shift()

    # arguments

    def string(self) -> bytes:
        text = self.expect(STRING).text
        checks.match_variables(self, text)
        return text

    def raw_string(self) -> bytes:
        """A string that no variables stand in."""
        return self.expect(STRING).text

    def strings(self) -> list[bytes]:
        return self.listed(self.string)

    def listed(self, element: Callable[[], Element]) -> list[Element]:
        """One element, or several in brackets."""
        if self.peek() != "[":
            return [element()]
        self.shift()
        found = [element()]
        while self.peek() == ",":
            self.shift()
            found.append(element())
        self.expect("]")
        return found

    def at_strings(self) -> bool:
        return self.peek() in (STRING, "[")

    def number(self) -> int:
        return self.expect(NUMBER).number

    def choice(self) -> int:
        return self.expect(CHOICE).number

    def tagged(self, table: Mapping[str, Take]) -> Slots:
        """Tags and their arguments, in any order, as long as there are any of ``table``."""
        slots: Slots = {}
        self.tags_into(table, slots)
        return slots

    def tags_into(self, table: Mapping[str, Take], slots: Slots) -> None:
        while (take := table.get(self.peek())) is not None:
            self.shift()
            take(self, slots)

    # the grammar

    def script(self) -> Script:
        while self.peek() == "require":
            self._require()
        commands = self._commands(END)
        return Script(tuple(commands), Extension.VARIABLES in self.enabled)

    def _require(self) -> None:
        self.shift()
        try:
            names = self.strings()
            self.expect(";")
        except _Unexpected as error:
            raise _Abandoned from error
        unknown = []
        for name in names:
            extension = extensions.find(name)
            if extension is not None and extension in self.rules.offered:
                self.enabled |= extensions.brought_by(extension)
            elif name not in extensions.BASE_NAMES:
                unknown.append(name)
        if unknown:
            listed = ", ".join(f'"{readable(name)}"' for name in unknown)
            self.report(f'Unsupported feature(s) in "require": {listed}')
        elif Extension.IHAVE in self.enabled:
            self.enabled |= frozenset(Extension) - extensions.NOT_IN_IHAVE - extensions.NOT_BUILT
        self._lexer.encoded_characters = Extension.ENCODED_CHARACTER in self.enabled

    def _commands(self, closing: str) -> list[Command]:
        """Commands up to ``closing``, which stays."""
        found: list[Command] = []
        while (kind := self.peek()) != closing:
            if kind == "}" and found and not self._depth:
                # what has begun as a script ends here for the grammar, and no command can follow
                self._complain()
                raise _Abandoned
            try:
                found.append(self._command())
            except _Unexpected:
                found.append(self._passed_over())
        return found

    def _command(self) -> Command:
        kind = self.peek()
        if kind == "if":
            return self._if()
        build = COMMANDS.get(kind)
        if build is None:
            self._unexpected()
        action = build(self, self.shift().kind)
        self.expect(";")
        return action

    def _passed_over(self) -> Action:
        """The rest of a command that is not understood; it would end a run, could it be compiled."""
        self._recover()
        while self.peek() != ";":
            self._drop()
        self.shift()
        self.enabled.add(Extension.IHAVE)
        return Action(Op.ERROR, (b"unsupported extension: line %d" % self._lexer.line,))

    def _if(self) -> If:
        arms = []
        otherwise: list[Command] = []
        while True:
            self.shift()
            test = self.test()
            while self.peek() != "{":
                self._complain()
                self._recover()
                test = _FALSE
            arms.append((test, tuple(self._block())))
            if self.peek() != "elsif":
                break
        if self.peek() == "else":
            self.shift()
            otherwise = self._else(arms)
        for test, _ in arms:
            if test.unknown:
                self.ignoring -= 1
                # an error that nobody was told of hides none behind it
                self._quiet = 0
        return If(tuple(arms), tuple(otherwise))

    def _else(self, arms: list[tuple[Test, tuple[Command, ...]]]) -> list[Command]:
        while self.peek() != "{":
            # taken for a new test of the last "if", up to its block
            self._complain()
            self._recover()
            while self.peek() != "{":
                self._drop()
            arms[-1] = (_FALSE, tuple(self._block()))
            if self.peek() != "else":
                return []
            self.shift()
        return self._block()

    def _block(self) -> list[Command]:
        self.shift()
        self._nest()
        commands = self._commands("}")
        self._depth -= 1
        self.shift()
        return commands

    def _nest(self) -> None:
        self._depth += 1
        if self._depth > MAX_NESTING:
            self.ignoring = 0
            self.report("nested too deep")
            raise _Abandoned

    def test(self) -> Test:
        self._nest()
        try:
            build = TESTS.get(self.peek())
            if build is None:
                self._unexpected()
            return build(self, self.shift().kind)
        except _Unexpected:
            self._recover()
            return _FALSE
        finally:
            self._depth -= 1

    def tests(self) -> list[Test]:
        """A list of tests in parentheses."""
        self.expect("(")
        found = [self.test()]
        while (kind := self.peek()) != ")":
            if kind == ",":
                self.shift()
                found.append(self.test())
            else:
                self._complain()
                self._recover()
                found = [_FALSE]
        self.shift()
        return found


_FALSE = Test(TestOp.FALSE)
