"""What a command-line program exits with, and what it says."""

from __future__ import annotations

import os

import click
import pytest

from libcyrus import errors, tool


@click.command("prog")
@tool.config_option
@click.option("-n", "number", type=int)
@click.option("-v", "verbose", is_flag=True)
@click.argument("names", metavar="NAMES...", nargs=-1, required=True)
def prog(config_file: str | None, number: int | None, verbose: bool, names: tuple[str, ...]) -> int | None:
    """Do what the tests ask for."""
    print(config_file, number, verbose, *names)
    match names[0]:
        case "code":
            return 3
        case "fatal":
            raise errors.Fatal("it is over", os.EX_OSFILE)
        case "missing":
            raise errors.MailboxNonexistent
        case "usage":
            raise tool.usage_error()
        case "file":
            open("/nonexistent/file").close()
        case "bug":
            raise ZeroDivisionError
    return None


prog.add_help_option = False


def run(*arguments: str, usage_code: int = os.EX_USAGE) -> int:
    return tool.run(prog, ["/usr/sbin/prog", *arguments], usage_code)


@pytest.mark.parametrize(
    ("arguments", "printed"),
    [
        (["-C", "f", "a"], "f None False a"),
        (["a", "-Cf", "b"], "f None False a b"),
        (["-vn7", "a"], "None 7 True a"),
        (["-vCf", "-n", "-7", "a"], "f -7 True a"),
        (["--", "-v", "-C"], "None None False -v -C"),
        (["-", "a"], "None None False - a"),
    ],
)
def test_options_are_read_as_getopt_does(
    capsys: pytest.CaptureFixture[str], arguments: list[str], printed: str
) -> None:
    assert run(*arguments) == 0
    assert capsys.readouterr().out == printed + "\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-x", "a"], "/usr/sbin/prog: invalid option -- 'x'"),
        (["-vx", "a"], "/usr/sbin/prog: invalid option -- 'x'"),
        (["--help"], "/usr/sbin/prog: invalid option -- '-'"),
        (["a", "-C"], "/usr/sbin/prog: option requires an argument -- 'C'"),
        (["-n", "x", "a"], "prog: Invalid value for '-n': 'x' is not a valid integer."),
        ([], "prog: Missing argument 'NAMES...'."),
        (["usage"], "Usage: prog [OPTIONS] NAMES..."),
    ],
)
@pytest.mark.parametrize("code", [64, 255])
def test_usage_errors(
    capsys: pytest.CaptureFixture[str], arguments: list[str], said: str, code: int
) -> None:
    assert run(*arguments, usage_code=code) == code
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == said
    assert "Usage: prog [OPTIONS] NAMES..." in lines


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        ("code", 3, ""),
        ("fatal", os.EX_OSFILE, "fatal error: it is over\n"),
        ("missing", os.EX_UNAVAILABLE, "prog: Mailbox does not exist\n"),
        ("file", os.EX_IOERR, "fatal error: /nonexistent/file: No such file or directory\n"),
    ],
)
def test_what_is_raised_becomes_a_message_and_a_code(
    capsys: pytest.CaptureFixture[str], name: str, code: int, said: str
) -> None:
    assert run(name) == code
    assert capsys.readouterr().err == said


def test_a_bug_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("bug") == os.EX_SOFTWARE
    assert "ZeroDivisionError" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.IoError(), os.EX_IOERR),
        (errors.DatabaseCorrupt(), os.EX_DATAERR),
        (errors.PermissionDenied(), os.EX_NOPERM),
        (errors.QuotaExceeded(), os.EX_TEMPFAIL),
        (errors.MailboxNotSupported(), os.EX_DATAERR),
        (errors.MailboxNonexistent(), os.EX_UNAVAILABLE),
        (errors.MailboxExists(), os.EX_SOFTWARE),
    ],
)
def test_the_exit_code_of_each_error(error: errors.CyrusError, code: int) -> None:
    assert tool.exit_code(error) == code
