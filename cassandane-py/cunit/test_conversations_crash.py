"""A writer that dies while conversations are on: mailboxes are whole, conversations at worst behind them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cassandane.crash import DIED, die_at, in_child, restore, snapshot
from libcyrus import mboxops
from libcyrus.append import Appender, Stage
from libcyrus.append import copy as copying
from libcyrus.config import Config
from libcyrus.errors import MailboxNonexistent
from libcyrus.mailbox import recount
from libcyrus.mailbox.index_record import EXPUNGED, FLAGGED, SEEN
from libcyrus.mailbox.mailstore import MailStore

Action = Callable[[MailStore], None]
State = dict[str, list[tuple[int, int, int]]]

FOLDERS = ("user.a", "user.a.b")


def with_store(spool: Path, action: Action, **options: Any) -> None:
    config = Config.for_tests(
        configdirectory=str(spool / "conf"),
        defaultpartition="default",
        conversations=True,
        conversations_counted_flags="\\Flagged",
        conversations_max_thread=3,
        expunge_mode="immediate",
        delete_mode="delayed",
        **options,
        extra={"partition-default": str(spool / "spool")},
    )
    store = MailStore(config)
    try:
        action(store)
    finally:
        store.close()


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Path]:
    for name in ("conf", "spool"):
        (tmp_path / name).mkdir()
    with_store(tmp_path, prepare)
    yield tmp_path


def prepare(store: MailStore) -> None:
    for name in FOLDERS:
        mboxops.create(store, name, is_admin=True, userid=None, auth=None)
    append(store, 1, 2)


def append(store: MailStore, *numbers: int, name: str = "user.a") -> None:
    """Messages of one thread, in one transaction."""
    with Appender.open(store, name) as appender:
        for number in numbers:
            text = (
                f"From: a{number}@example.org\r\nSubject: Re: one\r\nDate: Mon, 1 Jan 2024 10:00:00 +0000\r\n"
                f"Message-ID: <{number}@x>\r\nReferences: <1@x>\r\n\r\nbody {number}\r\n"
            )
            with Stage.from_bytes(store, text.encode()) as stage:
                appender.append(stage)
        appender.commit()


def append_one(store: MailStore) -> None:
    append(store, 3)


def append_and_split(store: MailStore) -> None:
    append(store, 3, 4)


def change_flags(store: MailStore) -> None:
    with store.open("user.a", write=True) as mailbox:
        mailbox.rewrite_flags([(1, SEEN, bytes(16)), (2, FLAGGED, bytes(16))])


def expunge(store: MailStore) -> None:
    with store.open("user.a", write=True) as mailbox:
        mailbox.rewrite_flags([(1, EXPUNGED, bytes(16))])
    store.run_cleanup()


def copy(store: MailStore) -> None:
    with store.lock_users("a"):
        with store.open("user.a", write=False) as source:
            originals = [copying.read(source, record) for record in source.records()]
        with Appender.open(store, "user.a.b") as appender:
            copying.copy(appender, source, originals, same_user=True)
            appender.commit()


def delete(store: MailStore) -> None:
    mboxops.delete(store, "user.a.b", is_admin=True, userid=None, auth=None, force=True)


def rename(store: MailStore) -> None:
    mboxops.rename(store, "user.a.b", "user.a.c", is_admin=True, userid=None, auth=None)


def state(store: MailStore) -> State:
    """What a client sees: uid, flags and whether there is a conversation."""
    seen: State = {}
    for entry in store.mboxlist.user_tree("a"):
        if "#" in entry.name:
            continue
        with store.open(entry, write=False) as mailbox:
            seen[entry.name] = [
                (record.uid, record.system_flags, record.cid) for record in mailbox.records(expunged=False)
            ]
    return seen


def differences(store: MailStore, userid: str = "a") -> list[str]:
    """What an audit finds."""
    complaints: list[str] = []
    with store.lock_users(userid):
        audit = recount.Audit(store, userid, None, complaints.append)
        audit.make_copy()
        audit.recount(lambda name: None)
        complaints += [f"{found.where} {found.key!r} {found.real!r} {found.copy!r}"
                       for found in audit.differences()]  # fmt: skip
        audit.remove_copy()
    return complaints


ACTIONS = (append_one, change_flags, expunge, copy, delete, rename)
LONG = pytest.param(append_and_split, marks=pytest.mark.long)


@pytest.mark.parametrize("action", [*ACTIONS, LONG], ids=lambda action: action.__name__)
def test_dying_at_any_call_leaves_what_a_recount_makes_right(spool: Path, action: Action) -> None:
    saved = snapshot(spool)
    allowed: list[State] = []

    def note(store: MailStore) -> None:
        assert differences(store) == []
        allowed.append(state(store))

    with_store(spool, note)
    with_store(spool, action)
    with_store(spool, note)
    assert allowed[0] != allowed[1]
    behind = 0
    for step in range(1000):
        restore(spool, saved)

        def work(step: int = step) -> None:
            die_at(step)
            with_store(spool, action)

        code = in_child(work)
        assert code in (0, DIED)

        def check(store: MailStore, step: int = step) -> None:
            nonlocal behind
            assert state(store) in allowed, step
            cid = state(store)["user.a"][0][2]
            append(store, 9)
            new = state(store)["user.a"][-1]
            with store.open("user.a", write=False) as mailbox:
                record = mailbox.find_uid(new[0])
                assert record is not None
                base = [a.value for a in mailbox.annotations.of(new[0]) if a.entry.endswith("basethrid")]
            # in the old thread, or in one that continues it
            assert new[2] == cid or base, step
            behind += bool(differences(store))
            for _ in range(2):
                # a conversation that a first recount makes gets its subject in the next, as the original's do
                recount.recount(store, "a", silent=False, counted=lambda name: None)
            assert differences(store) == [], step

        with_store(spool, check)
        if code == 0:
            break
    assert step > 3
    # so the audit does see what the crash left
    assert behind or action in (delete, rename)


def test_a_database_that_cannot_be_read_keeps_no_mail_out(spool: Path) -> None:
    def damage(store: MailStore) -> None:
        Path(store.conversations.db.path("a")).write_bytes(b"no database, and longer than a header" * 9)

    def deliver(store: MailStore) -> None:
        append(store, 5)
        assert [(uid, cid) for uid, _, cid in state(store)["user.a"]][2:] == [(3, 0)]
        with pytest.raises(MailboxNonexistent):
            store.open("user.a.none", write=True)

    with_store(spool, damage)
    with_store(spool, deliver)


def test_a_user_who_is_made_again_begins_with_nothing(spool: Path) -> None:
    """Also in a process that knows the database of the former one, by the same name in the old layout."""

    def make(store: MailStore) -> None:
        mboxops.create(store, "user.b", is_admin=True, userid=None, auth=None)

    def make_again(store: MailStore) -> None:
        mboxops.delete(store, "user.b", is_admin=True, userid=None, auth=None, force=True)
        make(store)

    def work(store: MailStore) -> None:
        make(store)
        append(store, 3, name="user.b")
        path = Path(store.conversations.db.path("b"))
        before = path.stat().st_ino, path.read_bytes()
        with_store(spool, make_again, mailbox_legacy_dirs=True)
        append(store, 7, name="user.b")
        assert (path.stat().st_ino, path.read_bytes()) != before
        with store.locks.user("b"), store.conversations.db.open("b", shared=True) as database:
            assert database.quota().emails == 1
        make_again(store)
        append(store, 8, name="user.b")
        with store.open("user.b", write=False) as mailbox:
            assert [bool(record.cid) for record in mailbox.records()] == [True]
        assert differences(store, "b") == []

    with_store(spool, work, mailbox_legacy_dirs=True)


def test_a_message_whose_file_and_cache_are_lost_can_be_expunged(spool: Path) -> None:
    def lose(store: MailStore) -> None:
        with store.open("user.a", write=False) as mailbox:
            record = next(mailbox.records())
            Path(mailbox.message_path(record)).unlink()
            Path(mailbox.paths.cache).write_bytes(bytes(4))

    def flag_and_expunge(store: MailStore) -> None:
        with store.open("user.a", write=True) as mailbox:
            for flags in (FLAGGED, EXPUNGED):
                record = next(mailbox.records(expunged=False))
                record.system_flags, record.internal_flags = flags & 0xFFFF, flags & 0xFFFF0000
                mailbox.rewrite(record)
                mailbox.commit()
        assert [uid for uid, _, _ in state(store)["user.a"]] == [2]
        recount.recount(store, "a", silent=False, counted=lambda name: None)
        assert differences(store) == []

    with_store(spool, lose)
    with_store(spool, flag_and_expunge)


def test_dying_while_a_user_is_made_leaves_room_for_another_try(spool: Path) -> None:
    saved = snapshot(spool)

    def make(store: MailStore) -> None:
        mboxops.create(store, "user.b", is_admin=True, userid=None, auth=None)

    for step in range(1000):
        restore(spool, saved)

        def work(step: int = step) -> None:
            die_at(step)
            with_store(spool, make)

        code = in_child(work)
        assert code in (0, DIED)

        def check(store: MailStore) -> None:
            if store.mboxlist.get("user.b") is None:
                make(store)
            append(store, 1, name="user.b")
            assert differences(store, "b") == []

        with_store(spool, check)
        if code == 0:
            break
    assert step > 3
