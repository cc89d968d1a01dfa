"""What conversations read of messages, and the databases of users in a directory of our own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libcyrus import message
from libcyrus.config import Config
from libcyrus.errors import ConversationGuidLimit, IoError, MailboxBadName
from libcyrus.mailbox.index_record import DELETED, SEEN, IndexRecord
from libcyrus.message.cache import split
from libcyrus.message.msgids import find_msgids
from libcyrus.records.conversations import (
    Content,
    Conversations,
    ConversationsDb,
    Folder,
    FolderStatus,
    guids,
    layout,
    maintenance,
    subject,
    update_record,
)
from libcyrus.records.conversations.conversation import Conversation, FolderCounts, Sender, ThreadEntry
from libcyrus.records.counters import Counters
from libcyrus.records.mbentry import MboxEntry
from libcyrus.records.mboxlist import Mboxlist
from libcyrus.records.userstate import UserState


@pytest.mark.parametrize(
    ("text", "normal", "before"),
    [
        (b"", b"", b""),
        (b"Re: plans", b"plans", b"plans"),
        (b"Re: AW: Fwd: the  plans\t", b"theplans", b"theplans"),
        (b"R\xc3\xa9: plans", b"plans", b"R\xc3\xa9:plans"),
        (b"[list] Re: plans", b"plans", b"plans"),
        (b"plans [SEC=secret]", b"plans", b"plans"),
        (b"plans [other]", b"plans", b"plans[other]"),
        (b"Re[2]: plans", b"plans", b"plans"),
        (b"a [b [c] d] e", b"ae", b"a[b[c]d]e"),
        (b"a] b", b"b", b"a]b"),
        (b"a [b", b"a", b"a[b"),
        (b"a] b] c [d [e", b"c", b"a]b]c[d[e"),
        (rb"[a\] b]", rb"[a\]b]", b"b]"),
        (rb"x\y] z", rb"x\y]z", rb"x\y]z"),
        (b"a\xc2\xa0b\r\n c", b"abc", b"abc"),
        (b"12:30 train", b"30train", b"30train"),
        (b"x [SEC=a] [DLM=b]  ", b"x", b"x"),
    ],
)
def test_subjects(text: bytes, normal: bytes, before: bytes) -> None:
    assert subject.normalise(text) == normal
    assert subject.normalise_as_before(text) == before


def test_a_hostile_subject_takes_no_time() -> None:
    for text in (b"[" * 200000, b"]" * 200000, b"[]" * 100000, b"a: " * 70000, b"[[" * 50000 + b"]]" * 50000):
        subject.normalise(text)
        subject.normalise_as_before(text)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (b"", []),
        (b"<a@b>", [b"<a@b>"]),
        (b"References: <a@b> junk <c@d>\r\n\t<e@f>\r\nReferences: <g@h>\r\n", [b"<a@b>", b"<c@d>", b"<e@f>"]),
        (b'<"a b"@c> <"x\\"y"@z>', [b"<a b@c>", b'<x"y@z>']),
        (b"<a> <b@> <@c> <d@e@f> <g@h>", [b"<g@h>"]),
        (b"<a@b <c@d>", [b"<c@d>"]),
        (b"<a@b> <c@d", [b"<a@b>"]),
        (b'<"a@b> <c@d>', [b"<c@d>"]),
    ],
)
def test_message_ids_are_found(text: bytes, found: list[bytes]) -> None:
    assert find_msgids(text, 20) == found


def test_only_so_many_message_ids_count() -> None:
    text = b" ".join(b"<%d@x>" % n for n in range(100))
    assert find_msgids(text, 20) == [b"<%d@x>" % n for n in range(20)]


@given(st.binary(max_size=200))
def test_whatever_a_field_holds(data: bytes) -> None:
    for msgid in find_msgids(data, 20):
        assert msgid.startswith(b"<") and msgid.endswith(b">") and b"@" in msgid
    subject.normalise(data)
    subject.normalise_as_before(data)


def test_what_is_read_of_a_message() -> None:
    content = _content(
        b"From: Ann <ann@example.org>, bob@example.org\r\nMessage-ID: <ME@x>\r\n"
        b"In-Reply-To: ann@example.org <no@x>\r\n"
        b"References: <A@x> <b@x> <A@x> <b\xff@x>\r\nX-ME-Message-ID: <c@x> <b@x>\r\n"
        b"Subject: Re: =?utf-8?q?=C3=A4?=\r\n"
        b"\r\nhello\r\n"
    )
    assert content.msgids == [(b"<a@x>", False), (b"<b@x>", False), (b"<me@x>", False), (b"<c@x>", True)]
    assert content.subject == "ä".encode()
    assert content.same_subject("ä".encode()) and not content.same_subject(b"")
    assert content.sender is not None and content.sender.mailbox == b"ann"
    assert [part for _, part in content.parts] == ["1"]


def test_parts_have_the_numbers_that_fetch_gives_them() -> None:
    content = _content(
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\none\r\n--b\r\n"
        b"Content-Type: message/rfc822\r\n\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n"
        b"--c\r\n\r\ntwo\r\n--c\r\nContent-Type: message/rfc822\r\n\r\nSubject: x\r\n\r\nthree\r\n--c--\r\n"
        b"--b\r\n"
        b"Content-Transfer-Encoding: x-unknown\r\n\r\nfour\r\n--b--\r\n"
    )
    assert sorted(part for _, part in content.parts) == ["1", "2", "2.1", "2.2", "2.2.1"]


def _content(text: bytes) -> Content:
    record = message.parse(text).cache_record()
    return Content(lambda: split(record))


NUMBERS = st.integers(0, 2**32 - 1)
LONG = st.integers(0, 2**64 - 1)
TEXTS = st.one_of(st.none(), st.binary(max_size=40))
CONVERSATIONS = st.builds(
    Conversation,
    version=st.integers(0, 1),
    modseq=LONG,
    num_records=NUMBERS,
    exists=NUMBERS,
    unseen=NUMBERS,
    counts=st.lists(NUMBERS, min_size=3, max_size=3),
    folders=st.lists(
        st.builds(FolderCounts, st.integers(0, 999), LONG, st.integers(1, 99), NUMBERS, NUMBERS),
        max_size=5,
        unique_by=lambda folder: folder.number,
    ).map(lambda folders: sorted(folders, key=lambda folder: folder.number)),
    senders=st.lists(
        st.builds(
            Sender, TEXTS, TEXTS, st.binary(max_size=9), st.binary(max_size=9), NUMBERS, st.integers(1, 9)
        ),
        max_size=5,
    ),
    subject=TEXTS,
    size=NUMBERS,
    thread=st.lists(
        st.builds(ThreadEntry, st.binary(min_size=20, max_size=20), st.integers(1, 3), NUMBERS), max_size=5
    ),
    createdmodseq=LONG,
)


@given(CONVERSATIONS)
def test_conversations_survive_packing(conversation: Conversation) -> None:
    assert Conversation.unpack(conversation.pack(3)) == conversation


@given(st.builds(FolderStatus, LONG, NUMBERS, NUMBERS, NUMBERS, NUMBERS))
def test_states_survive_packing(status: FolderStatus) -> None:
    assert FolderStatus.unpack(status.pack()) == status


@given(st.lists(LONG, min_size=1, max_size=5), st.integers(0, 2**40))
def test_message_ids_survive_packing(cids: list[int], stamp: int) -> None:
    assert layout.unpack_msgid(layout.pack_msgid(cids, stamp)) == (cids, stamp)


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=20)))
def test_folder_lists_survive_packing(folders: list[str]) -> None:
    assert layout.unpack_folders(layout.pack_folders(folders)) == folders


@given(st.integers(1, 2), LONG, NUMBERS, NUMBERS, LONG)
def test_guid_records_survive_packing(version: int, cid: int, system: int, internal: int, date: int) -> None:
    (record,) = guids.unpack(
        guids.key(bytes(20), "3:4[1.2]"), guids.pack(version, cid, system, internal, date)
    )
    assert record == (bytes(20).hex(), 3, 4, "1.2", cid, version, system, internal, date)


# a database


class NoCounters(Counters):
    def set_modseq(self, name: str, value: int, *args: object, **kwargs: object) -> int:
        return value


@pytest.fixture
def users(tmp_path: Path) -> Iterator[ConversationsDb]:
    config = tmp_path / "imapd.conf"
    config.write_text(
        f"configdirectory: {tmp_path}\nconversations: yes\nconversations_counted_flags: \\Flagged $Mine\n"
        "conversations_max_guidinfolder: 2\n"
    )
    loaded = Config.load(config, "test")
    mailboxes = Mboxlist(loaded)
    for name in ("user.joe", "user.joe.Trash"):
        mailboxes.update(MboxEntry(name=name, uniqueid="id" + name[5:], partition="default"))
    userstate = UserState(loaded, mailboxes)
    database = ConversationsDb(loaded, userstate, NoCounters(loaded, userstate))
    yield database
    database.close()
    mailboxes.close()


INBOX = Folder("user.joe", "idjoe", ("Other", "$MINE"))
TEXT = _content(b"From: ann@example.org\r\nMessage-ID: <1@x>\r\nSubject: one\r\n\r\nhello\r\n")


def _record(uid: int, **fields: int) -> IndexRecord:
    return IndexRecord(uid=uid, guid=b"12345678901234567890", size=10, modseq=uid, **fields)


def _add(state: Conversations, uid: int, **fields: int) -> IndexRecord:
    record = _record(uid, **fields)
    record.cid = update_record(state, INBOX, None, record, TEXT).cid
    return record


def test_an_abandoned_transaction_leaves_nothing(users: ConversationsDb) -> None:
    with pytest.raises(KeyError), users.open("joe") as state:
        _add(state, 1)
        raise KeyError
    with users.open("joe") as state:
        assert state.folders == [] and not state.guid_exists(b"12345678901234567890")
        record = _add(state, 1, user_flags=2)
    with users.open("joe", shared=True) as state:
        found = state.load(record.cid)
        assert found is not None and (found.exists, found.unseen, found.counts) == (1, 1, [0, 1])
        assert state.status("idjoe") == FolderStatus(1, 1, 1, 1, 1)
        assert state.quota() == (1, 10)
        assert state.modseq(record.cid) == 1
        assert state.msgid_cids(b"<1@x>") == [record.cid]


def test_one_more_copy_is_no_more_mail(users: ConversationsDb) -> None:
    with users.open("joe") as state:
        first, second = _add(state, 1), _add(state, 2)
        assert first.cid == second.cid
        gone = first.copy()
        gone.system_flags, gone.modseq = DELETED, 3
        update_record(state, INBOX, first, gone, TEXT)
        read = second.copy()
        read.system_flags, read.modseq = SEEN, 4
        update_record(state, INBOX, second, read, TEXT)
    with users.open("joe") as state:
        found = state.load(first.cid)
        assert found is not None and (found.num_records, found.exists, found.unseen) == (1, 1, 0)
        assert state.status("idjoe") == FolderStatus(4, 1, 0, 1, 0)
        update_record(state, INBOX, read, None, TEXT)
        assert state.quota() == (0, 0)
        update_record(state, INBOX, gone, None, TEXT)
    with users.open("joe") as state:
        assert state.load(first.cid) is None
        assert not list(state.records.foreach(b"B")) and not list(state.records.foreach(b"G"))


def test_too_many_copies_are_refused(users: ConversationsDb) -> None:
    with users.open("joe") as state:
        _add(state, 1)
        _add(state, 2)
        with pytest.raises(ConversationGuidLimit):
            _add(state, 3)
        state.abort()


def test_deleted_folders_give_up_their_number(users: ConversationsDb) -> None:
    with users.open("joe") as state:
        assert [state.folder_number(key, create=True) for key in ("a", "idjoe.Trash", "b")] == [0, 1, 2]
        assert state.trash == 1
        state.rename_folder("a", None)
        state.rename_folder("b", "c")
        assert state.folders == ["-", "idjoe.Trash", "b"]
        assert state.folder_name(1) == "user.joe.Trash" and state.folder_name(0) is None
        assert state.folder_number("d", create=True) == 0
    with users.open("joe") as state:
        assert state.folders == ["d", "idjoe.Trash", "b"] and state.trash == 1


def test_folders_by_name_are_renamed(users: ConversationsDb) -> None:
    with users.open("joe") as state:
        state.records.store(layout.FOLDER_NAMES, b"(user.joe user.joe.Trash)")
        state.records.store(b"Fuser.joe.Trash", b"0 (5 1 0 1 0)")
    with users.open("joe") as state:
        assert state.by_name and state.trash == 1
        state.rename_folder("user.joe.Trash", "user.joe.Bin")
    with users.open("joe") as state:
        assert state.folders == ["user.joe", "user.joe.Bin"]
        assert state.status("user.joe.Bin") == FolderStatus(5, 1, 0, 1, 0)
        assert state.status("user.joe.Trash") == FolderStatus()


def test_the_oldest_guid_records_are_made_new_ones(users: ConversationsDb) -> None:
    prefix = guids.prefix(b"12345678901234567890")
    with users.open("joe") as state:
        state.records.store(layout.FOLDER_NAMES, b"(user.joe)")
        state.records.store(prefix, b"7:1,7:2[1]")
    with users.open("joe") as state:
        _add(state, 3)
        keys = [key.removeprefix(prefix) for key, _ in state.records.foreach(prefix)]
        assert keys == [b":0:3", b":7:1", b":7:2[1]"]


def test_message_ids_are_forgotten(users: ConversationsDb) -> None:
    with users.open("joe") as state:
        record = _add(state, 1)
        state.records.store(b"<old@x>", layout.pack_msgid([5], 100))
        state.records.store(b"<both@x>", layout.pack_msgid([5, record.cid], 100))
        assert maintenance.prune(state, 200) == (3, 1)
        assert state.msgid_cids(b"<old@x>") == [] and state.msgid_cids(b"<both@x>")


def test_a_damaged_conversation_counts_from_now(
    users: ConversationsDb, caplog: pytest.LogCaptureFixture
) -> None:
    with users.open("joe") as state:
        record = _add(state, 1)
    with users.open("joe") as state:
        state.records.store(layout.conversation_key(record.cid), b"nonsense")
        assert state.load(record.cid) is None
        assert "conversations_audit parse error" in caplog.text


def test_a_database_needs_a_user(users: ConversationsDb) -> None:
    with pytest.raises(MailboxBadName):
        users.open("")


@pytest.mark.parametrize(
    ("name", "applies"),
    [
        ("user.joe", True),
        ("user.joe.x", True),
        ("shared", False),
        ("DELETED.user.joe.5F000000", False),
        ("user.joe.#jmapsubmission", False),
    ],
)
def test_which_mailboxes_have_conversations(users: ConversationsDb, name: str, applies: bool) -> None:
    assert users.applies_to(name) is applies


def test_a_copy_in_memory_takes_the_place_of_the_file(users: ConversationsDb, tmp_path: Path) -> None:
    with users.open("joe") as state:
        record = _add(state, 1)
        before = dict(state.records.foreach())
        state.hold_in_memory()
        assert dict(state.records.foreach()) | before == dict(state.records.foreach())
        _add(state, 2)
    with users.open("joe") as state:
        assert len(list(state.guid_records(record.guid))) == 2
        kept = dict(state.records.foreach())
        state.clear()
        assert not list(state.records.foreach())
        state.abort()
    # a directory where the new file is to be made
    new = Path(users.path("joe") + ".NEW")
    new.mkdir()
    state = users.open("joe")
    state.hold_in_memory()
    _add(state, 3, internal_flags=1 << 31)
    with pytest.raises(IoError):
        state.commit()
    new.rmdir()
    with users.open("joe") as state:
        assert dict(state.records.foreach()) == kept
        state.clear()
    with users.open("joe") as state:
        assert [key for key, _ in state.records.foreach()] == [layout.COUNTED_FLAGS]
