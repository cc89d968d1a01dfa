"""Launchers, entry points and manual pages name the same programs; the checklist says what is missing."""

from __future__ import annotations

import configparser
import os
import re
import subprocess
from importlib import import_module
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]

NOT_YET = frozenset(
    "backupd calalarmd ctl_backups "
    "ctl_zoneinfo cyr_backup "
    "cyr_virusscan dav_reconstruct "
    "fetchnews fud httpd lmtpproxyd makedirs "
    "mknewsgroups mupdate nntpd pop3d "
    "pop3proxyd proxyd ptdump ptexpire ptloader restore "
    "smmapd squatter sync_client sync_reset sync_server "
    "upgrade-db".split()
)
"""Programs of Cyrus 3.6 that this suite does not have; building one takes its name off this list."""


def launchers() -> dict[str, str]:
    found = {}
    for path in (TOP / "bin").iterdir():
        if path.suffix in (".py", ".sh") or not path.is_file():
            continue
        lines = path.read_text().splitlines()
        match = re.fullmatch(r'run\("([\w.]+)"\)', lines[2])
        assert match and len(lines) == 3, f"{path.name} is not a plain launcher"
        assert os.access(path, os.X_OK), f"{path.name} is not executable"
        found[path.name] = match[1]
    return found


def entry_points() -> dict[str, str]:
    settings = configparser.ConfigParser()
    settings.read(TOP / "setup.cfg")
    lines = settings["options.entry_points"]["console_scripts"].split("\n")
    pairs = (line.split(" = ") for line in lines if line)
    return {name: target.removesuffix(":main") for name, target in pairs}


def shell_files() -> set[str]:
    return {path.name for path in (TOP / "bin").glob("*.sh")}


def manual_pages() -> set[str]:
    return {path.stem for path in (TOP / "man").glob("*.[18]")}


def test_launchers_and_entry_points_are_the_same() -> None:
    assert launchers() == entry_points()


def test_each_program_has_a_manual_page() -> None:
    assert manual_pages() == set(launchers()) | shell_files()


def test_the_list_of_programs_not_built_is_true() -> None:
    assert not NOT_YET & (set(launchers()) | shell_files())


@pytest.mark.parametrize("name", sorted(shell_files()))
def test_shell_files_only_define_functions(name: str) -> None:
    done = subprocess.run(["sh", "-euc", '. "$1"', "sh", str(TOP / "bin" / name)], capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert os.access(TOP / "bin" / name, os.X_OK)


@pytest.mark.parametrize("module", sorted(set(launchers().values())))
def test_each_program_has_a_main(module: str) -> None:
    assert callable(import_module(module).main)
