"""The written lock order, asserted; and the timing of waits."""

from __future__ import annotations

import logging
import os
import re
import threading
from collections.abc import Iterator
from fcntl import fcntl
from pathlib import Path

import pytest

import libcyrus.mailbox
from libcyrus import mboxops
from libcyrus.base import lock, lock_order, lock_timer
from libcyrus.config import Config
from libcyrus.errors import InternalError
from libcyrus.mailbox.mailstore import MailStore
from libcyrus.mailbox.namelock import NameLocks
from libcyrus.mboxname import NameRules

USER_A, USER_B = "/c/lock/*U*a.lock", "/c/lock/*U*b.lock"
NAME = "/c/lock/12ab.lock"
INDEX = "/s/uuid/1/2/12ab/cyrus.index"
LIST = "/c/mailboxes.db"


@pytest.mark.parametrize(
    ("held", "wanted"),
    [
        ("/c/lock/$QUOTACHANGE.lock", USER_A),
        (USER_A, USER_B),
        ("/c/lock/*U*.lock", USER_A),
        ("/c/lock/*U*a^b.lock", "/c/lock/*U*aa.lock"),
        (USER_A, NAME),
        (NAME, INDEX),
        (INDEX, "/s/uuid/1/2/12ab/cyrus.annotations"),
        (INDEX, "/c/user/uuid/1/2/12ab/conversations.db"),
        ("/c/annotations.db", "/c/quotas.db"),
        ("/c/quota/a/user.a", "/c/quota/b/user.b"),
        ("/c/quotas.db", "/c/user/uuid/1/2/12ab/counters.db"),
        (LIST, "/c/user/a/a.counters"),
        ("/c/lock/$SUBS_UPGRADE$a.lock", "/c/user/a/a.sub"),
        (INDEX, LIST),
    ],
)
def test_locks_are_taken_downwards_only(held: str, wanted: str) -> None:
    assert lock_order.may_follow(wanted, held)
    if not held.startswith("/c/quota/"):
        assert not lock_order.may_follow(held, wanted)


def test_a_second_mailbox_may_be_locked_as_a_whole() -> None:
    other = "/c/lock/34cd.lock"
    assert lock_order.may_follow(other, INDEX)
    assert lock_order.may_follow(other, NAME)


@pytest.mark.parametrize(
    ("held", "wanted"),
    [(USER_B, USER_A), (LIST, "/c/statuscache.db"), (NAME, "/c/lock/$QUOTACHANGE.lock"), (USER_A, USER_A)],
)
def test_like_locks_have_an_order_too(held: str, wanted: str) -> None:
    assert not lock_order.may_follow(wanted, held)


def open_file(path: Path) -> int:
    path.parent.mkdir(exist_ok=True)
    return os.open(path, os.O_RDWR | os.O_CREAT)


@pytest.fixture
def paths(tmp_path: Path) -> Iterator[tuple[int, int]]:
    index, database = open_file(tmp_path / "cyrus.index"), open_file(tmp_path / "mailboxes.db")
    yield index, database
    os.close(index)
    os.close(database)


def test_a_lock_out_of_order_is_refused(paths: tuple[int, int], caplog: pytest.LogCaptureFixture) -> None:
    index, database = paths
    lock.exclusive(index)
    lock.exclusive(database)
    lock.release(index)
    with pytest.raises(InternalError, match=r"cyrus\.index while holding \S*mailboxes\.db"):
        lock.shared(index)
    assert "lock order violated" in caplog.text
    # it was not taken, and trying is allowed
    assert lock.try_exclusive(index)


def test_what_ended_with_its_descriptor_is_not_held(tmp_path: Path, paths: tuple[int, int]) -> None:
    index, _ = paths
    other = open_file(tmp_path / "other.db")
    lock.exclusive(other)
    os.close(other)
    lock.exclusive(index)
    again = open_file(tmp_path / "other.db")
    assert again == other
    lock.release(index)
    lock.exclusive(index)
    os.close(again)


def test_an_idle_mailbox_gives_its_name_up_for_a_namespace(tmp_path: Path) -> None:
    config = Config.for_tests(configdirectory=str(tmp_path))
    locks = NameLocks(config, NameRules.from_config(config))
    idle = libcyrus.mailbox.namelock.MailboxLocks(locks, "a", "1234")
    idle.take(exclusive=False)
    with locks.user("a", exclusive=False):
        assert idle.has_name
    idle.release_user()
    assert idle.has_name
    with locks.user("b", exclusive=False):
        assert not idle.has_name
    idle.release_name()


@pytest.mark.parametrize(
    ("limit", "logged"),
    [("0.001", True), ("1e-3 seconds", True), ("60", False), ("0", False), ("soon", False)],
)
def test_long_waits_are_logged(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    limit: str,
    logged: bool,
) -> None:
    monkeypatch.setattr(lock, "_lock", fcntl)
    lock_timer.install(limit)
    path = tmp_path / "mailboxes.db"
    holder, waiter = open_file(path), open_file(path)
    assert lock.try_exclusive(holder)
    timer = threading.Timer(0.05, lock.release, [holder])
    timer.start()
    with caplog.at_level(logging.DEBUG):
        lock.exclusive(waiter)
    timer.join()
    assert bool(re.search(rf"locktimer: reopen {path} \(0\.\d\ds\)", caplog.text)) == logged
    os.close(holder)
    os.close(waiter)


def test_making_a_quota_root_takes_the_lock_that_recounting_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the original does, so that no quota -f counts a mailbox twice or not at all."""
    (tmp_path / "spool").mkdir()
    config = Config.for_tests(
        configdirectory=str(tmp_path / "conf"),
        defaultpartition="default",
        extra={"partition-default": str(tmp_path / "spool")},
    )
    store = MailStore(config)
    mboxops.create(store, "user.a", is_admin=True, userid=None, auth=None)
    taken: list[str] = []
    monkeypatch.setattr(lock_order, "check", lambda fd: taken.append(os.path.basename(lock.path_of(fd))))
    mboxops.set_quotas(store, "user.a", [10, -1, -1, -1])
    names = [name for name in taken if name.endswith(".lock") or name == "cyrus.index"]
    uniqueid = store.lookup("user.a").uniqueid
    assert names[:4] == ["$QUOTACHANGE.lock", "*U*a.lock", f"{uniqueid}.lock", "cyrus.index"]
    store.close()
