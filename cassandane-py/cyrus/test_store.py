"""STORE (RFC 3501 section 6.4.6)."""

from __future__ import annotations

import pytest

from cassandane.clients import ImapClient
from cassandane.instance import Instance
from cassandane.messages import message


@pytest.fixture
def three(imap: ImapClient) -> ImapClient:
    """An INBOX with three messages, selected; none is recent."""
    imap.append("INBOX", *(message(str(number)) for number in range(3)))
    imap.ok("SELECT INBOX")
    imap.ok("SELECT INBOX")
    return imap


def test_flags_are_added_removed_and_replaced(three: ImapClient) -> None:
    assert three.ok(r"STORE 1:2 +FLAGS (\Seen \Flagged)").untagged == [
        r"1 FETCH (FLAGS (\Flagged \Seen))",
        r"2 FETCH (FLAGS (\Flagged \Seen))",
    ]
    assert three.ok(r"STORE 2 -FLAGS (\Seen)").untagged == [r"2 FETCH (FLAGS (\Flagged))"]
    assert three.ok(r"STORE 1 FLAGS (\Draft)").untagged == [r"1 FETCH (FLAGS (\Draft))"]
    assert three.ok(r"STORE 1 FLAGS ()").untagged == ["1 FETCH (FLAGS ())"]
    assert three.ok(r"UID STORE 3 +FLAGS \Answered").untagged == [r"3 FETCH (FLAGS (\Answered) UID 3)"]


def test_a_silent_change_is_not_told(three: ImapClient) -> None:
    assert three.ok(r"STORE 1:3 +FLAGS.SILENT (\Seen)").untagged == []
    assert three.ok("NOOP").untagged == []
    assert three.ok("FETCH 2 FLAGS").untagged == [r"2 FETCH (FLAGS (\Seen))"]


def test_a_silent_change_does_not_hide_what_others_did(instance: Instance, three: ImapClient) -> None:
    """RFC 3501 section 6.4.6: the client must know the flags as they are."""
    with instance.imap("cassandane") as other:
        other.ok("SELECT INBOX")
        other.ok(r"STORE 2 +FLAGS (\Flagged)")
    assert three.ok(r"STORE 1:3 +FLAGS.SILENT (\Seen)").untagged == [r"2 FETCH (FLAGS (\Flagged \Seen))"]


def test_what_changes_nothing_is_told_nothing(three: ImapClient) -> None:
    three.ok(r"STORE 1:3 +FLAGS (\Seen)")
    assert three.ok(r"STORE 1:3 +FLAGS (\Seen)").untagged == []
    assert three.ok(r"STORE 1:3 -FLAGS (\Draft)").untagged == []
    assert three.ok(r"STORE 100 +FLAGS (\Draft)").untagged == []


def test_a_new_keyword_is_announced(three: ImapClient) -> None:
    """RFC 3501 section 7.2.6."""
    reply = three.ok("STORE 1 +FLAGS ($Work)")
    assert reply.untagged == [
        r"FLAGS (\Answered \Flagged \Draft \Deleted \Seen $Work)",
        r"OK [PERMANENTFLAGS (\Answered \Flagged \Draft \Deleted \Seen $Work \*)] Ok",
        "1 FETCH (FLAGS ($Work))",
    ]
    assert three.ok("STORE 2 +FLAGS ($WORK)").untagged == ["2 FETCH (FLAGS ($Work))"]


def test_flags_stay(instance: Instance, three: ImapClient) -> None:
    three.ok(r"STORE 1:3 +FLAGS (\Seen A B)")
    three.ok(r"STORE 2 -FLAGS (A)")
    with instance.imap("cassandane") as other:
        other.ok("SELECT INBOX")
        assert other.ok("FETCH 1:3 FLAGS").untagged == [
            r"1 FETCH (FLAGS (\Seen A B))",
            r"2 FETCH (FLAGS (\Seen B))",
            r"3 FETCH (FLAGS (\Seen A B))",
        ]


def test_an_examined_mailbox_cannot_be_changed(three: ImapClient) -> None:
    three.ok("EXAMINE INBOX")
    assert three.no(r"STORE 1 +FLAGS (\Seen)").text == "Permission denied"
    assert three.ok("FETCH 1 FLAGS").untagged == ["1 FETCH (FLAGS ())"]


def test_thousands_change_at_once(imap: ImapClient) -> None:
    imap.append("INBOX", message("x"))
    imap.ok("SELECT INBOX")
    while "2048 EXISTS" not in imap.ok("COPY 1:* INBOX").untagged:
        pass
    assert len(imap.ok(r"STORE 1:2000 +FLAGS (\Seen Kept)").untagged) == 2002
    assert imap.ok("SEARCH RETURN (COUNT MAX) SEEN KEYWORD Kept").untagged[0].endswith("COUNT 2000 MAX 2000")
    assert imap.ok("STATUS INBOX (UNSEEN)").untagged == ["STATUS INBOX (UNSEEN 48)"]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ("1", "Invalid sequence in Store"),
        ("1 FLAG (x)", "Invalid Store attribute"),
        (r"1 FLAGS (\Recent)", "Invalid system flag in Store command"),
        (r"1 FLAGS (\Seen", "Missing close parenthesis in Store"),
    ],
)
def test_a_malformed_store_is_refused(three: ImapClient, arguments: str, complaint: str) -> None:
    assert three.bad(f"STORE {arguments}").text == complaint
