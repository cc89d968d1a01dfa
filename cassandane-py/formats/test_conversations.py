"""Golden bytes of a conversations database: a file of the original, and records of older versions.

The file was made by the original, from four messages of a user with INBOX and Trash and the counted flags
``\\Draft \\Flagged``.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from libcyrus import cyrusdb
from libcyrus.errors import MailboxBadFormat
from libcyrus.records.conversations import guids, layout
from libcyrus.records.conversations.conversation import (
    Conversation,
    FolderCounts,
    Sender,
    ThreadEntry,
    unpack_modseq,
)
from libcyrus.records.conversations.guids import GuidRecord
from libcyrus.records.conversations.layout import FolderStatus, Quota

FILE = Path(__file__).parent / "conversations/conversations.db"
FIRST = bytes.fromhex("ed234dcad093ce398a97be0ec5f727eb3028a67f")
SECOND = bytes.fromhex("916603f2dbe6912c899100f49b911f2cd259a5c8")
DATE = 1795390197

B = (
    b"1 (6 2 2 1 (0 1) ((0 4 2 2 1) (1 6 1 1 1)) ((=?utf-8?q?J=C3=B6rg?= NIL Ann Example.org 1704189600 1) "
    b"(Bob NIL bob example.org 1704103200 1)) one 286 "
    b"((916603f2dbe6912c899100f49b911f2cd259a5c8 1 1795390197) "
    b"(ed234dcad093ce398a97be0ec5f727eb3028a67f 1 1795390197)) 3)"
)
G_KEY = b"G916603f2dbe6912c899100f49b911f2cd259a5c8:0:2"
G = bytes.fromhex(
    "82"                # 0   version 2
    "7cd0942bdbfac52b"  # 1   cid
    "00000012"          # 9   system_flags: seen, flagged
    "00000000"          # 13  internal_flags
    "000000006b037af5"  # 17  internaldate
)  # fmt: skip


@pytest.fixture
def records(tmp_path: Path) -> dict[bytes, bytes]:
    shutil.copy(FILE, tmp_path / "conversations.db")
    with cyrusdb.open_db("skiplist", tmp_path / "conversations.db") as db:
        return dict(db.foreach())


def test_the_file_has_the_records_below(records: dict[bytes, bytes]) -> None:
    assert records[b"B7cd0942bdbfac52b"] == B
    assert records[G_KEY] == G
    assert records[b"F3zueh63al28xrmykjydlgyka"] == b"0 (6 2 2 3 2)"


def test_every_record_of_the_file_is_packed_as_it_was(records: dict[bytes, bytes]) -> None:
    for key, data in records.items():
        if key == layout.COUNTED_FLAGS:
            assert data == rb"\Draft \Flagged"
        elif key == layout.FOLDER_IDS:
            assert layout.pack_folders(layout.unpack_folders(data)) == data
        elif key == layout.QUOTA:
            assert layout.unpack_quota(data) == Quota(3, 425)
            assert layout.pack_quota(Quota(3, 425)) == data
        elif key.startswith(b"<"):
            cids, stamp = layout.unpack_msgid(data)
            assert stamp == DATE and layout.pack_msgid(cids, stamp) == data
        elif key.startswith(b"B"):
            assert Conversation.unpack(data).pack(2) == data
        elif key.startswith(b"F"):
            assert FolderStatus.unpack(data).pack() == data
        else:
            (known,) = guids.unpack(key, data)
            fields = known.version, known.cid, known.system_flags, known.internal_flags, known.internaldate
            assert guids.pack(*fields) == data
            place = f"{known.folder}:{known.uid}" + (f"[{known.part}]" if known.part else "")
            assert guids.key(bytes.fromhex(known.guid), place) == key


def test_a_conversation() -> None:
    found = Conversation.unpack(B)
    assert found == Conversation(
        version=1, modseq=6, num_records=2, exists=2, unseen=1, counts=[0, 1],
        folders=[FolderCounts(0, 4, 2, 2, 1), FolderCounts(1, 6, 1, 1, 1)],
        senders=[
            Sender(b"=?utf-8?q?J=C3=B6rg?=", None, b"Ann", b"Example.org", 1704189600, 1),
            Sender(b"Bob", None, b"bob", b"example.org", 1704103200, 1),
        ],
        subject=b"one", size=286, thread=[ThreadEntry(SECOND, 1, DATE), ThreadEntry(FIRST, 1, DATE)],
        createdmodseq=3,
    )  # fmt: skip
    assert unpack_modseq(B) == 6
    # what is gone is not written, and counts of new flags are 0
    found.folders[1].num_records = 0
    found.senders[0].exists = 0
    found.thread[0].exists = 0
    assert found.pack(3) == (
        b"1 (6 2 2 1 (0 1 0) ((0 4 2 2 1)) ((Bob NIL bob example.org 1704103200 1)) one 286 "
        b"((ed234dcad093ce398a97be0ec5f727eb3028a67f 1 1795390197)) 3)"
    )


@pytest.mark.parametrize(
    ("data", "size", "thread", "createdmodseq"),
    [
        (b"0 (5 1 1 0 () () () NIL)", 0, 0, 0),
        (b"0 (5 1 1 0 () () () NIL 7)", 7, 0, 0),
        (b'0 (5 1 1 0 () () () "" 7 ((916603f2dbe6912c899100f49b911f2cd259a5c8 1 9 <x> y)))', 7, 1, 0),
        (b"1 (5 1 1 0 () () () NIL 7 () 4)", 7, 0, 4),
    ],
)
def test_conversations_of_older_versions(data: bytes, size: int, thread: int, createdmodseq: int) -> None:
    found = Conversation.unpack(data)
    assert (found.modseq, found.size, len(found.thread), found.createdmodseq) == (
        5,
        size,
        thread,
        createdmodseq,
    )


@pytest.mark.parametrize(
    "data",
    [
        b"", b"1", b"1 ", b"2 (5 1 1 0 () () () NIL)", b"1 5", b"1 (5 1 1 0 () () ())",
        b"x (5 1 1 0 () () () NIL)",
        b"1 (x 1 1 0 () () () NIL)", b"1 (5 1 1 0 x () () NIL)", b"1 (5 1 1 0 () (()) () NIL)",
        b"1 (5 1 1 0 () ((1 2 3 4 5 6)) () NIL)", b"1 (5 1 1 0 () () ((a b c)) NIL)",
        b"1 (5 1 1 0 () () () NIL 7 ((xy 1 9)) 4)", b"1 (5 1 1 0 () () () NIL 7 () 4 5)",
        b"1 (5 1 1 0 () () () (x))", b"1 (-5 1 1 0 () () () NIL)",
    ],
)  # fmt: skip
def test_nonsense_is_no_conversation(data: bytes) -> None:
    with pytest.raises(MailboxBadFormat):
        Conversation.unpack(data)


@pytest.mark.parametrize("cut", range(len(B)))
def test_a_conversation_cut_short_is_refused(cut: int) -> None:
    with pytest.raises(MailboxBadFormat):
        Conversation.unpack(B[:cut])


GUID = G_KEY[1:41].decode()


@pytest.mark.parametrize(
    ("key", "data", "expected"),
    [
        (G_KEY, G, [GuidRecord(GUID, 0, 2, "", 0x7CD0942BDBFAC52B, 2, 0x12, 0, DATE)]),
        (
            G_KEY + b"[1.2]", b"\x81" + G[1:],
            [GuidRecord(GUID, 0, 2, "1.2", 0x7CD0942BDBFAC52B, 1, 0x12, 0, DATE)],
        ),
        (G_KEY, b"7cd0942bdbfac52b", [GuidRecord(GUID, 0, 2, "", 0x7CD0942BDBFAC52B, 0)]),
        (G_KEY, b"", [GuidRecord(GUID, 0, 2, "", 0, 0)]),
        (G_KEY[:41], b"0:2,3:77[1]", [GuidRecord(GUID, 0, 2, "", 0, 0), GuidRecord(GUID, 3, 77, "1", 0, 0)]),
    ],
)  # fmt: skip
def test_guid_records_of_all_versions(key: bytes, data: bytes, expected: list[GuidRecord]) -> None:
    assert list(guids.unpack(key, data)) == expected


@pytest.mark.parametrize(
    ("key", "data"),
    [
        (b"G", G), (G_KEY[:40], G), (G_KEY[:41] + b"x0:2", G), (G_KEY[:42], G), (G_KEY[:41] + b":02", G),
        (G_KEY + b"[1", G), (G_KEY + b"[]", G), (G_KEY[:41] + b":a:b", G), (G_KEY, G[:24]),
        (G_KEY[:41], b"0:2,x"), (G_KEY, b"x" * 16),
    ],
)  # fmt: skip
def test_nonsense_is_no_guid_record(key: bytes, data: bytes) -> None:
    with pytest.raises(MailboxBadFormat):
        list(guids.unpack(key, data))


def test_status_and_quota_refuse_nonsense() -> None:
    for data in (b"", b"1 (1 2 3 4 5)", b"0 (1 2 3 4 5 6)", b"0 (1 x)", b"0 1"):
        with pytest.raises(MailboxBadFormat):
            FolderStatus.unpack(data)
    for data in (b"", b"1 %(E 1 S 2", b"1 %(E 1 S 2) ", b"2 %(E 1 S 2)", b"1 %(E -1 S 2)"):
        with pytest.raises(MailboxBadFormat):
            layout.unpack_quota(data)
    for data in (b"", b"0 7cd0942bdbfac52b", b"0  1", b"1 7cd0942bdbfac52b 1", b"0 7cd0942bdbfac52 1"):
        with pytest.raises(MailboxBadFormat):
            layout.unpack_msgid(data)
