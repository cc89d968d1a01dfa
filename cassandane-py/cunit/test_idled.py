"""idled's messages and table."""

from __future__ import annotations

import os
import socket
import struct
from pathlib import Path

import pytest

from imap.idled import table
from imap.idled.main import Idled
from imap.idled.table import IdleTable
from libcyrus.config import Config
from libcyrus.events import idle
from libcyrus.events.idle import ChangeTeller, Idler, Which


def config(directory: Path) -> Config:
    (directory / "socket").mkdir(exist_ok=True)
    return Config.for_tests(configdirectory=str(directory))


def test_a_message_is_a_number_and_a_name() -> None:
    data = idle.pack(Which.NOTIFY, "user.joe")

    assert data == struct.pack("@L", 2) + b"user.joe\0"
    assert idle.unpack(data) == (Which.NOTIFY, "user.joe")


@pytest.mark.parametrize(
    "data",
    [b"", b"\2", struct.pack("@L", 2), struct.pack("@L", 2) + b"user.joe", struct.pack("@L", 77) + b"a\0"],
)
def test_what_is_no_message(data: bytes) -> None:
    with pytest.raises(ValueError, match="message"):
        idle.unpack(data)


def test_idlers_are_told_until_they_stop_or_are_too_old() -> None:
    idlers = IdleTable(100)
    idlers.add("user.a", "one", 0)
    idlers.add("user.a", "two", 50)
    idlers.add("user.a", "two", 60)
    idlers.add("user.b", "one", 50)

    assert (len(idlers), idlers.idling("user.a", 90)) == (3, ["one", "two"])
    assert idlers.idling("user.a", 120) == ["two"]
    idlers.remove("user.a", "two")
    idlers.remove("user.a", "two")
    idlers.remove("user.x", "two")
    assert idlers.idling("user.a", 120) == []
    assert (len(idlers), idlers.everybody()) == (1, {"one"})


def test_the_table_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "MAX_IDLERS", 3)
    idlers = IdleTable(100)
    for number in range(10):
        idlers.add(f"user.{number % 4}", str(number), number)

    assert (len(idlers), idlers.everybody()) == (3, {"7", "8", "9"})


def test_a_change_is_passed_on_and_a_dead_idler_forgotten(tmp_path: Path) -> None:
    settings = config(tmp_path)
    idled = Idled(settings, verbose=True)
    idler = Idler(settings)
    dead = tmp_path / "socket" / "idle.1"
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sock.bind(str(dead))
    sock.sendto(idle.pack(Which.INIT, "user.a"), idle.server_path(settings))
    sock.close()
    assert idler.start("user.a")
    ChangeTeller(settings).tell("user.a")
    ChangeTeller(settings).tell("user.b")

    idled._receive()

    assert idler._socket.recv(2000) == idle.pack(Which.NOTIFY, "user.a")
    assert idled._table.everybody() == {str(tmp_path / f"socket/idle.{os.getpid()}")}
    idler.stop("user.a")
    idled._receive()
    assert not len(idled._table)
    idler.close()
    idled._close()
    assert [path.name for path in (tmp_path / "socket").iterdir()] == ["idle.1"]


def test_without_idled_nobody_complains(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    settings = config(tmp_path)
    ChangeTeller(settings).tell("user.a")
    idler = Idler(settings)

    assert not idler.start("user.a")
    idler.close()
    assert not [record for record in caplog.records if record.levelname == "ERROR"]
