"""Damaged files of a mailbox are not believed: one line in the log, nothing changed, others unaffected."""

from __future__ import annotations

import errno
import logging
import os
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from zlib import crc32

import pytest

from libcyrus import mboxops
from libcyrus.append import Appender, Stage
from libcyrus.config import Config
from libcyrus.errors import CyrusError, IoError, MailboxBadFormat, MailboxChecksum
from libcyrus.mailbox import reconstruct, repack
from libcyrus.mailbox.mailstore import MailStore
from libcyrus.mailbox.reconstruct import Options

MESSAGE = b"From: a@example.org\r\nSubject: %d\r\nDate: Mon, 1 Jan 2024 10:00:00 +0000\r\n\r\nbody\r\n"


def open_store(directory: Path) -> MailStore:
    for name in ("conf", "spool"):
        (directory / name).mkdir(exist_ok=True)
    config = Config.for_tests(
        configdirectory=str(directory / "conf"),
        defaultpartition="default",
        extra={"partition-default": str(directory / "spool")},
    )
    return MailStore(config)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[MailStore]:
    store = open_store(tmp_path)
    for name in ("user.a", "user.b"):
        mboxops.create(store, name, is_admin=True, userid=None, auth=None)
        add(store, name, 1, 2, 3)
    store.close()
    yield store
    store.close()


def add(store: MailStore, name: str, *numbers: int) -> None:
    with Appender.open(store, name) as appender:
        for number in numbers:
            with Stage.from_bytes(store, MESSAGE % number) as stage:
                appender.append(stage)
        appender.commit()


def directory_of(store: MailStore, name: str) -> Path:
    with store.open(name, write=False) as mailbox:
        return Path(mailbox.paths.data)


def contents(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def patched(offset: int, value: int, *, sound: bool = True) -> Callable[[bytes], bytes]:
    """Another number in the index header, with a checksum that fits if ``sound``."""

    def change(data: bytes) -> bytes:
        new = bytearray(data)
        new[offset : offset + 4] = struct.pack(">I", value)
        if sound:
            new[156:160] = struct.pack(">I", crc32(new[:156]))
        return bytes(new)

    return change


UNREADABLE: dict[str, tuple[str, Callable[[bytes], bytes], type[CyrusError]]] = {
    "index empty": ("cyrus.index", lambda data: b"", MailboxBadFormat),
    "index cut in the header": ("cyrus.index", lambda data: data[:100], MailboxBadFormat),
    "index cut in a record": ("cyrus.index", lambda data: data[:-1], MailboxBadFormat),
    "index without records": ("cyrus.index", lambda data: data[:160], MailboxBadFormat),
    "header checksum": ("cyrus.index", patched(28, 99, sound=False), MailboxChecksum),
    "more records than there are": ("cyrus.index", patched(20, 4), MailboxBadFormat),
    "many more": ("cyrus.index", patched(20, 0xFFFFFFFF), MailboxBadFormat),
    "records in the header": ("cyrus.index", patched(12, 100), MailboxBadFormat),
    "records of no size": ("cyrus.index", patched(16, 0), MailboxBadFormat),
    "version of the future": ("cyrus.index", patched(8, 99), MailboxBadFormat),
    "version 11": ("cyrus.index", patched(8, 11), MailboxBadFormat),
    "old version, wrong geometry": ("cyrus.index", patched(8, 9), MailboxBadFormat),
    "header file cut": ("cyrus.header", lambda data: data[:50], MailboxBadFormat),
    "header file of garbage": ("cyrus.header", lambda data: b"\0" * len(data), MailboxBadFormat),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_a_mailbox_that_makes_no_sense_is_left_alone(
    store: MailStore, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    file, damage, error = UNREADABLE[name]
    directory = directory_of(store, "user.a")
    store.close()
    # as a process would that starts now
    store = open_store(directory.parents[4])
    (directory / file).write_bytes(damage((directory / file).read_bytes()))
    before = contents(directory)
    for attempt in (
        lambda: store.open("user.a", write=False),
        lambda: store.open("user.a", write=True),
        lambda: add(store, "user.a", 4),
        lambda: store.open("user.a", write=True, exclusive=True),
    ):
        caplog.clear()
        with caplog.at_level(logging.INFO), pytest.raises(error):
            attempt()
        assert sum("IOERROR" in line for line in caplog.messages) == 1, caplog.messages
    assert contents(directory) == before
    add(store, "user.b", 4)
    with store.open("user.b", write=False) as mailbox:
        assert mailbox.i.exists == 4
    mend(store)
    with store.open("user.a", write=False) as mailbox:
        texts = [bytes(mailbox.map_message(record)) for record in mailbox.records(expunged=False)]
    store.close()
    assert texts == [MESSAGE % number for number in (1, 2, 3)]


def mend(store: MailStore) -> None:
    with store.locks.user("a"):
        reconstruct.reconstruct(store, "user.a", Options(parse=True), lambda line: None).close()
    said: list[str] = []
    with store.locks.user("a"):
        mailbox = reconstruct.reconstruct(
            store, "user.a", Options(make_changes=False, parse=True), said.append
        )
        mailbox.abort()
        mailbox.close()
    assert said == []


def test_a_wrong_record_is_skipped_and_never_written_again(store: MailStore) -> None:
    index = directory_of(store, "user.a") / "cyrus.index"
    data = bytearray(index.read_bytes())
    data[160 + 112 + 12] ^= 0xFF
    index.write_bytes(data)
    with store.open("user.a", write=True) as mailbox:
        assert [record.uid for record in mailbox.records()] == [1, 3]
        with pytest.raises(MailboxChecksum):
            mailbox.record(2)
        record = mailbox.record(1)
        record.system_flags |= 1
        mailbox.rewrite(record)
    assert index.read_bytes()[272:384] == data[272:384]
    with pytest.raises(MailboxChecksum), store.open("user.a", write=True, exclusive=True) as mailbox:
        # a repack would drop it
        repack.repack(mailbox)
    assert index.read_bytes()[272:384] == data[272:384]
    mend(store)
    with store.open("user.a", write=False) as mailbox:
        assert mailbox.i.exists == 3


CACHES: dict[str, Callable[[bytes], bytes]] = {
    "cut": lambda data: data[: len(data) // 2],
    "empty": lambda data: b"",
    "overwritten": lambda data: data[:100] + b"\xff" * 100 + data[200:],
    "of zeros": lambda data: bytes(len(data)),
    "moved": lambda data: data[:4] + b"\0\0\0\0" + data[4:],
}


@pytest.mark.parametrize("name", CACHES)
def test_a_wrong_cache_record_is_computed_again(store: MailStore, name: str) -> None:
    directory = directory_of(store, "user.a")
    good = (directory / "cyrus.cache").read_bytes()
    with store.open("user.a", write=False) as mailbox:
        right = [bytes(mailbox.cache(record)) for record in mailbox.records()]
    store.close()
    (directory / "cyrus.cache").write_bytes(CACHES[name](good))
    with store.open("user.a", write=False) as mailbox:
        assert [bytes(mailbox.cache(record)) for record in mailbox.records()] == right
    store.close()
    mend(store)
    with store.open("user.a", write=False) as mailbox:
        found = [mailbox.stored_cache(record) for record in mailbox.records()]
        assert [None if item is None else bytes(item) for item in found] == right


def test_a_new_cache_of_another_generation_is_not_used(store: MailStore) -> None:
    """Only what a repack of this very index left behind may take the place of the cache."""
    directory = directory_of(store, "user.a")
    good = (directory / "cyrus.cache").read_bytes()
    (directory / "cyrus.cache").write_bytes(good[:50])
    (directory / "cyrus.cache.NEW").write_bytes(struct.pack(">I", 77) + good[4:])
    with store.open("user.a", write=True) as mailbox:
        assert mailbox.stored_cache(mailbox.record(2)) is None
    assert (directory / "cyrus.cache").read_bytes() == good[:50]


def test_a_message_that_is_gone_fails_alone(store: MailStore) -> None:
    directory = directory_of(store, "user.a")
    (directory / "2.").unlink()
    with store.open("user.a", write=False) as mailbox:
        assert bytes(mailbox.map_message(mailbox.record(1))) == MESSAGE % 1
        with pytest.raises(IoError):
            mailbox.map_message(mailbox.record(2))


@pytest.mark.parametrize("name", ["listdir", "stat"])
def test_a_disk_that_fails_is_not_taken_for_an_empty_one(
    store: MailStore, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """reconstruct would otherwise expunge what it does not find, and remove what it cannot look at."""
    directory = directory_of(store, "user.a")
    before = contents(directory)
    working = getattr(os, name)

    def failing(path: str, *arguments: object, **options: object) -> object:
        if name == "stat" and not str(path).endswith("2."):
            return working(path, *arguments, **options)
        raise OSError(errno.EIO, "Input/output error", path)

    monkeypatch.setattr(os, name, failing)
    with store.locks.user("a"), pytest.raises(IoError):
        reconstruct.reconstruct(store, "user.a", Options(), lambda line: None)
    monkeypatch.undo()
    assert contents(directory) == before
    mend(store)


def test_a_partition_that_is_not_there_expunges_nothing(tmp_path: Path) -> None:
    """Such as one that was not mounted, where the metadata is on another."""
    for name in ("conf", "spool", "meta"):
        (tmp_path / name).mkdir()
    config = Config.for_tests(
        configdirectory=str(tmp_path / "conf"),
        defaultpartition="default",
        metapartition_files=frozenset({"header", "index", "cache"}),
        extra={"partition-default": str(tmp_path / "spool"), "metapartition-default": str(tmp_path / "meta")},
    )
    store = MailStore(config)
    mboxops.create(store, "user.a", is_admin=True, userid=None, auth=None)
    add(store, "user.a", 1, 2, 3)
    store.close()
    (tmp_path / "spool").rename(tmp_path / "away")
    (tmp_path / "spool").mkdir()
    with store.locks.user("a"), pytest.raises(IoError):
        reconstruct.reconstruct(store, "user.a", Options(), lambda line: None)
    (tmp_path / "spool").rmdir()
    (tmp_path / "away").rename(tmp_path / "spool")
    mend(store)
    with store.open("user.a", write=False) as mailbox:
        assert mailbox.i.exists == 3
    store.close()
