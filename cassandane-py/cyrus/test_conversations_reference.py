"""Conversations against the original: what it did to its database, our update does to ours."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from cassandane.clients import ImapClient
from cassandane.instance import Instance
from libcyrus import cyrusdb
from libcyrus.config import Config
from libcyrus.mailbox.index_record import SPLITCONVERSATION, IndexRecord
from libcyrus.mailbox.mailbox import Mailbox
from libcyrus.mailbox.mailstore import MailStore
from libcyrus.message.cache import split
from libcyrus.records.annotate import NAMESPACE
from libcyrus.records.conversations import Content, Conversations, ConversationsDb, Folder, update_record
from libcyrus.records.counters import Counters
from libcyrus.records.userstate import UserState

pytestmark = [pytest.mark.reference, pytest.mark.timeout(300)]

SETTINGS = {
    "conversations": "yes",
    "conversations_counted_flags": r"\Draft \Flagged $IsMailingList $HasAttachment",
    "conversations_max_thread": "5",
    "expunge_mode": "delayed",
}
REFERENCE = dict.fromkeys(("imap", "lmtp", "lmtpunix"), "reference")

# when a message id was recorded
STAMP = re.compile(rb"(?<=[0-9a-f] )\d+$")


class QuietCounters(Counters):
    """The reference's own counters are not ours to change."""

    def set_modseq(self, name: str, value: int, *args: object, **kwargs: object) -> int:
        return value


class Known(NamedTuple):
    record: IndexRecord
    content: Content
    basecid: int


class Mirror:
    """Follows the mailboxes of a server that somebody else changes, and keeps conversations of them."""

    def __init__(self, server: Instance, user: str) -> None:
        self.server = server
        self.user = user
        config = server.directory / "mirror.conf"
        # mailboxes are only read, so nothing hangs on what is left out
        config.write_text(server.config.read_text().replace("conversations: yes\n", "conversations: no\n"))
        self.store = MailStore(Config.load(config, "mirror"))
        real = Config.load(server.config, "mirror")
        userstate = UserState(real, self.store.mboxlist)
        self.owner = ConversationsDb(real, userstate, QuietCounters(real, userstate))
        self.path = str(server.directory / f"{user}.conversations")
        self.splits: dict[int, int] = {}
        self.known: dict[str, dict[int, Known]] = {}
        self.names: dict[str, Folder] = {}

    def get(self, cid: int) -> int:
        return self.splits.get(cid, 0)

    def set(self, cid: int, continued: int) -> None:
        self.splits[cid] = continued

    def follow(self) -> None:
        """Take every change since the last call into account, in the order of modseqs."""
        with (
            self.store.lock_users(self.user),
            self.owner.open(self.user, path=self.path, splits=self) as state,
        ):
            found: dict[str, dict[int, Known]] = {}
            highest = {}
            changes: list[tuple[int, Folder, IndexRecord, Content]] = []
            for entry in self.store.mboxlist.user_tree(self.user, deleted=True):
                with self.store.open(entry.name, write=False) as mailbox:
                    if "#" not in entry.name and not entry.name.startswith("DELETED."):
                        folder = Folder(entry.name, mailbox.uniqueid, tuple(mailbox.header.flags))
                        found[folder.uniqueid] = {}
                        self.names[folder.uniqueid] = folder
                        changes += self._changes(mailbox, folder, found[folder.uniqueid])
                    highest[mailbox.uniqueid] = mailbox.i.highestmodseq
            for _, folder, record, content in sorted(changes, key=lambda change: change[0]):
                known = self.known.get(folder.uniqueid, {}).get(record.uid)
                found[folder.uniqueid][record.uid] = self._update(state, folder, known, record, content)
            for uniqueid, records in self.known.items():
                for uid in records.keys() - found.get(uniqueid, {}).keys():
                    if records[uid].record.cid:
                        update_record(state, self.names[uniqueid], records[uid].record, None,
                                      records[uid].content, renumber=False, ignore_limits=True)  # fmt: skip
                if uniqueid not in found:
                    state.rename_folder(uniqueid, None)
            for uniqueid, modseq in highest.items():
                state.raise_modseq(uniqueid, modseq)
            self.known = found

    def _changes(
        self, mailbox: Mailbox, folder: Folder, same: dict[int, Known]
    ) -> Iterator[tuple[int, Folder, IndexRecord, Content]]:
        for record in mailbox.records(unlinked=False):
            old = self.known.get(folder.uniqueid, {}).get(record.uid)
            if old is not None and old.record == record:
                same[record.uid] = old
                continue
            cache = split(bytes(mailbox.cache(record)))
            yield record.modseq, folder, record.copy(), Content(lambda cache=cache: cache)

    def _update(
        self, state: Conversations, folder: Folder, old: Known | None, record: IndexRecord, content: Content
    ) -> Known:
        new = record.copy()
        if old is None:
            new.cid = 0
            new.internal_flags &= ~SPLITCONVERSATION
        assigned = update_record(
            state, folder, old.record if old is not None else None, new, content,
            basecid=old.basecid if old is not None else 0, ignore_limits=old is not None,
        )  # fmt: skip
        assert (assigned.cid, assigned.split) == (record.cid, bool(record.internal_flags & SPLITCONVERSATION))
        return Known(record, content, assigned.basecid)

    def compare(self) -> None:
        self.follow()
        theirs = records(self.owner.path(self.user))
        ours = records(self.path)
        assert ours == theirs


def records(path: str) -> dict[bytes, bytes]:
    """All records of a database, without what depends on the time."""
    with cyrusdb.open_db("skiplist", path) as db:
        return {key: STAMP.sub(b"T", data) if key[:1] == b"<" else data for key, data in db.foreach()}


@pytest.fixture(scope="module")
def server() -> Iterator[Instance]:
    server = Instance(imapd_conf=SETTINGS, master="reference", programs=REFERENCE)
    server.start()
    server.create_user("alice", "Drafts", "Trash", "Lists")
    server.create_user("sue", "Drafts")
    yield server
    server.stop()
    server.remove()


def mail(
    msgid: str, subject: str, *, sender: str = "Bob <bob@example.org>", refs: str = "", reply: str = "",
    body: str = "hello\r\n", extra: str = "", day: int = 1,
) -> bytes:  # fmt: skip
    lines = [f"From: {sender}", f"Message-ID: <{msgid}@example.org>", f"Subject: {subject}",
             f"Date: {day} Jan 2024 10:00:00 +0000"]  # fmt: skip
    if refs:
        lines.append("References: " + " ".join(f"<{ref}@example.org>" for ref in refs.split()))
    if reply:
        lines.append(f"In-Reply-To: <{reply}@example.org>")
    return ("\r\n".join(lines) + "\r\n" + extra + "\r\n" + body).encode()


def test_every_change_is_counted_as_by_the_original(server: Instance) -> None:
    """Threads, subjects, copies, drafts, Trash, flags, expunged messages; one user's whole database."""
    with server.imap("alice") as alice:
        change_much(server, alice, Mirror(server, "alice"))


def change_much(server: Instance, alice: ImapClient, mirror: Mirror) -> None:
    alice.append("INBOX", mail("a1", "Re: [list] plans"))
    mirror.compare()
    # by References, In-Reply-To, another subject, none of it
    alice.append("INBOX", mail("a2", "AW: plans", refs="a0 a1", sender='"Zoe" <ZOE@example.org>', day=2))
    alice.append("INBOX", mail("a3", "plans", reply="a2", sender="zoe@EXAMPLE.org", day=3))
    alice.append("INBOX", mail("a4", "other", refs="a1 a2", day=3))
    alice.append("INBOX", mail("a5", "plans", day=4))
    mirror.compare()
    # no sender, no subject, no message id
    alice.append("INBOX", b"Date: 1 Jan 2024 10:00:00 +0000\r\n\r\nbare\r\n")
    encoded = "=?utf-8?q?J=C3=B6rg?= <j@x.org>"
    alice.append("INBOX", mail("a6", "=?utf-8?q?Gr=C3=BC=C3=9Fe?= [SEC=x]", sender=encoded))
    mirror.compare()
    multipart = (
        "--b\r\nContent-Type: text/plain\r\n\r\none\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n"
        "Subject: inner\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\n\r\ntwo\r\n--c\r\n"
        "Content-Type: message/rfc822\r\n\r\nSubject: deep\r\n\r\nthree\r\n--c--\r\n--b\r\n\r\n\r\n--b--\r\n"
    )
    content_type = "Content-Type: multipart/mixed; boundary=b\r\n"
    alice.append("Lists", mail("p1", "parts", extra=content_type, body=multipart))
    mirror.compare()
    alice.append("Drafts", mail("d1", "draft", refs="p1"), flags=r"(\Draft $HasAttachment)")
    alice.append("Drafts", mail("d2", "parts", refs="p1"), flags=r"(\Draft \Seen)")
    mirror.compare()
    with server.lmtp() as lmtp:
        text = mail("l1", "plans", refs="a3", extra="X-ME-Message-ID: <a4@example.org>\r\n")
        assert lmtp.deliver(text, "alice")[0].startswith("250")
    mirror.compare()
    alice.ok("SELECT INBOX")
    for command in (
        r"STORE 1:3 +FLAGS (\Seen)",
        r"STORE 2 +FLAGS (\Flagged $IsMailingList)",
        "COPY 1:4 Lists",
        "COPY 2:3 Trash",
        r"STORE 2 -FLAGS (\Seen)",
        r"STORE 3 +FLAGS (\Deleted)",
        r"STORE 1 -FLAGS (\Seen)",
        "MOVE 4 Trash",
        "EXPUNGE",
        r"STORE 1 +FLAGS (\Flagged)",
    ):
        alice.ok(command)
        mirror.compare()
    alice.ok("SELECT Trash")
    for command in (
        r"STORE 1:* +FLAGS (\Seen)",
        r"STORE 2 -FLAGS (\Seen)",
        r"STORE 1:* +FLAGS (\Deleted)",
        "EXPUNGE",
    ):
        alice.ok(command)
        mirror.compare()
    alice.ok("SELECT Drafts")
    for command in (r"STORE 1 -FLAGS (\Draft)", r"STORE 2 -FLAGS (\Draft)"):
        alice.ok(command)
        mirror.compare()
    alice.ok("UNSELECT")
    for command in ("RENAME Lists Listen", "CREATE New", "DELETE Listen", "CREATE Again"):
        alice.ok(command)
        mirror.compare()


def test_a_conversation_that_grew_too_long_goes_on_in_another(server: Instance) -> None:
    mirror = Mirror(server, "sue")
    with server.imap("sue") as sue:
        for number in range(14):
            refs = " ".join(f"s{n}" for n in range(number))
            text = mail(f"s{number}", "split", refs=refs, body=f"{number}\r\n")
            sue.append("INBOX", text)
            mirror.compare()
            if number in (5, 10):
                sue.append("Drafts", text)
                mirror.compare()
    assert len(mirror.splits) == 2
    folder = mirror.store.lookup("user.sue.#splitconversations")
    for cid, continued in mirror.splits.items():
        value = mirror.store.annotations.lookup(folder.uniqueid, f"{NAMESPACE}newcid/{cid:016x}")
        assert value == b"%016x" % continued
