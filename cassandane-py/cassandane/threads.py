"""Mail that makes conversations: threads, copies, drafts, flags, and a thread that grows too long."""

from __future__ import annotations

import re
from collections.abc import Callable

from cassandane.clients import ImapClient
from cassandane.instance import Instance
from libcyrus import cyrusdb

SETTINGS = {
    "conversations": "yes",
    "conversations_counted_flags": r"\Draft \Flagged $IsMailingList $HasAttachment",
    "conversations_max_thread": "5",
    "expunge_mode": "delayed",
}

# when a message id was recorded
_STAMP = re.compile(rb"(?<=[0-9a-f] )\d+$")


def records(path: str) -> dict[bytes, bytes]:
    """All records of a database, without what depends on the time."""
    with cyrusdb.open_db("skiplist", path) as db:
        return {key: _STAMP.sub(b"T", data) if key[:1] == b"<" else data for key, data in db.foreach()}


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


def change_much(server: Instance, alice: ImapClient, after: Callable[[], None]) -> None:
    """Do all sorts of things in the mailboxes Drafts, Trash and Lists; call ``after`` after each."""
    alice.append("INBOX", mail("a1", "Re: [list] plans"))
    after()
    # by References, In-Reply-To, another subject, none of it
    alice.append("INBOX", mail("a2", "AW: plans", refs="a0 a1", sender='"Zoe" <ZOE@example.org>', day=2))
    alice.append("INBOX", mail("a3", "plans", reply="a2", sender="zoe@EXAMPLE.org", day=3))
    alice.append("INBOX", mail("a4", "other", refs="a1 a2", day=3))
    alice.append("INBOX", mail("a5", "plans", day=4))
    after()
    # no sender, no subject, no message id
    alice.append("INBOX", b"Date: 1 Jan 2024 10:00:00 +0000\r\n\r\nbare\r\n")
    encoded = "=?utf-8?q?J=C3=B6rg?= <j@x.org>"
    alice.append("INBOX", mail("a6", "=?utf-8?q?Gr=C3=BC=C3=9Fe?= [SEC=x]", sender=encoded))
    after()
    multipart = (
        "--b\r\nContent-Type: text/plain\r\n\r\none\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n"
        "Subject: inner\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\n\r\ntwo\r\n--c\r\n"
        "Content-Type: message/rfc822\r\n\r\nSubject: deep\r\n\r\nthree\r\n--c--\r\n--b\r\n\r\n\r\n--b--\r\n"
    )
    content_type = "Content-Type: multipart/mixed; boundary=b\r\n"
    alice.append("Lists", mail("p1", "parts", extra=content_type, body=multipart))
    after()
    alice.append("Drafts", mail("d1", "draft", refs="p1"), flags=r"(\Draft $HasAttachment)")
    alice.append("Drafts", mail("d2", "parts", refs="p1"), flags=r"(\Draft \Seen)")
    after()
    with server.lmtp() as lmtp:
        text = mail("l1", "plans", refs="a3", extra="X-ME-Message-ID: <a4@example.org>\r\n")
        assert lmtp.deliver(text, "alice")[0].startswith("250")
    after()
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
        after()
    alice.ok("SELECT Trash")
    for command in (
        r"STORE 1:* +FLAGS (\Seen)",
        r"STORE 2 -FLAGS (\Seen)",
        r"STORE 1:* +FLAGS (\Deleted)",
        "EXPUNGE",
    ):
        alice.ok(command)
        after()
    alice.ok("SELECT Drafts")
    for command in (r"STORE 1 -FLAGS (\Draft)", r"STORE 2 -FLAGS (\Draft)"):
        alice.ok(command)
        after()
    alice.ok("UNSELECT")
    for command in ("RENAME Lists Listen", "CREATE New", "DELETE Listen", "CREATE Again"):
        alice.ok(command)
        after()


def grow(sue: ImapClient, after: Callable[[], None]) -> None:
    """Make a thread of 14 messages, two of them twice, in a user's INBOX and Drafts."""
    for number in range(14):
        refs = " ".join(f"s{n}" for n in range(number))
        text = mail(f"s{number}", "split", refs=refs, body=f"{number}\r\n")
        sue.append("INBOX", text)
        after()
        if number in (5, 10):
            sue.append("Drafts", text)
            after()
