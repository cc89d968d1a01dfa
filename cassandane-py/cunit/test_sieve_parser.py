"""Reading Sieve scripts: errors with their places and texts, limits, values. Bytes are in formats/."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from libcyrus.config import Config
from sieve import checks, compiler, extensions, parser
from sieve.bytecode import actions, conditions, reader
from sieve.bytecode.program import load
from sieve.compiler import compile_script, rules
from sieve.errors import ScriptErrors
from sieve.extensions import NOT_BUILT, Extension
from sieve.parser import Rules

RULES = Rules(frozenset(Extension) - NOT_BUILT - {Extension.EXTLISTS})
BAD = sorted((Path(__file__).parent.parent / "formats" / "sieve" / "bad").glob("*.sieve"))
PREFIX = "Unable to parse script: script errors:\r\n"


def errors(script: str | bytes, rules: Rules = RULES) -> list[tuple[int, int, str]]:
    text = script.encode() if isinstance(script, str) else script
    with pytest.raises(ScriptErrors) as caught:
        compile_script(text, rules)
    return [(error.line, error.column, error.text) for error in caught.value.errors]


def texts(script: str | bytes, rules: Rules = RULES) -> list[str]:
    return [text for _, _, text in errors(script, rules)]


def run(script: str | bytes, rules: Rules = RULES) -> tuple[actions.Action, ...]:
    text = script.encode() if isinstance(script, str) else script
    return load(compile_script(text, rules)).code


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_errors_are_the_originals(path: Path) -> None:
    with pytest.raises(ScriptErrors) as caught:
        compile_script(path.read_bytes(), RULES)
    expected = path.with_suffix(".errors").read_bytes().decode("utf-8", "surrogateescape")
    assert PREFIX + caught.value.report + "\n" == expected


def test_all_errors_come_with_line_and_column() -> None:
    script = 'keep;\nfileinto "x";\n\n  stop\n  frob;\nkeep; keep;\nif header :foo "a" "b" {\n'
    script += '  keep;\n  discard "x";\n}\n'
    assert errors(script) == [
        (2, 1, 'fileinto extension MUST be enabled with "require" command'),
        (5, 3, "syntax error"),
        (7, 11, "syntax error"),
        (9, 11, "syntax error"),
    ]


def test_keywords_are_words_in_any_case() -> None:
    """RFC 5228 section 2.10.2: identifiers are compared without regard to case."""
    [test, action] = run('REQUIRE "fileinto"; If Header :Contains "A" "b" { FileInto "x"; }')
    assert isinstance(test, actions.If) and isinstance(test.test, conditions.Header)
    assert isinstance(action, actions.Fileinto)


def test_comments_end_at_the_first_end() -> None:
    """RFC 5228 section 2.3."""
    assert run("/** a **/ keep; /* b */ # c\ndiscard; /* ; */") == (actions.Keep(()), actions.Discard())


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b'"a\\"b\\\\c\\d"', b'a"b\\cd'),
        (b'"a\nb\r\nc"', b"a\nb\r\nc"),
        (b"text:\r\n..a\r\n.b\r\n.\r\n", b".a\r\n.b\r\n"),
        (b"text: \t# comment \n\n.\n", b"\n"),
        (b"text:\n.\n", b""),
        (b'""', b""),
        ('"\u20ac"'.encode(), "\u20ac".encode()),
    ],
)
def test_strings(text: bytes, value: bytes) -> None:
    """RFC 5228 section 2.4.2."""
    assert run(b'require "reject"; reject ' + text + b";") == (actions.Reject(value, False),)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${hex:40}", "@"),
        ("${HEX: 41 42\n43}", "ABC"),
        ("${unicode:20AC}", "\u20ac"),
        ("${unicode: 1F600 41 }", "\U0001f600A"),
        ("${hex:123}", "${hex:123}"),
        ("${hex:}", "${hex:}"),
        ("${hex:4G}", "${hex:4G}"),
        ("$${hex:40}}", "$@}"),
        ("${hex:24}{hex:40}", "${hex:40}"),
        ("a${hex:00}b", "a"),
    ],
)
def test_encoded_characters(text: str, value: str) -> None:
    """RFC 5228 section 2.4.2.4."""
    script = f'require ["reject", "encoded-character"]; reject "{text}";'
    assert run(script) == (actions.Reject(value.encode(), False),)


@pytest.mark.parametrize("code", ["D800", "DFFF", "110000", "FFFFFFFF"])
def test_encoded_characters_that_are_none(code: str) -> None:
    script = f'require ["reject", "encoded-character"]; reject "${{unicode:{code}}}";'
    assert texts(script)[0].startswith("invalid unicode encoding: ")


@pytest.mark.parametrize(
    ("number", "value"),
    [("0", 0), ("10K", 10240), ("3m", 3 << 20), ("1G", 1 << 30), ("2147483647", 2147483647)],
)
def test_numbers(number: str, value: int) -> None:
    [test] = run(f"if size :over {number} {{}}")
    assert isinstance(test, actions.If)
    assert test.test == conditions.Size(True, value)


@pytest.mark.parametrize("number", ["2147483648", "2G", "4194304K", "9" * 5000 + "K"])
def test_numbers_too_large(number: str) -> None:
    assert texts(f"if size :over {number} {{}}") == [f"number too large {number}"]


@pytest.mark.parametrize(
    ("address", "valid"),
    [
        ("a@b", True),
        ("a.b@c.d", True),
        ('"a b"@c', True),
        ("a@[1.2.3.4]", True),
        ("Foo Bar <a@b>", True),
        ('"Foo, Bar" <a@b>', True),
        ("a@b (comment (nested))", True),
        ("", False),
        ("a", False),
        ("@b", False),
        ("a@", False),
        ("a@b, c@d", False),
        ("<a@b>", False),
        ("x <a@b", False),
        ("a..b@c", False),
        ("a b@c", False),
        ("group: a@b;", False),
        ("a@[b", False),
        ('""@b', False),
    ],
)
def test_addresses(address: str, valid: bool) -> None:
    """RFC 5228 section 2.4.2.3."""
    assert checks.is_address(address.encode()) is valid


def test_flags_are_split_named_once_and_checked() -> None:
    """RFC 5232 section 2; with variables they are left for the run."""
    [keep] = run(r'require "imap4flags"; keep :flags ["\\SEEN foo", "Foo", "b(r", "\\Bogus", "\\seen"];')
    assert keep == actions.Keep((rb"\seen", b"foo"))
    assert run(r'require "imap4flags"; keep :flags ["b(r"];') == (actions.Keep((b"",)),)
    [keep] = run('require ["imap4flags", "variables"]; keep :flags ["${a} b", "b"];')
    assert keep == actions.Keep((b"${a} b", b"b"))


def test_vacation_is_kept_in_the_administrators_bounds() -> None:
    """RFC 5230 section 4.1, RFC 6131 section 2."""
    bounds = Rules(RULES.offered, True, 100, 1000)

    def seconds(argument: str) -> int:
        [action] = run(f'require "vacation-seconds"; vacation {argument} "x";', bounds)
        assert isinstance(action, actions.Vacation)
        return action.seconds

    assert [seconds(f":seconds {count}") for count in (0, 100, 500, 1001)] == [100, 100, 500, 1000]
    assert [seconds(argument) for argument in (":days 1", ":days 2000000000", "")] == [1000] * 3


def test_headers_of_address_tests_are_strict_if_told() -> None:
    script = 'if address "X-Foo" "a" {}'
    assert texts(script) == ["header 'x-foo': not a valid header for an address test"]
    lenient = Rules(RULES.offered, strict_headers=False)
    [test] = run(script, lenient)
    assert isinstance(test, actions.If) and isinstance(test.test, conditions.Address)
    assert test.test.headers == (b"X-Foo",)


def test_unknown_extensions_in_ihave_hide_errors() -> None:
    """RFC 5463 section 4."""
    script = 'require "ihave"; if ihave "nope" { frobnicate :x {}; }'
    assert [type(action) for action in run(script)] == [actions.If, actions.Error]
    assert texts(script + " frobnicate;") == ["syntax error"]
    assert texts('require "ihave"; if not ihave "nope" { frobnicate; }') == ["syntax error"]
    assert texts('require "ihave"; if anyof(true, ihave "nope") { frobnicate; }') == ["syntax error"]
    assert [type(action) for action in run('require "ihave"; if ihave "fileinto" { fileinto "x"; }')] == [
        actions.If,
        actions.Fileinto,
    ]


def test_what_is_lost_behind_ihave_is_told() -> None:
    assert texts('require "ihave"; if ihave "nope" { keep') == ["syntax error"]


def test_what_is_not_built_is_not_offered() -> None:
    for name in (
        "spamtest spamtestplus virustest enclose extracttext foreverypart mime replace envelope-deliverby "
        "envelope-dsn convert imapsieve vnd.cyrus.jmapquery x-cyrus-jmapquery vnd.cyrus.imip global"
    ).split():
        assert texts(f'require "{name}";') == [f'Unsupported feature(s) in "require": "{name}"']


def test_configuration_offers_extensions(tmp_path: Path) -> None:
    path = tmp_path / "imapd.conf"
    path.write_text(f"configdirectory: {tmp_path}\nsieve_extensions: fileinto vacation-seconds reject\n")
    config = Config.load(str(path), "test")
    offered = extensions.offered(config)
    assert extensions.listed(offered) == (
        "encoded-character comparator-i;ascii-numeric fileinto reject ereject vacation "
        "vacation-seconds".split()
    )
    assert texts('require ["copy", "fileinto"];', rules(config)) == [
        'Unsupported feature(s) in "require": "copy"'
    ]


def test_address_books_make_external_lists(tmp_path: Path) -> None:
    path = tmp_path / "imapd.conf"
    for modules, there in (("caldav", False), ("caldav carddav", True)):
        path.write_text(f"configdirectory: {tmp_path}\nhttpmodules: {modules}\n")
        offered = extensions.offered(Config.load(str(path), "test"))
        assert (Extension.EXTLISTS in offered) is there
        assert not offered & NOT_BUILT


@pytest.mark.parametrize("name", ["imapflags", "x-cyrus-log", "snooze", "vnd.cyrus.snooze", "x-cyrus-snooze"])
def test_old_names_of_extensions(name: str) -> None:
    assert run(f'require "{name}";') == ()


def test_nesting_is_limited() -> None:
    """RFC 5228 section 2.10.5 asks for fifteen levels."""
    depth = parser.MAX_NESTING - 1
    assert run("if true {" * depth + "keep;" + "}" * depth)
    assert run("if " + "not " * (depth - 1) + "true {}")
    assert texts("if true {" * 100_000) == ["nested too deep"]
    assert texts("if " + "not " * 100_000) == ["nested too deep"]
    assert texts("if " + "anyof (" * 100_000) == ["nested too deep"]


def test_many_branches_are_no_nesting() -> None:
    script = "if true { keep; } " + 'elsif header "a" "b" { discard; } ' * 3000 + "else { stop; }"
    code = run(script)
    jumps = [action for action in code if isinstance(action, actions.Jump)]
    assert len(jumps) == 3001
    assert {jump.target for jump in jumps} == {len(code)}


def test_errors_and_sizes_are_limited() -> None:
    assert len(texts('fileinto "x";' * 5000)) == parser.MAX_ERRORS
    assert texts(b" " * (parser.MAX_SIZE + 1)) == ["script too large"]


def test_what_compiles_can_be_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (compiler, reader):
        monkeypatch.setattr(module, "MAX_SIZE", 100)
    assert len(run(b"stop;" * 20)) == 20
    assert texts(b"stop;" * 21) == ["script too large"]


def test_hostile_text_takes_no_long_time() -> None:
    """Unfinished comments and strings over and over are read once each."""
    for piece in (b"/* ", b"text:\n", b"keep /* x ", b'"', b"(", b"[", b"a@", b"${", b":comparator "):
        with pytest.raises(ScriptErrors):
            compile_script(piece * (50_000 // len(piece)) + b"!", RULES)


def test_bytes_that_are_no_text() -> None:
    assert texts(b'require "fileinto"; fileinto "\xff\xfe";') == [
        "string '\udcff\udcfe': not valid utf8",
        "mailbox '\udcff\udcfe': not a valid mailbox",
    ]
    assert texts(b"keep;\0keep;") == ["syntax error"]
    assert texts(b"\xff") == ["syntax error"]


PIECES = (
    b'"',
    b"{",
    b"}",
    b"(",
    b")",
    b"[",
    b";",
    b"text:\n",
    b"/*",
    b"${",
    b":comparator ",
    b"\0",
    b"not ",
    b"if ",
)


@pytest.mark.parametrize("seed", range(4))
def test_any_bytes_compile_or_are_told_why_not(seed: int) -> None:
    """Scripts with bytes changed, removed, moved: nothing but errors with texts, or bytecode that loads."""
    chance = random.Random(seed)
    files = [path.read_bytes() for path in sorted((BAD[0].parent.parent).glob("*/*.sieve"))]
    loaded = 0
    for _ in range(400):
        data = bytearray(chance.choice(files))
        for _ in range(chance.choice((1, 2, 4, 16))):
            place, other = chance.randrange(len(data) + 1), chance.randrange(len(data) + 1)
            match chance.randrange(4):
                case 0:
                    data[place : place + 1] = bytes([chance.randrange(256)])
                case 1:
                    del data[place : place + chance.randrange(1, 20)]
                case 2:
                    data[place:place] = chance.choice(PIECES)
                case _:
                    data[place:place] = data[other : other + chance.randrange(1, 200)]
        try:
            bytecode = compile_script(bytes(data), RULES)
        except ScriptErrors as error:
            assert error.errors and all(fault.text for fault in error.errors)
            continue
        load(bytecode)
        loaded += 1
    assert loaded
