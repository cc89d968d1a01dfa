"""FETCH and SEARCH of what index records and files say of a message, on one spool that both servers serve."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cassandane.clients import ImapClient
from cassandane.instance import Instance

pytestmark = pytest.mark.reference

FACTS = (
    "DIGEST.SHA1",
    "LASTUPDATED",
    "PREVIEW",
    "PREVIEW (LAZY)",
    "RFC822.FILESIZE",
    "RFC822.SHA1",
    "EMAILID",
    "CID",
    "THREADID",
    "SAVEDATE",
    "CREATEDMODSEQ",
    "BASECID",
    "FOLDER",
    "UIDVALIDITY",
    "MAILBOXES",
    "MAILBOXIDS",
    "MODSEQ",
)
COMMANDS = (
    *(f"FETCH 1:* ({fact})" for fact in FACTS),
    *(f"UID FETCH 2 {fact.partition(' ')[0]}" for fact in FACTS),
    "FETCH 1 (UIDVALIDITY FOLDER EMAILID THREADID SAVEDATE MODSEQ FLAGS UID RFC822.SIZE DIGEST.SHA1)",
    "FETCH 1 (PREVIEW UID)",
    "FETCH 1 (PREVIEW (LAZY LAZY) UID)",
    "FETCH 1 (PREVIEW (FOO))",
    "FETCH 1 (PREVIEW (LAZY)",
    "FETCH 1:* (CID BASECID MAILBOXES MAILBOXIDS UIDVALIDITY)",
    "STATUS INBOX (XCONVEXISTS XCONVUNSEEN XCONVMODSEQ)",
    "STATUS Folder (XCONVMODSEQ MESSAGES XCONVEXISTS UNSEEN)",
    "STATUS INBOX (XCONVEXISTS FOO)",
    "STATUS INBOX (MESSAGES XCONVFOO)",
    "SEARCH SAVEDATESUPPORTED",
    "SEARCH SAVEDSINCE 1-Jan-2020",
    "SEARCH SAVEDBEFORE 1-Jan-2020",
    "SEARCH SAVEDON x",
    "SEARCH EMAILID x",
    "SEARCH EMAILID",
    "SEARCH THREADID T0000000000000000",
    "SEARCH THREADID",
    "SEARCH CID x",
    "SEARCH CID 0000000000000000",
    "SEARCH NOT EMAILID M000000000000000000000000",
    "SEARCH SAVEDSINCE",
)


@pytest.fixture(scope="module", params=["no", "yes"])
def server(request: pytest.FixtureRequest) -> Iterator[Instance]:
    instance = Instance(
        imapd_conf={"conversations": request.param, "jmap_preview_annot": "/shared/comment"},
        programs={"imap": "reference", "imap2": "ours"},
        master="reference",
        services=("imap", "imap2"),
    ).start()
    instance.create_user("a", "Folder", "Trash")
    with instance.imap("a") as client:
        for number in (1, 2, 3):
            ids = f"Message-ID: <{number}@x>\r\nReferences: <{number // 2}@x>\r\n"
            text = f"{ids}Subject: x\r\n\r\nbody {number}\r\n"
            client.append("INBOX", text.encode())
        client.ok("SELECT INBOX")
        client.ok(r"STORE 2 +FLAGS (\Flagged)")
        client.ok("COPY 1:2 Folder")
        client.ok("COPY 2 Trash")
        client.ok(r"STORE 1 +FLAGS (\Seen)")
        client.ok('STORE 1 ANNOTATION (/comment (value.shared "a short view"))')
    yield instance
    instance.stop()
    instance.remove()


def test_both_servers_tell_the_same(server: Instance) -> None:
    with server.imap("a") as original, server.imap("a", service="imap2") as ours:
        differences = []
        for client in (original, ours):
            client.ok("EXAMINE INBOX")
        emailid = original.ok("FETCH 2 EMAILID").untagged[0].partition("EMAILID (")[2].rstrip(")")
        thread = original.ok("FETCH 2 THREADID").untagged[0].partition("THREADID (")[2].rstrip(")")
        for command in (
            *COMMANDS,
            f"SEARCH EMAILID {emailid}",
            f"SEARCH THREADID {thread}",
            f"SEARCH CID {thread[1:]}",
        ):
            replies = [_reply(client, command) for client in (original, ours)]
            if replies[0] != replies[1]:
                differences.append((command, *replies))

    assert differences == []


def _reply(client: ImapClient, command: str) -> tuple[list[str], str, str]:
    reply = client.command(command)
    return reply.untagged, reply.status, reply.text.partition("(")[0]
