"""ctl_conversationsdb against the original: the same words, the same databases and index records."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from cassandane import threads
from cassandane.instance import Instance, give_away
from libcyrus import cyrusdb
from libcyrus.config import Config
from libcyrus.mailbox.mailstore import MailStore

pytestmark = [pytest.mark.reference, pytest.mark.timeout(300)]

USERS = ("alice", "sue")
SPLITS = "user.sue.#splitconversations"


class Outcome(NamedTuple):
    """What a run leaves: exit codes and words, databases, and the index records and annotations."""

    said: list[tuple[int, bytes]]
    databases: dict[str, dict[bytes, bytes]]
    mailboxes: dict[str, object]


class Spool:
    """A stopped server's mail, to be worked on and restored."""

    def __init__(self, server: Instance) -> None:
        self.server = server
        self.saved = server.directory / "saved"
        self.saved.mkdir()
        for name in ("conf", "spool"):
            shutil.copytree(server.directory / name, self.saved / name, symlinks=True)

    def restore(self) -> None:
        for name in ("conf", "spool"):
            shutil.rmtree(self.server.directory / name)
            shutil.copytree(self.saved / name, self.server.directory / name, symlinks=True)
            for directory, _, names in os.walk(self.server.directory / name):
                give_away(Path(directory))
                for file in names:
                    give_away(Path(directory, file))

    def run(self, kind: str, *arguments: str, stdin: bytes = b"") -> tuple[int, bytes]:
        done = self.server.run("ctl_conversationsdb", *arguments, kind=kind, stdin=stdin, check=False)
        return done.returncode, done.stdout

    def store(self) -> MailStore:
        return MailStore(Config.load(self.server.config, "test"))

    def path(self, user: str) -> str:
        store = self.store()
        try:
            return store.conversations.db.path(user)
        finally:
            store.close()

    def look(self, said: list[tuple[int, bytes]]) -> Outcome:
        store = self.store()
        try:
            mailboxes: dict[str, object] = {}
            for entry in (entry for user in USERS for entry in store.mboxlist.user_tree(user)):
                with store.open(entry, write=False) as mailbox:
                    fields = [(r.uid, r.cid, r.internal_flags, r.modseq) for r in mailbox.records()]
                    annotations = [(uid, a.entry, a.value) for uid, a in mailbox.annotations.all()]
                    mailboxes[entry.name] = fields, annotations
            databases = {user: threads.records(store.conversations.db.path(user)) for user in USERS}
            # when the continuation of a long conversation is noted is not the same
            databases["sue"].pop(b"F" + store.lookup(SPLITS).uniqueid.encode())
        finally:
            store.close()
        return Outcome(said, databases, mailboxes)


@pytest.fixture(scope="module")
def spool() -> Iterator[Spool]:
    programs = dict.fromkeys(("imap", "lmtp", "lmtpunix"), "reference")
    # the original's audit finds nothing, whatever is wrong, where the backend is skiplist
    settings = {**threads.SETTINGS, "conversations_db": "twoskip"}
    server = Instance(imapd_conf=settings, master="reference", programs=programs)
    server.start()
    server.create_user("alice", "Drafts", "Trash", "Lists")
    server.create_user("sue", "Drafts")
    with server.imap("alice") as alice:
        threads.change_much(server, alice, lambda: None)
    with server.imap("sue") as sue:
        threads.grow(sue, lambda: None)
    server.stop()
    server.lmtp_socket.unlink(missing_ok=True)
    yield Spool(server)
    server.remove()


@pytest.fixture(autouse=True)
def restored(spool: Spool) -> None:
    spool.restore()


@pytest.mark.parametrize(
    "steps",
    [
        [("-R", "-v", "alice"), ("-R", "sue")],
        [("-z", "alice"), ("-z", "-v", "sue"), ("-A", "-v", "-r")],
        [("-z", "-r"), ("-b", "alice"), ("-b", "-v", "sue")],
        [("-R", "-S", "-v", "alice"), ("-R", "-S", "sue")],
        [("-A", "-v", "alice"), ("-F", "sue"), ("-F", "-r"), ("-A", "-r"), ("-R", "-v", "-r", "nobody")],
        [("-R", "nobody"), ("-d", "nobody"), ("-A", "nobody"), ("-A", "-T", "/nonexistent", "alice")],
        [("-d",), ("-d", "-u", "alice"), ("-x",), ("-v", "alice"), ("-A", "alice", "sue")],
    ],
    ids=lambda steps: " ".join(steps[0]),
)  # fmt: skip
def test_same_as_the_original(spool: Spool, steps: list[tuple[str, ...]]) -> None:
    theirs = spool.look([spool.run("reference", *step) for step in steps])
    audits = [spool.run("reference", "-A", user) for user in USERS]
    spool.restore()
    assert spool.look([spool.run("ours", *step) for step in steps]) == theirs
    # what is left over after -z is the same as well
    assert [spool.run("reference", "-A", user) for user in USERS] == audits
    if steps[0][0] == "-R":
        assert audits == [(0, b""), (0, b"")]


def break_database(spool: Spool) -> None:
    """Lose a record, add one, change some, change what does not count."""
    with cyrusdb.open_db("skiplist", spool.path("alice")) as db, db.transaction() as txn:
        conversations = [key for key, _ in txn.foreach(b"B")]
        txn.delete(conversations[0])
        txn.store(b"B0123456789abcdef", txn.fetch(conversations[1]) or b"")
        txn.store(conversations[2], b"nonsense")
        txn.store(b"Q", b"1 %(E 1 S 1)")
        txn.delete(next(iter(txn.foreach(b"G")))[0])
        first = next(iter(txn.foreach(b"<")))[0]
        txn.delete(first)
        for key, data in txn.foreach(b"F"):
            txn.store(key, data.replace(b" 0 ", b" 1 ", 1))


def test_an_audit_finds_what_the_original_finds(spool: Spool) -> None:
    break_database(spool)
    theirs = spool.run("reference", "-A", "-v", "alice")
    assert b"is BROKEN" in theirs[1]
    assert spool.run("ours", "-A", "-v", "alice") == theirs
    assert spool.run("ours", "-A", "alice")[1] == theirs[1].splitlines(keepends=True)[-1]
    assert not list(spool.server.directory.rglob("*audit*"))


def test_a_dump_can_be_loaded_again(spool: Spool) -> None:
    before = threads.records(spool.path("alice"))
    code, dump = spool.run("ours", "-d", "alice")
    assert code == 0
    assert spool.run("ours", "-u", "alice") == (0, b"")
    assert not [key for key in threads.records(spool.path("alice")) if not key.startswith(b"$")]
    assert spool.run("ours", "-u", "alice", stdin=dump) == (0, b"")
    assert threads.records(spool.path("alice")) == before
    # the original loses the end of binary values, even without a line end in them
    theirs = spool.run("reference", "-d", "alice")[1]
    assert spool.run("ours", "-u", "alice", stdin=theirs) == (0, b"")
    expected = {key: data.partition(b"\0")[0] for key, data in before.items()}
    assert threads.records(spool.path("alice")) == expected
