"""cyrus.index in every version that Cyrus 3.6 reads. The golden files are one mailbox, written by 3.6.1."""

from __future__ import annotations

import shutil
import struct
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from zlib import crc32

import pytest

from libcyrus import mboxops
from libcyrus.append import Appender, Stage
from libcyrus.config import Config
from libcyrus.errors import IoError, MailboxBadFormat
from libcyrus.index import contents
from libcyrus.index.view import IndexView
from libcyrus.mailbox import index_header, index_record, old_index, reconstruct, repack
from libcyrus.mailbox.index_file import IndexFile
from libcyrus.mailbox.index_record import ANSWERED, FLAGGED, NULL_GUID, SEEN, IndexRecord
from libcyrus.mailbox.mailbox import Mailbox
from libcyrus.mailbox.mailstore import MailStore
from libcyrus.mailbox.reconstruct import Options
from libcyrus.records.annotate import Annotation
from libcyrus.records.seen import SeenDb

GOLDEN = Path(__file__).parents[1] / "formats/mailbox/versions"
VERSIONS = sorted(index_header.VERSIONS)
OLD = [version for version in VERSIONS if version <= old_index.NEWEST]
MESSAGE = b"From: a@example.org\r\nSubject: %d\r\nDate: Mon, 1 Jan 2024 10:00:00 +0000\r\n\r\nbody\r\n"


def golden(version: int) -> bytes:
    return (GOLDEN / f"index.{version}").read_bytes()


def opened(path: Path) -> IndexFile:
    index = IndexFile()
    index.open(str(path))
    return index


def records(index: IndexFile, version: int) -> list[IndexRecord]:
    return [index.record(recno, version) for recno in range(1, index.num_records + 1)]


@pytest.mark.parametrize("version", VERSIONS)
def test_what_the_original_wrote_is_read(version: int) -> None:
    index = opened(GOLDEN / f"index.{version}")
    header = index.read()
    assert header is not None
    assert (header.minor_version, header.exists, header.num_records, header.last_uid) == (version, 3, 3, 3)
    assert (header.answered, header.flagged, header.deleted) == (1, 1, 0)
    assert header.quota_mailbox_used == 3 * 118
    found = records(index, version)
    newest = records_of_newest()
    for old, new in zip(found, newest, strict=True):
        for field in ("uid", "internaldate", "sentdate", "size", "header_size", "last_updated", "user_flags"):
            assert getattr(old, field) == getattr(new, field), field
        assert old.guid == (new.guid if version >= 10 else NULL_GUID)
        assert old.modseq == (new.modseq if version >= 8 else 0)
        assert old.savedate == (new.savedate if version >= 15 else 0)
        assert old.createdmodseq == (new.createdmodseq if version >= 16 else 0)
    seen = SEEN if version >= 12 else 0
    assert [record.system_flags for record in found] == [FLAGGED, seen, ANSWERED]


def records_of_newest() -> list[IndexRecord]:
    index = opened(GOLDEN / "index.17")
    index.read()
    return records(index, 17)


@pytest.mark.parametrize("version", VERSIONS)
def test_what_is_written_again_is_the_same_bytes(version: int, tmp_path: Path) -> None:
    path = tmp_path / "cyrus.index"
    path.write_bytes(golden(version))
    index = opened(path)
    header = index.read()
    assert header is not None
    packed = {record.recno: index_record.pack(record, version) for record in records(index, version)}
    index.write(header, packed)
    assert path.read_bytes() == golden(version)


@pytest.mark.parametrize("version", OLD)
def test_records_of_an_old_file_are_what_is_there_now(version: int, tmp_path: Path) -> None:
    """The copy that others see must not outlive a lock: the oldest headers do not show every change."""
    path = tmp_path / "cyrus.index"
    path.write_bytes(golden(version))
    index = opened(path)
    header = index.read()
    assert header is not None and len(index.region()) == 3 * header.record_size
    data = bytearray(golden(version))
    at = header.start_offset + 2 * header.stored_record_size + index_record.OFFSET_FLAGS
    data[at : at + 4] = struct.pack(">I", FLAGGED)
    path.write_bytes(data)
    again = index.read()
    assert again is not None
    assert index.record(3, version).system_flags == FLAGGED
    assert not index.unchanged(str(path), index.raw)


@pytest.mark.parametrize("version", [0, 5, 11, 18])
def test_other_versions_are_refused(version: int) -> None:
    data = bytearray(golden(9))
    data[8:12] = struct.pack(">I", version)
    with pytest.raises(MailboxBadFormat):
        index_header.unpack(bytes(data))


@pytest.mark.parametrize("version", OLD)
@pytest.mark.parametrize(("offset", "value"), [(12, 8), (16, 20)])
def test_impossible_geometry_is_refused(version: int, offset: int, value: int) -> None:
    data = bytearray(golden(version))
    data[offset : offset + 4] = struct.pack(">I", value)
    with pytest.raises(MailboxBadFormat):
        index_header.unpack(bytes(data))


def test_a_short_old_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cyrus.index"
    path.write_bytes(golden(7)[:-1])
    with pytest.raises(MailboxBadFormat):
        opened(path).read()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[MailStore]:
    store = MailStore(config(tmp_path))
    mboxops.create(store, "user.a", is_admin=True, userid=None, auth=None)
    yield store
    store.close()


def config(directory: Path) -> Config:
    for name in ("conf", "spool"):
        (directory / name).mkdir(exist_ok=True)
    return Config.for_tests(
        configdirectory=str(directory / "conf"),
        defaultpartition="default",
        extra={"partition-default": str(directory / "spool")},
    )


def add(store: MailStore, *numbers: int, flags: tuple[str, ...] = ()) -> None:
    with Appender.open(store, "user.a", userid="a") as appender:
        for number in numbers:
            with Stage.from_bytes(store, MESSAGE % number) as stage:
                appender.append(stage, flags=flags)
        appender.commit()


def convert(store: MailStore, version: int) -> None:
    with store.open("user.a", write=True, exclusive=True) as mailbox:
        repack.repack(mailbox, version)


def problems(store: MailStore) -> list[str]:
    lines: list[str] = []
    with store.locks.user("a"):
        mailbox = reconstruct.reconstruct(
            store, "user.a", Options(make_changes=False, parse=True), lines.append
        )
        mailbox.abort()
        mailbox.close()
    return lines


def facts(mailbox: Mailbox) -> list[tuple[object, ...]]:
    return [
        (
            record.uid, record.internaldate, record.sentdate, record.size, record.system_flags,
            record.user_flags, record.guid, record.savedate, record.createdmodseq, record.cid,
            bytes(mailbox.cache(record)),
        )
        for record in mailbox.records(expunged=False)
    ]  # fmt: skip


@pytest.mark.parametrize("version", [version for version in VERSIONS if version != 17])
def test_nothing_is_lost_on_the_way_down_and_up(store: MailStore, version: int) -> None:
    add(store, 1, 2, flags=("\\Seen", "Work"))
    add(store, 3)
    with store.open("user.a", write=True) as mailbox:
        record = mailbox.record(3)
        record.cid = 0x12345
        mailbox.rewrite(record)
        annotation = Annotation("3", "/comment", "", b"kept")
        mailbox.changes.annotate(3, annotation, "")
        before, sums = facts(mailbox), (mailbox.i.unseen, mailbox.i.recentuid)
    convert(store, version)
    convert(store, 17)
    with store.open("user.a", write=False) as mailbox:
        after = facts(mailbox)
        assert after == before
        assert (mailbox.i.unseen, mailbox.i.recentuid) == (sums[0], 3 if version < 12 else sums[1])
        assert mailbox.i.minor_version == 17
    assert problems(store) == []


@pytest.mark.parametrize(("old", "new"), list(pairwise(VERSIONS)) + [(6, 10), (8, 17), (17, 6)])
def test_a_converted_mailbox_takes_changes(store: MailStore, old: int, new: int) -> None:
    add(store, 1, 2, 3, flags=("\\Flagged",))
    convert(store, old)
    add(store, 4, flags=("Work", "\\Seen"))
    with store.open("user.a", write=True) as mailbox:
        record = mailbox.record(2)
        record.system_flags |= ANSWERED
        mailbox.rewrite(record)
        gone = mailbox.record(1)
        gone.internal_flags |= index_record.EXPUNGED
        mailbox.rewrite(gone)
    convert(store, new)
    with store.open("user.a", write=False) as mailbox:
        found = {record.uid: record for record in mailbox.records(expunged=False)}
        assert sorted(found) == [2, 3, 4]
        assert found[2].system_flags & ~SEEN == FLAGGED | ANSWERED
        assert mailbox.i.exists == 3 and mailbox.i.minor_version == new
        assert found[4].user_flags == 1
        assert bool(found[4].system_flags & SEEN) == (new >= 12)
        assert b'"4"' in bytes(mailbox.cache(found[4]))
    if new > 12:
        # before, the header has no place for what annotations use
        assert problems(store) == []


def test_the_owners_seen_state_moves_to_the_seen_database(store: MailStore) -> None:
    add(store, 1, 2, 3, flags=("\\Seen",))
    add(store, 4)
    convert(store, 9)
    with store.open("user.a", write=False) as mailbox:
        assert not mailbox.internal_seen("a")
        with SeenDb(store.config, store.userstate, "a") as database:
            data = database.read(mailbox.uniqueid)
    assert (data.uids, data.lastuid) == ("1:3", 4)


def test_what_all_users_share_is_the_seen_state_of_anyone(store: MailStore) -> None:
    add(store, 1, 2, 3, flags=("\\Seen",))
    add(store, 4)
    with store.open("user.a", write=True) as mailbox:
        mailbox.i.options |= index_header.SHAREDSEEN
        mailbox.dirty()
    convert(store, 9)
    with store.open("user.a", write=False) as mailbox:
        assert mailbox.seen_user("b") == "anyone" and not mailbox.internal_seen("b")
        with SeenDb(store.config, store.userstate, "anyone") as database:
            assert database.read(mailbox.uniqueid).uids == "1:3"
    convert(store, 17)
    with store.open("user.a", write=False) as mailbox:
        assert mailbox.i.unseen == 1 and mailbox.internal_seen("b")


def test_a_message_that_cannot_be_read_stops_the_way_up(store: MailStore) -> None:
    add(store, 1, 2)
    convert(store, 8)
    with store.open("user.a", write=False) as mailbox:
        index, lost = Path(mailbox.paths.index), Path(mailbox.paths.message(2))
    kept = index.read_bytes()
    lost.rename(lost.with_name("away"))
    with pytest.raises(IoError):
        convert(store, 17)
    assert index.read_bytes() == kept
    lost.with_name("away").rename(lost)
    convert(store, 17)
    assert problems(store) == []


@pytest.mark.parametrize("how", ["reconstruct", "convert"])
def test_messages_of_an_old_expunge_file_are_removed(store: MailStore, how: str) -> None:
    """But for those that the index has, whatever the file says."""
    add(store, 1, 2)
    convert(store, 9)
    with store.open("user.a", write=False) as mailbox:
        data, expunge = Path(mailbox.paths.data), Path(mailbox.paths.meta("expunge"))
    shutil.copy(data / "2.", data / "3.")
    (data / "3.").chmod(0o600)
    # uids 1 to 3, of which the index has the first two
    expunge.write_bytes(golden(9))
    if how == "convert":
        convert(store, 17)
    else:
        with store.locks.user("a"):
            reconstruct.reconstruct(store, "user.a", Options(), lambda line: None).close()
    assert not expunge.exists()
    assert sorted(path.name for path in data.iterdir() if path.name[0].isdigit()) == ["1.", "2."]


def test_cache_records_of_old_are_computed_anew(store: MailStore) -> None:
    """Sections were written in another way before version 9, under a checksum that is right."""
    add(store, 1)
    convert(store, 13)
    with store.open("user.a", write=True) as mailbox:
        record = mailbox.record(1)
        right = bytes(mailbox.cache(record))
        old = right[:-8] + b"\0\0\0\4old!"
        mailbox.changes.replace_cache(record, old)
        record.cache_version, record.cache_crc = 3, crc32(old)
        mailbox.rewrite(record)
    with store.open("user.a", write=False) as mailbox:
        assert mailbox.record(1).cache_version == 3
        assert bytes(mailbox.cache(mailbox.record(1))) == right
    view = IndexView.open(store, "user.a", "a", None, readonly=True)
    with view.locked(write=False):
        found = contents.fields(view, 1)
    assert bytes(contents.cache_record(view, 1, found)) == right
    view.close()
    with store.locks.user("a"):
        reconstruct.reconstruct(store, "user.a", Options(), lambda line: None).close()
    with store.open("user.a", write=False) as mailbox:
        assert mailbox.record(1).cache_version == index_record.CACHE_VERSION
    assert problems(store) == []
