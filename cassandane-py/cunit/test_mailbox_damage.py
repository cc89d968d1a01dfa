"""Files of a mailbox that are damaged or lost: nothing more is lost than that."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cassandane.worlds import add, make, problems
from libcyrus.errors import (
    Fatal,
    MailboxBadFormat,
    MailboxChecksum,
)
from libcyrus.mailbox import index_header, index_record, reconstruct
from libcyrus.mailbox.reconstruct import Options

# above what any system gives out
_DEAD = 1 << 30


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


def cut_in_delivery(store, *, staged: bool) -> tuple[Path, Path]:
    """Three messages, of which the last was not yet on disk when the power went; its index and file."""
    make(store, "user.a")
    add(store, "user.a", 1, 2, 3)
    with store.open("user.a", write=False) as mailbox:
        index, file = Path(mailbox.paths.index), Path(mailbox.paths.message(3))
        if staged:
            os.makedirs(mailbox.paths.stage, exist_ok=True)
            os.link(file, f"{mailbox.paths.stage}/{_DEAD}-1700000000-0")
    os.truncate(index, 160 + 2 * 112)
    return index, file


def test_a_delivery_that_was_cut_costs_nothing_else(world, caplog):
    store = world.store()
    index, file = cut_in_delivery(store, staged=True)
    with store.open("user.a", write=False) as mailbox:
        assert [record.uid for record in mailbox.records()] == [1, 2]
        assert (mailbox.i.exists, mailbox.i.last_uid) == (2, 3)
        assert not mailbox.unchanged(mailbox.raw_header)
    assert "1 messages of an interrupted append did not get to disk" in caplog.text
    assert add(store, "user.a", 4) == [4]
    assert index.stat().st_size == 160 + 3 * 112
    assert file.exists()
    caplog.clear()
    with store.open("user.a", write=False) as mailbox:
        assert [record.uid for record in mailbox.records()] == [1, 2, 4]
        assert mailbox.unchanged(mailbox.raw_header)
    assert not caplog.text


def test_of_a_delivery_that_was_cut_the_file_may_be_missing(world):
    store = world.store()
    _index, file = cut_in_delivery(store, staged=False)
    with pytest.raises(MailboxBadFormat):
        store.open("user.a", write=False)
    file.unlink()
    assert add(store, "user.a", 4) == [4]


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
