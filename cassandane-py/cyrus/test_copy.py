"""COPY and MOVE (RFC 3501 section 6.4.7, RFC 6851, RFC 4315 section 3)."""

from __future__ import annotations

import re

import pytest

from cassandane.clients import ImapClient
from cassandane.instance import Instance
from cassandane.messages import message


@pytest.fixture
def five(imap: ImapClient) -> ImapClient:
    """An INBOX with five messages, selected, and an empty folder."""
    imap.append("INBOX", *(message(str(number)) for number in range(5)))
    imap.ok("CREATE INBOX/Folder")
    imap.ok("SELECT INBOX")
    return imap


def listing(client: ImapClient, mailbox: str) -> list[str]:
    client.ok(f"EXAMINE {mailbox}")
    return client.ok("FETCH 1:* (FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[HEADER.FIELDS (Subject)])").untagged


def test_copies_are_like_their_originals(instance: Instance, five: ImapClient) -> None:
    """RFC 3501 section 6.4.7: flags and internal date are kept."""
    five.ok(r"STORE 2:3 +FLAGS.SILENT (\Seen \Flagged $Work)")
    reply = five.ok("COPY 2:4 INBOX/Folder")
    assert re.fullmatch(r"\[COPYUID \d+ 2:4 1:3\] Completed", reply.text)
    with instance.imap("cassandane") as other:
        originals = [re.sub(r"^\d+ |\\Recent ?", "", line) for line in listing(other, "INBOX")[1:4]]
        copies = [re.sub(r"^\d+ |\\Recent ?", "", line) for line in listing(other, "INBOX/Folder")]
        assert copies == originals
    assert five.ok("SEARCH ALL").untagged == ["SEARCH 1 2 3 4 5"]


def test_a_copy_into_the_same_mailbox_is_told(five: ImapClient) -> None:
    reply = five.ok("UID COPY 1,5 INBOX")
    assert "7 EXISTS" in reply.untagged
    assert re.fullmatch(r"\[COPYUID \d+ 1,5 6:7\] Completed", reply.text)


def test_moved_messages_leave(five: ImapClient) -> None:
    """RFC 6851 section 3.3: COPYUID comes before the EXPUNGE responses."""
    reply = five.ok("MOVE 2:3 INBOX/Folder")
    assert re.fullmatch(r"OK \[COPYUID \d+ 2:3 1:2\] Completed", reply.untagged[0])
    assert reply.untagged[1:] == ["2 EXPUNGE", "2 EXPUNGE"]
    assert five.ok("UID SEARCH ALL").untagged == ["SEARCH 1 4 5"]
    five.ok("SELECT INBOX/Folder")
    assert five.ok("SEARCH UNDELETED").untagged == ["SEARCH 1 2"]


def test_a_missing_target_can_be_created(five: ImapClient) -> None:
    """RFC 3501 section 6.4.7: TRYCREATE."""
    for command in ("COPY 1 INBOX/None", "UID MOVE 1 INBOX/None"):
        assert five.no(command).text == "[TRYCREATE] Mailbox does not exist"
    assert five.ok("SEARCH ALL").untagged == ["SEARCH 1 2 3 4 5"]


def test_no_messages_are_no_success_but_by_uid(five: ImapClient) -> None:
    assert five.no("COPY 100 INBOX/Folder").text == "No matching messages"
    assert five.ok("UID COPY 100 INBOX/Folder").text == "Completed"
    five.ok("SELECT INBOX/Folder")
    assert five.ok("SEARCH ALL").untagged == ["SEARCH"]


def test_all_or_nothing_is_copied(instance: Instance, five: ImapClient) -> None:
    """RFC 3501 section 6.4.7: a COPY that fails leaves the target as it was."""
    with instance.imap("admin") as admin:
        admin.ok("SETQUOTA user/cassandane (MESSAGE 7)")
    assert five.no("COPY 1:5 INBOX/Folder").text == "Over quota"
    assert five.ok("STATUS INBOX/Folder (MESSAGES UIDNEXT)").untagged == [
        "STATUS INBOX/Folder (MESSAGES 0 UIDNEXT 1)"
    ]
    five.ok("COPY 1:2 INBOX/Folder")
    # a move inside one quota root needs no room
    five.ok("MOVE 3:5 INBOX/Folder")
    assert five.ok("STATUS INBOX/Folder (MESSAGES)").untagged == ["STATUS INBOX/Folder (MESSAGES 5)"]


def test_hundreds_are_moved_at_once(five: ImapClient) -> None:
    while "1280 EXISTS" not in five.ok("COPY 1:* INBOX").untagged:
        pass
    reply = five.ok("MOVE 1:1000 INBOX/Folder")
    assert len(reply.untagged) == 1001
    assert five.ok("STATUS INBOX/Folder (MESSAGES)").untagged == ["STATUS INBOX/Folder (MESSAGES 1000)"]
    assert five.ok("SEARCH RETURN (COUNT) ALL").untagged[0].endswith("COUNT 280")
