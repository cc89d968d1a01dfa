"""FETCH (RFC 3501 section 6.4.5)."""

from __future__ import annotations

import pytest

from cassandane.clients import ImapClient
from cassandane.instance import Instance
from cassandane.messages import message, with_attachment

NESTED = (
    b"From: outer@example.org\r\nSubject: outer\r\nMIME-Version: 1.0\r\n"
    b"Content-Type: multipart/mixed; boundary=o\r\n\r\n"
    b"--o\r\nContent-Type: text/plain\r\n\r\nfirst\r\n"
    b"--o\r\nContent-Type: message/rfc822\r\n\r\n"
    b"From: inner@example.org\r\nSubject: inner\r\nMIME-Version: 1.0\r\n"
    b"Content-Type: multipart/alternative; boundary=i\r\n\r\n"
    b"--i\r\nContent-Type: text/plain\r\n\r\nplain\r\n"
    b"--i\r\nContent-Type: text/html\r\n\r\n<b>html</b>\r\n--i--\r\n"
    b"--o--\r\n"
)


def section(imap: ImapClient, spec: str, *, number: int = 1) -> str:
    """What BODY.PEEK[...] of the first message brings, its length taken off."""
    (line,) = imap.ok(f"FETCH {number} BODY.PEEK[{spec}]").untagged
    value = line.partition("] ")[2].removesuffix(")")
    if not value.startswith("{"):
        return value
    size, _, text = value.partition("}\r\n")
    assert len(text) == int(size[1:])
    return text


def test_parts_are_found_by_their_paths(imap: ImapClient) -> None:
    """RFC 3501 section 6.4.5, BODY[<section>]."""
    imap.append("INBOX", NESTED)
    imap.ok("SELECT INBOX")
    assert section(imap, "") == NESTED.decode()
    assert section(imap, "1") == "first"
    assert section(imap, "1.MIME") == "Content-Type: text/plain\r\n\r\n"
    assert section(imap, "2").startswith("From: inner@example.org")
    assert section(imap, "2.HEADER").endswith("boundary=i\r\n\r\n")
    assert section(imap, "2.TEXT").startswith("--i\r\n")
    assert section(imap, "2.1") == "plain"
    assert section(imap, "2.2.MIME") == "Content-Type: text/html\r\n\r\n"
    assert section(imap, "2.HEADER.FIELDS (Subject X)") == "Subject: inner\r\n\r\n"
    assert section(imap, "HEADER.FIELDS.NOT (From MIME-Version Content-Type)") == "Subject: outer\r\n\r\n"
    assert [section(imap, spec) for spec in ("3", "1.1.1", "2.3", "1.HEADER")] == ["NIL"] * 4


def test_a_part_of_a_part_begins_and_ends_where_asked(imap: ImapClient) -> None:
    imap.append("INBOX", message("x", "0123456789"))
    imap.ok("SELECT INBOX")
    assert imap.ok("FETCH 1 BODY.PEEK[TEXT]<2.3>").untagged == ["1 FETCH (BODY[TEXT]<2> {3}\r\n234)"]
    assert imap.ok("FETCH 1 BODY.PEEK[TEXT]<9.30>").untagged == ["1 FETCH (BODY[TEXT]<9> {3}\r\n9\r\n)"]
    assert imap.ok("FETCH 1 BODY.PEEK[TEXT]<90.3>").untagged == ['1 FETCH (BODY[TEXT]<90> "")']


def test_reading_marks_as_seen_and_peeking_does_not(imap: ImapClient) -> None:
    imap.append("INBOX", message("a"), message("b"))
    imap.ok("SELECT INBOX")
    for peek in ("BODY.PEEK[]", "RFC822.PEEK", "RFC822.HEADER", "ENVELOPE"):
        imap.ok(f"FETCH 1 {peek}")
    assert imap.ok("SEARCH SEEN").untagged == ["SEARCH"]
    (line,) = imap.ok("FETCH 1 BODY[TEXT]").untagged
    assert line.startswith("1 FETCH (FLAGS (\\Recent \\Seen) BODY[TEXT] ")
    (line,) = imap.ok("FETCH 2 RFC822").untagged
    assert line.startswith("2 FETCH (FLAGS (\\Recent \\Seen) RFC822 ")
    assert imap.ok("SEARCH SEEN").untagged == ["SEARCH 1 2"]


def test_an_examined_mailbox_stays_unseen(imap: ImapClient) -> None:
    imap.append("INBOX", message("a"))
    imap.ok("EXAMINE INBOX")
    (line,) = imap.ok("FETCH 1 BODY[TEXT]").untagged
    assert "FLAGS" not in line
    assert imap.ok("SEARCH UNSEEN").untagged == ["SEARCH 1"]


def test_an_envelope_says_who_wrote_what_to_whom(imap: ImapClient) -> None:
    """RFC 3501 section 7.4.2."""
    imap.append("INBOX", message("x", Reply_To='"R, S" <r@s.org>', In_Reply_To="<1@x>", Message_ID="<2@x>"))
    imap.ok("SELECT INBOX")
    assert imap.ok("FETCH 1 ENVELOPE").untagged == [
        '1 FETCH (ENVELOPE ("Mon, 02 Nov 2026 10:20:30 +0100" "x" '
        '(("Alice" NIL "alice" "example.org")) (("Alice" NIL "alice" "example.org")) '
        '(("R, S" NIL "r" "s.org")) ((NIL NIL "bob" "example.org")) NIL NIL "<1@x>" "<2@x>"))'
    ]


def test_uid_fetch_always_tells_the_uid(imap: ImapClient) -> None:
    """RFC 3501 section 6.4.8."""
    imap.append("INBOX", *(message(str(number)) for number in range(4)))
    imap.ok("SELECT INBOX")
    imap.ok(r"STORE 2 +FLAGS (\Deleted)")
    imap.ok("EXPUNGE")
    assert imap.ok("UID FETCH 2:3 FLAGS").untagged == ["2 FETCH (FLAGS (\\Recent) UID 3)"]
    assert imap.ok("UID FETCH 100:200 FLAGS").untagged == []
    assert imap.no("FETCH 100:200 FLAGS").text.startswith("No matching messages (")


def test_many_large_messages_arrive_whole(imap: ImapClient) -> None:
    messages = [with_attachment(size) for size in (10, 100_000, 1_000_000)]
    imap.append("INBOX", *messages)
    imap.ok("SELECT INBOX")
    lines = imap.ok("FETCH 1:3 (RFC822.SIZE BODY.PEEK[])").untagged
    for number, (line, data) in enumerate(zip(lines, messages, strict=True), 1):
        size = len(data)
        assert line == f"{number} FETCH (RFC822.SIZE {size} BODY[] {{{size}}}\r\n{data.decode()})"


def test_flags_changed_elsewhere_come_along(instance: Instance, imap: ImapClient) -> None:
    """RFC 3501 section 7.4.2: unsolicited FLAGS."""
    imap.append("INBOX", *(message(str(number)) for number in range(3)))
    imap.ok("SELECT INBOX")
    with instance.imap("cassandane") as other:
        other.ok("SELECT INBOX")
        other.ok(r"STORE 1:2 +FLAGS (\Flagged)")
    assert imap.ok("FETCH 2:3 UID").untagged == [
        "1 FETCH (FLAGS (\\Recent \\Flagged))",
        "2 FETCH (FLAGS (\\Recent \\Flagged) UID 2)",
        "3 FETCH (UID 3)",
    ]
    assert imap.ok("NOOP").untagged == []


def test_a_message_expunged_elsewhere_is_told_of_later(instance: Instance, imap: ImapClient) -> None:
    """RFC 3501 section 7.4.1: no EXPUNGE while FETCH uses message numbers."""
    imap.append("INBOX", *(message(str(number)) for number in range(3)))
    imap.ok("SELECT INBOX")
    with instance.imap("cassandane") as other:
        other.ok("SELECT INBOX")
        other.ok(r"STORE 1 +FLAGS (\Deleted)")
        other.ok("EXPUNGE")
    lines = imap.ok("FETCH 3 (UID RFC822.SIZE)").untagged
    assert not [line for line in lines if "EXPUNGE" in line]
    assert lines[-1].startswith("3 FETCH (UID 3 ")
    assert imap.ok("NOOP").untagged == ["1 EXPUNGE"]
    assert imap.ok("FETCH 2 UID").untagged == ["2 FETCH (UID 3)"]


@pytest.mark.parametrize(
    ("items", "complaint"),
    [
        ("FOO", "Invalid Fetch attribute FOO"),
        ("(FLAGS", "Missing close parenthesis in Fetch"),
        ("BODY[X]", "Invalid body section"),
    ],
)
def test_a_malformed_fetch_is_refused(imap: ImapClient, items: str, complaint: str) -> None:
    imap.ok("SELECT INBOX")
    assert imap.bad(f"FETCH 1 {items}").text == complaint
