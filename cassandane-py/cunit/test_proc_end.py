"""Ending the sessions of a user: asked first, then killed; others' stay."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from libcyrus.server import proc


@pytest.fixture
def reaping() -> Iterator[None]:
    """Children that end are gone at once, as those of master are."""
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGCHLD, before)


def session(directory: Path, user: str, *, stubborn: bool = False) -> int:
    ready, tell = os.pipe()
    pid = os.fork()
    if not pid:
        if stubborn:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        else:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.write(tell, b"x")
        while True:
            signal.pause()
    os.read(ready, 1)
    os.close(ready)
    os.close(tell)
    (directory / str(pid)).write_text(f"imap\tlocalhost\t{user}\t\tIdle\n")
    return pid


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.usefixtures("reaping")
def test_a_users_sessions_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proc, "_PATIENCE", (0.05, 0.2, 0.5))
    willing, stubborn = session(tmp_path, "joe"), session(tmp_path, "joe", stubborn=True)
    other = session(tmp_path, "ann")
    try:
        proc.end_user(str(tmp_path), "joe")
        assert (alive(willing), alive(stubborn), alive(other)) == (False, False, True)
        proc.end_user(str(tmp_path), "nobody")
        proc.end_user(str(tmp_path / "none"), "joe")
        assert alive(other)
    finally:
        os.kill(other, signal.SIGKILL)
