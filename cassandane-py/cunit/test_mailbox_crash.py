"""What is left of a mailbox when its writer is killed at random moments; ``test_crash`` has all others."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from libcyrus import mboxops
from libcyrus.append import Appender, Stage
from libcyrus.config import Config
from libcyrus.mailbox import reconstruct
from libcyrus.mailbox.mailstore import MailStore
from libcyrus.mailbox.reconstruct import Options

MESSAGE = b"From: a@example.org\r\nSubject: %d\r\nDate: Mon, 1 Jan 2024 10:00:00 +0000\r\n\r\nbody %d\r\n"

Action = Callable[[MailStore], None]


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Path]:
    for name in ("conf", "spool"):
        (tmp_path / name).mkdir()
    with_store(tmp_path, prepare)
    yield tmp_path


def with_store(spool: Path, action: Action) -> None:
    config = Config.for_tests(
        configdirectory=str(spool / "conf"),
        defaultpartition="default",
        expunge_mode="immediate",
        extra={"partition-default": str(spool / "spool")},
    )
    store = MailStore(config)
    try:
        action(store)
    finally:
        store.close()


def prepare(store: MailStore) -> None:
    mboxops.create(store, "user.a", is_admin=True, userid=None, auth=None)
    mboxops.set_quotas(store, "user.a", [1000, -1, -1, -1])
    for number in (1, 2, 3):
        append(store, number)


def append(store: MailStore, number: int, flags: tuple[str, ...] = ()) -> int:
    data = MESSAGE % (number, number)
    with Stage.from_bytes(store, data) as stage, Appender.open(store, "user.a") as appender:
        uid = appender.append(stage, flags=flags).uid
        appender.commit()
    return uid


def state(store: MailStore) -> list[tuple[int, int]]:
    """uid and flags of the living messages, having checked that each is whole."""
    with store.open("user.a", write=False) as mailbox:
        found = []
        for record in mailbox.records(expunged=False):
            assert bytes(mailbox.map_message(record))
            assert mailbox.stored_cache(record) is not None
            found.append((record.uid, record.system_flags))
        assert len(found) == mailbox.i.exists
        return found


def complaints(store: MailStore) -> list[str]:
    lines: list[str] = []
    with store.locks.user("a"):
        mailbox = reconstruct.reconstruct(
            store, "user.a", Options(make_changes=False, parse=True), lines.append
        )
        mailbox.abort()
        mailbox.close()
    return lines


def worse_than_stray_files(store: MailStore) -> list[str]:
    """Complaints, but for files that never got a record."""
    return [
        line
        for line in complaints(store)
        if not line.endswith(("found - adding", "rediscovered - appending"))
    ]


def kill_while_appending(spool: Path, rounds: int, seed: int) -> None:
    """Kill a writer at random moments; every uid it reported must be there afterwards."""
    chance = random.Random(seed)
    acknowledged: list[int] = []
    for _ in range(rounds):
        read, write = os.pipe()
        pid = os.fork()
        if not pid:
            os.close(read)
            try:
                with_store(spool, partial(append_for_ever, write))
            finally:
                os._exit(1)
        os.close(write)
        with os.fdopen(read, "rb") as pipe:
            # some acknowledgements, then death in the middle of whatever comes next
            for _ in range(chance.randrange(1, 12)):
                acknowledged.append(int(pipe.readline()))
            os.kill(pid, signal.SIGKILL)
            acknowledged += [int(line) for line in pipe if line.endswith(b"\n")]
        os.waitpid(pid, 0)

        with_store(spool, partial(check_acknowledged, acknowledged))


def append_for_ever(report: int, store: MailStore) -> None:
    while True:
        os.write(report, b"%d\n" % append(store, 1, ("Work",)))


def check_acknowledged(acknowledged: list[int], store: MailStore) -> None:
    uids = {uid for uid, _ in state(store)}
    assert uids.issuperset(acknowledged)
    assert worse_than_stray_files(store) == []


def test_killed_writers_lose_nothing_acknowledged(spool: Path) -> None:
    kill_while_appending(spool, rounds=5, seed=1)


@pytest.mark.long
def test_many_killed_writers_lose_nothing_acknowledged(spool: Path) -> None:
    kill_while_appending(spool, rounds=200, seed=2)
