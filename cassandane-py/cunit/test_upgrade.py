"""Mailbox lists of versions before 3.6: how they are known, and the order in which names are written."""

from __future__ import annotations

from pathlib import Path

import pytest

from libcyrus import cyrusdb
from libcyrus.config import Config
from libcyrus.records import mbtype
from libcyrus.records.mbentry import MboxEntry
from libcyrus.records.mboxlist import Mboxlist
from libcyrus.records.upgrade import in_order_of_names, is_old, upgrade

BY_ID = (b"Iabc", b"%(T e N user\x1fjoe P default)")
BY_NAME = (b"Nuser\x1fjoe", b"%(T e I abc P default A %(joe lrs))")
OLD = (b"user.joe", b"%(T e I abc P default A %(joe lrs))")


@pytest.mark.parametrize(
    ("records", "old"),
    [
        ([], False),
        ([BY_ID, BY_NAME], False),
        ([(b"AS\x1e", b""), BY_ID], False),
        ([BY_NAME], False),
        ([OLD], True),
        ([(b"$RACL$U$ann$user.joe", b""), OLD], True),
        ([(b"Archive", OLD[1]), OLD], True),
        ([(b"Info", b"0 default anyone\tlrs\t"), OLD], True),
        ([(b"News", OLD[1]), OLD], True),
    ],
)
def test_an_old_list_is_known_by_its_keys(records: list[tuple[bytes, bytes]], old: bool) -> None:
    assert is_old(records) is old


def test_former_names_are_written_before_the_present_one() -> None:
    entries = [
        MboxEntry("now", uniqueid="a", foldermodseq=2),
        MboxEntry("second", uniqueid="a", mbtype=mbtype.DELETED, foldermodseq=9),
        MboxEntry("other", uniqueid="b"),
        MboxEntry("first", uniqueid="a", mbtype=mbtype.DELETED, foldermodseq=5),
        MboxEntry("x", mbtype=mbtype.DELETED),
        MboxEntry("y"),
    ]
    names = [entry.name for entry in in_order_of_names(entries)]
    assert names == ["first", "second", "now", "other", "x", "y"]


def test_a_list_in_a_table_is_upgraded_there(tmp_path: Path) -> None:
    config = Config.for_tests(configdirectory=str(tmp_path), mboxlist_db="sql", sql_engine="sqlite")
    settings = cyrusdb.Settings.from_config(config)
    with cyrusdb.open_db("sql", tmp_path / "mailboxes.db", create=True, settings=settings) as db:
        db.store(b"user.joe", b"0 default joe\tlrswipkxtecda\t")
    assert upgrade(config, lambda entry: "id-of-joe")
    with cyrusdb.open_db("sql", tmp_path / "mailboxes.db", settings=settings) as db:
        assert [key for key, _ in db.foreach()] == [b"Iid-of-joe", b"Nuser\x1fjoe"]
    assert not upgrade(config, lambda entry: None)


def test_nothing_is_lost_for_want_of_an_id(tmp_path: Path) -> None:
    config = Config.for_tests(configdirectory=str(tmp_path))
    assert not upgrade(config, lambda entry: None)
    with cyrusdb.open_db("twoskip", tmp_path / "mailboxes.db", create=True) as db:
        db.store(b"user.joe", b"0 default joe\tlrswipkxtecda\t")
        db.store(b"user.ann", b"0 default ann\tlrswipkxtecda\t")
        db.store(b"user.bad", b"nonsense")
    with cyrusdb.open_db("twoskip", tmp_path / "annotations.db", create=True) as db:
        for owner in (b"", b"user.ann", b"user.joe", b"user.gone", b"id-of-ann"):
            db.store(owner + b"\0/comment\0\0", b"value")
    assert upgrade(config, lambda entry: "id-of-ann" if entry.name == "user.ann" else None)
    assert not upgrade(config, lambda entry: None)
    mailboxes = Mboxlist(config)
    joe = mailboxes.lookup("user.joe")
    assert (joe.uniqueid, joe.acl, joe.mbtype) == (None, "joe\tlrswipkxtecda\t", mbtype.LEGACY_DIRS)
    assert mailboxes.lookup_uniqueid("id-of-ann").name == "user.ann"
    assert len(list(mailboxes.all())) == 2
    mailboxes.close()
    with cyrusdb.open_db("twoskip", tmp_path / "annotations.db") as db:
        assert [key for key, _ in db.foreach()] == [b"\0/comment\0\0", b"id-of-ann\0/comment\0\0"]
