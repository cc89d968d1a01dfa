"""mailboxes.db: looking up, changing, the order of LIST, reverse ACLs, partitions."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from imap.admin import mboxlist_legacy
from libcyrus.auth import AuthState
from libcyrus.base.dataclasses import replace
from libcyrus.config import Config
from libcyrus.errors import MailboxNonexistent, MailboxReserved, PartitionUnknown
from libcyrus.mboxname import Namespace
from libcyrus.partitions import Meta, Partitions, Selector
from libcyrus.records import mbtype
from libcyrus.records.find import Finder, ForeignNames, Viewer
from libcyrus.records.mbentry import MboxEntry
from libcyrus.records.mboxlist import Mboxlist


def entry(name: str, acl: str = "", **fields: object) -> MboxEntry:
    values = {"uniqueid": "id-" + name, "partition": "default", "uidvalidity": 7, "acl": acl, **fields}
    return MboxEntry(name=name, **values)  # type: ignore[arg-type]


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config.for_tests(configdirectory=str(tmp_path))


@pytest.fixture
def mailboxes(config: Config) -> Iterator[Mboxlist]:
    opened = Mboxlist(config)
    yield opened
    opened.close()


MINE, SHARED = "joe\tlrswipkxtecdan\t", "anyone\tlrs\t"
TREE = {
    "user.ann": "ann\tlrswipkxtecdan\t",
    "user.ann.open": "ann\tlrswipkxtecdan\tjoe\tlr\t",
    "user.joe": MINE,
    "user.joe.A^B": MINE,
    "user.joe.Lists": MINE,
    "user.joe.Lists.a": MINE,
    "user.joe.Lists.a.b": MINE,
    "user.joe.INBOX.sub": MINE,
    "user.joe.Other Users": MINE,
    "user.joey": "joey\tlrswipkxtecdan\t",
    "shared": SHARED,
    "shared.secret": "boss\tlrs\t",
    "shared.news.deep": SHARED,
    "zoo": SHARED,
    "DELETED.user.joe.old.6B0343EE": MINE,
}


@pytest.fixture
def tree(mailboxes: Mboxlist) -> Mboxlist:
    with mailboxes.transaction() as change:
        for name, acl in TREE.items():
            change.update(entry(name, acl))
        change.update(replace(entry("user.joe.gone"), mbtype=mbtype.DELETED))
        change.update(replace(entry("user.joe.place"), mbtype=mbtype.INTERMEDIATE))
    return mailboxes


# one mailbox


def test_looking_up(tree: Mboxlist) -> None:
    found = tree.lookup("user.joe.A^B")
    assert (found.name, found.uniqueid, found.acl) == ("user.joe.A^B", "id-user.joe.A^B", MINE)
    for name in ("user.joe.gone", "user.joe.place", "nowhere", ""):
        with pytest.raises(MailboxNonexistent):
            tree.lookup(name)
    assert tree.lookup_all("user.joe.gone").deleted and tree.lookup_all("user.joe.place").intermediate
    assert tree.lookup_uniqueid("id-user.joe").name == "user.joe"
    assert tree.name_of_uniqueid("id-user.joe.gone") is None
    tree.update(replace(entry("reserved"), mbtype=mbtype.RESERVE))
    with pytest.raises(MailboxReserved):
        tree.lookup("reserved")


def test_parents_and_children(tree: Mboxlist) -> None:
    parents = {name: tree.parent(name) for name in ("user.joe.Lists.x.y", "user.joe.INBOX.sub", "user.joe")}
    assert [parent.name if parent else None for parent in parents.values()] == [
        "user.joe.Lists", "user.joe", None,
    ]  # fmt: skip
    place = tree.parent("user.joe.place.x", allow_all=True)
    assert place is not None and place.name == "user.joe.place"
    assert tree.has_children("user.joe.Lists") and not tree.has_children("user.joe.A^B")
    assert [one.name for one in tree.tree("user.joe.Lists")] == [
        "user.joe.Lists", "user.joe.Lists.a", "user.joe.Lists.a.b",
    ]  # fmt: skip
    assert "user.joey" not in [one.name for one in tree.user_tree("joe")]
    assert [one.name for one in tree.tree("user.joe.old", deleted=True)] == ["DELETED.user.joe.old.6B0343EE"]
    assert [one.name for one in tree.all("user.jo")][-1] == "user.joey"
    assert [one.name for one in tree.all("user.joey.")] == []


# changes


def test_a_rename_moves_the_name_to_the_history(mailboxes: Mboxlist) -> None:
    old = entry("user.joe.a", MINE, foldermodseq=5)
    mailboxes.update(old)
    with mailboxes.transaction() as change:
        change.update(replace(old, mbtype=mbtype.DELETED, partition=None, acl=None, foldermodseq=6))
        change.update(replace(old, name="user.joe.b", foldermodseq=6))
    by_id = mailboxes.lookup_uniqueid("id-user.joe.a")
    assert (by_id.name, by_id.history[0].name, by_id.history[0].mbtype) == (
        "user.joe.b", "user.joe.a", mbtype.DELETED,
    )  # fmt: skip
    mailboxes.update(replace(old, name="user.joe.c"))
    names = [former.name for former in mailboxes.lookup_uniqueid("id-user.joe.a").history]
    assert names == ["user.joe.b", "user.joe.a"]
    # forgetting an old name leaves the id to the new one
    mailboxes.delete("user.joe.a")
    assert mailboxes.lookup_uniqueid("id-user.joe.a").name == "user.joe.c"
    mailboxes.delete("user.joe.c")
    with pytest.raises(MailboxNonexistent):
        mailboxes.lookup_uniqueid("id-user.joe.a")


def test_another_mailbox_of_the_same_name_replaces_the_id(mailboxes: Mboxlist) -> None:
    mailboxes.update(entry("shared", uniqueid="first"))
    mailboxes.update(entry("shared", uniqueid="second"))
    keys = [key for key, _ in mailboxes.db.foreach()]
    assert keys == [b"Isecond", b"Nshared"]


def test_a_failed_transaction_changes_nothing(tree: Mboxlist) -> None:
    with pytest.raises(RuntimeError), tree.transaction() as change:
        change.update(entry("new"))
        change.delete("shared")
        raise RuntimeError
    assert tree.get("new") is None and tree.get("shared") is not None


def test_reverse_acls_follow_the_acls(tree: Mboxlist) -> None:
    tree.set_racl(True)

    def racl() -> set[bytes]:
        return {key for key, _ in tree.db.foreach(b"A")}

    assert racl() == {
        b"AS\x1e", b"AS\x1eanyone\x1eshared", b"AS\x1eanyone\x1eshared\x1fnews\x1fdeep",
        b"AS\x1eanyone\x1ezoo",
        b"AS\x1eboss\x1eshared\x1fsecret", b"AU\x1ejoe\x1euser\x1fann\x1fopen",
    }  # fmt: skip
    tree.update(entry("zoo", "boss\tlrs\tann\tp\t"))
    assert racl() >= {b"AS\x1eboss\x1ezoo"} and b"AS\x1eanyone\x1ezoo" not in racl()
    tree.update(replace(entry("zoo"), mbtype=mbtype.DELETED))
    assert b"AS\x1eboss\x1ezoo" not in racl()
    tree.set_racl(False)
    assert racl() == set()


# LIST


def names(
    mailboxes: Mboxlist, *patterns: str, user: str = "joe", admin: bool = False, **options: Any
) -> list[str]:
    config = Config.for_tests(configdirectory=mailboxes.config.directory, **options)
    viewer = Viewer(Namespace.from_config(config, admin=admin), user, AuthState(user), admin)
    return [found.extname for found in Finder(mailboxes, viewer).find(list(patterns)) if found is not None]


@pytest.mark.parametrize("sort", ["no", "yes"])
@pytest.mark.parametrize("backend", ["twoskip", "skiplist", "flat"])
def test_a_list_is_the_same_in_any_backend(tmp_path: Path, backend: str, sort: str) -> None:
    """They keep keys in different orders, and the walk steps over the trees of users by key."""
    config = Config.for_tests(configdirectory=str(tmp_path), mboxlist_db=backend, improved_mboxlist_sort=sort)
    mailboxes = Mboxlist(config)
    for name in ("user.joe", "user.joe.a", "user.joe.a.b", "user.joe.a b", "user.ann", "Zoo", "zoo", "a"):
        mailboxes.update(entry(name, "anyone\tlr\t"))
    wanted = {"INBOX", "INBOX/a", "INBOX/a/b", "INBOX/a b", "user/ann", "Zoo", "zoo", "a"}
    assert set(names(mailboxes, "*", altnamespace="no")) == wanted
    assert set(names(mailboxes, "%", admin=True)) >= {"Zoo", "zoo", "a"}
    mailboxes.close()


OWN = ["INBOX", "INBOX/sub", "A.B", "Lists", "Lists/a", "Lists/a/b", "place", "Alt Folders/Other Users"]


@pytest.mark.parametrize("racl", [False, True])
def test_mailboxes_come_in_the_original_s_order(tree: Mboxlist, racl: bool) -> None:
    tree.set_racl(racl)
    assert names(tree, "*") == [
        *OWN, "Other Users/ann/open", "Shared Folders/shared", "Shared Folders/shared/news/deep",
        "Shared Folders/zoo",
    ]  # fmt: skip
    assert names(tree, "Other Users/ann/*") == ["Other Users/ann/open"]
    assert names(tree, "Other Users/bob/*") == []
    assert names(tree, "Shared*", user="boss") == [
        "Shared Folders/shared", "Shared Folders/shared/news/deep", "Shared Folders/shared/secret",
        "Shared Folders/zoo",
    ]  # fmt: skip


def test_patterns_cover_upper_levels(tree: Mboxlist) -> None:
    assert names(tree, "Lists/%") == ["Lists/a", "Lists/a"]
    assert names(tree, "Shared Folders/%") == ["Shared Folders/shared"] * 2 + ["Shared Folders/zoo"]
    assert names(tree, "INBOX", "zz", "A%") == ["INBOX", "INBOX", "A.B", "Alt Folders"]
    assert names(tree, "*%", user="ann")[:2] == ["INBOX", "open"]


@pytest.mark.parametrize("racl", [False, True])
def test_an_admin_sees_everything_but_tombstones(tree: Mboxlist, racl: bool) -> None:
    tree.set_racl(racl)
    found = names(tree, "*", user="admin", admin=True)
    assert "user/joe/place" in found and "user/joe/gone" not in found
    assert found[-1] == "DELETED/user/joe/old/6B0343EE" and "shared/secret" in found


def test_what_others_may_see_is_read_once_for_each_state_of_the_file(tree: Mboxlist) -> None:
    foreign = ForeignNames()
    assert foreign.keys(tree) == [b"Nuser\x1fann\x1fopen"]
    tree.update(entry("user.ann", "ann\tlra\tanyone\tl\t"))
    assert foreign.keys(tree) == [b"Nuser\x1fann", b"Nuser\x1fann\x1fopen"]


# partitions


def test_where_files_are(tmp_path: Path) -> None:
    config = Config.for_tests(
        configdirectory=str(tmp_path),
        metapartition_files="header index",
        archive_enabled="yes",
        extra={
            "partition-default": "/spool",
            "metapartition-default": "/meta",
            "metadir-cache-default": "/cache",
            "archivepartition-default": "/archive",
        },
    )
    partitions = Partitions(config)
    place = entry("user.joe", uniqueid="abc")
    assert partitions.data_dir(place) == "/spool/uuid/a/b/abc"
    assert partitions.archive_dir(place) == "/archive/uuid/a/b/abc"
    directories = {kind: partitions.meta_dir(place, kind) for kind in Meta}
    assert directories[Meta.INDEX] == "/meta/uuid/a/b/abc"
    assert directories[Meta.CACHE] == "/cache/uuid/a/b/abc"
    assert directories[Meta.ARCHIVECACHE] == "/archive/uuid/a/b/abc"
    assert directories[Meta.SQUAT] == "/spool/uuid/a/b/abc"
    assert partitions.data_dir(replace(place, mbtype=mbtype.LEGACY_DIRS)) == "/spool/user/joe"
    with pytest.raises(PartitionUnknown):
        partitions.data_dir(replace(place, partition="nowhere"))
    with pytest.raises(PartitionUnknown):
        partitions.data_dir(replace(place, partition=None))


@pytest.mark.parametrize(
    "mode",
    ["random", "freespace-most", "freespace-percent-most", "freespace-percent-weighted",
     "freespace-percent-weighted-delta"],
)  # fmt: skip
def test_a_partition_is_chosen_among_those_there_are(tmp_path: Path, mode: str) -> None:
    roots = {"a": str(tmp_path / "a"), "b": str(tmp_path / "b")}
    selector = Selector(roots, mode, reinit=2)
    assert {selector.select() for _ in range(5)} <= {"a", "b"}
    assert Selector({}, mode).select() is None


@pytest.fixture
def disks(monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[int, int, int]]:
    """What statvfs says: device, available and total KiB by path. /d lies on the file system of /c."""
    sizes = {"/a": (1, 800, 10000), "/b": (2, 500, 1000), "/c": (3, 600, 800), "/d": (3, 600, 800)}

    def statvfs(path: str) -> SimpleNamespace:
        device, available, total = sizes[path]
        return SimpleNamespace(f_fsid=device, f_bavail=available, f_blocks=total, f_frsize=1024)

    monkeypatch.setattr(os, "statvfs", statvfs)
    return sizes


def chosen(mode: str, *, soft_limit: int = 0, roots: str = "abcd") -> dict[str, float]:
    """The share of each partition among many choices."""
    selector = Selector({name: f"/{name}" for name in roots}, mode, soft_limit=soft_limit)
    names = [selector.select() for _ in range(4000)]
    return {str(name): names.count(name) / len(names) for name in set(names)}


def about(**shares: float) -> dict[str, object]:
    return {name: pytest.approx(share, abs=0.06) for name, share in shares.items()}


def test_the_modes_of_choosing_a_partition(disks: dict[str, tuple[int, int, int]]) -> None:
    """8, 50, 75 and 75 percent are free; the weights of -delta are what is more than 8, and a half."""
    assert chosen("random") == about(a=0.25, b=0.25, c=0.25, d=0.25)
    assert chosen("freespace-most") == {"a": 1.0}
    assert chosen("freespace-percent-most") == {"c": 1.0}
    assert chosen("freespace-percent-weighted", roots="abc") == about(a=8 / 133, b=50 / 133, c=75 / 133)
    assert chosen("freespace-percent-weighted-delta", roots="bc") == about(b=0.5 / 26, c=25.5 / 26)


def test_a_partition_over_the_soft_limit_is_chosen_only_among_its_like(
    disks: dict[str, tuple[int, int, int]],
) -> None:
    assert chosen("freespace-most", soft_limit=60) == {"c": 1.0}
    assert chosen("freespace-percent-weighted", soft_limit=40, roots="abc") == {"c": 1.0}
    assert set(chosen("freespace-percent-weighted", soft_limit=10, roots="ab")) == {"a", "b"}


def test_free_space_is_asked_for_again(disks: dict[str, tuple[int, int, int]]) -> None:
    selector = Selector({"a": "/a", "b": "/b"}, "freespace-most", reinit=2)
    assert selector.select() == "a"
    disks["/a"] = (1, 0, 10000)
    assert [selector.select(), selector.select()] == ["a", "b"]
    never = Selector({"a": "/a", "b": "/b"}, "freespace-most")
    disks["/b"] = (2, 0, 1000)
    assert {never.select() for _ in range(5)} == {"b"}


def test_sizes_that_make_no_sense_leave_it_to_chance(disks: dict[str, tuple[int, int, int]]) -> None:
    disks["/b"] = (2, 0, 0)
    assert chosen("freespace-most", roots="ab") == about(a=0.5, b=0.5)


def test_the_default_partition_wins(tmp_path: Path) -> None:
    spool = {"partition-default": str(tmp_path / "s"), "partition-two": str(tmp_path / "t")}
    config = Config.for_tests(configdirectory=str(tmp_path), defaultpartition="two", extra=spool)
    assert Partitions(config).select() == "two"
    config = Config.for_tests(configdirectory=str(tmp_path), partition_select_exclude="default", extra=spool)
    assert Partitions(config).select() == "two"
    with pytest.raises(PartitionUnknown):
        Partitions(Config.for_tests(configdirectory=str(tmp_path))).select()


def test_dumps_of_old_versions_are_read() -> None:
    """With and without ids, rights and what came later."""
    lines = [
        "user.a\t0 default a\tlrs\tb\tr\t>uid1 123 456 7 8 \\Sent\n",
        "user.b\t0 default >uid2\n",
        "user.c\t1 mail.example.org!part c\tlr\t>uid3 1 2\n",
        "user.d\t0 default anyone\tlr\t\n",
        "user.e\t0 default\n",
    ]
    found = list(mboxlist_legacy.entries(lines))
    assert [one.name for one in found] == [f"user.{letter}" for letter in "abcde"]
    assert [one.uniqueid for one in found] == ["uid1", "uid2", "uid3", None, None]
    assert [one.acl for one in found] == ["a\tlrs\tb\tr\t", None, "c\tlr\t", "anyone\tlr\t", None]
    assert (found[0].uidvalidity, found[0].foldermodseq, found[0].createdmodseq) == (456, 7, 8)
    assert (found[2].server, found[2].partition) == ("mail.example.org", "part")


def test_a_line_that_is_no_entry_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(mboxlist_legacy.entries(["nonsense\n", "user.a\t0 " + "p" * 70 + " \n"])) == []
    assert capsys.readouterr().err.splitlines() == [
        "line 1: no partition found", "line 2: partition name too long",
    ]  # fmt: skip
