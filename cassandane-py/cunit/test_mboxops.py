"""Creating, renaming and deleting mailboxes on a store of their own, without a server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from libcyrus import mboxops
from libcyrus.auth import AuthState
from libcyrus.config import Config
from libcyrus.errors import (
    AnnotationBadEntry,
    CyrusError,
    MailboxBadName,
    MailboxExists,
    MailboxHasChildren,
    MailboxNonexistent,
    MailboxNotSupported,
    MailboxSpecialUse,
    PartitionUnknown,
    PermissionDenied,
    QuotaExceeded,
)
from libcyrus.mailbox.mailstore import MailStore
from libcyrus.mboxops.quotafix import QuotaFixer, Selection
from libcyrus.records import mbtype
from libcyrus.records.quota import UNLIMITED
from libcyrus.records.subscriptions import Subscriptions

ADMIN: dict[str, Any] = {"is_admin": True, "userid": "admin", "auth": AuthState("admin")}
JOE: dict[str, Any] = {"is_admin": False, "userid": "joe", "auth": AuthState("joe")}
ANN: dict[str, Any] = {"is_admin": False, "userid": "ann", "auth": AuthState("ann")}
LIMITS = [1000, UNLIMITED, UNLIMITED, UNLIMITED]


def make_store(tmp_path: Path, **options: Any) -> MailStore:
    spools = {"partition-default": str(tmp_path / "spool"), "partition-two": str(tmp_path / "two")}
    defaults: dict[str, Any] = {"configdirectory": str(tmp_path / "conf"), "defaultpartition": "default"}
    extra = spools | options.pop("extra", {})
    return MailStore(Config.for_tests(**(defaults | options), extra=extra))


@pytest.fixture
def store(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[MailStore]:
    mark = request.node.get_closest_marker("imapd_conf")
    opened = make_store(tmp_path, **(mark.kwargs if mark else {}))
    for user in ("joe", "ann"):
        mboxops.create(opened, f"user.{user}", **ADMIN)
    yield opened
    opened.close()


def listed(store: MailStore, prefix: str = "") -> list[str]:
    return [entry.name for entry in store.mboxlist.all(prefix)]


def acl_of(store: MailStore, name: str) -> str:
    """The ACL, which mailboxes.db and cyrus.header must agree on."""
    in_list = store.mboxlist.lookup(name).acl or ""
    with store.open(name, write=False) as mailbox:
        assert mailbox.header.acl == in_list
    return in_list


# create


def test_a_new_mailbox_inherits_from_its_parent(store: MailStore) -> None:
    mboxops.set_acl(store, "user.joe", "ann", "lrs", **JOE)
    entry = mboxops.create(store, "user.joe.Sent", **JOE)
    assert entry.acl == acl_of(store, "user.joe.Sent") == "joe\tlrswipkxtecdan\tann\tlrs\t"
    assert entry.partition == "default" and entry.uniqueid is not None and len(entry.uniqueid) == 24
    assert store.mboxlist.lookup_uniqueid(entry.uniqueid).name == "user.joe.Sent"
    assert acl_of(store, "user.ann") == "ann\tlrswipkxtecdan\t"
    mboxops.create(store, "shared", **ADMIN)
    assert acl_of(store, "shared") == "anyone\tlrs\t"


def test_missing_levels_are_made_too(store: MailStore) -> None:
    mboxops.create(store, "user.joe.a.b.c", **JOE)
    mboxops.create(store, "user.joe.INBOX.x", **JOE)
    mboxops.create(store, "shared.x.y", **ADMIN)
    assert listed(store) == [
        "shared", "shared.x", "shared.x.y", "user.ann", "user.joe", "user.joe.INBOX.x", "user.joe.a",
        "user.joe.a.b", "user.joe.a.b.c",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "who", "error"),
    [
        ("user.joe", JOE, MailboxExists),
        ("user.ann", JOE, PermissionDenied),
        ("user.ann.x", JOE, PermissionDenied),
        ("user.bob", JOE, PermissionDenied),
        ("user.bob.x", ADMIN, PermissionDenied),
        ("shared", JOE, PermissionDenied),
        ("user.joe.a%b", JOE, MailboxBadName),
        ("user.joe.INBOX.inbox", JOE, MailboxBadName),
        ("", ADMIN, MailboxBadName),
    ],
)
def test_what_may_not_be_created(
    store: MailStore, name: str, who: dict[str, Any], error: type[CyrusError]
) -> None:
    before = listed(store)
    with pytest.raises(error):
        mboxops.create(store, name, **who)
    assert listed(store) == before


def test_an_unknown_partition_leaves_nothing_behind(store: MailStore) -> None:
    with pytest.raises(PartitionUnknown):
        mboxops.create(store, "user.joe.x.y", partition="nowhere", **ADMIN)
    assert store.mboxlist.get("user.joe.x") is None
    assert mboxops.create(store, "user.joe.x", partition="two", **ADMIN).partition == "two"
    assert mboxops.create(store, "user.joe.x.y", **JOE).partition == "two"


def test_a_mailbox_over_a_tombstone_has_another_uidvalidity(store: MailStore) -> None:
    first = mboxops.create(store, "user.joe.x", **JOE)
    mboxops.delete(store, "user.joe.x", **JOE)
    second = mboxops.create(store, "user.joe.x", **JOE)
    assert second.uidvalidity > first.uidvalidity and second.uniqueid != first.uniqueid


def test_folders_count_for_a_quota(store: MailStore) -> None:
    mboxops.set_quotas(store, "user.joe", [UNLIMITED, UNLIMITED, UNLIMITED, 2])
    mboxops.create(store, "user.joe.a", **JOE)
    with pytest.raises(QuotaExceeded):
        mboxops.create(store, "user.joe.b", **JOE)
    assert store.quota.read("user.joe").used == [0, 0, 0, 2]


def test_one_s_own_missing_inbox_is_made(store: MailStore) -> None:
    bob: dict[str, Any] = {"is_admin": False, "userid": "bob", "auth": AuthState("bob")}
    mboxops.create(store, "user.bob", **bob)
    assert acl_of(store, "user.bob") == "bob\tlrswipkxtecdan\t" and store.quota.get("user.bob") is None


@pytest.mark.imapd_conf(autocreate_quota="500", implicit_owner_rights="lkxn")
def test_without_the_right_to_it_comes_with_a_quota(store: MailStore) -> None:
    bob: dict[str, Any] = {"is_admin": False, "userid": "bob", "auth": AuthState("bob")}
    mboxops.create(store, "user.bob", **bob)
    assert store.quota.read("user.bob").limits == [500, UNLIMITED, UNLIMITED, UNLIMITED]


# special use


def test_special_uses(store: MailStore) -> None:
    use = mboxops.validate_specialuse(store, "joe", ["\\sent"])
    assert use == "\\Sent"
    entry = mboxops.create(store, "user.joe.Gesendet", specialuse=use, **JOE)
    assert (
        store.annotations.lookup_mailbox(entry.uniqueid or "", entry.name, "/specialuse", "joe") == b"\\Sent"
    )
    assert store.mboxlist.lookup("user.joe.Gesendet").foldermodseq == 2
    found = mboxops.find_specialuse(store, "joe", "\\Sent")
    assert found is not None and found.name == "user.joe.Gesendet"
    inbox = mboxops.find_specialuse(store, "joe", "\\Inbox")
    assert inbox is not None and inbox.name == "user.joe"
    with pytest.raises(MailboxSpecialUse):
        mboxops.validate_specialuse(store, "joe", ["\\Sent"])
    with pytest.raises(AnnotationBadEntry):
        mboxops.validate_specialuse(store, "joe", ["\\All"])
    with pytest.raises(MailboxSpecialUse):
        mboxops.create(store, "user.joe.a.b", specialuse="\\Trash", **JOE)
    for refused in ("user.joe.x.y", "shared"):
        with pytest.raises(MailboxSpecialUse):
            mboxops.rename(store, "user.joe.Gesendet", refused, **JOE)
    with pytest.raises(MailboxSpecialUse):
        mboxops.delete(store, "user.joe.Gesendet", **JOE)
    mboxops.rename(store, "user.joe.Gesendet", "user.joe.Sent", **JOE)


# delete


def test_a_delayed_delete_is_a_rename_out_of_sight(store: MailStore) -> None:
    entry = mboxops.create(store, "user.joe.x", **JOE)
    mboxops.delete(store, "user.joe.x", **JOE)
    tombstone = store.mboxlist.lookup_all("user.joe.x")
    assert tombstone.deleted and tombstone.uniqueid == entry.uniqueid and tombstone.foldermodseq == 2
    (kept,) = listed(store, "DELETED.")
    assert kept.startswith("DELETED.user.joe.x.") and store.mboxlist.lookup(kept).uniqueid == entry.uniqueid
    with store.open(kept, write=False) as mailbox:
        assert mailbox.header.name == kept
    mboxops.delete(store, kept, **ADMIN)
    assert store.mboxlist.get_all(kept) is None


def test_one_name_can_be_deleted_many_times_a_second(store: MailStore) -> None:
    for _ in range(3):
        mboxops.create(store, "user.joe.x", **JOE)
        mboxops.delete(store, "user.joe.x", **JOE)
    assert len(set(listed(store, "DELETED."))) == 3


@pytest.mark.imapd_conf(delete_mode="immediate")
def test_an_immediate_delete_removes_the_files(store: MailStore, tmp_path: Path) -> None:
    entry = mboxops.create(store, "user.joe.x", **JOE)
    store.run_cleanup()
    mboxops.delete(store, "user.joe.x", **JOE)
    store.run_cleanup()
    assert store.mboxlist.lookup_all("user.joe.x").deleted
    assert not list(tmp_path.glob(f"spool/uuid/*/*/{entry.uniqueid}"))


def test_what_may_not_be_deleted(store: MailStore) -> None:
    mboxops.create(store, "user.joe.a.b", **JOE)
    mboxops.create(store, "shared", **ADMIN)
    for name, who, error in [
        ("user.joe", JOE, MailboxNotSupported),
        ("user.ann", JOE, PermissionDenied),
        # even an admin needs the x right
        ("user.ann", ADMIN, PermissionDenied),
        ("user.joe.a", JOE, MailboxHasChildren),
        ("shared", JOE, PermissionDenied),
        ("nowhere", ADMIN, MailboxNonexistent),
    ]:
        with pytest.raises(error):
            mboxops.delete(store, name, **who)
    mboxops.set_acl(store, "user.joe.a.b", "ann", "lr", **JOE)
    with pytest.raises(PermissionDenied):
        mboxops.delete(store, "user.joe.a.b", **ANN)
    mboxops.set_acl(store, "user.joe.a.b", "ann", None, **JOE)
    with pytest.raises(MailboxNonexistent):
        mboxops.delete(store, "user.joe.a.b", **ANN)


def test_a_user_goes_with_everything(store: MailStore, tmp_path: Path) -> None:
    inbox = store.mboxlist.lookup("user.joe")
    mboxops.create(store, "user.joe.a.b", **JOE)
    mboxops.set_quotas(store, "user.joe", LIMITS)
    mboxops.subscribe(store, "user.joe", "joe", JOE["auth"], add=True)
    state = tmp_path / "conf/user/uuid" / inbox.uniqueid[0] / inbox.uniqueid[1] / inbox.uniqueid  # type: ignore[index,operator]
    assert (state / "sub.db").exists()
    mboxops.set_acl(store, "user.joe", "admin", "x", **ADMIN)
    mboxops.delete(store, "user.joe", **ADMIN)
    assert listed(store, "user.joe") == [] and len(listed(store, "DELETED.user.joe")) == 3
    assert store.quota.get("user.joe") is None and not state.exists()


# rename


def test_a_rename_takes_the_tree_along(store: MailStore) -> None:
    ids = {name: mboxops.create(store, name, **JOE).uniqueid for name in ("user.joe.a", "user.joe.a.b.c")}
    told: list[tuple[str, str, CyrusError | None]] = []
    mboxops.rename(store, "user.joe.a", "user.joe.z", progress=lambda *step: told.append(step), **JOE)
    assert listed(store, "user.joe.") == ["user.joe.z", "user.joe.z.b", "user.joe.z.b.c"]
    assert store.mboxlist.lookup("user.joe.z.b.c").uniqueid == ids["user.joe.a.b.c"]
    assert [step[:2] for step in told] == [
        ("user.joe.a", "user.joe.z"), ("user.joe.a.b", "user.joe.z.b"), ("user.joe.a.b.c", "user.joe.z.b.c"),
    ]  # fmt: skip
    history = store.mboxlist.lookup_uniqueid(ids["user.joe.a"] or "").history
    assert [former.name for former in history] == ["user.joe.a"]
    with store.open("user.joe.z", write=False) as mailbox:
        assert mailbox.header.name == "user.joe.z" and mailbox.i.highestmodseq == 2


def test_a_mailbox_renamed_into_its_own_tree_goes_alone(store: MailStore) -> None:
    mboxops.create(store, "user.joe.a.b", **JOE)
    mboxops.rename(store, "user.joe.a", "user.joe.a.c", **JOE)
    assert listed(store, "user.joe.") == ["user.joe.a", "user.joe.a.b", "user.joe.a.c"]


@pytest.mark.parametrize(
    ("old", "new", "who", "error"),
    [
        ("user.joe", "user.joe.x", JOE, MailboxNotSupported),
        ("user.joe", "user.bob", ADMIN, MailboxNotSupported),
        ("user.joe.a", "user.joe.b", JOE, MailboxExists),
        ("user.joe.a", "user.ann.a", JOE, PermissionDenied),
        ("user.ann", "user.joe.ann", JOE, MailboxNonexistent),
        ("user.joe.nowhere", "user.joe.c", JOE, MailboxNonexistent),
        ("user.joe.a", "", JOE, MailboxBadName),
        ("user.joe.a", "user.joe.a", ADMIN, MailboxExists),
    ],
)
def test_what_may_not_be_renamed(
    store: MailStore, old: str, new: str, who: dict[str, Any], error: type[CyrusError]
) -> None:
    for name in ("user.joe.a", "user.joe.b"):
        mboxops.create(store, name, **JOE)
    before = listed(store)
    with pytest.raises(error):
        mboxops.rename(store, old, new, **who)
    assert listed(store) == before


@pytest.mark.imapd_conf(allowusermoves="yes")
def test_a_user_can_be_renamed(store: MailStore, tmp_path: Path) -> None:
    mboxops.create(store, "user.joe.a.b", **JOE)
    mboxops.set_quotas(store, "user.joe", LIMITS)
    mboxops.subscribe(store, "user.joe.a", "joe", JOE["auth"], add=True)
    mboxops.rename(store, "user.joe", "user.joseph", **ADMIN)
    assert listed(store, "user.jo") == ["user.joseph", "user.joseph.a", "user.joseph.a.b"]
    assert acl_of(store, "user.joseph.a.b") == "joseph\tlrswipkxtecdan\t"
    assert store.quota.get("user.joe") is None
    moved = store.quota.read("user.joseph")
    assert (moved.limits, moved.used) == (LIMITS, [0, 0, 0, 3])
    # the state goes by the id of the INBOX, so it is there already
    assert Subscriptions(store.config, store.userstate).list("joseph") == ["user.joseph.a"]


def test_what_cannot_go_along_stays_and_is_told_in_the_end(store: MailStore) -> None:
    for name in ("user.joe.a", "user.joe.a.b", "user.joe.a.c"):
        mboxops.create(store, name, **JOE)
    mboxops.rename(store, "user.joe.a.b", "user.joe.a.b", partition="two", **ADMIN)
    said: list[tuple[str, bool]] = []
    with pytest.raises(MailboxExists):
        mboxops.rename(
            store, "user.joe.a", "user.joe.a", partition="two",
            progress=lambda old, new, error: said.append((old, error is None)), **ADMIN,
        )  # fmt: skip
    assert said == [("user.joe.a", True), ("user.joe.a.c", True), ("user.joe.a.b", False)]
    assert {entry.partition for entry in store.mboxlist.tree("user.joe.a")} == {"two"}


def test_a_tree_moves_to_another_partition(store: MailStore, tmp_path: Path) -> None:
    entry = mboxops.create(store, "user.joe.a.b", **JOE)
    mboxops.rename(store, "user.joe.a", "user.joe.a", partition="two", **ADMIN)
    assert [store.mboxlist.lookup(name).partition for name in ("user.joe.a", "user.joe.a.b")] == [
        "two",
        "two",
    ]
    assert list(tmp_path.glob(f"two/uuid/*/*/{entry.uniqueid}/cyrus.index"))
    assert not list(tmp_path.glob(f"spool/uuid/*/*/{entry.uniqueid}"))
    with store.open("user.joe.a.b", write=False) as mailbox:
        assert mailbox.i.exists == 0
    with pytest.raises(PermissionDenied):
        mboxops.rename(store, "user.joe.a", "user.joe.a", partition="default", **JOE)


@pytest.mark.imapd_conf(mailbox_legacy_dirs="yes")
def test_directories_of_the_old_layout_follow_the_name(store: MailStore, tmp_path: Path) -> None:
    mboxops.create(store, "user.joe.a.b", **JOE)
    assert store.mboxlist.lookup("user.joe.a").mbtype & mbtype.LEGACY_DIRS
    assert (tmp_path / "spool/user/joe/a/b/cyrus.header").exists()
    mboxops.set_quotas(store, "user.joe", LIMITS)
    mboxops.rename(store, "user.joe.a", "user.joe.z", **JOE)
    assert (tmp_path / "spool/user/joe/z/b/cyrus.header").exists()
    assert not (tmp_path / "spool/user/joe/a").exists()
    assert listed(store, "user.joe.") == ["user.joe.z", "user.joe.z.b"]
    assert store.quota.read("user.joe").used == [0, 0, 0, 3]
    mboxops.delete(store, "user.joe.z.b", **JOE)
    (kept,) = listed(store, "DELETED.")
    with store.open(kept, write=False) as mailbox:
        assert mailbox.header.name == kept


# ACL


def test_acls_change_in_both_places(store: MailStore) -> None:
    mboxops.set_acl(store, "user.joe", "ann", "lr", **JOE)
    mboxops.set_acl(store, "user.joe", "ann", "+s", **JOE)
    mboxops.set_acl(store, "user.joe", "ann", "-r", **JOE)
    mboxops.set_acl(store, "user.joe", "-anyone", "p", **JOE)
    assert acl_of(store, "user.joe") == "joe\tlrswipkxtecdan\tann\tls\t-anyone\tp\t"
    mboxops.set_acl(store, "user.joe", "ann", None, **JOE)
    mboxops.set_acl(store, "user.joe", "joe", "lra", **JOE)
    assert acl_of(store, "user.joe") == "joe\tlrkxcan\t-anyone\tp\t"
    assert store.mboxlist.lookup("user.joe").foldermodseq == 7


def test_who_may_change_an_acl(store: MailStore) -> None:
    with pytest.raises(MailboxNonexistent):
        mboxops.set_acl(store, "user.joe", "ann", "l", **ANN)
    mboxops.set_acl(store, "user.joe", "ann", "l", **JOE)
    with pytest.raises(PermissionDenied):
        mboxops.set_acl(store, "user.joe", "ann", "lr", **ANN)
    for rights in ("lr", "-a", None):
        with pytest.raises(PermissionDenied):
            mboxops.set_acl(store, "user.joe", "joe", rights, **JOE)


@pytest.mark.imapd_conf(anyoneuseracl="no")
def test_anyone_may_be_kept_for_admins(store: MailStore) -> None:
    with pytest.raises(PermissionDenied):
        mboxops.set_acl(store, "user.joe", "anyone", "l", **JOE)
    mboxops.set_acl(store, "user.joe", "anyone", "l", **ADMIN)


# quota roots


def test_quota_roots_come_and_go(store: MailStore) -> None:
    mboxops.create(store, "user.joe.a.b", **JOE)
    mboxops.set_quotas(store, "user.joe", LIMITS)
    mboxops.set_quotas(store, "user.joe.a", LIMITS)
    assert [store.quota.read(root).used[3] for root in ("user.joe", "user.joe.a")] == [1, 2]
    mboxops.rename(store, "user.joe.a.b", "user.joe.b", **JOE)
    assert [store.quota.read(root).used[3] for root in ("user.joe", "user.joe.a")] == [2, 1]
    mboxops.unset_quotas(store, "user.joe.a")
    assert store.quota.get("user.joe.a") is None
    with store.open("user.joe.a", write=False) as mailbox:
        assert mailbox.quotaroot is None
    for root in ("", ".x", "a*b", "a/b"):
        with pytest.raises(MailboxBadName):
            mboxops.set_quotas(store, root, LIMITS)
    with pytest.raises(MailboxNonexistent):
        mboxops.set_quotas(store, "nowhere", LIMITS)
    mboxops.set_quotas(store, "nowhere", LIMITS, force=True)


def test_counting_anew_repairs_roots(store: MailStore) -> None:
    mboxops.create(store, "user.joe.a", **JOE)
    mboxops.set_quotas(store, "user.joe", LIMITS)
    mboxops.set_quotas(store, "nowhere", LIMITS, force=True)
    with store.quota.transaction() as change:
        quota = change.read("user.joe")
        quota.used = [99, 0, 0, 7]
        change.write(quota)
    with store.open("user.joe.a", write=True) as mailbox:
        mailbox.set_quotaroot(None)

    def run(*, report_only: bool) -> list[str]:
        lines: list[str] = []
        fixer = QuotaFixer(store, lines.append, report_only)
        with store.locks.quota_change():
            fixer.find_roots(Selection())
            fixer.fix(Selection())
        return lines

    wrong = [
        "user.joe.a: quota root (none) --> user.joe", "nowhere: removed",
        "user.joe: STORAGE usage was 99, now 0", "user.joe: X-NUM-FOLDERS usage was 7, now 2",
    ]  # fmt: skip
    assert run(report_only=True) == wrong
    assert run(report_only=False) == wrong
    assert run(report_only=False) == []
    assert store.quota.read("user.joe").used == [0, 0, 0, 2] and store.quota.get("nowhere") is None


# subscriptions, autocreate


def test_only_what_can_be_seen_is_subscribed(store: MailStore) -> None:
    with pytest.raises(MailboxNonexistent):
        mboxops.subscribe(store, "user.ann", "joe", JOE["auth"], add=True)
    mboxops.subscribe(store, "user.ann", "joe", JOE["auth"], add=True, force=True)
    mboxops.subscribe(store, "user.joe", "joe", JOE["auth"], add=True)
    mboxops.subscribe(store, "user.ann", "joe", JOE["auth"], add=False)
    assert Subscriptions(store.config, store.userstate).list("joe") == ["user.joe"]


@pytest.mark.imapd_conf(
    autocreate_quota="700",
    autocreate_inbox_folders="Sent | Spam|x%y",
    autocreate_subscribe_folders="Spam",
    autocreate_subscribe_sharedfolders="shared|user.ann",
    admins="boss",
    extra={"xlist-junk": "Spam", "xlist-all": "Sent", "autocreate_acl": "Spam anyone p"},
)
def test_a_new_user_gets_what_is_configured(store: MailStore) -> None:
    mboxops.create(store, "shared", **ADMIN)
    entry = mboxops.autocreate_inbox(store, "bob")
    assert entry.name == "user.bob" and mboxops.autocreate_inbox(store, "bob").uniqueid == entry.uniqueid
    assert listed(store, "user.bob") == ["user.bob", "user.bob.Sent", "user.bob.Spam"]
    assert store.quota.read("user.bob").limits[0] == 700 and store.quota.read("user.bob").used[3] == 3
    subscribed = Subscriptions(store.config, store.userstate).list("bob")
    assert subscribed == ["user.bob", "user.bob.Spam", "shared"]
    junk = mboxops.find_specialuse(store, "bob", "\\Junk")
    assert junk is not None and junk.name == "user.bob.Spam" and "anyone\tp\t" in (junk.acl or "")
    everything = mboxops.find_specialuse(store, "bob", "\\All")
    assert everything is not None and everything.name == "user.bob.Sent"
    for nobody in ("boss", "anonymous", "a/b"):
        with pytest.raises(MailboxNonexistent):
            mboxops.autocreate_inbox(store, nobody)
