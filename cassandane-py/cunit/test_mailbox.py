"""Mailboxes in one process: transactions, locks, removal, quota. Crashes are in test_mailbox_crash."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from libcyrus import acl, mboxops
from libcyrus.append import Appender, Stage
from libcyrus.append import copy as copying
from libcyrus.auth import AuthState
from libcyrus.base import lock_order
from libcyrus.config import Config
from libcyrus.errors import (
    Fatal,
    InternalError,
    InvalidIdentifier,
    IoError,
    MailboxBadFormat,
    MailboxChecksum,
    MailboxLocked,
    MailboxNonexistent,
    PermissionDenied,
    QuotaExceeded,
    UserFlagsExhausted,
)
from libcyrus.mailbox import expunge, flagchange, index_header, index_record, lifecycle, reconstruct, repack
from libcyrus.mailbox.locking import Lock
from libcyrus.mailbox.mailbox import Mailbox
from libcyrus.mailbox.mailstore import MailStore
from libcyrus.mailbox.reconstruct import Options
from libcyrus.records.seen import SeenDb

MESSAGE = b"From: a@example.org\r\nSubject: %d\r\nDate: Mon, 1 Jan 2024 10:00:00 +0000\r\n\r\nbody %d\r\n"


class World:
    """A private spool; every ``store`` stands for a process."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.stores: list[MailStore] = []

    def store(self, **options: object) -> MailStore:
        config = Config.for_tests(
            configdirectory=str(self.directory / "conf"),
            defaultpartition="default",
            extra={
                "partition-default": str(self.directory / "spool"),
                "partition-other": str(self.directory / "other"),
            },
            **options,
        )
        self.stores.append(MailStore(config))
        return self.stores[-1]


@pytest.fixture
def two_processes_in_one(monkeypatch):
    """For a test with two stores: what one holds and what the other takes have no order."""
    monkeypatch.setattr(lock_order, "check", lambda fd: None)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    for name in ("conf", "spool", "other"):
        (tmp_path / name).mkdir()
    world = World(tmp_path)
    yield world
    for store in world.stores:
        store.close()


def make(store: MailStore, name: str, **options: object) -> None:
    mboxops.create(store, name, is_admin=True, userid=None, auth=None, **options)  # type: ignore[arg-type]


def add(store: MailStore, name: str, *numbers: int, flags: tuple[str, ...] = ()) -> list[int]:
    with Appender.open(store, name) as appender:
        for number in numbers or (1,):
            with Stage.from_bytes(store, MESSAGE % (number, number)) as stage:
                appender.append(stage, flags=flags)
        appender.commit()
    return appender.uids


def files_of(mailbox: Mailbox) -> list[str]:
    return sorted(name for name in os.listdir(mailbox.paths.data) if not name.startswith("cyrus."))


def problems(store: MailStore, name: str) -> list[str]:
    """What reconstruct -n -G would complain about."""
    lines: list[str] = []
    options = Options(make_changes=False, parse=True)
    with store.locks.user(store.rules.from_internal(name).userid):
        mailbox = reconstruct.reconstruct(store, name, options, lines.append)
        mailbox.abort()
        mailbox.close()
    return lines


# appending


def test_an_appended_message_is_there_for_other_processes(world):
    store = world.store()
    make(store, "user.a")
    assert add(store, "user.a", 1, 2) == [1, 2]

    with world.store().open("user.a", write=False) as mailbox:
        assert [record.uid for record in mailbox.records()] == [1, 2]
        assert (mailbox.i.exists, mailbox.i.unseen, mailbox.i.last_uid) == (2, 2, 2)
        record = mailbox.record(2)
        assert bytes(mailbox.map_message(record)) == MESSAGE % (2, 2)
        assert b'"2"' in bytes(mailbox.cache(record))
        assert os.stat(mailbox.message_path(record)).st_mtime == record.internaldate
        assert os.stat(mailbox.message_path(record)).st_mode & 0o077 == 0
    assert problems(store, "user.a") == []


def test_dates_before_1970_and_the_last_uid(world):
    store = world.store()
    make(store, "user.a")
    with Stage.from_bytes(store, MESSAGE % (1, 1)) as stage:
        with Appender.open(store, "user.a") as appender:
            appender.append(stage, internaldate=-315619200)
            appender.commit()
        assert problems(store, "user.a") == []
        with store.open("user.a", write=True) as mailbox:
            mailbox.i.last_uid = 0xFFFFFFFF
            mailbox.dirty()
        with pytest.raises(InternalError), Appender.open(store, "user.a") as appender:
            appender.append(stage)
    with store.open("user.a", write=False) as mailbox:
        assert files_of(mailbox) == ["1."]


def test_one_staged_file_serves_all_mailboxes_of_a_partition(world):
    store = world.store()
    for name in ("user.a", "user.b"):
        make(store, name)
    make(store, "user.c", partition="other")
    paths = []
    with Stage.from_bytes(store, MESSAGE % (1, 1)) as stage:
        for name in ("user.a", "user.b", "user.c"):
            with Appender.open(store, name) as appender:
                record = appender.append(stage)
                paths.append(appender.mailbox.message_path(record))
                appender.commit()
    assert os.stat(paths[0]).st_ino == os.stat(paths[1]).st_ino
    assert os.stat(paths[0]).st_nlink == 2
    assert Path(paths[2]).read_bytes() == MESSAGE % (1, 1)
    assert os.listdir(world.directory / "spool/stage.") == os.listdir(world.directory / "other/stage.") == []


def test_without_commit_nothing_happened(world):
    store = world.store()
    make(store, "user.a")
    add(store, "user.a")
    with store.open("user.a", write=False) as mailbox:
        paths = mailbox.paths
    before = [Path(path).read_bytes() for path in (paths.index, paths.cache, paths.header)]
    with Stage.from_bytes(store, MESSAGE % (2, 2)) as stage, Appender.open(store, "user.a") as appender:
        appender.append(stage, flags=["New"])
    with pytest.raises(ZeroDivisionError), Appender.open(store, "user.a") as appender:
        with Stage.from_bytes(store, MESSAGE % (2, 2)) as stage:
            appender.append(stage)
        raise ZeroDivisionError
    assert before == [Path(path).read_bytes() for path in (paths.index, paths.cache, paths.header)]
    with store.open("user.a", write=False) as mailbox:
        assert files_of(mailbox) == ["1."]
        assert mailbox.flag_number("New") is None


def test_a_failed_write_is_undone(world):
    """Any storage error in the middle; the full disk itself is among the functional tests."""
    store = world.store()
    make(store, "user.a")
    add(store, "user.a")
    with Stage.from_bytes(store, MESSAGE % (2, 2)) as stage:
        with Appender.open(store, "user.a") as appender:
            cache = appender.mailbox.paths.cache
            os.rename(cache, cache + ".away")
            os.mkdir(cache)
            with pytest.raises(IoError):
                # the mailbox has its cache open no longer than it is locked
                appender.append(stage)
            os.rmdir(cache)
            os.rename(cache + ".away", cache)
        with store.open("user.a", write=False) as mailbox:
            assert (files_of(mailbox), mailbox.i.exists) == (["1."], 1)
    assert problems(store, "user.a") == []


def test_what_a_crash_left_under_the_next_uid_is_replaced(world):
    store = world.store()
    make(store, "user.a")
    with store.open("user.a", write=False) as mailbox:
        Path(mailbox.paths.message(1)).write_bytes(b"rubbish")
    add(store, "user.a", 5)
    assert problems(store, "user.a") == []


def test_flags_need_rights(world):
    store = world.store()
    make(store, "user.a")
    flags = ("\\Seen", "\\Flagged", "\\Deleted", "Work")
    with Stage.from_bytes(store, MESSAGE % (1, 1)) as stage, store.open("user.a", write=True) as mailbox:
        for rights in (acl.ALL, acl.INSERT, acl.DELETEMSG):
            with Appender(mailbox, rights=rights) as appender:
                appender.append(stage, flags=flags)
                appender.commit()
        system = [record.system_flags for record in mailbox.records()]
        everything = index_record.SEEN | index_record.FLAGGED | index_record.DELETED
        assert system == [everything, index_record.SEEN, index_record.SEEN | index_record.DELETED]
        assert [record.user_flags for record in mailbox.records()] == [1, 0, 0]


def test_others_see_their_own_seen_state(world):
    store = world.store()
    make(store, "user.a")
    make(store, "user.b")
    stage = Stage.from_bytes(store, MESSAGE % (1, 1))
    with stage, Appender.open(store, "user.a", userid="b") as appender:
        record = appender.append(stage, flags=["\\Seen"])
        uniqueid = appender.mailbox.uniqueid
        appender.commit()
    assert not record.system_flags & index_record.SEEN
    with SeenDb(store.config, store.userstate, "b") as seen:
        assert seen.read(uniqueid).uids == "1"


def test_opening_for_append_asks_for_rights_and_room(world):
    store = world.store()
    make(store, "user.a")
    mboxops.set_quotas(store, "user.a", [1, -1, -1, -1])
    stranger = AuthState("stranger")
    with pytest.raises(MailboxNonexistent):
        Appender.open(store, "user.a", auth=stranger, need=acl.INSERT)
    with pytest.raises(PermissionDenied):
        Appender.open(store, "user.a", auth=AuthState("a"), need=acl.INSERT | acl.USER1)
    with pytest.raises(QuotaExceeded):
        Appender.open(store, "user.a", quota=(2000, -1, -1, -1))
    with Appender.open(store, "user.a", auth=AuthState("a"), need=acl.INSERT, quota=(1000, 1, -1, -1)):
        pass
    assert store.is_open("user.a") is None


def test_a_mailbox_may_be_limited_to_a_number_of_messages(world):
    store = world.store(mailbox_maxmessages_email=2)
    make(store, "user.a")
    add(store, "user.a", 1, 2)
    with pytest.raises(QuotaExceeded):
        add(store, "user.a", 3)
    assert problems(store, "user.a") == []


def test_quota_follows_the_messages(world):
    store = world.store(expunge_mode="immediate")
    make(store, "user.a")
    mboxops.set_quotas(store, "user.a", [1000, 100, -1, -1])
    add(store, "user.a", 1, 2, 3)
    size = len(MESSAGE % (1, 1))
    assert store.quota.read("user.a").used == [3 * size, 3, 0, 1]
    with store.open("user.a", write=True) as mailbox:
        expunge.expunge(mailbox, lambda record: record.uid == 2)
    assert store.quota.read("user.a").used == [2 * size, 2, 0, 1]
    with store.locks.user("a"), store.open("user.a", write=True) as mailbox:
        moves = lifecycle.UsageMoves()
        moves.change_root(mailbox, None)
        moves.apply(store)
        mailbox.commit()
    assert store.quota.read("user.a").used == [0, 0, 0, 0]


# changing


def test_a_change_raises_modseqs_and_counts(world):
    store = world.store()
    make(store, "user.a")
    add(store, "user.a", 1, 2, 3)
    with store.open("user.a", write=True) as mailbox:
        before = mailbox.i.highestmodseq
        for uid in (3, 1):
            record = mailbox.find_uid(uid)
            assert record is not None
            record.system_flags |= index_record.SEEN | index_record.ANSWERED
            mailbox.rewrite(record)
        assert mailbox.i.highestmodseq == before + 2
        assert [record.modseq for record in mailbox.records()] == [before + 2, before - 1, before + 1]
    with world.store().open("user.a", write=False) as mailbox:
        assert (mailbox.i.answered, mailbox.i.unseen) == (2, 1)
    assert problems(store, "user.a") == []


@pytest.mark.parametrize("expunge_mode", ["delayed", "immediate"])
@pytest.mark.parametrize("seed", range(5))
def test_changing_flags_in_bulk_is_changing_them_one_by_one(world, seed, expunge_mode):
    chance = random.Random(seed)
    store = world.store(expunge_mode=expunge_mode)
    make(store, "user.a")
    add(store, "user.a", *range(1, 21))
    changes = []
    with store.open("user.a", write=True) as mailbox:
        for name in ("A", "B"):
            mailbox.create_flag(name)
        for record in list(mailbox.records()):
            record.system_flags = chance.randrange(32)
            record.user_flags = chance.randrange(4)
            if chance.random() < 0.2:
                record.internal_flags |= index_record.EXPUNGED
            mailbox.rewrite(record)
            if chance.random() < 0.7:
                flags = chance.randrange(32) | record.internal_flags
                flags |= index_record.EXPUNGED if chance.random() < 0.3 else 0
                changes.append((record.recno, flags, flagchange.user_bytes(chance.randrange(4))))
    results = []
    for bulk in (True, False):
        with store.open("user.a", write=True) as mailbox:
            path = Path(mailbox.paths.index)
            before = path.read_bytes()
            if bulk:
                mailbox.rewrite_flags(changes)
            else:
                for recno, flags, user in changes:
                    record = mailbox.record(recno)
                    record.system_flags, record.internal_flags = flags & 0xFFFF, flags & 0xFFFF0000
                    record.user_flags = flagchange.user_number(user)
                    mailbox.rewrite(record)
        assert problems(store, "user.a") == []
        with store.open("user.a", write=False) as mailbox:
            i = mailbox.i
            counters = (i.exists, i.unseen, i.answered, i.flagged, i.deleted, i.quota_mailbox_used)
            flags_of = [
                (r.system_flags, r.internal_flags, r.user_flags) for r in mailbox.records()
            ]
            modseqs = sorted(record.modseq for record in mailbox.records())
            results.append((counters, flags_of, modseqs, i.highestmodseq, i.options))
        path.write_bytes(before)
    assert results[0] == results[1]


def test_messages_are_found_by_uid_in_and_out_of_the_file(world):
    store = world.store(expunge_mode="immediate")
    make(store, "user.a")
    add(store, "user.a", *range(1, 10))
    with store.open("user.a", write=True) as mailbox:
        expunge.expunge(mailbox, lambda record: record.uid in (1, 4, 5, 9))
    store.run_cleanup()
    with store.open("user.a", write=True) as mailbox, Appender(mailbox) as appender:
        with Stage.from_bytes(store, MESSAGE % (10, 10)) as stage:
            appender.append(stage)
        found = [record.uid for uid in range(12) if (record := mailbox.find_uid(uid))]
        assert found == [2, 3, 6, 7, 8, 10]
        assert [mailbox.recno_before(uid) for uid in (1, 2, 5, 9, 10, 99)] == [0, 1, 2, 5, 6, 6]


def test_user_flags_are_names_with_numbers(world):
    store = world.store(mailbox_initial_flags="Later")
    make(store, "user.a")
    with store.open("user.a", write=True) as mailbox:
        assert mailbox.create_flag("$Label1") == 0
        assert mailbox.create_flag("$LABEL1") == 0
        for bad in ("", "a b", "a(", "a\x80", "*"):
            with pytest.raises(InvalidIdentifier):
                mailbox.create_flag(bad)
        for number in range(1, 100):
            assert mailbox.create_flag(f"flag{number}") == number
        with pytest.raises(UserFlagsExhausted):
            mailbox.create_flag("one-more")
        assert mailbox.create_flag("later") == 100
        mailbox.remove_flag(7)
        assert mailbox.create_flag("seventh") == 7
    with world.store().open("user.a", write=False) as mailbox:
        assert mailbox.flag_number("SEVENTH") == 7
        assert mailbox.flag_number("nowhere") is None


def test_copies_keep_dates_and_flag_names(world):
    store = world.store()
    for name in ("user.a", "user.a.sub"):
        make(store, name)
    with store.open("user.a.sub", write=True) as mailbox:
        mailbox.create_flag("Other")
    add(store, "user.a", 1, flags=("Work", "\\Flagged", "\\Seen"))
    add(store, "user.a", 2)
    with store.open("user.a", write=False) as source:
        originals = [copying.read(source, record) for record in source.records()]
        source.unlock_index()
        with Appender.open(store, "user.a.sub", userid="a") as target:
            assert copying.copy(target, source, originals, same_user=True) == [1, 2]
            target.commit()
    with store.open("user.a.sub", write=False) as mailbox:
        first, second = mailbox.records()
        assert first.user_flags == 1 << 1 and mailbox.header.flags == ["Other", "Work"]
        assert first.system_flags == index_record.FLAGGED | index_record.SEEN
        old = originals[0].record
        assert (first.guid, first.internaldate) == (old.guid, old.internaldate)
        assert os.stat(mailbox.message_path(second)).st_nlink == 2
    assert problems(store, "user.a.sub") == []


# removal


def test_delayed_expunge_keeps_the_file(world):
    store = world.store(expunge_mode="delayed")
    make(store, "user.a")
    add(store, "user.a", 1, 2, flags=("\\Deleted",))
    with store.open("user.a", write=True) as mailbox:
        assert expunge.expunge(mailbox) == 2
    store.run_cleanup()
    with store.open("user.a", write=True) as mailbox:
        assert (files_of(mailbox), mailbox.i.exists, mailbox.num_records) == (["1.", "2."], 0, 2)
        assert mailbox.i.first_expunged
        assert expunge.expunge_stale(mailbox, int(time.time()) + 1) == 2
    store.run_cleanup()
    with store.open("user.a", write=False) as mailbox:
        assert (files_of(mailbox), mailbox.num_records) == ([], 0)
        assert mailbox.i.deletedmodseq == mailbox.i.highestmodseq
    assert problems(store, "user.a") == []


def test_immediate_expunge_leaves_nothing(world):
    store = world.store(expunge_mode="immediate")
    make(store, "user.a")
    add(store, "user.a", 1, 2, 3)
    with store.open("user.a", write=True) as mailbox:
        expunge.expunge(mailbox, lambda record: record.uid == 2)
    with store.open("user.a", write=False) as mailbox:
        assert (files_of(mailbox), mailbox.num_records) == (["1.", "2.", "3."], 3)
    store.run_cleanup()
    with store.open("user.a", write=False) as mailbox:
        assert (files_of(mailbox), mailbox.num_records) == (["1.", "3."], 2)
        assert mailbox.i.generation_no == 1
        assert [bytes(mailbox.cache(record))[:4] for record in mailbox.records()]
    assert problems(store, "user.a") == []


def test_clean_up_waits_for_other_users_of_the_mailbox(world, two_processes_in_one):
    store = world.store(expunge_mode="immediate")
    make(store, "user.a")
    add(store, "user.a", 1, 2)
    other = world.store()
    reader = other.open("user.a", write=False)
    reader.unlock_index()
    with store.open("user.a", write=True) as mailbox:
        expunge.expunge(mailbox, lambda record: record.uid == 1)
    store.run_cleanup()
    assert files_of(reader) == ["1.", "2."]
    reader.close()
    with store.open("user.a", write=False):
        pass
    store.run_cleanup()
    assert files_of(reader) == ["2."]


def test_a_session_between_two_commands_does_not_hold_up_clean_up(world):
    store = world.store(expunge_mode="immediate")
    make(store, "user.a")
    add(store, "user.a", 1, 2, 3)
    session = store.open("user.a", write=True)
    expunge.expunge(session, lambda record: record.uid == 2)
    session.release()
    assert store.cleanup_due
    store.run_cleanup()
    assert files_of(session) == ["1.", "3."]
    assert not store.cleanup_due
    assert session.reacquire(write=False) is True
    assert [record.uid for record in session.records()] == [1, 3]
    session.close()


def test_a_clean_up_that_fails_is_not_tried_for_ever(world):
    store = world.store(expunge_mode="immediate")
    make(store, "user.a")
    add(store, "user.a", 1, 2)
    with store.open("user.a", write=True) as mailbox:
        expunge.expunge(mailbox, lambda record: record.uid == 2)
        mailbox.i.sync_crc ^= 1
    store.run_cleanup()
    with store.open("user.a", write=False) as mailbox:
        assert [record.uid for record in mailbox.records(expunged=False)] == [1]


def test_repack_refuses_records_that_do_not_add_up(world):
    store = world.store()
    make(store, "user.a")
    add(store, "user.a", 1, 2)
    with store.open("user.a", write=True) as mailbox:
        mailbox.i.sync_crc ^= 1
        mailbox.dirty()
    with store.open("user.a", write=True, exclusive=True) as mailbox:
        with pytest.raises(MailboxChecksum):
            repack.repack(mailbox)
        assert mailbox.num_records == 2
        assert not Path(mailbox.paths.index + ".NEW").exists()
    with store.open("user.a", write=True) as mailbox, pytest.raises(MailboxLocked):
        repack.repack(mailbox)


@pytest.mark.parametrize("version", [12, 13, 14, 15, 16])
def test_an_index_is_converted_and_back(world, version):
    store = world.store()
    make(store, "user.a")
    add(store, "user.a", 1, 2)
    with store.open("user.a", write=True, exclusive=True) as mailbox:
        before = list(mailbox.records())
        repack.repack(mailbox, version)
        assert mailbox.i.minor_version == version
    # version 12 has no place for what annotations use, so any check finds it changed
    found = [line for line in problems(store, "user.a") if version > 12 or "annot" not in line]
    assert found == []
    add(store, "user.a", 3)
    with store.open("user.a", write=True, exclusive=True) as mailbox:
        repack.repack(mailbox, 17)
        after = list(mailbox.records())[:2]
        for old, new in zip(before, after, strict=True):
            new.cache_offset = old.cache_offset
        assert after == before
    assert problems(store, "user.a") == []


def test_a_deleted_mailbox_loses_its_files(world):
    store = world.store()
    make(store, "user.a")
    make(store, "user.a.sub")
    add(store, "user.a.sub")
    with store.locks.user("a"):
        mailbox = store.open("user.a.sub", write=True)
        directory = mailbox.paths.data
        lifecycle.delete(mailbox)
    assert not os.path.exists(directory)


# locks


def test_lock_files_have_the_originals_names(world):
    store = world.store()
    make(store, "user.j^doe")
    with store.open("user.j^doe", write=True) as mailbox:
        locks = sorted(os.listdir(world.directory / "conf/lock"))
        assert locks == ["*U*j^doe.lock", f"{mailbox.uniqueid}.lock"]
    with store.locks.quota_change():
        assert "$QUOTACHANGE.lock" in os.listdir(world.directory / "conf/lock")


def test_a_mailbox_opened_twice_is_one(world):
    store = world.store()
    make(store, "user.a")
    first = store.open("user.a", write=True)
    with pytest.raises(MailboxLocked):
        store.open("user.a", write=False)
    first.unlock_index()
    second = store.open("user.a", write=True)
    assert second is first
    second.close()
    assert first.locked is Lock.NONE
    first.lock_index(exclusive=True)
    first.close()
    assert store.is_open("user.a") is None


def test_a_reader_keeps_others_from_replacing_files_only(world, two_processes_in_one):
    store, other = world.store(), world.store()
    make(store, "user.a")
    reader = store.open("user.a", write=False)
    reader.unlock_index()
    add(other, "user.a")
    with pytest.raises(MailboxLocked):
        other.open("user.a", write=True, exclusive=True, nonblock=True)
    reader.release()
    other.open("user.a", write=True, exclusive=True, nonblock=True).close()
    reader.reacquire(write=False)
    assert reader.i.exists == 1
    reader.close()


def test_writing_needs_the_exclusive_lock(world):
    store = world.store()
    make(store, "user.a")
    add(store, "user.a")
    with store.open("user.a", write=False) as mailbox:
        record = mailbox.record(1)
        for change in (mailbox.dirty, mailbox.bump_modseq, lambda: mailbox.rewrite(record)):
            with pytest.raises(MailboxLocked):
                change()
    with store.locks.user("a", exclusive=False), pytest.raises(MailboxLocked):
        store.open("user.a", write=True)


def test_coming_back_is_cheap_unless_the_index_was_replaced(world):
    store, other = world.store(), world.store(expunge_mode="immediate")
    make(store, "user.a")
    add(store, "user.a", 1, 2)
    mailbox = store.open("user.a", write=False)
    record = mailbox.record(2)
    cached = mailbox.cache(record)
    mailbox.release()
    add(other, "user.a", 3)
    assert mailbox.reacquire(write=False) is False
    assert mailbox.num_records == 3
    mailbox.release()
    with other.open("user.a", write=True) as busy:
        expunge.expunge(busy, lambda record: record.uid == 1)
    other.run_cleanup()
    assert mailbox.reacquire(write=True) is True
    assert [found.uid for found in mailbox.records()] == [2, 3]
    assert mailbox.cache(mailbox.record(1)) == cached
    mailbox.release()
    with other.locks.user("a"):
        mboxops.delete(other, "user.a", is_admin=True, userid=None, auth=None, force=True)
    with pytest.raises(MailboxNonexistent):
        mailbox.reacquire(write=False)
    mailbox.close()


def test_statuscache_is_told(world):
    store = world.store(statuscache=True)
    make(store, "user.a")
    add(store, "user.a", 1, 2)
    status = store.statuscache.index("user.a")
    assert status is not None and (status.messages, status.uidnext) == (2, 3)


# damage


def test_a_damaged_record_hides_one_message_only(world, caplog):
    store = world.store()
    make(store, "user.a")
    add(store, "user.a", 1, 2, 3)
    with store.open("user.a", write=False) as mailbox:
        path = Path(mailbox.paths.index)
    data = bytearray(path.read_bytes())
    data[160 + 112 + 50] ^= 1
    path.write_bytes(data)
    with store.open("user.a", write=False) as mailbox:
        assert [record.uid for record in mailbox.records()] == [1, 3]
        with pytest.raises(MailboxChecksum):
            mailbox.record(2)
    assert "IOERROR: index record corrupted: mailbox=<user.a> recno=<2>" in caplog.text


def test_a_damaged_cache_is_computed_again(world, caplog):
    store = world.store()
    make(store, "user.a")
    add(store, "user.a", 1, 2)
    with store.open("user.a", write=False) as mailbox:
        good = [bytes(mailbox.cache(record)) for record in mailbox.records()]
        os.unlink(mailbox.paths.cache)
    with store.open("user.a", write=False) as mailbox:
        assert [bytes(mailbox.cache(record)) for record in mailbox.records()] == good
    with store.open("user.a", write=True) as mailbox:
        for record in mailbox.records():
            record.system_flags |= index_record.SEEN
            mailbox.cache(record)
            mailbox.rewrite(record)
        assert mailbox.i.options & index_header.NEEDS_REPACK
    assert "IOERROR: invalid cache record" in caplog.text
    store.run_cleanup()
    caplog.clear()
    with store.open("user.a", write=False) as mailbox:
        assert [bytes(mailbox.cache(record)) for record in mailbox.records()] == good
    assert not caplog.text


@pytest.mark.parametrize("length", [0, 11, 159, 271])
def test_a_cut_index_is_refused_and_leaves_other_mailboxes_alone(world, length):
    store = world.store()
    for name in ("user.a", "user.b"):
        make(store, name)
        add(store, name)
    with store.open("user.a", write=False) as mailbox:
        os.truncate(mailbox.paths.index, length)
    with pytest.raises((MailboxBadFormat, MailboxChecksum)):
        store.open("user.a", write=False)
    assert add(store, "user.b", 2) == [2]
    assert store.locks.holds_user("a") is None


def test_a_lost_header_file_costs_flag_names_only(world):
    store = world.store()
    make(store, "user.a")
    add(store, "user.a", 1, flags=("Work", "\\Flagged"))
    with store.open("user.a", write=False) as mailbox:
        uidvalidity = mailbox.i.uidvalidity
        os.unlink(mailbox.paths.header)
    lines: list[str] = []
    with store.locks.user("a"):
        mailbox = reconstruct.reconstruct(store, "user.a", Options(), lines.append)
        mailbox.close()
    assert lines[0] == "user.a: failed to read header file"
    with store.open("user.a", write=False) as mailbox:
        (record,) = mailbox.records()
        assert (record.uid, record.system_flags, record.user_flags) == (1, index_record.FLAGGED, 0)
        assert mailbox.i.uidvalidity == uidvalidity
    assert problems(store, "user.a") == []


def test_a_lost_index_is_made_from_the_files(world):
    store = world.store()
    make(store, "user.a")
    add(store, "user.a", 1, 2, 3)
    with store.open("user.a", write=False) as mailbox:
        os.unlink(mailbox.paths.index)
        os.unlink(mailbox.paths.message(2))
    lines: list[str] = []
    with store.locks.user("a"):
        reconstruct.reconstruct(store, "user.a", Options(), lines.append).close()
    assert lines == [
        "user.a: failed to read index header",
        "user.a uid 1 found - adding",
        "user.a uid 3 found - adding",
    ]
    assert problems(store, "user.a") == []


@pytest.mark.parametrize("option", [{"object_storage_enabled": True}])
def test_what_would_be_ignored_is_refused(world, option):
    with pytest.raises(Fatal):
        world.store(**option)
