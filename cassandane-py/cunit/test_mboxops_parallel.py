"""Several processes that create, rename, delete and fill the same mailboxes at once."""

from __future__ import annotations

import os
import random
from contextlib import suppress
from pathlib import Path

import pytest

from cassandane.crash import in_child
from libcyrus import mboxops
from libcyrus.append import Appender, Stage
from libcyrus.config import Config
from libcyrus.errors import (
    MailboxBadName,
    MailboxExists,
    MailboxHasChildren,
    MailboxMoved,
    MailboxNonexistent,
    PermissionDenied,
)
from libcyrus.mailbox.mailstore import MailStore
from libcyrus.mboxops.quotafix import QuotaFixer, Selection

MESSAGE = b"From: a@example.org\r\nSubject: x\r\nDate: Mon, 1 Jan 2024 10:00:00 +0000\r\n\r\nbody\r\n"
PROCESSES, STEPS = 4, 150
EXPECTED = (
    MailboxBadName, MailboxExists, MailboxHasChildren, MailboxMoved, MailboxNonexistent, PermissionDenied,
)  # fmt: skip


def open_store(top: Path, legacy: str) -> MailStore:
    config = Config.for_tests(
        configdirectory=str(top / "conf"),
        defaultpartition="default",
        delete_mode="delayed",
        mailbox_legacy_dirs=legacy,
        extra={"partition-default": str(top / "spool")},
    )
    return MailStore(config)


@pytest.mark.parametrize("legacy", ["no", "yes"], ids=["by id", "by name"])
def test_changes_at_once_leave_everything_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, legacy: str
) -> None:
    monkeypatch.setattr(os, "fsync", lambda fd: None)
    monkeypatch.setattr(os, "fdatasync", lambda fd: None)
    for name in ("conf", "spool"):
        (tmp_path / name).mkdir()
    store = open_store(tmp_path, legacy)
    for user in "ab":
        mboxops.create(store, f"user.{user}", is_admin=True, userid=None, auth=None)
        mboxops.set_quotas(store, f"user.{user}", [100000, -1, -1, -1])
    store.close()

    def parent() -> None:
        pids = []
        for seed in range(PROCESSES):
            pid = os.fork()
            if not pid:
                os._exit(in_child(lambda seed=seed: work(tmp_path, legacy, seed)))  # type: ignore[misc]
            pids.append(pid)
        codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
        assert codes == [0] * PROCESSES

    parent()
    store = open_store(tmp_path, legacy)
    check(store)
    store.close()


def work(top: Path, legacy: str, seed: int) -> None:
    chance = random.Random(seed)
    store = open_store(top, legacy)
    for _ in range(STEPS):
        names = [f"user.{user}.{box}" for user in "ab" for box in ("x", "x.y", "z.p.q", "s", "t")]
        name, other = chance.sample(names, 2)
        with suppress(*EXPECTED):
            match chance.choice((0, 1, 1, 2, 2, 3)):
                case 0:
                    mboxops.create(store, name, is_admin=True, userid=None, auth=None)
                case 1:
                    mboxops.rename(store, name, other, is_admin=True, userid=None, auth=None)
                case 2:
                    mboxops.delete(store, name, is_admin=True, userid=None, auth=None, force=True)
                case 3:
                    with Stage.from_bytes(store, MESSAGE) as stage, Appender.open(store, name) as appender:
                        appender.append(stage)
                        appender.commit()
    store.close()


def check(store: MailStore) -> None:
    paths = set()
    for entry in store.mboxlist.all(tombstones=True):
        assert entry.uniqueid
        known = store.mboxlist.lookup_uniqueid(entry.uniqueid)
        former = {one.name for one in known.history}
        assert known.name == entry.name or (entry.deleted and entry.name in former)
        if entry.deleted:
            continue
        with store.open(entry, write=False) as mailbox:
            assert mailbox.header.name == entry.name
            assert mailbox.header.quotaroot == store.quota.find_root(entry.name)
            paths.add(mailbox.paths.data)
            for record in mailbox.records(expunged=False):
                assert bytes(mailbox.map_message(record)) == MESSAGE
    # no directory of a mailbox that is not in the list
    headers = {str(path.parent) for path in Path(store.config.directory).parent.rglob("cyrus.header")}
    assert headers == paths
    said: list[str] = []
    with store.locks.quota_change():
        fixer = QuotaFixer(store, said.append)
        fixer.find_roots(Selection())
        fixer.fix(Selection())
    assert said == []
