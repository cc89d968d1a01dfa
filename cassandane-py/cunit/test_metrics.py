"""The files of numbers that promstatsd collects from services."""

from __future__ import annotations

import fcntl
import os
import struct
from pathlib import Path
from typing import Any

import pytest

from imap.promstatsd import main, services, usage
from libcyrus.base import lock
from libcyrus.config import Config
from libcyrus.errors import Fatal
from libcyrus.server import metrics
from libcyrus.server.metrics import Metrics

SIZE = 512 + 452 * 16


def config(directory: Path, **options: Any) -> Config:
    return Config.for_tests(configdirectory=str(directory), prometheus_enabled=True, **options)


def numbers(path: Path) -> dict[int, float]:
    data = path.read_bytes()
    assert len(data) == SIZE
    return {place: value for place, (value, _) in enumerate(struct.iter_unpack("=dq", data[512:])) if value}


def test_each_process_has_a_file_of_its_numbers(tmp_path: Path) -> None:
    own = Metrics(config(tmp_path), "imap")
    own.add("ready_listeners")
    own.connected()
    own.add("connections_total")
    own.add("xbackup_total", 3)
    path = tmp_path / "stats" / str(os.getpid())
    # the places are those of the original
    assert numbers(path) == {0: 1.0, 1: 1.0, 50: 3.0}
    own.disconnected()
    assert numbers(path) == {0: 1.0, 2: 1.0, 50: 3.0}
    other = Metrics(config(tmp_path), "lmtp")
    other.add("transmitted_bytes_total", 4096)
    assert numbers(path) == {62: 4096.0}


def test_what_ended_processes_counted_is_added_up(tmp_path: Path) -> None:
    for failed in (False, True):
        own = Metrics(config(tmp_path), "imap")
        own.add("ready_listeners")
        own.add("fetch_total", 2)
        assert not own.knows("noop_total")
        own.close(failed=failed)
    (done,) = (tmp_path / "stats").glob("doneprocs.*")
    assert numbers(done) == {3: 1.0, 4: 1.0, 19: 4.0}
    assert not (tmp_path / "stats" / str(os.getpid())).exists()


def test_nothing_is_written_unless_it_is_switched_on(tmp_path: Path) -> None:
    assert Metrics.from_config(Config.for_tests(configdirectory=str(tmp_path)), "imap") is None
    for path in ("relative", "/"):
        with pytest.raises(Fatal):
            Metrics(config(tmp_path, prometheus_stats_dir=path), "imap")


def test_the_numbers_of_living_and_ended_processes_are_added_up_by_service(tmp_path: Path) -> None:
    for _ in range(2):
        own = Metrics(config(tmp_path), "imap")
        own.add("fetch_total", 2)
        own.close(failed=False)
    living = Metrics(config(tmp_path), "imap")
    living.add("fetch_total")
    place = living._places["imap_fetch_total"]
    stats = tmp_path / "stats"
    # not of this kind, or cut off where a process died
    (stats / "master.txt").write_text("nothing")
    (stats / "123").write_bytes(b"")
    whole = b"lmtp".ljust(512 + 16 * 51, b"\0") + struct.pack("=dq", 7, 99)
    (stats / "doneprocs.lmtp").write_bytes(whole + b"x")
    found = metrics.collect(str(stats))
    assert set(found) == {living._ident, "lmtp"}
    assert found[living._ident][place][0] == 5.0
    assert found["lmtp"] == {51: (7.0, 99)}
    metrics.clean(str(stats))
    assert [path.name for path in stats.iterdir()] == [".doneprocs.lock"]
    metrics.clean(str(tmp_path / "absent"))


def test_a_lock_file_that_the_original_removed_is_not_trusted(tmp_path: Path) -> None:
    """It removes the file while others wait for it."""
    held = os.open(tmp_path / ".doneprocs.lock", os.O_RDWR | os.O_CREAT, 0o644)
    os.unlink(tmp_path / ".doneprocs.lock")
    path = str(tmp_path / ".doneprocs.lock")
    real = os.open

    def opens_the_old_one(name: Any, *rest: Any) -> int:
        monkeypatch.undo()
        return os.dup(held) if name == path else real(name, *rest)

    monkeypatch = pytest.MonkeyPatch()
    monkeypatch.setattr(os, "open", opens_the_old_one)
    assert metrics._take_lock(path) == -1
    fd = metrics._take_lock(path)
    assert os.path.samestat(os.fstat(fd), os.stat(path))
    for mine in (held, fd):
        os.close(mine)


def test_names_cannot_break_the_report() -> None:
    found = {'a"b\\c\n': usage.Partition(users=1, shared={'x"y': 2})}
    text = usage.render(found, 5)
    assert 'cyrus_usage_users{partition="a\\"b\\\\c\\n"} 1 5\n' in text
    assert 'namespace="x\\"y"} 2 5\n' in text
    assert 'total{service="a\\"b"} 3 9\n' in services.render({'a"b': {0: (3.0, 9)}})


def test_a_report_that_another_removes_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every promstatsd begins by removing it, while others may wait for its lock."""
    reporter = main.Reporter(config(tmp_path))
    path = Path(reporter.path)
    taken: list[int] = []

    def removed_once(fd: int, command: int, request: bytes) -> object:
        if not taken:
            path.unlink()
        taken.append(fd)
        return fcntl.fcntl(fd, command, request)

    monkeypatch.setattr(lock, "_lock", removed_once)
    reporter._write(b"report\n")
    assert path.read_bytes() == b"report\n" and len(taken) == 2
    reporter.close()
