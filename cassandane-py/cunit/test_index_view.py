"""A selected mailbox: who has seen what, what is recent, flags as they are told, changes of many messages."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from libcyrus import acl, mboxops
from libcyrus.append import Appender, Stage
from libcyrus.auth import AuthState
from libcyrus.config import Config
from libcyrus.errors import MailboxNonexistent, PermissionDenied
from libcyrus.index.rows import Rows
from libcyrus.index.store import FlagChange, store
from libcyrus.index.view import IndexView
from libcyrus.mailbox.index_record import ANSWERED, DELETED, DRAFT, FLAGGED, SEEN
from libcyrus.mailbox.mailstore import MailStore

MESSAGE = b"From: a@example.org\r\nSubject: x\r\n\r\nbody %d\r\n"
NAME = "user.ann"
ADMIN = AuthState("admin")


class Spool:
    """A private spool; each view has a store of its own, as another process would."""

    def __init__(self, directory: Path) -> None:
        for name in ("conf", "spool"):
            (directory / name).mkdir()
        self.config = Config.for_tests(
            configdirectory=str(directory / "conf"),
            defaultpartition="default",
            extra={"partition-default": str(directory / "spool")},
        )
        self.stores: list[MailStore] = []
        self.views: list[IndexView] = []
        self.main = self.store()
        mboxops.create(self.main, NAME, is_admin=True, userid=None, auth=None)
        for user, rights in (("bob", "lrswite"), ("eve", "lr"), ("sam", "lrs")):
            mboxops.set_acl(self.main, NAME, user, rights, is_admin=True, userid="admin", auth=ADMIN)

    def store(self) -> MailStore:
        self.stores.append(MailStore(self.config))
        return self.stores[-1]

    def append(self, count: int) -> None:
        with Appender.open(self.main, NAME) as appender:
            for number in range(count):
                with Stage.from_bytes(self.main, MESSAGE % number) as stage:
                    appender.append(stage)
            appender.commit()

    def view(self, user: str, *, readonly: bool = False) -> IndexView:
        view = IndexView.open(self.store(), NAME, user, AuthState(user), readonly=readonly)
        view.release()
        self.views.append(view)
        return view

    def close(self) -> None:
        for view in self.views:
            view.close()
        for mailstore in self.stores:
            mailstore.close()


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    spool = Spool(tmp_path)
    yield spool
    spool.close()


def change(view: IndexView, sequence: str, operation: FlagChange, system: int = 0, *names: str) -> list[int]:
    """Change flags and end the command; the UIDs of messages that the client is told of."""
    store(view, sequence, operation, system, names, by_uid=True, silent=False)
    told = [update.uid for update in view.changes(expunges=True, refresh=False).fetches]
    view.release()
    return told


def flags(view: IndexView) -> list[str]:
    view.changes(expunges=True)
    view.release()
    rows = Rows(view.picture, 1, len(view.picture))
    whole = view.flag_lists(rows)
    assert whole == [view.flags(number) for number in range(1, len(view.picture) + 1)]
    return [flag_list.decode() for flag_list in whole]


def check_counters(spool: Spool) -> None:
    """The header's counters and CRCs are what the records make them."""
    with spool.store().open(NAME, write=True) as mailbox:
        before = repr(mailbox.i)
        mailbox.changes.recalculate()
        assert repr(mailbox.i) == before
        mailbox.abort()


def test_each_user_has_a_seen_state(spool: Spool) -> None:
    """RFC 4314 section 4: \\Seen may be a user's own."""
    spool.append(4)
    ann, bob = spool.view("ann"), spool.view("bob")
    assert flags(ann) == ["(\\Recent)"] * 4
    assert flags(bob) == ["(\\Recent)"] * 4
    assert change(ann, "1:2", FlagChange.ADD, SEEN) == [1, 2]
    # the owner's change is news to others, even if they do not see a difference
    assert change(bob, "2:3", FlagChange.ADD, SEEN | ANSWERED) == [1, 2, 3]
    assert flags(ann) == [
        "(\\Recent \\Seen)", "(\\Recent \\Answered \\Seen)", "(\\Recent \\Answered)", "(\\Recent)",
    ]  # fmt: skip
    again = spool.view("bob")
    assert flags(again) == ["()", "(\\Answered \\Seen)", "(\\Answered \\Seen)", "()"]
    assert (again.first_unseen, spool.view("ann").first_unseen) == (1, 3)
    assert change(again, "3", FlagChange.REMOVE, SEEN) == [3]
    assert flags(spool.view("bob"))[2] == "(\\Answered)"


def test_a_message_is_recent_to_one_session(spool: Spool) -> None:
    spool.append(2)
    first, second = spool.view("ann"), spool.view("ann")
    assert (first.recent, second.recent) == (2, 0)
    spool.append(1)
    assert second.changes(expunges=True).recent == 1
    second.release()
    assert first.changes(expunges=True).recent == 2
    first.release()


def test_who_only_looks_claims_nothing(spool: Spool) -> None:
    spool.append(2)
    assert spool.view("ann", readonly=True).recent == 2
    assert spool.view("ann").recent == 2


@pytest.mark.parametrize(
    ("operation", "system", "names", "result"),
    [
        (FlagChange.ADD, DRAFT, ("New",), "(\\Flagged \\Draft Old New)"),
        (FlagChange.REMOVE, FLAGGED, (), "(Old)"),
        (FlagChange.REMOVE, 0, ("Old",), "(\\Flagged)"),
        (FlagChange.REPLACE, SEEN | DELETED, (), "(\\Deleted \\Seen)"),
        (FlagChange.REPLACE, 0, ("New", "old"), "(Old New)"),
        (FlagChange.REPLACE, 0, (), "()"),
    ],
)
def test_flags_are_added_removed_and_replaced(
    spool: Spool, operation: FlagChange, system: int, names: tuple[str, ...], result: str
) -> None:
    spool.append(3)
    view = spool.view("ann")
    change(view, "2", FlagChange.ADD, FLAGGED, "Old")
    assert change(view, "2", operation, system, *names) == [2]
    assert flags(spool.view("ann"))[1] == result
    assert change(view, "2", operation, system, *names) == []
    check_counters(spool)


def test_flags_of_many_change_at_once(spool: Spool) -> None:
    names = [f"Flag{number}" for number in range(40)]
    spool.append(60)
    view = spool.view("ann")
    change(view, "1:60", FlagChange.ADD, FLAGGED, *names)
    before = view.highestmodseq
    assert change(view, "1:40", FlagChange.REMOVE, FLAGGED, *names[1:]) == list(range(1, 41))
    assert view.highestmodseq == before + 40
    assert [view.modseq(number) for number in (1, 2, 40)] == [before + 1, before + 2, before + 40]
    assert change(view, "30:50", FlagChange.ADD, SEEN) == list(range(30, 51))
    lists = flags(view)
    assert lists[0] == "(\\Recent Flag0)" and lists[29] == "(\\Recent \\Seen Flag0)"
    assert lists[59] == f"(\\Recent \\Flagged {' '.join(names)})"
    check_counters(spool)


def test_rights_limit_what_changes(spool: Spool) -> None:
    """RFC 4314 section 4: s for \\Seen, t for \\Deleted, w for the others."""
    spool.append(2)
    with pytest.raises(PermissionDenied):
        change(spool.view("eve"), "1", FlagChange.ADD, SEEN)
    sam = spool.view("sam")
    assert change(sam, "1", FlagChange.ADD, SEEN | FLAGGED, "X") == [1]
    assert flags(sam)[0] == "(\\Recent \\Seen)"
    with pytest.raises(PermissionDenied):
        change(sam, "1", FlagChange.REPLACE, SEEN | FLAGGED)
    with pytest.raises(PermissionDenied):
        change(sam, "1", FlagChange.ADD, DELETED)
    assert not sam.rights & acl.WRITE
    check_counters(spool)


def test_expunged_messages_are_told_and_counted(spool: Spool) -> None:
    spool.append(10)
    ann, bob = spool.view("ann"), spool.view("bob")
    change(ann, "2:4,8", FlagChange.ADD, DELETED)
    ann.expunge("1:4")
    assert ann.changes(expunges=True, refresh=False).expunged == [2, 2, 2]
    ann.release()
    check_counters(spool)
    assert bob.changes(expunges=False).expunged == ()
    assert len(bob.picture) == 10
    assert bob.changes(expunges=True).expunged == [2, 2, 2]
    bob.release()
    ann.expunge()
    assert ann.changes(expunges=True, refresh=False).expunged == [5]
    ann.release()
    check_counters(spool)


def test_reading_marks_as_seen_what_was_not(spool: Spool) -> None:
    spool.append(5)
    for user in ("ann", "bob"):
        view = spool.view(user)
        change(view, "2", FlagChange.ADD, SEEN)
        view.mark_seen([1, 2, 4])
        told = view.changes(expunges=True, refresh=False).fetches
        view.release()
        assert [update.uid for update in told] == [1, 4]
        seen = [number for number, text in enumerate(flags(spool.view(user)), 1) if "\\Seen" in text]
        assert seen == [1, 2, 4]
    check_counters(spool)


def test_a_deleted_mailbox_is_empty(spool: Spool) -> None:
    spool.append(3)
    view = spool.view("ann")
    mboxops.delete(spool.main, NAME, is_admin=True, userid="admin", auth=ADMIN, force=True)
    held_back = view.changes(expunges=False)
    assert held_back.mailbox_gone and not held_back.expunged and view.exists == 3
    news = view.changes(expunges=True)
    assert news.mailbox_gone and news.expunged == [1, 1, 1] and str(news.vanished) == "1:3"
    with pytest.raises(MailboxNonexistent), view.locked(write=False):
        pass


def test_only_the_recent_mark_does_not_wait_for_the_disk(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool.append(2)
    synced: list[int] = []
    monkeypatch.setattr(os, "fdatasync", synced.append)
    first = spool.view("ann")
    assert (first.recent, spool.view("ann").recent) == (2, 0)
    assert not synced
    change(first, "1", FlagChange.ADD, FLAGGED)
    assert synced
