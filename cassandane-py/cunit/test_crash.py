"""What every storage operation leaves behind when its process is killed, or the machine, at any moment.

One row of ``OPERATIONS`` is one operation. It is run once, and the directory noted before each call that
changes a file, as it is then and as a power cut may leave it (``crash.record``). In each of these states
everything must open without a tool; each part (mailbox, list, rights, quota, ...) must be as before or as
after; no message that the operation keeps may be missing; and doing it again must end as if nothing had
happened. Once it was acknowledged, all must be as after.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from cassandane import crash
from libcyrus import mboxops
from libcyrus.append import Appender, Stage
from libcyrus.auth import AuthState
from libcyrus.base import files
from libcyrus.config import Config
from libcyrus.errors import CyrusError, Fatal, MailboxExists, MailboxNonexistent
from libcyrus.index.copy import copy
from libcyrus.index.store import FlagChange
from libcyrus.index.store import store as store_flags
from libcyrus.index.view import IndexView
from libcyrus.mailbox import expunge, index_record, reconstruct
from libcyrus.mailbox.mailbox import Mailbox
from libcyrus.mailbox.mailstore import MailStore
from libcyrus.mailbox.repack import repack
from libcyrus.records.annotate import Annotation
from libcyrus.records.duplicate import DuplicateDb, DuplicateKey
from libcyrus.records.seen import SeenData, SeenDb
from libcyrus.records.subscriptions import Subscriptions

Action = Callable[[MailStore], None]
Picture = dict[str, Any]

MESSAGE = b"From: a@example.org\r\nSubject: %d\r\nDate: Mon, 1 Jan 2024 10:00:00 +0000\r\n\r\nbody %d\r\n"
STRAYS = re.compile(
    r"found - adding|rediscovered - appending|removing stale annotations|update header acl from mailboxes\.db"
)
"""What reconstruct says of what belongs to no record, and of a copy that nobody reads."""
COMMENT = "/vendor/cmu/cyrus-imapd/comment"


@dataclass(frozen=True)
class Operation:
    """``settings`` are options of imapd.conf; ``again``: a second time it changes nothing more.

    ``loose`` are parts that have other states in between; ``may_lose`` those that a power cut may take back.
    """

    name: str
    action: Action
    settings: dict[str, str] = field(default_factory=dict)
    again: bool = True
    loose: tuple[str, ...] = ()
    may_lose: tuple[str, ...] = ()


# the world in which it all happens


def with_store(top: Path, settings: dict[str, str], action: Action) -> None:
    options: dict[str, Any] = {
        "expunge_mode": "immediate", "delete_mode": "immediate", "allowusermoves": "yes",
        "statuscache": "yes", **settings,
    }  # fmt: skip
    config = Config.for_tests(
        configdirectory=str(top / "conf"),
        defaultpartition="default",
        extra={"partition-default": str(top / "spool"), "partition-two": str(top / "two")},
        **options,
    )
    store = MailStore(config)
    try:
        action(store)
    finally:
        store.close()


def prepare(store: MailStore) -> None:
    for name in ("user.a", "user.a.x", "user.a.x.y", "user.b", "user.b.t"):
        mboxops.create(store, name, is_admin=True, userid=None, auth=None)
    for root in ("user.a", "user.b"):
        mboxops.set_quotas(store, root, [1000, 100, -1, -1])
    for number in (1, 2, 3):
        append(store, "user.a", number)
    append(store, "user.a.x", 11, ("Work",))
    append(store, "user.a.x.y", 12)
    set_acl(store, "user.a", "b", "lrs")
    set_acl(store, "user.b", "a", "lrswi")
    mboxops.write_annotation(store, "user.a.x", COMMENT, "", b"old")
    with store.open("user.a", write=True) as mailbox:
        mailbox.changes.annotate(1, Annotation("1", "/comment", "", b"old"), "")
    see(store, "1")


def append(store: MailStore, name: str, number: int, flags: tuple[str, ...] = ()) -> int:
    with Stage.from_bytes(store, MESSAGE % (number, number)) as stage, Appender.open(store, name) as appender:
        uid = appender.append(stage, flags=flags).uid
        appender.commit()
    return uid


def append_one(name: str, flags: tuple[str, ...], store: MailStore) -> None:
    append(store, name, 4, flags)


def append_many(store: MailStore) -> None:
    with ExitStack() as stages, Appender.open(store, "user.a", quota=(300, 3, 0, 0)) as appender:
        for number in (4, 5, 6):
            stage = stages.enter_context(Stage.from_bytes(store, MESSAGE % (number, number)))
            appender.append(stage, flags=("\\Flagged", "New", "\\Seen"))
        appender.commit()


def deliver(store: MailStore) -> None:
    """To two mailboxes, from one staged file."""
    with Stage.from_bytes(store, MESSAGE % (4, 4)) as stage:
        for name in ("user.a.x", "user.b"):
            with Appender.open(store, name) as appender:
                appender.append(stage)
                appender.commit()


def viewing(store: MailStore, name: str, do: Callable[[IndexView], object], userid: str = "a") -> None:
    view = IndexView.open(store, name, userid, AuthState(userid), readonly=False)
    do(view)
    view.close()


def change_flags(sequence: str, view: IndexView) -> None:
    flags = ("Work", "New")
    store_flags(view, sequence, FlagChange.ADD, index_record.FLAGGED, flags, by_uid=True, silent=False)


def expunge_two(store: MailStore) -> None:
    with store.open("user.a", write=True) as mailbox:
        expunge.expunge(mailbox, lambda record: record.uid in (1, 3))
    store.run_cleanup()


def expunge_in_bulk(store: MailStore) -> None:
    with store.open("user.a", write=True) as mailbox:
        expunge.expunge_records(mailbox, [recno for recno in (1, 3) if recno <= mailbox.num_records])
    store.run_cleanup()


def repack_it(store: MailStore) -> None:
    with store.open("user.a", write=True, exclusive=True) as mailbox:
        repack(mailbox)


def copy_to(target: str, store: MailStore, *, move: bool = False) -> None:
    def do(view: IndexView) -> None:
        copy(view, "2:3", target, AuthState("a"), by_uid=True, move=move, ignore_quota=False)

    viewing(store, "user.a", do)


def create(name: str, store: MailStore) -> None:
    mboxops.create(store, name, is_admin=True, userid=None, auth=None)


def rename(old: str, new: str, store: MailStore, partition: str | None = None) -> None:
    """What somebody would do who finds the mailbox renamed, but not all below it."""
    left = [entry.name for entry in store.mboxlist.tree(old)]
    if left and left[0] == old != new:
        left = [old]
    for name in left:
        with suppress(MailboxExists):
            target = new + name[len(old) :]
            mboxops.rename(
                store, name, target, is_admin=True, userid=None, auth=None, partition=partition
            )


def delete(name: str, store: MailStore) -> None:
    mboxops.delete(store, name, is_admin=True, userid=None, auth=None, force=True)


def set_acl(store: MailStore, name: str, userid: str, rights: str) -> None:
    mboxops.set_acl(store, name, userid, rights, is_admin=True, userid=None, auth=None)


def annotate_message(store: MailStore) -> None:
    with store.open("user.a", write=True) as mailbox:
        mailbox.changes.annotate(2, Annotation("2", "/comment", "", b"new and longer"), "")


def see(store: MailStore, uids: str) -> None:
    uniqueid = store.lookup("user.a").uniqueid
    assert uniqueid
    with SeenDb(store.config, store.userstate, "b", create=True) as database:
        database.lock_read(uniqueid)
        database.write(uniqueid, SeenData(0, 3, 0, uids))


def subscribe(store: MailStore) -> None:
    mboxops.subscribe(store, "user.a.x", "a", None, add=True, force=True)


def mark_duplicate(store: MailStore) -> None:
    database = DuplicateDb(store.config)
    database.mark(DuplicateKey(b"<id@example.org>", b"user.a"), 1_700_000_000, 1)
    database.close()


LEGACY = {"mailbox_legacy_dirs": "yes"}
DELAYED = {"delete_mode": "delayed", "expunge_mode": "delayed"}
OLD_QUOTA = {"quota_db": "quotalegacy"}
THREADS = {"conversations": "yes"}
SKIPLIST = {"mboxlist_db": "skiplist", "annotation_db": "skiplist", "quota_db": "skiplist"}

OPERATIONS = [
    Operation("append", partial(append_one, "user.a", ("\\Flagged", "Work")), again=False),
    Operation("append to an empty mailbox", partial(append_one, "user.b.t", ()), again=False),
    Operation("append many", append_many, again=False),
    Operation("append many, old quota", append_many, OLD_QUOTA, again=False),
    Operation("append many with conversations", append_many, THREADS, again=False),
    Operation("deliver", deliver, again=False),
    Operation("flags", partial(viewing, name="user.a", do=partial(change_flags, "1:*"))),
    Operation("flags of one", partial(viewing, name="user.a", do=partial(change_flags, "2"))),
    Operation("expunge", expunge_two),
    Operation("expunge in bulk", expunge_in_bulk, again=False),
    Operation("expunge, delayed", expunge_two, DELAYED),
    Operation("expunge with conversations", expunge_two, THREADS),
    Operation("repack", repack_it),
    Operation("copy", partial(copy_to, "user.a.x"), again=False),
    Operation("copy to another user", partial(copy_to, "user.b"), again=False),
    Operation("move", partial(copy_to, "user.a.x", move=True), again=False),
    Operation("move to another user", partial(copy_to, "user.b", move=True), again=False),
    Operation("move with conversations", partial(copy_to, "user.a.x", move=True), THREADS, again=False),
    Operation("create", partial(create, "user.a.p.q")),
    Operation("create a user", partial(create, "user.c")),
    Operation("create in the old layout", partial(create, "user.a.p.q"), LEGACY),
    Operation("create a user in the old layout", partial(create, "user.c"), LEGACY),
    Operation("create with skiplist", partial(create, "user.a.p"), SKIPLIST),
    Operation("rename in place", partial(rename, "user.a.x", "user.a.z")),
    Operation("rename with conversations", partial(rename, "user.a.x", "user.a.z"), THREADS),
    Operation("rename by copy", partial(rename, "user.a.x", "user.a.z"), LEGACY),
    # its rights and its quota follow it in steps of their own, as the original's do
    Operation("rename a user", partial(rename, "user.a", "user.c"), again=False, loose=("entry user.c",)),
    Operation("rename a user in the old layout", partial(rename, "user.a", "user.c"), LEGACY, again=False,
              loose=("entry user.c",)),
    Operation("move to another partition", partial(rename, "user.a.x", "user.a.x", partition="two")),
    Operation("delete", partial(delete, "user.a.x.y")),
    Operation("delete in the old layout", partial(delete, "user.a.x.y"), LEGACY),
    # the INBOX goes first, and who deletes again finds it gone, as with the original
    Operation("delete a user", partial(delete, "user.a"), again=False, loose=("annotation ?",)),
    Operation("delete later", partial(delete, "user.a.x.y"), DELAYED),
    Operation("delete a user later", partial(delete, "user.a"), DELAYED, again=False),
    Operation("delete later in the old layout", partial(delete, "user.a.x.y"), DELAYED | LEGACY),
    Operation("rights", lambda store: set_acl(store, "user.a", "b", "lrswi")),
    Operation("quota limits", lambda store: mboxops.set_quotas(store, "user.a", [5, -1, -1, -1])),
    Operation("new quota root", lambda store: mboxops.set_quotas(store, "user.a.x", [5, -1, -1, -1])),
    Operation("no quota root", lambda store: mboxops.unset_quotas(store, "user.a"), again=False),
    Operation("annotation", lambda store: mboxops.write_annotation(store, "user.a.x", COMMENT, "", b"new")),
    Operation("annotation with skiplist",
              lambda store: mboxops.write_annotation(store, "user.a.x", COMMENT, "", b"new"), SKIPLIST),
    Operation("message annotation", annotate_message, again=False),
    Operation("seen", lambda store: see(store, "1:3")),
    Operation("subscribe", subscribe),
    Operation("subscribe with twoskip", subscribe, {"subscription_db": "twoskip"}),
    # a repetition let through is no loss
    Operation("duplicate", mark_duplicate, may_lose=("duplicates",)),
]  # fmt: skip


# looking at it


def plain(name: str) -> str:
    """Without the time at the end of the name of a mailbox deleted for later."""
    return name.rpartition(".")[0] if name.startswith("DELETED") else name


def picture(store: MailStore) -> Picture:
    """All there is, part by part, having checked that each part is whole."""
    shown: Picture = {}
    names: dict[str, str] = {}
    for entry in store.mboxlist.all(tombstones=True):
        assert entry.uniqueid
        known = store.mboxlist.lookup_uniqueid(entry.uniqueid)
        former = {one.name for one in known.history}
        assert known.name == entry.name or (entry.deleted and entry.name in former)
        if entry.deleted:
            continue
        name = names[entry.uniqueid] = plain(entry.name)
        shown[f"entry {name}"] = (entry.acl, entry.partition, entry.mbtype)
        with store.open(entry, write=False) as mailbox:
            shown[f"mail {name}"] = messages(mailbox)
    for annotation in store.annotations.all():
        where = names.get(annotation.owner, "?")
        shown[f"annotation {where} {annotation.entry}"] = annotation.value
    for quota in store.quota.all():
        shown[f"limits {quota.root}"] = list(quota.limits)
        shown[f"used {quota.root}"] = list(quota.used)
    subscriptions = Subscriptions(store.config, store.userstate)
    for userid in "abc":
        shown[f"subscriptions {userid}"] = subscriptions.list(userid)
    for uniqueid, name in names.items():
        try:
            with SeenDb(store.config, store.userstate, "b") as database:
                shown[f"seen {name}"] = database.read(uniqueid).uids
        except CyrusError:
            shown[f"seen {name}"] = ""
    duplicates = DuplicateDb(store.config)
    shown["duplicates"] = [when for _, when, _ in duplicates.all()]
    duplicates.close()
    return shown


def messages(mailbox: Mailbox) -> list[tuple[Any, ...]]:
    found = []
    names = mailbox.header.flags
    for record in mailbox.records(expunged=False):
        assert len(bytes(mailbox.map_message(record))) == record.size
        assert mailbox.cache(record)
        flags = [name for bit, name in enumerate(names) if record.user_flags >> bit & 1]
        notes = sorted((one.entry, one.value) for one in mailbox.annotations.of(record.uid))
        found.append((record.uid, record.guid, record.system_flags, *flags, *notes))
    assert len(found) == mailbox.i.exists
    return found


def guids(shown: Picture) -> set[bytes]:
    return {row[1] for part, rows in shown.items() if part.startswith("mail ") for row in rows}


def lasting(shown: Picture, operation: Operation) -> Picture:
    """Without what a power cut may leave as it was: what is counted, for one."""
    loose = ("used ", *operation.may_lose)
    return {part: value for part, value in shown.items() if not part.startswith(loose)}


def complaints(store: MailStore, *, strays: bool) -> list[str]:
    """What reconstruct would do; ``strays``: but for files that never got a record."""
    lines: list[str] = []
    for entry in list(store.mboxlist.all()):
        userid = store.rules.from_internal(entry.name).userid
        with store.locks.user(userid):
            options = reconstruct.Options(make_changes=False, parse=True)
            mailbox = reconstruct.reconstruct(store, entry.name, options, lines.append)
            mailbox.abort()
            mailbox.close()
    return [line for line in lines if not (strays and STRAYS.search(line))]


def check_between(shown: Picture, before: Picture, after: Picture, loose: tuple[str, ...] = ()) -> None:
    for part in {**shown, **before, **after}:
        now, old, new = shown.get(part), before.get(part), after.get(part)
        if part.startswith("used ") and now is not None:
            # what is counted and what counts it do not change in one step
            for number, value in enumerate(now):
                counts = [counted[number] for counted in (old, new) if counted is not None]
                assert 0 <= value <= sum(counts), part
            continue
        if loose and part.startswith(loose):
            continue
        assert now in (old, new), (part, now, old, new)
    assert guids(shown) >= guids(before) & guids(after)


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[tuple[str, str], ...], crash.Files]:
    return {}


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    # the disk is simulated, and there is no end of complaints about what was interrupted
    monkeypatch.setattr(os, "fsync", lambda fd: None)
    monkeypatch.setattr(os, "fdatasync", lambda fd: None)
    logging.disable(logging.ERROR)
    yield
    logging.disable(logging.NOTSET)


def world_of(settings: dict[str, str], top: Path, worlds: dict[Any, crash.Files]) -> crash.Files:
    """The prepared directories for these settings, which are made once."""
    key = tuple(sorted(settings.items()))
    if key not in worlds:
        for name in ("conf", "spool", "two"):
            (top / name).mkdir()
        with_store(top, settings, prepare)
        worlds[key] = crash.snapshot(top)
    return worlds[key]


def before_and_after(operation: Operation, top: Path, saved: crash.Files) -> tuple[Picture, Picture]:
    crash.restore(top, saved)
    pictures: list[Picture] = []
    for action in (lambda store: None, operation.action):
        with_store(top, operation.settings, action)
        with_store(top, operation.settings, lambda store: pictures.append(picture(store)))
    return pictures[0], pictures[1]


def run(operation: Operation, top: Path, worlds: dict[Any, crash.Files], most: int) -> int:
    """Try ``most`` of the moments, and all that come after the acknowledgement; returns how many."""
    settings = operation.settings
    saved = world_of(settings, top, worlds)
    before, after = before_and_after(operation, top, saved)
    crash.restore(top, saved)
    moments = crash.record(top, partial(with_store, top, settings, operation.action))
    step = max(1, len(moments) // most)
    moments = [one for number, one in enumerate(moments) if one.acknowledged or number % step == 0]
    for moment in moments:
        crash.restore(top, moment.files, moment.links)

        def check(store: MailStore, moment: crash.Moment = moment) -> None:
            if moment.acknowledged:
                shown = picture(store)
                check_between(shown, before, after)
                assert lasting(shown, operation) == lasting(after, operation)
                if moment.label.endswith("killed"):
                    assert shown == after
                assert complaints(store, strays=False) == []
                return
            shown = picture(store)
            check_between(shown, before, after, operation.loose)
            assert complaints(store, strays=True) == []
            if operation.again:
                try:
                    operation.action(store)
                except (MailboxExists, MailboxNonexistent):
                    pass
                assert lasting(picture(store), operation) == lasting(after, operation)
            uids = [row[0] for row in shown["mail user.b"]]
            assert append(store, "user.b", 99) > max(uids, default=0)

        try:
            with_store(top, settings, check)
        except BaseException as error:
            raise AssertionError(f"{operation.name}, after dying at {moment.label}") from error
    return len(moments)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name.replace(" ", "-"))
def test_a_crash_at_any_moment_leaves_all_in_order(
    operation: Operation, tmp_path: Path, worlds: dict[Any, crash.Files], quiet: None
) -> None:
    assert run(operation, tmp_path, worlds, most=25) > 3


@pytest.mark.long
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name.replace(" ", "-"))
def test_a_crash_at_every_moment_leaves_all_in_order(
    operation: Operation, tmp_path: Path, worlds: dict[Any, crash.Files], quiet: None
) -> None:
    assert run(operation, tmp_path, worlds, most=10_000) > 3


@pytest.mark.parametrize("name", ["append", "append many", "deliver", "copy", "create", "move"])
def test_a_crash_where_only_a_directory_keeps_names(
    name: str, tmp_path: Path, worlds: dict[Any, crash.Files], quiet: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place in (files, crash):
        monkeypatch.setattr(place, "sync_keeps_names", lambda _device: False)
    (operation,) = (one for one in OPERATIONS if one.name == name)
    assert run(operation, tmp_path, worlds, most=25) > 3


@pytest.mark.parametrize("ordered", [True, False])
def test_how_often_a_delivery_waits_for_the_disk(
    ordered: bool, tmp_path: Path, worlds: dict[Any, crash.Files], monkeypatch: pytest.MonkeyPatch
) -> None:
    """For the message once, for each mailbox once, and where that keeps no names for its directory."""
    settings = {"statuscache": "no"}
    crash.restore(tmp_path, world_of(settings, tmp_path, worlds))
    # new caches and longer numbers in quotas need more
    for _ in range(3):
        with_store(tmp_path, settings, deliver)
    waits = []
    for call in ("fsync", "fdatasync"):
        monkeypatch.setattr(os, call, lambda fd: waits.append(os.readlink(f"/proc/self/fd/{fd}")))
    monkeypatch.setattr(files, "sync_keeps_names", lambda _device: ordered)
    with_store(tmp_path, settings, deliver)
    staged, *others = waits
    assert "/stage./" in staged
    indexes = [path for path in others if path.endswith("/cyrus.index")]
    directories = [os.path.dirname(path) for path in indexes] if not ordered else []
    assert len(indexes) == 2
    assert sorted(others) == sorted(indexes + directories)


def fill(operation: Operation, top: Path, worlds: dict[Any, crash.Files], every: int) -> int:
    """Let the disk be full from each of its calls on in turn; returns how many needed room."""
    saved = world_of(operation.settings, top, worlds)
    before, after = before_and_after(operation, top, saved)
    step, full = 0, True

    def check(step: int, store: MailStore) -> None:
        nonlocal full
        refused = False
        with crash.full_disk(step) as failed:
            try:
                operation.action(store)
            except (CyrusError, Fatal):
                refused = True
        shown = picture(store)
        check_between(shown, before, after, operation.loose)
        if not refused:
            # what it could do without is missing, or left over
            exempt = replace(operation, may_lose=operation.may_lose + operation.loose)
            assert lasting(shown, exempt) == lasting(after, exempt), failed
        elif operation.again or lasting(shown, operation) == lasting(before, operation):
            with suppress(MailboxExists, MailboxNonexistent):
                operation.action(store)
            assert lasting(picture(store), operation) == lasting(after, operation), failed
        assert complaints(store, strays=True) == [], failed
        full = bool(failed)

    while full:
        crash.restore(top, saved)
        try:
            with_store(top, operation.settings, partial(check, step))
        except BaseException as error:
            raise AssertionError(f"{operation.name}, the disk full from call {step} on") from error
        step += every
    return step


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name.replace(" ", "-"))
def test_a_full_disk_is_a_failure_that_passes(
    operation: Operation, tmp_path: Path, worlds: dict[Any, crash.Files], quiet: None
) -> None:
    fill(operation, tmp_path, worlds, every=5)


@pytest.mark.long
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name.replace(" ", "-"))
def test_a_disk_full_from_any_call_on_is_a_failure_that_passes(
    operation: Operation, tmp_path: Path, worlds: dict[Any, crash.Files], quiet: None
) -> None:
    fill(operation, tmp_path, worlds, every=1)
