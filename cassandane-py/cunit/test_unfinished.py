"""What the next one puts right when a process died in the middle of an operation on mailboxes.

At any moment what mailboxes.db names is whole with all messages; ``test_crash`` shows that too, for power
cuts as well. Here it is what comes afterwards: everything is as before, or as if nothing had happened in
between, with nothing left over on disk and the right sums in the quota roots.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cassandane import crash
from cassandane.crash import DIED, die_at, in_child, restore, snapshot
from imap.admin import relocate_by_id
from imap.admin.ctl_mboxlist import verify_directories
from libcyrus import cyrusdb, mboxops
from libcyrus import options as opt
from libcyrus.append import Appender, Stage
from libcyrus.base.dataclasses import dataclass
from libcyrus.config import Config
from libcyrus.errors import IoError
from libcyrus.mailbox.mailstore import MailStore
from libcyrus.mboxname import Namespace, sieve_path
from libcyrus.records import mbtype as mbtypes
from libcyrus.records.mboxlist import Change
from libcyrus.records.quota import Resource
from libcyrus.records.subscriptions import Subscriptions

MESSAGE = b"From: a@example.org\r\nSubject: x\r\nDate: Mon, 1 Jan 2024 10:00:00 +0000\r\n\r\nbody\r\n"
LIMITS = [1000, -1, -1, -1]

Action = Callable[[MailStore], None]


@pytest.fixture(params=["no", "yes"], ids=["by id", "by name"])
def spool(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    # it is processes that die here, not the system
    monkeypatch.setattr(os, "fsync", lambda fd: None)
    monkeypatch.setattr(os, "fdatasync", lambda fd: None)
    monkeypatch.setattr(crash, "CALLS", tuple({*crash.CALLS, "rmdir"}))
    for name in ("conf", "spool", "two"):
        (tmp_path / name).mkdir()
    (tmp_path / "legacy").write_text(request.param)
    with_store(tmp_path, prepare)
    yield tmp_path


def with_store(spool: Path, action: Action, delete_mode: str = "delayed") -> None:
    config = Config.for_tests(
        configdirectory=str(spool / "conf"),
        sievedir=str(spool / "conf/sieve"),
        defaultpartition="default",
        delete_mode=delete_mode,
        mailbox_legacy_dirs=(spool / "legacy").read_text(),
        allowusermoves="yes",
        extra={
            "partition-default": str(spool / "spool"),
            "partition-two": str(spool / "two"),
        },
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
    mboxops.set_quotas(store, "user.a", LIMITS)
    mboxops.set_quotas(store, "user.a.x.y", LIMITS)
    Subscriptions(store.config, store.userstate).add("a", "user.a.x")
    inbox = store.mboxlist.inbox("a")
    scripts = sieve_path(store.config.overflow("sieve") or f"{store.config.directory}/sieve",
                         store.rules.from_userid("a"), inbox.path_id)  # fmt: skip
    os.makedirs(scripts)
    Path(scripts, "script").write_text("keep;")


def create(store: MailStore) -> None:
    mboxops.create(store, "user.a.p", is_admin=True, userid=None, auth=None)


def rename(store: MailStore) -> None:
    mboxops.rename(store, "user.a.x", "user.a.n.z", is_admin=True, userid=None, auth=None)


def rename_user(store: MailStore) -> None:
    mboxops.rename(store, "user.a", "user.b", is_admin=True, userid=None, auth=None)


def move(store: MailStore) -> None:
    mboxops.rename(store, "user.a", "user.a", is_admin=True, userid=None, auth=None, partition="two")


def delete(store: MailStore) -> None:
    mboxops.delete(store, "user.a.x.y", is_admin=True, userid=None, auth=None, force=True)


def delete_user(store: MailStore) -> None:
    mboxops.delete(store, "user.a", is_admin=True, userid=None, auth=None, force=True)


def set_quota(store: MailStore) -> None:
    mboxops.set_quotas(store, "user.a.x", LIMITS)


def unset_quota(store: MailStore) -> None:
    mboxops.unset_quotas(store, "user.a.x.y")


def set_acl(store: MailStore) -> None:
    mboxops.set_acl(store, "user.a.x", "b", "lrs", is_admin=True, userid=None, auth=None)


ACTIONS = [
    (create, "delayed"), (rename, "delayed"), (rename_user, "delayed"), (move, "delayed"),
    (delete, "delayed"), (delete, "immediate"), (delete_user, "delayed"), (delete_user, "immediate"),
    (set_quota, "delayed"), (set_acl, "delayed"),
]  # fmt: skip


@dataclass(frozen=True)
class State:
    """All of it that should not depend on when a process died."""

    mailboxes: dict[str, tuple[str, str, str, int]]
    usage: dict[str, list[int]]
    subscriptions: dict[str, list[str]]
    data: set[str]


def state(store: MailStore) -> State:
    """Mailboxes with partition, ACL, quota root and number of messages, each of them whole."""
    mailboxes: dict[str, tuple[str, str, str, int]] = {}
    for entry in store.mboxlist.all():
        with store.open(entry, write=False) as mailbox:
            records = list(mailbox.records(expunged=False))
            for record in records:
                assert bytes(mailbox.map_message(record)) == MESSAGE
            name = entry.name.rpartition(".")[0] if entry.name.startswith("DELETED") else entry.name
            found = (mailbox.partition, mailbox.acl, mailbox.quotaroot or "", len(records))
            mailboxes[name] = found
    subscriptions = Subscriptions(store.config, store.userstate)
    listed = {user: subscriptions.list(user) for user in "ab" if store.mboxlist.get(f"user.{user}")}
    top = Path(store.config.directory)
    users = [path for below in ("user", "sieve") for path in (top / below).rglob("*") if path.is_file()]
    data = {f"{path.parent.name[:1]}/{path.name}" for path in users if not path.name.endswith(".lock")}
    return State(mailboxes, {quota.root: list(quota.used) for quota in store.quota.all()}, listed, data)


def assert_whole(store: MailStore) -> None:
    """What must be true at any moment, for those who read and deliver mail."""
    for entry in store.mboxlist.all(tombstones=True):
        assert entry.uniqueid
        known = store.mboxlist.lookup_uniqueid(entry.uniqueid)
        assert known.name == entry.name or (
            entry.deleted and entry.name in {one.name for one in known.history}
        )
        if not entry.deleted:
            with store.open(entry, write=False) as mailbox:
                for record in mailbox.records(expunged=False):
                    assert bytes(mailbox.map_message(record)) == MESSAGE


def assert_consistent(store: MailStore) -> None:
    """What must be true once things were put right."""
    assert list(verify_directories(store.config, store.mboxlist)) == []
    used: dict[str, list[int]] = {quota.root: [0] * len(Resource) for quota in store.quota.all()}
    files: set[str] = set()
    for entry in store.mboxlist.all():
        with store.open(entry, write=False) as mailbox:
            header, root = mailbox.header, store.quota.find_root(entry.name)
            assert (header.name, header.acl, header.quotaroot) == (entry.name, entry.acl, root)
            if root is not None:
                used[root] = [one + more for one, more in zip(used[root], mailbox.usage(), strict=True)]
            records = list(mailbox.records(unlinked=False))
            files.update(os.path.abspath(mailbox.message_path(record)) for record in records)
    assert {quota.root: list(quota.used) for quota in store.quota.all()} == used
    top = Path(store.config.directory).parent
    assert {str(path) for name in ("spool", "two") for path in (top / name).rglob("[0-9]*.")} == files
    left = top / "conf/unfinished"
    assert not left.is_dir() or list(left.iterdir()) == []


LONG = (rename, rename_user, move, delete_user)


@pytest.mark.parametrize(("action", "mode"), ACTIONS)
def test_dying_at_some_calls_undoes_or_finishes(spool: Path, action: Action, mode: str) -> None:
    """At any call, of those operations that are not long."""
    die_at_each(spool, action, mode, every=13 if action in LONG else 2)


@pytest.mark.long
@pytest.mark.parametrize(("action", "mode"), [one for one in ACTIONS if one[0] in LONG])
def test_dying_at_any_call_undoes_or_finishes(spool: Path, action: Action, mode: str) -> None:
    die_at_each(spool, action, mode, every=1)


def die_at_each(spool: Path, action: Action, mode: str, every: int) -> None:
    saved = snapshot(spool)
    states: list[State] = []
    with_store(spool, lambda store: states.append(state(store)))
    with_store(spool, action, mode)
    with_store(spool, lambda store: states.append(state(store)))
    with_store(spool, assert_consistent)
    before, after = states
    seen = set()
    for step in range(0, 3000, every):
        restore(spool, saved)

        def work(step: int = step) -> None:
            die_at(step)
            with_store(spool, action, mode)

        code = in_child(work)
        assert code in (0, DIED)

        def check(store: MailStore) -> None:
            assert_whole(store)
            mboxops.repair_all(store)
            found = state(store)
            assert found in (before, after)
            assert_consistent(store)
            seen.add(found == after)
            if found == before:
                action(store)
                assert state(store) == after
                assert_consistent(store)

        try:
            with_store(spool, check, mode)
        except BaseException as error:
            raise AssertionError(f"after dying at {step}") from error
        if code == 0:
            break
    assert step > 3 and seen == {False, True}


def test_the_next_operation_finds_what_was_left(spool: Path) -> None:
    """Without repair_all(): another operation of that user comes first."""
    saved = snapshot(spool)
    for step in range(0, 1000, 17):
        restore(spool, saved)

        def work(step: int = step) -> None:
            die_at(step)
            with_store(spool, rename_user)

        code = in_child(work)

        def other(store: MailStore) -> None:
            owner = "a" if store.mboxlist.get("user.a") is not None else "b"
            mboxops.create(store, f"user.{owner}.more", is_admin=True, userid=None, auth=None)
            assert_consistent(store)

        with_store(spool, other)
        if code == 0:
            break


def test_notes_that_make_no_sense(tmp_path: Path) -> None:
    """Rubbish goes, what a later version wrote stays, what another process is writing is left alone."""
    (tmp_path / "spool").mkdir()
    notes = tmp_path / "unfinished"
    notes.mkdir()
    contents = {"1-a-0": b"", "1-a-1": b"{}", "1-a-2": b"[1]", "1-a-3": b'{"version": 2}', "1-a-4": b"\xff{"}
    for name, content in contents.items():
        (notes / name).write_bytes(content)
    (notes / f".{os.getpid()}-b-0").touch()
    (notes / ".999999999-c-0").touch()
    config = Config.for_tests(
        configdirectory=str(tmp_path), defaultpartition="default",
        extra={"partition-default": str(tmp_path / "spool")},
    )  # fmt: skip
    store = MailStore(config)
    assert mboxops.repair_all(store) == 0
    mboxops.create(store, "user.a", is_admin=True, userid=None, auth=None)
    assert sorted(path.name for path in notes.iterdir()) == [f".{os.getpid()}-b-0", "1-a-3"]
    store.close()


def fail(*_: object) -> None:
    raise IoError


def test_what_fails_is_undone_at_once(spool: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before: list[State] = []
    with_store(spool, lambda store: before.append(state(store)))

    def work(store: MailStore) -> None:
        for action in (rename_user, move, rename):
            with monkeypatch.context() as patch, pytest.raises(IoError):
                patch.setattr(Change, "update", fail)
                action(store)
            assert state(store) == before[0]
            assert_consistent(store)

    with_store(spool, work)


@pytest.mark.parametrize("spool", ["yes"], indirect=True, ids=["by name"])
def test_a_relocation_by_id_is_finished(spool: Path) -> None:
    saved = snapshot(spool)
    before: list[State] = []
    with_store(spool, lambda store: before.append(state(store)))

    def relocate(store: MailStore) -> None:
        space = Namespace.from_config(store.config, admin=True)
        relocate_by_id.Run(store, space, False, lambda line: None).tree("a", users=True)

    for step in range(0, 1000, 3):
        restore(spool, saved)

        def work(step: int = step) -> None:
            die_at(step)
            with_store(spool, relocate)

        code = in_child(work)
        assert code in (0, DIED)

        def check(store: MailStore) -> None:
            mboxops.repair_all(store)
            assert_whole(store)
            assert_consistent(store)
            relocate(store)
            assert not any(entry.mbtype & mbtypes.LEGACY_DIRS for entry in store.mboxlist.all())
            found = state(store)
            assert (found.mailboxes, found.usage) == (before[0].mailboxes, before[0].usage)
            assert found.subscriptions == before[0].subscriptions
            assert_consistent(store)

        with_store(spool, check)
        if code == 0:
            break
    scripts = [path.relative_to(spool / "conf") for path in (spool / "conf").rglob("script")]
    assert [path.parts[:2] for path in scripts] == [("sieve", "uuid")]


def test_conversations_come_back_with_a_mailbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A delayed delete takes them away before it fails."""
    (tmp_path / "spool").mkdir()
    config = Config.for_tests(
        configdirectory=str(tmp_path), conversations="yes", defaultpartition="default",
        extra={"partition-default": str(tmp_path / "spool")},
    )  # fmt: skip
    store = MailStore(config)
    prepare(store)
    path = store.conversations.path("user.a")

    def known() -> set[bytes]:
        with cyrusdb.open_db(config[opt.conversations_db], path) as database:
            return {key for key, _ in database.foreach()}

    before = known()
    with monkeypatch.context() as patch, pytest.raises(IoError):
        patch.setattr(Change, "update", fail)
        mboxops.delete(store, "user.a.x.y", is_admin=True, userid=None, auth=None, force=True)
    assert known() == before and len(before) > 3
    store.close()
