"""What a pool parent does before it forks many workers: the rehearsal and the packing of code."""

from __future__ import annotations

import gc
import logging
import os
import re
import socket
import sys
from pathlib import Path
from typing import Any

import pytest

from imap.imapd.main import PROGRAM as IMAPD
from imap.lmtpd.main import PROGRAM as LMTPD
from libcyrus.base.dataclasses import replace
from libcyrus.base.signals import ShutdownRequested, Signals
from libcyrus.config import Config
from libcyrus.server import packing, rehearsal
from libcyrus.server.connection import Connection
from libcyrus.server.proc import ProcFile
from libcyrus.server.program import Service, ServiceProgram

ALL = rehearsal.ROUNDS + 1
"""How many conversations a rehearsal has."""


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Service:
    # a worker ends when its program is gone, and what runs tests in parallel is no file
    monkeypatch.setattr(sys, "argv", [__file__])
    config = Config.for_tests(ident="test", configdirectory=str(tmp_path))
    return Service("test", config, [], [], Signals(), ProcFile(str(tmp_path / "proc")))


def overheard(program: ServiceProgram[Any], service: Service) -> list[bytes]:
    """What the program answers in each conversation of its rehearsal."""
    answers = []

    def serve(app: Any, connection: Connection) -> None:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            while said := connection.sock.recv(65536):
                theirs.sendall(said)
            theirs.shutdown(socket.SHUT_WR)
            program.serve(app, Connection(ours))
            ours.close()
            answers.append(b"".join(iter(lambda: theirs.recv(65536), b"")))

    rehearsal.rehearse(replace(program, serve=serve), service)
    return answers


@pytest.mark.parametrize(
    ("program", "reply", "refusal"),
    [(IMAPD, rb"^\d+ OK ", rb"^\S+ (NO|BAD) "), (LMTPD, rb"^2\d\d ", rb"^[45]\d\d")],
    ids=["imapd", "lmtpd"],
)
def test_all_that_is_said_in_a_rehearsal_is_done(
    program: ServiceProgram[Any], reply: bytes, refusal: bytes, service: Service
) -> None:
    answers = overheard(program, service)
    assert len(answers) == ALL
    for answer in answers:
        assert len(re.findall(reply, answer, re.MULTILINE)) >= 5
        assert not re.search(refusal, answer, re.MULTILINE)


def test_a_rehearsal_leaves_nothing_behind(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rehearsal, "_IN_MEMORY", str(tmp_path))
    lines: list[str] = []
    monkeypatch.setattr("syslog.syslog", lambda _priority, text: lines.append(text))
    gc.collect()
    descriptors = os.listdir("/proc/self/fd")
    rehearsal.rehearse(IMAPD, service)
    rehearsal.rehearse(LMTPD, service)
    assert os.listdir(tmp_path) == []
    assert os.listdir("/proc/self/fd") == descriptors
    assert lines == []


def test_a_rehearsal_that_fails_is_no_misfortune(
    service: Service, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_app: object, _connection: Connection) -> None:
        raise ZeroDivisionError

    rehearsal.rehearse(replace(IMAPD, serve=fail), service)
    assert [record.levelno for record in caplog.records if record.name == rehearsal.__name__] == [
        logging.ERROR
    ]
    monkeypatch.setattr(rehearsal, "_IN_MEMORY", "/proc")
    monkeypatch.setattr(os, "access", lambda *_: True)
    rehearsal.rehearse(IMAPD, service)


def test_a_rehearsal_ends_when_the_service_is_told_to(service: Service) -> None:
    def end(_app: object, _connection: Connection) -> None:
        raise ShutdownRequested

    with pytest.raises(ShutdownRequested):
        rehearsal.rehearse(replace(IMAPD, serve=end), service)


def test_packed_functions_do_what_they_did() -> None:
    offset = 5

    def outer(number: int, *, step: int = 2) -> list[int]:
        return [number + offset + step * i for i in range(3)]

    def generate(number: int) -> Any:
        yield number
        yield number + offset

    run: dict[int, Any] = {}
    with packing.noting(run):
        outer(1)
        running = generate(1)
        next(running)
    assert {id(outer.__code__), id(generate.__code__)} <= run.keys()
    before = outer.__code__
    gc.unfreeze()
    packing.pack(run)
    assert outer.__code__ == before
    assert outer.__code__ is not before
    assert outer(1) == [6, 8, 10]
    assert outer(1, step=0) == [6, 6, 6]
    assert (list(running), list(generate(2))) == ([6], [2, 7])


@pytest.mark.parametrize("size", [112, 208, 512])
def test_gaps_are_filled(size: int) -> None:
    """What is made afterwards lies in no pool of sixteen kilobytes where there were gaps."""
    gaps = [bytes(size - 33) for _ in range(3000)]
    kept = gaps[::2]
    with_gaps = {id(one) >> 14 for one in kept}
    del gaps
    packing.fill_gaps()
    made = [bytes(size - 33) for _ in range(20)]
    assert not with_gaps & {id(one) >> 14 for one in made}
