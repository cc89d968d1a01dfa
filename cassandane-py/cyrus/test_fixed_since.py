"""What versions 3.6.2 to 3.6.7 mended, one test for each thing that concerns imapd and lmtpd.

The numbers are those of the original's issues, as its release notes give them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from cassandane.instance import Instance

MESSAGE = b"From: a@b.example\r\nSubject: y\r\n\r\nbody text\r\n"
PREVIEW = "/vendor/messagingengine.com/preview"
UNKNOWN = b"Content-Type: text/plain\r\nContent-Transfer-Encoding: x-unknown\r\n\r\nxyz\r\n"


@pytest.fixture(scope="module")
def server() -> Iterator[Instance]:
    settings = {
        "imapmagicplus": "yes",
        "jmap_preview_annot": f"/shared{PREVIEW}",
        "mailbox_maxmessages_email": "2",
        "maxargssize": "300",
        "maxliteral": "100",
    }
    instance = Instance(services=("imap", "lmtp"), imapd_conf=settings)
    definitions = instance.directory / "annotations"
    definitions.write_text(f"{PREVIEW},message,string,backend,value.shared,\n")
    instance.settings["annotation_definitions"] = str(definitions)
    instance.write_configuration()
    instance.allowed_log = ["per-mailbox exists limit", "TOOBIG"]
    instance.start()
    for user in ("bob", "ben", "sue", "tom", "cal", "pat", "lil"):
        instance.create_user(user)
    try:
        yield instance
    finally:
        instance.stop()
        instance.remove()


@pytest.mark.parametrize("mode", ["immediate", "delayed"])
def test_a_deleted_mailbox_leaves_no_id_behind(mode: str) -> None:
    """3.6.2, 4426."""
    server = Instance(services=("imap",), imapd_conf={"delete_mode": mode})
    server.start()
    try:
        server.create_user("bob")
        with server.imap("bob") as client, server.imap("admin") as admin:
            for _ in range(2):
                client.ok("CREATE gone")
                client.ok("DELETE gone")
            for line in admin.ok('LIST "" DELETED/*').untagged:
                admin.ok(f"DELETE {line.split()[-1]}")
        database = str(server.directory / "conf/mailboxes.db")
        records = server.run("cyr_dbtool", database, "twoskip", "show").stdout.decode("latin-1")
        known = set(re.findall(r"(?m)^N.* I (\w{24}) ", records))
        assert set(re.findall(r"(?m)^I(\w{24})\t", records)) <= known
    finally:
        server.stop()
        server.remove()


def test_sharedseen_can_be_set_on_a_shared_mailbox(server: Instance) -> None:
    """3.6.3, 4611: the original died of it, and lost the flags of whoever came next."""
    with server.imap("admin") as admin:
        admin.ok("CREATE shared")
        admin.ok("SETACL shared bob lrswipkxtecdan")
    name = '"Shared Folders/shared"'
    with server.imap("bob") as client:
        client.ok(f'SETMETADATA {name} (/shared/vendor/cmu/cyrus-imapd/sharedseen "true")')
        client.append(name, MESSAGE)
        client.ok(f"SELECT {name}")
        assert client.ok("STORE 1 +FLAGS (\\Seen)").grep(r"\\Seen")


def test_what_has_an_unknown_encoding_is_no_binary(server: Instance) -> None:
    """3.6.3, 4567: the response stays one that can be read."""
    with server.imap("ben") as imap:
        imap.append("INBOX", UNKNOWN)
        imap.ok("SELECT INBOX")
        reply = imap.command("FETCH 1 (UID BINARY.PEEK[1])")
        assert (reply.status, reply.untagged) == ("NO", ["1 FETCH (UID 1)"])
        assert reply.text.startswith("[UNKNOWN-CTE] ")
        reply = imap.command("FETCH 1 (BINARY.PEEK[1] BINARY.PEEK[2])")
        assert (reply.status, reply.untagged) == ("NO", ["1 FETCH (BINARY[2] NIL)"])
        assert imap.ok("FETCH 1 (UID BODY.PEEK[1])").untagged == ["1 FETCH (UID 1 BODY[1] {5}\r\nxyz\r\n)"]


def test_a_mailbox_takes_no_more_messages_than_it_may(server: Instance) -> None:
    """3.6.4, 4804; and 4710: what is refused leaves no flag names behind."""
    with server.imap("tom") as imap:
        imap.append("INBOX", MESSAGE)
        imap.append("INBOX", MESSAGE)
        imap.ok("CREATE other")
        imap.append("other", MESSAGE)
        reply = imap.command("APPEND INBOX (unheard) {}", MESSAGE)
        assert (reply.status, reply.text) == ("NO", "Over quota")
        imap.ok("SELECT other")
        imap.ok("STORE 1 +FLAGS (custom)")
        assert imap.command("COPY 1 INBOX").status == "NO"
        assert imap.command("MOVE 1 INBOX").status == "NO"
        assert imap.ok("SEARCH KEYWORD custom").untagged == ["SEARCH 1"]
        flags = imap.ok("SELECT INBOX").grep("^FLAGS")
        assert flags == ["FLAGS (\\Answered \\Flagged \\Draft \\Deleted \\Seen)"]
        imap.ok("STORE 1 +FLAGS (\\Deleted)")
        imap.ok("EXPUNGE")
        imap.append("INBOX", MESSAGE)


def test_neither_does_it_by_delivery(server: Instance) -> None:
    with server.lmtp() as lmtp:
        messages = (b"Message-ID: <%d@x>\r\n" % number + MESSAGE for number in range(3))
        replies = [lmtp.deliver(message, "sue")[0][:1] for message in messages]
    assert replies == ["2", "2", "4"]


def test_metadata_of_collections_is_for_clients_of_collections(server: Instance) -> None:
    """3.6.4."""
    with server.imap("admin") as admin:
        admin.ok('CREATE "user/cal/#calendars/x" (TYPE CALENDAR)')
    with server.imap("cal") as client:
        assert not client.ok("GETMETADATA * /shared/comment").grep("calendars")
    with server.imap("cal+dav") as client:
        assert client.ok("GETMETADATA * /shared/comment").grep("#calendars/x")


def test_a_preview_is_a_string(server: Instance) -> None:
    """3.6.4, 4820."""
    with server.imap("pat") as client:
        client.append("INBOX", MESSAGE)
        client.ok("SELECT INBOX")
        for text, told in (("word", '"word"'), ("a b", '"a b"'), ('a"b', None)):
            value = '"' + text.replace('"', '\\"') + '"'
            client.ok(f"STORE 1 ANNOTATION ({PREVIEW} (value.shared {value}))")
            (line,) = client.ok("FETCH 1 PREVIEW").untagged
            assert line == f"1 FETCH (PREVIEW {told or '{3}' + chr(13) + chr(10) + text})"


def test_arguments_are_limited_together_and_each(server: Instance) -> None:
    """3.6.5, CVE-2024-34055."""
    with server.imap("lil") as client:
        client.ok("SELECT INBOX")
        reply = client.command("SEARCH SUBJECT {}", b"x" * 101)
        assert (reply.status, reply.text) == ("NO", "[TOOBIG] Literal size exceeds fixed limit in Search")
    with server.imap("lil") as client:
        client.ok("SELECT INBOX")
        client.send(b"s SEARCH" + b" SUBJECT {90+}\r\n" * 1 + b"x" * 90)
        client.send((b" SUBJECT {90+}\r\n" + b"x" * 90) * 3 + b"\r\n")
        assert client.line() == b"* BYE [TOOBIG] Command arguments total size exceeds fixed limit"
