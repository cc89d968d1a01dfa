"""Mailboxes in one process: appending and changing. Crashes are in test_mailbox_crash."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from cassandane.worlds import MESSAGE, add, files_of, make, problems
from libcyrus import acl, mboxops
from libcyrus.append import Appender, Stage
from libcyrus.append import copy as copying
from libcyrus.auth import AuthState
from libcyrus.errors import (
    InternalError,
    InvalidIdentifier,
    IoError,
    MailboxNonexistent,
    PermissionDenied,
    QuotaExceeded,
    UserFlagsExhausted,
)
from libcyrus.mailbox import expunge, flagchange, index_record, lifecycle
from libcyrus.records.seen import SeenDb

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
            flags_of = [(r.system_flags, r.internal_flags, r.user_flags) for r in mailbox.records()]
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
