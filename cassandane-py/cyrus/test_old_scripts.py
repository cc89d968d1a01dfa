"""masssievec and translatesieve: the scripts of earlier versions, beside the original's programs."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import click
import pytest

from cassandane import reference
from cassandane.instance import TOP, give_away, make_directory, service_user
from imap.admin import masssievec, translatesieve
from libcyrus import tool

pytestmark = pytest.mark.reference

SCRIPT = """require "fileinto";
if true { fileinto "INBOX.a.b"; }
 fileinto "inbox";
\tfileinto "user.bob.x";
  fileinto "shared.y"; # and more
fileinto "INBOX.unknown";
"""


@pytest.fixture
def folder() -> Path:
    directory = make_directory()
    users = directory / "sieve/a/alice", directory / "sieve/b/bob"
    for user in users:
        user.mkdir(parents=True)
        (user / "one.script").write_text(SCRIPT)
        (user / "bad.script").write_text("nonsense;\n")
    (users[0] / "default").symlink_to("one.script")
    (users[1] / "default.bc").symlink_to("one.bc")
    (directory / "other").mkdir()
    for path in (directory, *directory.rglob("*")):
        if not path.is_symlink():
            give_away(path)
    return directory


def configure(folder: Path, **settings: str) -> Path:
    config = folder / "imapd.conf"
    defaults = {
        "configdirectory": str(folder), "defaultpartition": "p", "partition-p": str(folder),
        "sievedir": str(folder / "sieve"),
    }  # fmt: skip
    config.write_text("".join(f"{key}: {value}\n" for key, value in {**defaults, **settings}.items()))
    return config


def run_original(name: str, arguments: list[str]) -> str:
    user = service_user()
    who: dict[str, Any] = {"user": user.pw_uid, "group": user.pw_gid} if os.getuid() == 0 else {}
    program = Path(reference.program("sievec")).parents[1] / "upgrade" / name
    done = subprocess.run(
        ["perl", "-x", str(program), *arguments],
        env=reference.environment(), capture_output=True, text=True, timeout=60, cwd="/", **who,
    )  # fmt: skip
    output: str = done.stdout
    return output


def run_ours(
    command: click.Command,
    arguments: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> tuple[int, str]:
    """As somebody else than root."""
    monkeypatch.setattr("os.getuid", lambda: 1)
    capfd.readouterr()
    code = tool.run(command, ["program", *arguments], 64)
    monkeypatch.undo()
    return code, capfd.readouterr().out


def copied(folder: Path, name: str) -> Path:
    copy = folder / name
    shutil.copytree(folder / "sieve", copy / "sieve", symlinks=True)
    for path in (copy, *copy.rglob("*")):
        if not path.is_symlink():
            give_away(path)
    return copy


def state(folder: Path) -> dict[str, str]:
    found = {}
    for path in sorted((folder / "sieve").rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = f"-> {os.readlink(path)}"
        elif path.is_file():
            found[name] = path.read_bytes().hex() if path.suffix == ".bc" else path.read_text()
    return found


def _changes(output: str) -> list[str]:
    return [line for line in output.splitlines() if line.startswith(("< ", "> ", "fatal"))]


@pytest.mark.parametrize(
    ("settings", "options"),
    [
        ({"altnamespace": "no", "unixhierarchysep": "yes"}, []),
        ({"altnamespace": "yes", "unixhierarchysep": "no"}, []),
        ({"altnamespace": "yes", "unixhierarchysep": "yes"}, ["-v"]),
        ({"altnamespace": "yes", "unixhierarchysep": "yes"}, ["-n"]),
        ({"altnamespace": "no", "unixhierarchysep": "no"}, []),
        ({"altnamespace": "no", "unixhierarchysep": "no"}, ["-a"]),
    ],
)
def test_names_are_translated(
    folder: Path,
    settings: dict[str, str],
    options: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    theirs, ours = copied(folder, "theirs"), copied(folder, "ours")
    said = run_original("translatesieve", ["-C", str(configure(theirs, **settings)), *options])
    arguments = ["-C", str(configure(ours, **settings)), *options]
    code, output = run_ours(translatesieve.translatesieve, arguments, monkeypatch, capfd)
    assert _changes(output) == _changes(said)
    assert state(ours) == state(theirs)
    assert (code != 0) == ("fatal" in said)
    shutil.rmtree(folder)


def test_scripts_are_compiled(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    theirs, ours = copied(folder, "theirs"), copied(folder, "ours")
    said = run_original("masssievec", [reference.program("sievec"), str(configure(theirs))])
    arguments = [str(TOP / "bin/sievec"), str(configure(ours))]
    code, output = run_ours(masssievec.masssievec, arguments, monkeypatch, capfd)
    assert code == 0
    told = ("processing", "got error")
    assert sorted(filter(lambda line: line.startswith(told), output.splitlines())) == sorted(
        filter(lambda line: line.startswith(told), said.splitlines())
    )
    found = state(ours)
    assert found == state(theirs)
    assert found["sieve/a/alice/defaultbc"] == found["sieve/b/bob/defaultbc"] == "-> one.bc"
    shutil.rmtree(folder)


def test_root_is_sent_away(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.getuid", lambda: 0)
    assert tool.run(masssievec.masssievec, ["masssievec", "/bin/true"], 64) == 1
    assert tool.run(translatesieve.translatesieve, ["translatesieve"], 64) == 1
    shutil.rmtree(folder)
