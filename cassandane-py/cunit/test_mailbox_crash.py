"""What is left of a mailbox when its writer dies: at every call that changes a file, and at random moments.

The writer is a forked child. Dying *at* a call means that the call and all later ones never happen. A
power cut is harsher: what was written and not synced may be lost. ``Disk`` models that.
"""

from __future__ import annotations

import os
import random
import signal
import traceback
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from cassandane.crash import DIED, die_at, in_child, restore, snapshot
from libcyrus import mboxops
from libcyrus.append import Appender, Stage
from libcyrus.config import Config
from libcyrus.mailbox import expunge, index_record, lifecycle, reconstruct
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


def append_with_new_flag(store: MailStore) -> None:
    append(store, 4, ("\\Flagged", "Work"))


def append_two(store: MailStore) -> None:
    with Appender.open(store, "user.a") as appender:
        for number in (4, 5):
            with Stage.from_bytes(store, MESSAGE % (number, number)) as stage:
                appender.append(stage)
        appender.commit()


def change_flags(store: MailStore) -> None:
    with store.open("user.a", write=True) as mailbox:
        for record in mailbox.records():
            record.system_flags |= index_record.SEEN
            mailbox.rewrite(record)


def expunge_in_bulk(store: MailStore) -> None:
    with store.open("user.a", write=True) as mailbox:
        gone = index_record.SEEN | index_record.EXPUNGED
        mailbox.rewrite_flags([(recno, gone, bytes(16)) for recno in (1, 3)])
    store.run_cleanup()


def expunge_and_repack(store: MailStore) -> None:
    with store.open("user.a", write=True) as mailbox:
        expunge.expunge(mailbox, lambda record: record.uid == 2)
    store.run_cleanup()


def rename_mailbox(store: MailStore) -> None:
    with store.locks.user("a"), store.open("user.a", write=True) as mailbox:
        lifecycle.rename_in_place(mailbox, "user.a", lifecycle.UsageMoves())


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


ACTIONS: list[Action] = [
    append_with_new_flag,
    append_two,
    change_flags,
    expunge_in_bulk,
    expunge_and_repack,
    rename_mailbox,
]


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.__name__)
def test_dying_at_any_call_shows_all_or_nothing(spool, action):
    saved = snapshot(spool)
    allowed: list[list[tuple[int, int]]] = []
    with_store(spool, lambda store: allowed.append(state(store)))
    with_store(spool, action)
    with_store(spool, lambda store: allowed.append(state(store)))
    for step in range(1000):
        restore(spool, saved)

        def work(step: int = step) -> None:
            die_at(step)
            with_store(spool, action)

        code = in_child(work)
        assert code in (0, DIED)

        def check(store: MailStore, step: int = step) -> None:
            assert state(store) in allowed, step
            assert worse_than_stray_files(store) == []
            assert append(store, 9) > max(uid for uid, _ in allowed[0])
            assert worse_than_stray_files(store) == []

        with_store(spool, check)
        if code == 0:
            break
    assert step > 3


class Disk:
    """Follows what is certain to be on disk, as far as mailboxes need it.

    A file's content is what it was at its last fsync; a name exists (or not) as at the last fsync of its
    directory. ``lose`` puts a spool into the worst state a power cut may leave: nothing unsynced survives.
    """

    def __init__(self, top: Path) -> None:
        self.top = str(top)
        self.content: dict[int, bytes] = {}
        self.names: dict[str, dict[str, int]] = {}
        for directory, _, names in os.walk(self.top):
            self._sync_names(directory)
            for name in names:
                self._sync_content(os.path.join(directory, name))

    def install(self) -> None:
        for name in ("fsync", "fdatasync"):
            setattr(os, name, self._wrap(getattr(os, name)))

    def _wrap(self, call: Callable[[int], None]) -> Callable[[int], None]:
        def sync(fd: int) -> None:
            call(fd)
            path = os.readlink(f"/proc/self/fd/{fd}")
            if os.path.isdir(path):
                self._sync_names(path)
            elif os.path.exists(path):
                self._sync_content(path)

        return sync

    def _sync_content(self, path: str) -> None:
        with open(path, "rb") as file:
            self.content[os.fstat(file.fileno()).st_ino] = file.read()

    def _sync_names(self, directory: str) -> None:
        with os.scandir(directory) as entries:
            self.names[directory] = {entry.name: entry.inode() for entry in entries}

    def lose(self) -> dict[str, bytes | None]:
        """What the spool looks like after the power cut."""
        left: dict[str, bytes | None] = {}
        for directory, names in self.names.items():
            for name, inode in names.items():
                path = os.path.join(directory, name)
                relative = os.path.relpath(path, self.top)
                left[relative] = None if path in self.names else self.content.get(inode, b"")
        return left


@pytest.mark.parametrize("action", [append_with_new_flag, append_two, change_flags], ids=lambda a: a.__name__)
def test_a_power_cut_after_the_acknowledgement_loses_nothing(spool, action):
    """Only what was synced is left: the change must be there, complete, with nothing to complain about."""
    disk = Disk(spool)
    read, write = os.pipe()

    def work() -> None:
        disk.install()
        with_store(spool, action)
        with os.fdopen(write, "wb") as pipe:
            for name, content in disk.lose().items():
                pipe.write(b"%s %d\n" % (os.fsencode(name), -1 if content is None else len(content)))
                pipe.write(content or b"")

    # the pipe holds less than the spool, so read while the child writes
    pid = os.fork()
    if not pid:
        os.close(read)
        try:
            work()
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    os.close(write)
    left: dict[str, bytes | None] = {}
    with os.fdopen(read, "rb") as pipe:
        while line := pipe.readline():
            name, size = line.rsplit(b" ", 1)
            left[os.fsdecode(name)] = None if int(size) < 0 else pipe.read(int(size))
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    expected: list[list[tuple[int, int]]] = []
    with_store(spool, lambda store: expected.append(state(store)))
    restore(spool, left)

    def check(store: MailStore) -> None:
        assert state(store) == expected[0]
        assert complaints(store) == []

    with_store(spool, check)


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


def test_killed_writers_lose_nothing_acknowledged(spool):
    kill_while_appending(spool, rounds=5, seed=1)


@pytest.mark.long
def test_many_killed_writers_lose_nothing_acknowledged(spool):
    kill_while_appending(spool, rounds=200, seed=2)
