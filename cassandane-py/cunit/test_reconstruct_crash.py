"""reconstruct and conversion of the index, stopped at each change of a file; run again, all is right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from cassandane.crash import DIED, die_at, in_child, restore, snapshot
from libcyrus import mboxops
from libcyrus.append import Appender, Stage
from libcyrus.config import Config
from libcyrus.mailbox import reconstruct, repack
from libcyrus.mailbox.mailstore import MailStore
from libcyrus.mailbox.reconstruct import Options

MESSAGE = b"From: a@example.org\r\nSubject: %d\r\nDate: Mon, 1 Jan 2024 10:00:00 +0000\r\n\r\nbody\r\n"
STEPS = 200


def open_store(directory: Path) -> MailStore:
    for name in ("conf", "spool"):
        (directory / name).mkdir(exist_ok=True)
    config = Config.for_tests(
        configdirectory=str(directory / "conf"),
        defaultpartition="default",
        extra={"partition-default": str(directory / "spool")},
    )
    return MailStore(config)


def make(directory: Path) -> Path:
    """A mailbox with four messages; returns the directory of its files."""
    store = open_store(directory)
    mboxops.create(store, "user.a", is_admin=True, userid=None, auth=None)
    with Appender.open(store, "user.a", userid="a") as appender:
        for number in range(1, 5):
            with Stage.from_bytes(store, MESSAGE % number) as stage:
                appender.append(stage, flags=("\\Seen", "Work") if number < 3 else ())
        appender.commit()
    with store.open("user.a", write=False) as mailbox:
        found = Path(mailbox.paths.data)
    store.close()
    return found


def repair(store: MailStore, options: Options | None = None) -> list[str]:
    lines: list[str] = []
    options = options or Options(guid_rewrite=True, parse=True)
    with store.locks.user("a"):
        mailbox = reconstruct.reconstruct(store, "user.a", options, lines.append)
        if not options.make_changes:
            mailbox.abort()
        mailbox.close()
    store.run_cleanup()
    return lines


def to_version(version: int) -> Callable[[MailStore], object]:
    def convert(store: MailStore) -> None:
        with store.open("user.a", write=True, exclusive=True) as mailbox:
            repack.repack(mailbox, version)

    return convert


def exchange(data: Path) -> None:
    (data / "2.").write_bytes(MESSAGE % 9)
    (data / "20.").write_bytes(MESSAGE % 20)


DAMAGES: dict[str, tuple[Callable[[Path], object], set[int]]] = {
    "index lost": (lambda data: (data / "cyrus.index").unlink(), {1, 2, 3, 4}),
    "header lost": (lambda data: (data / "cyrus.header").unlink(), {1, 2, 3, 4}),
    "cache lost": (lambda data: (data / "cyrus.cache").unlink(), {1, 2, 3, 4}),
    "messages exchanged and found": (exchange, {1, 3, 4, 9, 20}),
    "message lost": (lambda data: (data / "3.").unlink(), {1, 2, 4}),
}


def messages(store: MailStore) -> Counter[int]:
    """The numbers of the living messages, each read from its file."""
    with store.open("user.a", write=False) as mailbox:
        texts = [bytes(mailbox.map_message(record)) for record in mailbox.records(expunged=False)]
        assert len(texts) == mailbox.i.exists
    return Counter(int(text.partition(b"Subject: ")[2].split(b"\r")[0]) for text in texts)


@pytest.mark.parametrize("name", DAMAGES)
def test_a_repair_that_died_is_finished_by_the_next(name: str, tmp_path: Path) -> None:
    damage, expected = DAMAGES[name]
    damage(make(tmp_path))
    stop_everywhere(tmp_path, repair, expected)


@pytest.mark.parametrize(("old", "new"), [(17, 12), (12, 17), (17, 9), (9, 17), (6, 8)])
def test_a_conversion_that_died_left_one_version_or_the_other(old: int, new: int, tmp_path: Path) -> None:
    make(tmp_path)
    store = open_store(tmp_path)
    if old != 17:
        to_version(old)(store)
    store.close()
    stop_everywhere(tmp_path, to_version(new), {1, 2, 3, 4})


def stop_everywhere(
    directory: Path, work: Callable[[MailStore], object], expected: set[int]
) -> None:
    saved = snapshot(directory)
    for step in range(STEPS):
        restore(directory, saved)

        def die(step: int = step) -> None:
            store = open_store(directory)
            die_at(step)
            work(store)
            store.close()

        def again(step: int = step) -> None:
            store = open_store(directory)
            repair(store)
            assert messages(store) == Counter(expected), step
            left = repair(store, Options(make_changes=False, parse=True))
            # the first versions have no sums
            left = [line for line in left if "sync_crc" not in line and "quota_annot_used" not in line]
            assert left == [], step
            store.close()

        code = in_child(die)
        assert code in (0, DIED), step
        assert in_child(again) == 0, step
        if code == 0:
            return
    raise AssertionError(f"not done after {STEPS} steps")
