"""cyrus(8), which runs the other programs: names, exit codes, and what it says as the original does."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from cassandane import reference
from imap.admin import cyrus

TOP = Path(__file__).resolve().parents[2]


def run(*words: str, program: str = str(TOP / "bin/cyrus")) -> subprocess.CompletedProcess[str]:
    return subprocess.run([program, *words], capture_output=True, text=True)


@pytest.mark.parametrize(
    ("command", "program"),
    [
        ("reconstruct", "reconstruct"),
        ("cyr_expire", "cyr_expire"),
        ("expire", "cyr_expire"),
        ("mboxlist", "ctl_mboxlist"),
        ("deliver", "deliver"),
        ("check", "chk_cyrus"),
        ("makedirs", "mkimap"),
        ("imapd", "imapd"),
        ("cyrus", None),
        ("launch.py", None),
        ("cyr_cd.sh", None),
        ("../bin/quota", None),
        ("nothing", None),
    ],
)
def test_names_are_found(command: str, program: str | None) -> None:
    bin_directory = str(TOP / "bin")
    expected = f"{bin_directory}/{program}" if program else None
    assert cyrus.find(command, [bin_directory]) == expected


def test_others_programs_of_the_same_directory_are_not_run(tmp_path: Path) -> None:
    theirs = tmp_path / "quota"
    theirs.write_text("#!/bin/sh\necho theirs\n")
    theirs.chmod(0o755)
    assert cyrus.find("quota", [str(tmp_path)]) is None
    ours = tmp_path / "cyr_quota"
    ours.write_text("#!/usr/bin/python3\nfrom imap.admin.quota import main\n")
    assert cyrus.find("quota", [str(tmp_path)]) is None  # nor what cannot be run
    ours.chmod(0o755)
    assert cyrus.find("quota", [str(tmp_path)]) == str(ours)


def test_arguments_and_the_exit_code_pass_through() -> None:
    assert run("info", "version").stdout == run("version", program=str(TOP / "bin/cyr_info")).stdout
    done = run("info", "-Z")
    assert (done.returncode, done.stdout) == (255, "")


@pytest.mark.reference
@pytest.mark.parametrize("words", [(), ("nothing",), ("help",), ("--help",)])
def test_refusals_are_the_originals(words: tuple[str, ...]) -> None:
    ours, theirs = run(*words), run(*words, program=reference.program("cyrus"))
    assert ours.returncode == theirs.returncode == 1
    assert ours.stderr == theirs.stderr == ""
    # then come the commands, of which there are others
    errors = [done.stdout[: done.stdout.index("usage: cyrus COMMAND [ARG")] for done in (ours, theirs)]
    assert errors[0].split() == errors[1].split()
    assert " reconstruct " in ours.stdout and " master " in ours.stdout
