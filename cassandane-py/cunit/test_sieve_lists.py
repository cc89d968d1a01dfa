"""Lists of scripts: address books in dav.db."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from cunit.test_sieve_run import FakeHost, outcomes_of

from imap.lmtpd.sieve import perform
from imap.lmtpd.sieve.lists import Lists
from libcyrus import mboxops
from libcyrus.config import Config
from libcyrus.errors import CyrusError, IoError
from libcyrus.mailbox.mailstore import MailStore
from libcyrus.records import mbtype
from libcyrus.records.dav_db import DavDb
from sieve.run.outcomes import Redirect

SHORT, FULL = b":addrbook:", b"urn:ietf:params:sieve:addrbook:"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[MailStore]:
    extra = {"partition-default": str(tmp_path / "spool")}
    config = Config.for_tests(
        defaultpartition="default", extra=extra, configdirectory=str(tmp_path / "conf")
    )
    store = MailStore(config)
    for name in ("user.a", "user.a.#addressbooks", "user.a.#addressbooks.Default",
                 "user.a.#addressbooks.my friends", "user.a.#addressbooks.Empty", "user.b"):  # fmt: skip
        kind = mbtype.ADDRESSBOOK if "#" in name else mbtype.EMAIL
        mboxops.create(store, name, mbtype=kind, is_admin=True, userid="admin", auth=None)
    yield store
    store.close()


def contact(store: MailStore, book: str, *emails: str, alive: bool = True) -> None:
    entry = store.mboxlist.lookup(f"user.a.#addressbooks.{book}")
    with DavDb.of_user(store.config, store.userstate, "a") as db:
        db.execute(
            "INSERT INTO vcard_objs (mailbox, alive, imap_uid, resource) "
            "SELECT ?, ?, count(*), count(*) FROM vcard_objs",
            (entry.uniqueid, int(alive)),
        )
        [[rowid]] = db.execute("SELECT max(rowid) FROM vcard_objs")
        for number, email in enumerate(emails):
            db.execute(
                "INSERT INTO vcard_emails (objid, pos, email) VALUES (?, ?, ?)", (rowid, number, email)
            )


@pytest.mark.parametrize(
    ("name", "known"),
    [
        (SHORT + b"Default", True),
        (SHORT + b"default", True),
        (FULL + b"DEFAULT", True),
        (FULL + b"my%20friends", True),
        (SHORT + b"my friends", True),
        (b"%3Aaddrbook%3ADefault", True),
        (SHORT + b"Default/card.vcf", True),
        (SHORT + b"My%20Friends", False),
        (SHORT + b"other", False),
        (SHORT, True),  # what holds all books, as in the original
        (b"addrbook:Default", False),
        (b"tag:example.com,2010:Default", False),
        (b"URN:ietf:params:sieve:addrbook:Default", False),
        (SHORT + b"%ff\xff", False),
        (SHORT + b"\0", False),
        (b"", False),
    ],
)
def test_names_of_lists(store: MailStore, name: bytes, known: bool) -> None:
    assert Lists(store.config, store, "a").known(name) is known


def test_lists_are_the_users_own(store: MailStore) -> None:
    contact(store, "Default", "x@example.com")
    for user in ("b", None):
        lists = Lists(store.config, store, user)
        assert not lists.known(SHORT + b"Default")
        assert not lists.has(SHORT + b"Default", b"x@example.com")
        assert lists.members(SHORT + b"Default", 10) == []


def test_who_is_in_a_list(store: MailStore) -> None:
    contact(store, "Default", "x@example.com", "second@example.com")
    contact(store, "Default", "gone@example.com", alive=False)
    contact(store, "my friends", "Friend@Example.com")
    lists = Lists(store.config, store, "a")

    def listed(name: bytes, address: bytes) -> bool:
        return lists.has(SHORT + name, address)

    assert listed(b"default", b"x@example.com")
    assert listed(b"default", b"SECOND@example.com")
    assert listed(b"my%20friends", b"friend@example.com")
    assert not listed(b"my%20friends", b"x@example.com")
    assert not listed(b"default", b"gone@example.com")
    assert not listed(b"default", b"x@example")
    assert not listed(b"default", b"%")
    assert not listed(b"default", b"\xff")
    assert not listed(b"Empty", b"x@example.com")
    lists.close()


def test_members_come_once_and_not_too_many(store: MailStore) -> None:
    contact(store, "Default", "x@example.com", "second@example.com")
    contact(store, "Default", "X@example.com", "third@example.com")
    contact(store, "Default", "gone@example.com", alive=False)
    lists = Lists(store.config, store, "a")
    everybody = lists.members(SHORT + b"Default", 10)
    assert [email.lower() for email in everybody] == [
        "x@example.com",
        "second@example.com",
        "third@example.com",
    ]
    assert len(lists.members(SHORT + b"Default", 2)) == 2
    assert lists.members(SHORT + b"Empty", 10) == []
    assert lists.members(b"x@example.com", 10) == []
    lists.close()


def test_asking_makes_no_database(store: MailStore) -> None:
    lists = Lists(store.config, store, "a")
    assert not lists.has(SHORT + b"Default", b"x@example.com")
    assert not Path(store.userstate.user_path("a", "dav")).exists()


def test_a_damaged_database_is_no_empty_list(store: MailStore) -> None:
    """A script must not act as if nobody were in the list."""
    path = Path(store.userstate.user_path("a", "dav"))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"nonsense" * 1000)
    with pytest.raises(sqlite3.DatabaseError):
        sqlite3.connect(path).execute("PRAGMA user_version")
    with pytest.raises(IoError):
        Lists(store.config, store, "a").has(SHORT + b"Default", b"x@example.com")


def test_a_list_that_cannot_be_read_decides_nothing() -> None:
    class Broken(FakeHost):
        def in_list(self, text: bytes, name: bytes) -> bool:
            raise IoError

    found = outcomes_of('if not envelope :list "from" ":addrbook:default" { discard; }', Broken())
    assert found.error == "System I/O error"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (b":addrbook:Empty", "list :addrbook:Empty is empty or unknown"),
        (b":addrbook:none", "list :addrbook:none is empty or unknown"),
        (b"x@example.com", "list x@example.com is empty or unknown"),
        (b":addrbook:Default", "list :addrbook:Default has more than 2 members"),
    ],
)
def test_lists_without_members_or_too_many_are_not_sent_to(
    store: MailStore, monkeypatch: pytest.MonkeyPatch, name: bytes, text: str
) -> None:
    contact(store, "Default", "x@example.com", "second@example.com", "third@example.com")
    monkeypatch.setattr(perform, "MOST_MEMBERS", 2)
    app = SimpleNamespace(duplicates=None, srs=None, config=store.config)
    host = SimpleNamespace(lists=Lists(store.config, store, "a"), address_key=b"", userid="a")
    message = SimpleNamespace(message_id=b"<1@x>", date="")
    seen = SimpleNamespace(original_header=b"", rest=b"")
    performer = perform.Performer(*cast(Any, (app, host, message, seen, "b@x", None, None)))
    with pytest.raises(CyrusError) as caught:
        performer.redirect(Redirect(name, True, None, None, None, None, True))
    assert str(caught.value) == text
    host.lists.close()
