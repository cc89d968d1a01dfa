"""What is left of an operation on mailboxes when its process dies at any call that changes a file.

The list must be in order, what it names must be whole with all messages, and the operation must be
possible (again) afterwards, with the same result as without the crash.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cassandane.crash import DIED, die_at, in_child, restore, snapshot
from libcyrus import mboxops
from libcyrus.append import Appender, Stage
from libcyrus.config import Config
from libcyrus.errors import MailboxExists, MailboxNonexistent
from libcyrus.mailbox.mailstore import MailStore
from libcyrus.mboxops.quotafix import QuotaFixer, Selection
from libcyrus.records.quota import Resource

MESSAGE = b"From: a@example.org\r\nSubject: x\r\nDate: Mon, 1 Jan 2024 10:00:00 +0000\r\n\r\nbody\r\n"

Action = Callable[[MailStore], None]


@pytest.fixture(params=["no", "yes"], ids=["by id", "by name"])
def spool(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    # it is processes that die here, not the system
    monkeypatch.setattr(os, "fsync", lambda fd: None)
    monkeypatch.setattr(os, "fdatasync", lambda fd: None)
    for name in ("conf", "spool", "two"):
        (tmp_path / name).mkdir()
    (tmp_path / "legacy").write_text(request.param)
    with_store(tmp_path, prepare)
    yield tmp_path


def with_store(spool: Path, action: Action, delete_mode: str = "delayed") -> None:
    config = Config.for_tests(
        configdirectory=str(spool / "conf"),
        defaultpartition="default",
        delete_mode=delete_mode,
        mailbox_legacy_dirs=(spool / "legacy").read_text(),
        allowusermoves="yes",
        extra={"partition-default": str(spool / "spool"), "partition-two": str(spool / "two")},
    )
    store = MailStore(config)
    try:
        action(store)
    finally:
        store.close()


def prepare(store: MailStore) -> None:
    for name in ("user.a", "user.a.x", "user.a.x.y"):
        mboxops.create(store, name, is_admin=True, userid=None, auth=None)
        with Stage.from_bytes(store, MESSAGE) as stage, Appender.open(store, name) as appender:
            appender.append(stage)
            appender.commit()
    mboxops.set_quotas(store, "user.a", [1000, -1, -1, -1])


def create(store: MailStore) -> None:
    mboxops.create(store, "user.a.p.q", is_admin=True, userid=None, auth=None)


def rename(store: MailStore) -> None:
    _rename_or_go_on(store, "user.a.x", "user.a.z")


def rename_user(store: MailStore) -> None:
    _rename_or_go_on(store, "user.a", "user.b")


def _rename_or_go_on(store: MailStore, old: str, new: str) -> None:
    """What somebody would do who finds the mailbox renamed, but not all below it."""
    left = [entry.name for entry in store.mboxlist.tree(old)]
    if left and left[0] == old:
        left = [old]
    for name in left:
        mboxops.rename(store, name, new + name[len(old) :], is_admin=True, userid=None, auth=None)


def move(store: MailStore) -> None:
    mboxops.rename(store, "user.a", "user.a", is_admin=True, userid=None, auth=None, partition="two")


def delete(store: MailStore) -> None:
    mboxops.delete(store, "user.a.x.y", is_admin=True, userid=None, auth=None, force=True)


ACTIONS = [(create, "delayed"), (rename, "delayed"), (rename_user, "delayed"), (move, "delayed"),
           (delete, "delayed"), (delete, "immediate")]  # fmt: skip


def state(store: MailStore, *, finished: bool = True) -> dict[str, int]:
    """Mailboxes and how many messages they have, each of them whole; and the list in order."""
    found: dict[str, int] = {}
    for entry in store.mboxlist.all(tombstones=True):
        assert entry.uniqueid
        known = store.mboxlist.lookup_uniqueid(entry.uniqueid)
        assert known.name == entry.name or (
            entry.deleted and entry.name in {one.name for one in known.history}
        )
        if entry.deleted:
            continue
        with store.open(entry, write=False) as mailbox:
            assert mailbox.header.name == entry.name or not finished
            records = list(mailbox.records(expunged=False))
            for record in records:
                assert bytes(mailbox.map_message(record)) == MESSAGE
            name = entry.name.rpartition(".")[0] if entry.name.startswith("DELETED") else entry.name
            found[name] = len(records)
    return found


def counted(store: MailStore) -> dict[str, list[int]]:
    """What the mailboxes of each quota root use together."""
    total: dict[str, list[int]] = {}
    for entry in store.mboxlist.all():
        root = store.quota.find_root(entry.name)
        if root is not None:
            with store.open(entry, write=False) as mailbox:
                sums = total.setdefault(root, [0] * len(Resource))
                total[root] = [a + b for a, b in zip(sums, mailbox.usage(), strict=True)]
    return total


def count_anew(store: MailStore) -> None:
    """quota -f: usage and the mailboxes' files do not change in one step, here as in the original."""
    with store.locks.quota_change():
        fixer = QuotaFixer(store, lambda line: None)
        fixer.find_roots(Selection())
        fixer.fix(Selection())


def used(store: MailStore) -> dict[str, list[int]]:
    return {quota.root: list(quota.used) for quota in store.quota.all()}


@pytest.mark.parametrize(("action", "mode"), ACTIONS)
def test_dying_at_any_call_leaves_all_mailboxes_whole(spool: Path, action: Action, mode: str) -> None:
    saved = snapshot(spool)
    wanted: list[dict[str, int]] = []
    with_store(spool, action, mode)
    with_store(spool, lambda store: wanted.append(state(store)))
    for step in range(2000):
        restore(spool, saved)

        def work(step: int = step) -> None:
            die_at(step)
            with_store(spool, action, mode)

        code = in_child(work)
        assert code in (0, DIED)

        def check(store: MailStore) -> None:
            before = state(store, finished=False)
            assert sum(before.values()) >= (2 if mode == "immediate" else 3)
            try:
                action(store)
            except (MailboxExists, MailboxNonexistent):
                pass
            assert state(store) == wanted[0]
            count_anew(store)
            assert counted(store) == used(store)

        try:
            with_store(spool, check, mode)
        except BaseException as error:
            raise AssertionError(f"after dying at {step}") from error
        if code == 0:
            break
    assert step > 3
