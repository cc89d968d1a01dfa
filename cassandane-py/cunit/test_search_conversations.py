"""Searching and sorting by conversations, and where messages are, on mailboxes of two users."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from libcyrus import acl, mboxops
from libcyrus.append import Appender, Stage
from libcyrus.auth import AuthState
from libcyrus.config import Config
from libcyrus.index import whereabouts
from libcyrus.index.store import FlagChange, store
from libcyrus.index.view import IndexView
from libcyrus.mailbox.index_record import DELETED, SEEN
from libcyrus.mailbox.mailstore import MailStore
from libcyrus.records.conversations import guids
from libcyrus.records.conversations.conversation import Conversation, unpack_summary
from libcyrus.search import evaluate
from libcyrus.search.evaluate import Rules
from libcyrus.search.expr import ConversationFlag, ConversationModseq, Expr, Not
from libcyrus.search.sort import Criterion, Key, sort

RULES = Rules()
THREADS = (1, 1, 3, 3, 3, 6)
"""The first message of each message's conversation."""


def message(number: int) -> bytes:
    ids = f"Message-ID: <{number}@x>\r\nReferences: <t{THREADS[number - 1]}@x>\r\n"
    return f"{ids}Subject: x\r\n\r\n{number}\r\n".encode("ascii")


def append(mailstore: MailStore, name: str, *numbers: int) -> None:
    with Appender.open(mailstore, name) as appender:
        for number in numbers:
            with Stage.from_bytes(mailstore, message(number)) as stage:
                appender.append(stage)
        appender.commit()


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[MailStore]:
    for name in ("conf", "spool"):
        (tmp_path / name).mkdir()
    config = Config.for_tests(
        configdirectory=str(tmp_path / "conf"),
        defaultpartition="default",
        conversations="yes",
        conversations_counted_flags=r"\Draft Work",
        extra={"partition-default": str(tmp_path / "spool")},
    )
    mailstore = MailStore(config)
    for name in ("user.ann", "user.ann.Trash", "user.ann.Sub", "user.bob", "shared"):
        mboxops.create(mailstore, name, is_admin=True, userid=None, auth=None)
    append(mailstore, "user.ann", *range(1, 7))
    append(mailstore, "user.ann.Sub", 1)
    append(mailstore, "user.bob", 1)
    append(mailstore, "shared", 1)
    yield mailstore
    mailstore.close()


def opened(spool: MailStore, name: str = "user.ann") -> IndexView:
    return IndexView.open(spool, name, "ann", AuthState("ann"), readonly=False)


def found(view: IndexView, expr: Expr) -> list[int]:
    view.changes(expunges=False)
    return list(evaluate.find(view, expr, RULES))


def test_flags_are_those_of_the_whole_conversation(spool: MailStore) -> None:
    view = opened(spool)
    # not the one that is unseen elsewhere
    store(view, "2", FlagChange.ADD, SEEN, ("Work",), by_uid=True, silent=True)
    store(view, "3:5", FlagChange.ADD, SEEN, (), by_uid=True, silent=True)
    some_seen, all_seen = ConversationFlag(r"\seen"), ConversationFlag(r"\SEEN", on_all=True)
    assert found(view, some_seen) == [1, 2, 3, 4, 5]
    assert found(view, all_seen) == [3, 4, 5]
    assert found(view, Not(some_seen)) == [6]
    assert found(view, ConversationFlag("work")) == [1, 2]
    assert found(view, ConversationFlag("WORK", on_all=True)) == []
    assert found(view, ConversationFlag("uncounted")) == []
    append(spool, "user.ann.Trash", 4)
    assert found(view, all_seen) == [3, 4, 5]
    assert found(view, ConversationFlag(r"\SeenInclTrash", on_all=True)) == []
    view.close()


def test_modseqs_are_those_of_the_whole_conversation(spool: MailStore) -> None:
    view = opened(spool)
    store(view, "4", FlagChange.ADD, SEEN, (), by_uid=True, silent=True)
    assert found(view, ConversationModseq(view.highestmodseq)) == [3, 4, 5]
    assert found(view, ConversationModseq(view.highestmodseq + 1)) == []
    view.close()


def test_sorting_by_conversations(spool: MailStore) -> None:
    view = opened(spool)
    store(view, "2", FlagChange.ADD, SEEN, ("Work",), by_uid=True, silent=True)
    numbers = range(1, 7)

    def order(key: Key, argument: str = "", *, reverse: bool = False) -> list[int]:
        return sort(view, numbers, [Criterion(key, reverse, argument)], utf8=False)

    assert order(Key.CONVEXISTS) == [6, 1, 2, 3, 4, 5]
    assert order(Key.CONVSIZE, reverse=True) == [3, 4, 5, 1, 2, 6]
    assert order(Key.CONVMODSEQ) == [3, 4, 5, 6, 1, 2]
    assert order(Key.HASCONVFLAG, "Work", reverse=True) == [1, 2, 3, 4, 5, 6]
    assert order(Key.HASCONVFLAG, "Work") == [3, 4, 5, 6, 1, 2]
    assert order(Key.HASCONVFLAG, "none") == [*numbers]
    view.close()


def test_shared_mailboxes_have_no_conversations(spool: MailStore) -> None:
    view = opened(spool, "shared")
    assert found(view, ConversationFlag(r"\seen")) == found(view, ConversationModseq(0)) == []
    assert sort(view, [1], [Criterion(Key.CONVSIZE)], utf8=False) == [1]
    view.close()


def places(view: IndexView, userid: str, *hidden: str) -> list[list[str]]:
    entries = whereabouts.find(
        view, userid, range(1, view.exists + 1), lambda entry: entry.name not in hidden
    )
    return [[entry.name for entry in found] for found in entries.values()]


def test_messages_are_found_where_they_are(spool: MailStore) -> None:
    view = opened(spool)
    everywhere = [["user.ann", "user.ann.Sub"], *[["user.ann"]] * 5]
    assert places(view, "ann") == everywhere
    assert places(view, "ann", "user.ann") == [["user.ann.Sub"], *[[]] * 5]
    assert places(view, "bob") == [["user.bob"], *[[]] * 5]
    view.close()
    shared = opened(spool, "shared")
    assert places(shared, "ann") == [["user.ann", "user.ann.Sub"]]
    sub = opened(spool, "user.ann.Sub")
    store(sub, "1", FlagChange.ADD, DELETED, (), by_uid=True, silent=True)
    sub.close()
    assert places(shared, "ann") == [["user.ann"]]
    shared.close()


def test_records_of_old_databases_are_looked_up(spool: MailStore) -> None:
    """They do not say whether a message is deleted."""
    view = opened(spool)
    guid = bytes(view.record_data(1)[60:80])
    with spool.lock_users("ann"), spool.conversations.db.open("ann") as state:
        number = state.folder_number(spool.lookup("user.ann.Sub").uniqueid or "")
        for uid in (1, 99):
            state.records.store(guids.key(guid, f"{number}:{uid}"), b"")
    assert places(view, "ann")[0] == ["user.ann", "user.ann.Sub"]
    sub = opened(spool, "user.ann.Sub")
    store(sub, "1", FlagChange.ADD, DELETED, (), by_uid=True, silent=True)
    sub.close()
    with spool.lock_users("ann"), spool.conversations.db.open("ann") as state:
        state.records.store(guids.key(guid, f"{number}:1"), b"")
    assert places(view, "ann")[0] == ["user.ann"]
    view.close()


def test_only_visible_places_are_told(spool: MailStore) -> None:
    view = opened(spool)
    rights = {entry.name: entry.acl for entry in spool.mboxlist.user_tree("ann")}
    assert all(spool.acl_rules.myrights(AuthState("ann"), text) & acl.READ for text in rights.values())
    assert places(view, "ann", "user.ann.Sub")[0] == ["user.ann"]
    view.close()


@pytest.mark.parametrize(
    "record",
    [
        Conversation(
            modseq=5, num_records=3, exists=2, unseen=1, counts=[1, 0], size=77, subject=b"a (b) 1 ()"
        ),
        Conversation(modseq=1, num_records=1, exists=1, subject=b'"\r\n 9 () 3)'),
        Conversation(num_records=1),
    ],
)
def test_the_numbers_of_a_record_can_be_read_alone(record: Conversation) -> None:
    packed = record.pack(2)
    assert tuple(unpack_summary(packed)) == tuple(Conversation.unpack(packed).summary)
    assert unpack_summary(packed).count(5) == 0
