"""Only what a dead writer staged is removed."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import cast

import pytest

from cassandane.places import other_file_system
from libcyrus.mailbox import leftovers
from libcyrus.mailbox.paths import MailboxPaths


class Paths:
    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.stage = str(directory.parent / "stage.")

        self.data = str(directory)
        self.archive = str(directory.parent / "archive")

    def message(self, uid: int, *, archived: bool = False) -> str:
        return f"{self.archive if archived else self.data}/{uid}."


@pytest.fixture
def mailbox(tmp_path: Path) -> Path:
    (tmp_path / "stage.").mkdir()
    (tmp_path / "box").mkdir()
    return tmp_path / "box"


def dead_pid() -> int:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


def stage(mailbox: Path, pid: int, uid: int) -> Path:
    staged = mailbox.parent / "stage." / f"{pid}-1700000000-{uid}"
    staged.write_bytes(b"message")
    os.link(staged, mailbox / f"{uid}.")
    return mailbox / f"{uid}."


def clean(mailbox: Path, last_uid: int) -> list[str]:
    leftovers.remove(cast(MailboxPaths, Paths(mailbox)), last_uid)
    return sorted(path.name for path in mailbox.iterdir())


def test_files_of_a_dead_writer_go(mailbox: Path) -> None:
    pid = dead_pid()
    for uid in (7, 8, 9):
        stage(mailbox, pid, uid)
    assert clean(mailbox, 7) == ["7."]


def test_files_of_a_living_writer_stay(mailbox: Path) -> None:
    stage(mailbox, os.getpid(), 8)
    assert clean(mailbox, 7) == ["8."]


def test_a_number_of_a_process_means_another_after_a_restart(
    mailbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage(mailbox, os.getpid(), 8)
    monkeypatch.setattr(leftovers, "_start_of_system", lambda: time.time() + 60)
    assert clean(mailbox, 7) == []


def test_files_that_were_never_staged_stay(mailbox: Path) -> None:
    (mailbox / "8.").write_bytes(b"restored")
    os.link(mailbox / "8.", mailbox.parent / "copy")
    stage(mailbox, dead_pid(), 9)
    assert clean(mailbox, 7) == ["8.", "9."]


def test_a_missing_stage_directory_is_nothing_to_go_by(mailbox: Path) -> None:
    stage(mailbox, dead_pid(), 8)
    (mailbox.parent / "stage.").rename(mailbox.parent / "elsewhere")
    assert clean(mailbox, 7) == ["8."]


def test_files_in_the_archive_go_too(mailbox: Path) -> None:
    archive = mailbox.parent / "archive"
    archive.mkdir()
    for uid in (8, 9):
        stage(mailbox, dead_pid(), uid).rename(archive / f"{uid}.")
    (archive / "10.").write_bytes(b"restored")
    clean(mailbox, 7)
    assert [path.name for path in archive.iterdir()] == ["10."]


@pytest.mark.parametrize(("content", "left"), [(b"mess", []), (b"message", []), (b"massage", ["8."])])
def test_copies_on_another_file_system_are_told_by_their_content(
    mailbox: Path, content: bytes, left: list[str]
) -> None:
    with tempfile.TemporaryDirectory(dir=other_file_system(mailbox)) as shm:
        (mailbox.parent / "archive").symlink_to(shm)
        stage(mailbox, dead_pid(), 8).unlink()
        (mailbox.parent / "archive/8.").write_bytes(content)
        clean(mailbox, 7)
        assert sorted(os.listdir(shm)) == left
