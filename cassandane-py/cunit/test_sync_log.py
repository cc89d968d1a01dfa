"""The sync log's records, files and channels, and the race with a reader that renames the file away."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from libcyrus.base import lock
from libcyrus.config import Config
from libcyrus.events.sync_log import SyncLog, quote


def config(directory: Path, **options: object) -> Config:
    return Config.for_tests(configdirectory=str(directory), **{"sync_log": True, **options})


@pytest.mark.parametrize(
    ("name", "quoted"),
    [
        ("user.joe", "user.joe"),
        ("", '""'),
        ("user.joe.Sent Mail", '"user.joe.Sent Mail"'),
        ('a"b', '"a\\"b"'),
        ("a\\b", '"a\\\\b"'),
        ("{5}", '"\\{5\\}"'),
        ("(a)", '"(a)"'),
        ("a\tb", '"a\tb"'),
    ],
)
def test_names_are_quoted_where_an_atom_would_be(name: str, quoted: str) -> None:
    assert quote(name) == quoted


@pytest.mark.parametrize("name", ["a\nUSER root", "a\r", "a\0b"])
def test_a_name_cannot_forge_a_record(name: str) -> None:
    with pytest.raises(ValueError, match="line break"):
        quote(name)


def test_records_that_belong_together_are_written_together(tmp_path: Path) -> None:
    log = SyncLog(config(tmp_path))
    log.append("user.a")
    log.rename("user.a.x", "user.a.y z")
    log.copied("user.a", "user.b")
    log.annotation("")

    assert (tmp_path / "sync" / "log").read_text().splitlines() == [
        "APPEND user.a",
        'RENAME user.a.x "user.a.y z"',
        "MAILBOX user.a.x",
        'MAILBOX "user.a.y z"',
        "DOUBLEMAILBOX user.a user.b",
        "APPEND user.b",
        'ANNOTATION ""',
    ]
    assert (tmp_path / "sync" / "log").stat().st_mode & 0o077 == 0o040 & ~os.umask(os.umask(0))


def test_every_channel_has_its_file(tmp_path: Path) -> None:
    SyncLog(config(tmp_path, sync_log_channels='squatter "" replica')).user("joe")

    for name in ("log", "squatter/log", "replica/log"):
        assert (tmp_path / "sync" / name).read_text() == "USER joe\n"


def test_nothing_is_written_unless_it_is_switched_on(tmp_path: Path) -> None:
    log = SyncLog(config(tmp_path, sync_log=False))
    log.user("joe")

    assert not log.enabled
    assert not (tmp_path / "sync").exists()


def test_a_reader_may_rename_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The writer has opened the file and waits for its lock while the reader moves it out of the way."""
    log = SyncLog(config(tmp_path))
    log.user("one")
    path = tmp_path / "sync" / "log"
    real = lock.exclusive
    moves = iter([lambda: path.rename(tmp_path / "sync" / "log-run")])

    def exclusive(fd: int) -> None:
        for move in moves:
            move()
        real(fd)

    monkeypatch.setattr(lock, "exclusive", exclusive)
    log.user("two")

    assert (tmp_path / "sync" / "log-run").read_text() == "USER one\n"
    assert path.read_text() == "USER two\n"


def test_failure_is_logged_and_not_raised(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "sync").write_text("in the way")
    SyncLog(config(tmp_path)).user("joe")

    assert "Unable to write to log file" in caplog.text
