"""The small parts of master: addresses, clock, deaths, reports."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from libcyrus.base.master_protocol import NOTIFY, Message
from libcyrus.config import Config
from master import prometheus, reap, spawn, status
from master.conf import EventSpec, ServiceSpec
from master.listen import split_listen, type_of_service
from master.policy import State
from master.schedule import Schedule, next_daily
from master.table import Child, Service, Table


@pytest.mark.parametrize(
    ("listen", "expected"),
    [
        ("imap", (None, "imap")),
        ("143", (None, "143")),
        ("localhost:143", ("localhost", "143")),
        ("127.0.0.1:imap", ("127.0.0.1", "imap")),
        (":143", ("", "143")),
        ("[127.0.0.1]", ("127.0.0.1", None)),
        ("[::1]", ("::1", None)),
        ("[::1]:143", ("::1", "143")),
        ("::1:143", ("::1", "143")),
    ],
)
def test_listen_is_split(listen: str, expected: tuple[str | None, str | None]) -> None:
    assert split_listen(listen) == expected


@pytest.mark.parametrize("listen", ["host:", "[::1", "[::1]:", "[::1]143"])
def test_listen_is_refused(listen: str) -> None:
    with pytest.raises(ValueError):
        split_listen(listen)


@pytest.mark.parametrize(
    ("name", "byte"), [("cs0", 0), ("cs7", 0xE0), ("af11", 0x28), ("af43", 0x98), ("ef", 0xB8)]
)
def test_type_of_service(name: str, byte: int) -> None:
    assert type_of_service(name) == byte


def test_events_run_at_once_then_by_period_or_never_again() -> None:
    schedule = Schedule()
    once, often = EventSpec("once", ("a",)), EventSpec("often", ("b",), 60)
    schedule.replace([once, often], now=100.0, wall=0.0)
    assert schedule.delay(now=100.0, wall=0.0) == 0
    assert schedule.take_due(now=100.0, wall=0.0) == [often, once]
    assert schedule.take_due(now=159.0, wall=0.0) == []
    assert schedule.delay(now=159.0, wall=0.0) == 1
    assert schedule.take_due(now=170.0, wall=0.0) == [often]
    assert schedule.delay(now=170.0, wall=0.0) == 60


def test_a_missed_period_runs_once() -> None:
    schedule = Schedule()
    often = EventSpec("often", ("b",), 60)
    schedule.replace([often], now=0.0, wall=0.0)
    schedule.take_due(now=0.0, wall=0.0)
    assert schedule.take_due(now=1000.0, wall=0.0) == [often]
    assert schedule.take_due(now=1000.0, wall=0.0) == []


def test_no_events_no_delay() -> None:
    assert Schedule().delay(now=1.0, wall=1.0) is None


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    time.tzset()


def at(year: int, month: int, day: int, hour: int, minute: int) -> float:
    return time.mktime((year, month, day, hour, minute, 0, 0, 0, -1))


@pytest.mark.parametrize(
    ("now", "due"),
    [
        ((2024, 5, 1, 3, 0), (2024, 5, 1, 4, 1)),
        ((2024, 5, 1, 4, 1), (2024, 5, 2, 4, 1)),
        ((2024, 5, 1, 5, 0), (2024, 5, 2, 4, 1)),
        ((2024, 3, 30, 12, 0), (2024, 3, 31, 4, 1)),
        ((2024, 10, 26, 12, 0), (2024, 10, 27, 4, 1)),
        ((2024, 12, 31, 12, 0), (2025, 1, 1, 4, 1)),
    ],
)
@pytest.mark.usefixtures("berlin")
def test_a_daily_event_follows_the_clock_on_the_wall(
    now: tuple[int, int, int, int, int], due: tuple[int, int, int, int, int]
) -> None:
    assert next_daily(at(*now), 4, 1) == at(*due)


@pytest.mark.usefixtures("berlin")
def test_a_daily_event_comes_every_day_of_a_year() -> None:
    wall = at(2024, 1, 1, 12, 0)
    shown = set()
    for _ in range(366):
        wall = next_daily(wall, 2, 30)
        shown.add(time.localtime(wall)[2:5] if time.localtime(wall)[3:5] != (2, 30) else (2, 30))
    # half past two does not exist on one day; libc moves it by the hour that is missing
    assert len(shown) == 2


def exited(code: int) -> int:
    return code << 8


@pytest.mark.parametrize(
    ("wait_status", "text", "failed"),
    [
        (exited(0), "exited normally", False),
        (exited(75), "was killed", False),
        (exited(1), "exited, status 1", True),
        (9, "signaled to death by signal 9 (Killed)", True),
        (11 | 0x80, "signaled to death by signal 11 (Segmentation fault, core dumped)", True),
    ],
)
def test_endings(wait_status: int, text: str, failed: bool) -> None:
    end = reap.ending(wait_status)
    assert (end.text, end.failed) == (text, failed)


def lab_service() -> Service:
    service = Service(ServiceSpec("lab", ("lab",), "1"), "/lab", family="ipv4")
    service.workers.active = service.workers.ready = 1
    return service


def test_a_worker_that_dies_ready_five_times_gives_its_service_up() -> None:
    table, service = Table(), lab_service()
    results = []
    for pid in range(1, 6):
        table.add(Child(pid, "SERVICE", "lab", "/lab", service))
        results.append(reap.account(table, pid, exited(1), in_shutdown=False, verbose=0))
    assert results == [None] * 4 + [service]


@pytest.mark.parametrize(
    ("state", "wait_status", "in_shutdown"),
    [(State.BUSY, exited(1), False), (State.READY, exited(0), False), (State.READY, exited(1), True)],
)
def test_other_deaths_do_not(state: State, wait_status: int, in_shutdown: bool) -> None:
    table, service = Table(), lab_service()
    service.fails.count, service.fails.last = 99, time.monotonic()
    table.add(Child(1, "SERVICE", "lab", "/lab", service, state=state))
    assert reap.account(table, 1, wait_status, in_shutdown=in_shutdown, verbose=0) is None
    assert service.workers.active == 0
    assert service.workers.ready == (0 if state is State.READY else 1)


@pytest.mark.parametrize(("number", "hupped", "in_shutdown"), [(1, True, False), (15, False, True)])
def test_dying_of_our_own_signal_is_no_failure(number: int, hupped: bool, in_shutdown: bool) -> None:
    table, service = Table(), lab_service()
    child = Child(1, "SERVICE", "lab", "/lab", service, hup_at=1.0 if hupped else None)
    table.add(child)
    reap.account(table, 1, number, in_shutdown=in_shutdown, verbose=0)
    assert service.fails.count == 0


def test_a_death_reported_twice_is_counted_once() -> None:
    table, service = Table(), lab_service()
    table.add(Child(1, "SERVICE", "lab", "/lab", service))
    for _ in range(2):
        reap.account(table, 1, 0, in_shutdown=False, verbose=0)
    assert (service.workers.ready, service.workers.active) == (0, 0)


def test_messages_are_read_in_order_and_a_torn_one_is_dropped() -> None:
    service = lab_service()
    service.status_read, write_fd = os.pipe2(os.O_NONBLOCK)
    assert status.read_messages(service) == []
    many = [(Message.AVAILABLE, pid) for pid in range(1, 1500)]
    os.write(write_fd, b"".join(NOTIFY.pack(*one) for one in many))
    assert status.read_messages(service) == many
    os.write(write_fd, NOTIFY.pack(2, 7) + b"\0\0\0")
    assert status.read_messages(service) == [(2, 7)]
    os.close(write_fd)
    os.close(service.status_read)


def test_a_message_from_nobody_is_counted_as_of_the_dead() -> None:
    table, service = Table(), lab_service()
    status.apply(table, service, Message.CONNECTION, 77, verbose=0)
    assert table.children[77].state is State.DEAD
    assert (service.workers.ready, service.connections) == (1, 1)


def test_commands_are_found(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("#!/bin/sh\n")
    assert not spawn.is_runnable(str(script))
    script.chmod(0o755)
    assert spawn.is_runnable(str(script))
    assert not spawn.is_runnable(str(tmp_path))
    assert spawn.executable((str(script), "-x")) == str(script)
    assert spawn.may_pool(str(script))
    assert not spawn.may_pool("/bin/sh")
    assert not spawn.may_pool(str(tmp_path / "none"))


def test_the_report_has_every_service(tmp_path: Path) -> None:
    table = Table()
    table.services.append(lab_service())
    text = prometheus.render(table, 1700000000000)
    assert 'cyrus_master_ready_workers{service="lab",family="ipv4"} 1 1700000000000\n' in text
    assert 'cyrus_master_max_children{service="lab",family="ipv4"} 2147483647 1700000000000\n' in text
    assert text.count("# TYPE") == text.count("# HELP") == 7

    config = Config.for_tests(
        configdirectory=str(tmp_path), prometheus_enabled=True, prometheus_update_freq="10s"
    )
    report = prometheus.Report(config)
    assert report.delay(5.0) == 0
    report.update(table, 5.0)
    written = tmp_path / "stats/master.txt"
    assert written.read_text().startswith("# HELP cyrus_master_ready_workers")
    assert report.delay(6.0) == 9
    written.unlink()
    report.update(table, 6.0)
    assert not written.exists()


def test_no_report_unless_enabled(tmp_path: Path) -> None:
    report = prometheus.Report(Config.for_tests(configdirectory=str(tmp_path)))
    assert report.delay(5.0) is None
    report.update(Table(), 5.0)
    assert not list(tmp_path.iterdir())


def test_a_relative_program_is_looked_for_where_master_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("libexec/master", "libexec/imapd", "sbin/ctl_cyrusdb"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.setattr(sys, "argv", [str(tmp_path / "libexec/master")])
    assert spawn.executable(("imapd",)) == str(tmp_path / "libexec/imapd")
    assert spawn.executable(("ctl_cyrusdb", "-r")) == str(tmp_path / "sbin/ctl_cyrusdb")
    assert spawn.executable(("nothing",)) == str(tmp_path / "libexec/nothing")
