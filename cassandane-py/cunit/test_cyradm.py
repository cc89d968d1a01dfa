"""cyradm's language, the values in IMAP responses, and how its commands take their options."""

from __future__ import annotations

import io
import os
import subprocess
from pathlib import Path

import pytest

from imap.client.cyradm import commands, lexer, replies, shell
from imap.client.cyradm.commands import Exit, Shell, UsageError
from imap.client.cyradm.lexer import Redirection, SyntaxMistake
from libcyrus.errors import ProtocolError

TOP = Path(__file__).resolve().parents[2]
VARIABLES = {"USER": "joe", "two words": "x"}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", []),
        ("  # a comment", []),
        ("lm", [["lm"]]),
        ("lm user.* ; ver;", [["lm", "user.*"], ["ver"]]),
        ('cm \'user.a b\' "user.c\\"d" user.e\\ f', [["cm", "user.a b", 'user.c"d', "user.e f"]]),
        ("cm user.$USER user.${USER}.x '$USER' \"$NOBODY\"", [["cm", "user.joe", "user.joe.x", "$USER", ""]]),
        ("setmd x specialuse '\\Junk'", [["setmd", "x", "specialuse", "\\Junk"]]),
        ("a'b'\"c\"d", [["abcd"]]),
        ("a#b", [["a#b"]]),
    ],
)
def test_words(line: str, expected: list[list[str]]) -> None:
    assert [command.words for command in lexer.split(line, VARIABLES)] == expected


def test_redirections() -> None:
    (command,) = lexer.split("lm >out 2>>errors 2>&1 <in")
    assert command.words == ["lm"]
    assert command.redirections == [
        Redirection(1, ">", "out", False),
        Redirection(2, ">>", "errors", False),
        Redirection(2, ">", "1", True),
        Redirection(0, "<", "in", False),
    ]


@pytest.mark.parametrize("line", ["lm >", "lm > ; x", "lm &", "lm >&x", "lm 'x", "lm > > x"])
def test_what_is_no_command(line: str) -> None:
    with pytest.raises(SyntaxMistake):
        lexer.split(line)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b'(\\HasChildren) "/" user/joe', [[b"\\HasChildren"], b"/", b"user/joe"]),
        (b'"a \\"b\\"" NIL (x (y))', [b'a "b"', None, [b"x", [b"y"]]]),
        (b"x {5}\r\na b)c (d)", [b"x", b"a b)c", [b"d"]]),
        (b"root (STORAGE 1 2 X-A 3 4)", [b"root", [b"STORAGE", b"1", b"2", b"X-A", b"3", b"4"]]),
        (b"BODY[HEADER (TO)]", [b"BODY[HEADER (TO)]"]),
        (b"", []),
    ],
)
def test_values_of_a_response(data: bytes, expected: list[replies.Value]) -> None:
    assert replies.parse(data) == expected


@pytest.mark.parametrize("data", [b"(", b")", b'"x', b"(" * 30 + b")" * 30])
def test_what_is_no_response(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        replies.parse(data)


@pytest.fixture
def console() -> Shell:
    def nobody(*_: object) -> object:
        raise AssertionError

    return Shell(connect=nobody, credentials=nobody, out=io.StringIO(), err=io.StringIO())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("words", "flags", "values"),
    [
        (["-sub", "x"], {"subscribed"}, {}),
        (["--subscribed"], {"subscribed"}, {}),
        (["-s", "-spec", "a", "b"], {"subscribed", "specialuse"}, {}),
        (["--", "-x"], set(), {}),
    ],
)
def test_options_may_be_shortened(words: list[str], flags: set[str], values: dict[str, str]) -> None:
    command = commands.Command(lambda *_: 0, "", "", ("subscribed", "specialuse"))
    parsed = commands.parse("lm", command, words)
    assert (parsed.flags, parsed.values) == (flags, values)


@pytest.mark.parametrize(
    "line",
    ["lm --sub", "lm a b c", "lm -zzz", "cm", "cm --partition", "sam x y", "sam x y r z", "exit 1 2", "ver x",
     "rename a", "dam x", "setinfo motd", "cd"],
)  # fmt: skip
def test_usage(console: Shell, line: str) -> None:
    (command,) = lexer.split(line)
    with pytest.raises(UsageError):
        commands.run(console, command.words[0], command.words[1:])


def test_without_a_server(console: Shell) -> None:
    shell.run_lines(console, ["lm", "disc", "server", "cm x; ver"])
    said = console.err.getvalue()  # type: ignore[attr-defined]
    names = ["listmailbox", "disconnect", "server", "createmailbox"]
    assert said == "".join(f"{name}: no connection to server\n" for name in names)


def test_every_command_has_help(console: Shell) -> None:
    shell.run_lines(console, ["help", "help lm nosuch"])
    said = console.out.getvalue()  # type: ignore[attr-defined]
    assert all(name in said for name in commands.names())
    assert said.endswith(
        "lm, alias for listmailbox [-subscribed] [-specialuse] [pattern [base]]\n"
        "\tlist mailboxes\nunknown command: nosuch\n"
    )


def test_output_goes_where_it_is_sent(console: Shell, tmp_path: Path) -> None:
    shell.run_lines(
        console, [f"help lm > {tmp_path}/out", f"help lm >> {tmp_path}/out", f"lm 2> {tmp_path}/err"]
    )
    assert (tmp_path / "out").read_text().count("list mailboxes") == 2
    assert (tmp_path / "err").read_text() == ""
    shell.run_lines(console, ["help lm > /no/such/file", "help lm 1>&7", "help lm >&-"])
    said = console.err.getvalue()  # type: ignore[attr-defined]
    assert "/no/such/file: No such file or directory\n" in said
    assert "file descriptor `7' not open\n" in said
    assert console.out.getvalue() == ""  # type: ignore[attr-defined]


def test_other_commands_are_the_systems(console: Shell, tmp_path: Path) -> None:
    shell.run_lines(console, [f"cd {tmp_path}", "echo hello > here", "false"])
    assert (tmp_path / "here").read_text() == "hello\n"
    assert console.status == 1


@pytest.mark.parametrize(("line", "code"), [("exit", 0), ("exit 3", 3), ("quit x", 0), ("false; exit", 1)])
def test_exit(console: Shell, line: str, code: int) -> None:
    with pytest.raises(Exit) as end:
        shell.run_lines(console, [line])
    assert end.value.args == (code,)


def at_a_terminal(home: Path, typed: bytes) -> str:
    """What somebody sees who types this, and then ends."""
    ours, theirs = os.openpty()
    environment = {**os.environ, "HOME": str(home), "TERM": "dumb", "INPUTRC": os.devnull}
    command = [str(TOP / "bin/cyradm"), "--norc"]
    with subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, start_new_session=True
    ) as process:
        os.close(theirs)
        seen = b""
        try:
            # what is typed before the prompt would be echoed by the terminal, and completed by nobody
            while not seen.endswith(b"cyradm> "):
                seen += os.read(ours, 4096)
            os.write(ours, typed + b"exit\r")
            while data := os.read(ours, 4096):
                seen += data
        except OSError:
            pass  # the other end is closed
        finally:
            os.close(ours)
        assert process.wait() == 0
    return seen.decode()


def test_lines_are_completed_and_remembered(tmp_path: Path) -> None:
    meaning = "alias for listquotaroot"
    assert meaning in at_a_terminal(tmp_path, b"hel\tlqr\r")
    assert (tmp_path / ".cyradm_history").read_text().splitlines()[-2:] == ["help lqr", "exit"]
    # the line before the last, by Control-P
    assert meaning in at_a_terminal(tmp_path, b"\x10\x10\r")
    # of several commands that begin so, all are shown
    assert "listquotaroot" in at_a_terminal(tmp_path, b"listquota\t\t\t\x15")
