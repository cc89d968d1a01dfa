"""Expiry, archiving and unexpunging: the decisions, and what is left when the process dies in the middle."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cassandane import crash
from cassandane.crash import DIED, die_at, in_child, restore, snapshot
from cassandane.places import other_file_system
from libcyrus import mboxops
from libcyrus.append import Appender, Stage
from libcyrus.base.signals import ShutdownRequested
from libcyrus.config import Config
from libcyrus.mailbox import archive, expunge, reconstruct, unexpunge
from libcyrus.mailbox.archive import ArchiveRules
from libcyrus.mailbox.index_record import ARCHIVED, DELETED, FLAGGED
from libcyrus.mailbox.mailstore import MailStore
from libcyrus.mailbox.reconstruct import Options
from libcyrus.mboxops.expire import Expirer, Plan, parse_duration
from libcyrus.mboxops.purge import Criteria
from libcyrus.records.annotate import NAMESPACE

DAY = 86400
NOW = 1_700_000_000
# a file that never got a record, or is in both places until the next clean-up; flags of what was expunged
STRAY = ("found - adding", "rediscovered - appending", "mismatch: userflags")
HARMLESS = ("Removing duplicate archive file", "Marking file as not archived")
MESSAGE = b"From: a@example.org\r\nSubject: %d\r\nDate: Mon, 1 Jan 2024 10:00:00 +0000\r\n\r\nbody %d\r\n"
EXPUNGED = [MESSAGE % (1, 1), MESSAGE % (2, 2)]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1", DAY), ("1d", DAY), ("2h", 7200), ("3m", 180), ("4s", 4), ("0", 0), ("1.5h", 5400),
        (".5", 43200), ("5.", 5 * DAY), ("1e2s", 100), ("+7s", 7), (" 8s", 8), ("d", 0),
        ("1000000000", 2**31 - 1), ("1e999", 2**31 - 1), ("", None), ("-1", None), (" -1", None),
        ("1x", None), ("1dd", None),
        ("1 d", None), ("x", None), ("1d ", None), ("0x10", None), ("٣", None),
    ],
)  # fmt: skip
def test_durations_have_units_and_fractions(text: str, seconds: int | None) -> None:
    assert parse_duration(text) == seconds


RULES = ArchiveRules(enabled=True, maxsize=1000, keep_flagged=True, before=NOW)


@pytest.mark.parametrize(
    ("rules", "size", "internaldate", "flags", "wanted"),
    [
        (RULES, 10, NOW, 0, True),
        (RULES, 10, NOW + 1, 0, False),
        (RULES, 10, NOW, FLAGGED, False),
        (RULES, 999, NOW + 1, 0, False),
        (RULES, 1000, NOW + 1, FLAGGED, True),
        (RULES, 10, NOW + 1, ARCHIVED, True),
        (ArchiveRules(False, 1000, True, NOW), 5000, 0, 0, False),
        (ArchiveRules(False, 1000, True, NOW), 10, NOW + 1, ARCHIVED, True),
        (ArchiveRules(True, -1, False, NOW), 10**9, NOW + 1, 0, False),
        (ArchiveRules(True, 1000, True, NOW, everything=True), 10, NOW + 1, FLAGGED, True),
        (ArchiveRules(True, 1000, True, NOW, kept=True), 10, 0, 0, False),
        (ArchiveRules(True, 1000, True, NOW, kept=True), 1000, 0, 0, True),
        (ArchiveRules(True, 1000, False, NOW), 10, NOW, FLAGGED, True),
    ],
)
def test_what_belongs_into_the_archive(
    rules: ArchiveRules, size: int, internaldate: int, flags: int, wanted: bool
) -> None:
    assert rules.wants(size, internaldate, flags) is wanted


@pytest.mark.parametrize(
    ("criteria", "age", "size", "flags", "wanted"),
    [
        (Criteria(age=DAY), DAY + 1, 1, 0, True),
        (Criteria(age=DAY), DAY, 1, 0, False),
        (Criteria(age=DAY, invert=True), DAY - 1, 1, 0, True),
        (Criteria(age=DAY, invert=True), DAY, 1, 0, False),
        (Criteria(size=5), 0, 6, 0, True),
        (Criteria(size=5), 0, 5, 0, False),
        (Criteria(size=5, invert=True), 0, 4, 0, True),
        (Criteria(age=DAY, size=5), 0, 6, 0, True),
        (Criteria(age=DAY, exact=True), 2 * DAY - 1, 1, 0, True),
        (Criteria(age=DAY, exact=True), 2 * DAY, 1, 0, False),
        (Criteria(age=0, exact=True), 1 - DAY, 1, 0, True),
        (Criteria(age=DAY, size=5, exact=True), 0, 5, 0, False),
        (Criteria(size=5, exact=True), 0, 5, 0, True),
        (Criteria(size=5, exact=True, invert=True), 0, 5, 0, False),
        (Criteria(size=5, exact=True, invert=True), 0, 6, 0, True),
        (Criteria(size=5, skip_flagged=True), 0, 6, FLAGGED, False),
        (Criteria(size=5, only_deleted=True), 0, 6, 0, False),
        (Criteria(size=5, only_deleted=True), 0, 6, DELETED, True),
        (Criteria(exact=True), 0, 6, 0, False),
        (Criteria(age=-DAY), 0, 6, 0, False),
    ],
)
def test_what_ipurge_wants(criteria: Criteria, age: int, size: int, flags: int, wanted: bool) -> None:
    found = criteria.wants(NOW, sentdate=NOW - age, internaldate=NOW, size=size, flags=flags)
    assert found is wanted


def test_ipurge_can_count_age_from_the_arrival() -> None:
    criteria = Criteria(age=DAY, by_arrival=True)
    assert criteria.wants(NOW, sentdate=NOW, internaldate=NOW - 2 * DAY, size=1, flags=0)


# with mailboxes


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Path]:
    for name in ("conf", "spool", "archive"):
        (tmp_path / name).mkdir()
    with_store(tmp_path, prepare)
    yield tmp_path


def with_store(spool: Path, action: Callable[[MailStore], None]) -> None:
    config = Config.for_tests(
        configdirectory=str(spool / "conf"),
        defaultpartition="default",
        expunge_mode="delayed",
        archive_enabled="yes",
        archive_after="100d",
        extra={
            "partition-default": str(spool / "spool"),
            "archivepartition-default": str(spool / "archive"),
        },
    )
    store = MailStore(config)
    try:
        action(store)
    finally:
        store.close()


def prepare(store: MailStore) -> None:
    """Messages 1 to 6, of which 1 and 2 are expunged."""
    mboxops.create(store, "user.a", is_admin=True, userid=None, auth=None)
    mboxops.set_quotas(store, "user.a", [1000, -1, -1, -1])
    for number in range(1, 7):
        append(store, "user.a", number)
    with store.open("user.a", write=True) as mailbox:
        expunge.expunge_records(mailbox, [1, 2])
    annotate(store, "user.a", "expire", b"1")


def append(store: MailStore, name: str, number: int) -> None:
    with (
        Stage.from_bytes(store, MESSAGE % (number, number)) as stage,
        Appender.open(store, name) as appender,
    ):
        appender.append(stage, flags=("\\Seen", "Work"))
        appender.commit()


def archive_all(store: MailStore) -> None:
    with store.open("user.a", write=True) as mailbox:
        archive.archive(mailbox, int(time.time()) + 1)
    store.run_cleanup()


def bring_back(store: MailStore) -> None:
    with store.open("user.a", write=True) as mailbox:
        unexpunge.restore(mailbox, lambda record: True, undelete=True, flag="Back")
    store.run_cleanup()


def remove_expunged(store: MailStore) -> None:
    with store.open("user.a", write=True) as mailbox:
        expunge.expunge_stale(mailbox, int(time.time()) + 1)
    store.run_cleanup()


def expire_everything(store: MailStore) -> None:
    # an age in the future, so that it does not matter where in a second this begins
    run(store, Plan(archive=0, expunged=-60, userflags=True))


def annotate(store: MailStore, name: str, word: str, value: bytes) -> None:
    mboxops.write_annotation(store, name, NAMESPACE + word, "", value)


def run(store: MailStore, plan: Plan, poll: Callable[[], None] = lambda: None) -> Expirer:
    expirer = Expirer(store, plan, lambda line: None, poll)
    expirer.run()
    return expirer


def contents(store: MailStore) -> dict[str, list[bytes]]:
    """The messages that users see and those that can be brought back, each checked to be whole."""
    found: dict[str, list[bytes]] = {"living": [], "expunged": []}
    with store.open("user.a", write=False) as mailbox:
        for record in mailbox.records(unlinked=False):
            data = bytes(mailbox.map_message(record))
            assert len(data) == record.size
            assert mailbox.cache(record)
            found["expunged" if record.expunged else "living"].append(data)
        assert len(found["living"]) == mailbox.i.exists
        assert sum(map(len, found["living"])) == mailbox.i.quota_mailbox_used
    return {kind: sorted(messages) for kind, messages in found.items()}


def seen_in(spool: Path) -> dict[str, list[bytes]]:
    found: list[dict[str, list[bytes]]] = []
    with_store(spool, lambda store: found.append(contents(store)))
    return found[0]


def complaints(store: MailStore) -> list[str]:
    lines: list[str] = []
    with store.locks.user("a"):
        mailbox = reconstruct.reconstruct(
            store, "user.a", Options(make_changes=False, parse=True), lines.append
        )
        mailbox.abort()
        mailbox.close()
    return [line for line in lines if not line.startswith(HARMLESS) and not line.endswith(STRAY)]


def message_files(spool: Path) -> list[str]:
    return sorted(path.name for path in spool.rglob("*.") if path.name != "stage.")


@pytest.mark.parametrize(
    "action",
    [archive_all, bring_back, remove_expunged, expire_everything],
    ids=lambda action: action.__name__,
)
def test_dying_at_any_call_loses_nothing_and_the_next_run_finishes(
    spool: Path, action: Callable[[MailStore], None]
) -> None:
    saved = snapshot(spool)
    before = seen_in(spool)
    with_store(spool, action)
    after = seen_in(spool)
    files = message_files(spool)
    for step in range(1000):
        restore(spool, saved)

        def work(step: int = step) -> None:
            die_at(step)
            with_store(spool, action)

        code = in_child(work)
        assert code in (0, DIED)

        def check(store: MailStore, step: int = step) -> None:
            assert complaints(store) == [], step

        died = seen_in(spool)
        assert died["living"] in (before["living"], after["living"]), step
        with_store(spool, check)

        with_store(spool, action)
        last = seen_in(spool)
        with_store(spool, check)
        if action is bring_back and last != after:
            # what had come back already did so again
            assert last == {"living": sorted(after["living"] + EXPUNGED), "expunged": []}
        else:
            assert last == after
            assert message_files(spool) == files, step
        if code == 0:
            break
    assert step > 3



@pytest.mark.parametrize(
    "action",
    [archive_all, bring_back, remove_expunged, pytest.param(expire_everything, marks=pytest.mark.long)],
    ids=lambda action: action.__name__,
)
def test_a_power_cut_at_any_moment_loses_nothing(
    spool: Path, action: Callable[[MailStore], None]
) -> None:
    saved = snapshot(spool)
    before = seen_in(spool)
    with_store(spool, action)
    after = seen_in(spool)
    restore(spool, saved)
    for moment in crash.record(spool, lambda: with_store(spool, action)):
        restore(spool, moment.files)
        seen = seen_in(spool)
        assert seen["living"] in (before["living"], after["living"]), moment.label
        if moment.acknowledged:
            assert seen == after, moment.label
        if action is bring_back:
            assert set(seen["living"] + seen["expunged"]) == set(after["living"]), moment.label


def test_everything_moves_and_can_be_read(spool: Path) -> None:
    def check(store: MailStore) -> None:
        before = contents(store)
        archive_all(store)
        assert contents(store) == before

    with_store(spool, check)
    places = {path.parent.parent.parent.parent.name: path for path in sorted(spool.rglob("[3-6]."))}
    assert set(places) == {"archive", "spool"} or set(places) == {"uuid"}


def test_the_archive_may_be_another_file_system(spool: Path) -> None:
    with tempfile.TemporaryDirectory(dir=other_file_system(spool)) as shm:
        (spool / "archive").rmdir()
        (spool / "archive").symlink_to(shm)

        def check(store: MailStore) -> None:
            # enough that they are brought to disk together
            for number in range(7, 30):
                append(store, "user.a", number)
            before = contents(store)
            archive_all(store)
            assert contents(store) == before
            assert complaints(store) == []

        with_store(spool, check)
        assert len([path for path in Path(shm).rglob("*.") if path.is_file()]) == 27


def test_annotations_count_for_their_own_mailbox_only(spool: Path) -> None:
    def check(store: MailStore) -> None:
        for name in ("user.a.b", "user.a.c", "user.a.d"):
            mboxops.create(store, name, is_admin=True, userid=None, auth=None)
            append(store, name, 1)
        annotate(store, "user.a.b", "archive", b"0")
        annotate(store, "user.a.c", "archive", b"0s")
        annotate(store, "user.a.c", "expire", b"1000000")
        run(store, Plan(archive=0))
        archived = {}
        for name in ("user.a.b", "user.a.c", "user.a.d"):
            with store.open(name, write=False) as mailbox:
                archived[name] = mailbox.record(1).archived
        assert archived == {"user.a.b": False, "user.a.c": False, "user.a.d": True}

    with_store(spool, check)


def test_a_mailbox_that_cannot_be_opened_does_not_stop_the_others(
    spool: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def check(store: MailStore) -> None:
        mboxops.create(store, "user.a.b", is_admin=True, userid=None, auth=None)
        with store.open("user.a.b", write=False) as mailbox:
            index = mailbox.paths.index
        os.truncate(index, 100)
        done = run(store, Plan(expunged=0, annotations=False))
        assert (done.counts.mailboxes, done.counts.expunged) == (1, 2)
        assert "unable to open mailbox user.a.b" in caplog.text

    with_store(spool, check)


def test_a_signal_ends_the_work_between_two_mailboxes(spool: Path) -> None:
    def check(store: MailStore) -> None:
        mboxops.create(store, "user.a.b", is_admin=True, userid=None, auth=None)
        polls = 0

        def poll() -> None:
            nonlocal polls
            polls += 1
            if polls == 2:
                raise ShutdownRequested

        expirer = Expirer(store, Plan(expunged=0, annotations=False), lambda line: None, poll)
        with pytest.raises(ShutdownRequested):
            expirer.run()
        assert (expirer.counts.mailboxes, expirer.counts.expunged) == (1, 2)

    with_store(spool, check)


def test_files_go_when_nobody_has_the_mailbox_open_any_more(spool: Path) -> None:
    ready, tell_ready = os.pipe()
    wait, go_on = os.pipe()

    def hold(store: MailStore) -> None:
        session = store.open("user.a", write=False)
        session.unlock_index()
        os.write(tell_ready, b"x")
        os.read(wait, 1)

    pid = os.fork()
    if not pid:
        with_store(spool, hold)
        os._exit(0)
    os.read(ready, 1)
    with_store(spool, archive_all)
    with_store(spool, remove_expunged)
    assert message_files(spool) == ["1.", "2.", *sorted(f"{uid}." for uid in (3, 4, 5, 6) for _ in "sa")]
    os.write(go_on, b"x")
    os.waitpid(pid, 0)
    with_store(spool, archive_all)
    assert message_files(spool) == ["3.", "4.", "5.", "6."]
