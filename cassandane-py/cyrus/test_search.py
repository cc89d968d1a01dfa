"""SEARCH (RFC 3501 section 6.4.4) and ESEARCH (RFC 4731)."""

from __future__ import annotations

import codecs
import re

import pytest

from cassandane.clients import ImapClient
from cassandane.instance import Instance
from cassandane.messages import message


def found(imap: ImapClient, keys: str | bytes, *literals: bytes) -> list[int]:
    command = b"SEARCH " + (keys.encode() if isinstance(keys, str) else keys)
    (line,) = imap.ok(command, *literals).untagged
    assert line.startswith("SEARCH")
    return [int(number) for number in line.split()[1:]]


def test_numbers_and_uids_are_told_apart(imap: ImapClient) -> None:
    imap.append("INBOX", *(message(str(number)) for number in range(4)))
    imap.ok("SELECT INBOX")
    imap.ok(r"STORE 2 +FLAGS (\Deleted)")
    imap.ok("EXPUNGE")
    assert imap.ok("SEARCH ALL").untagged == ["SEARCH 1 2 3"]
    assert imap.ok("UID SEARCH ALL").untagged == ["SEARCH 1 3 4"]
    assert imap.ok("SEARCH UID 3:4").untagged == ["SEARCH 2 3"]
    assert imap.ok("UID SEARCH 3").untagged == ["SEARCH 4"]
    reply = imap.ok("SEARCH FROM nobody")
    assert reply.untagged == ["SEARCH"]
    assert re.fullmatch(r"Completed \(0 msgs in \d\.\d{3} secs\)", reply.text)


@pytest.mark.parametrize(
    ("options", "answer"),
    [
        ("", "ALL 2:4,6"),
        ("ALL", "ALL 2:4,6"),
        ("MIN", "MIN 2"),
        ("MAX", "MAX 6"),
        ("COUNT", "COUNT 4"),
        ("ALL MAX MIN COUNT", "COUNT 4 MIN 2 MAX 6 ALL 2:4,6"),
    ],
)
def test_an_extended_search_returns_what_it_is_asked_for(imap: ImapClient, options: str, answer: str) -> None:
    """RFC 4731 section 3.1."""
    imap.append("INBOX", *(message(str(number)) for number in range(6)))
    imap.ok("SELECT INBOX")
    (line,) = imap.ok(f"SEARCH RETURN ({options}) OR 2:4 6").untagged
    assert re.fullmatch(rf'ESEARCH \(TAG "\w+"\) {answer}', line)
    (line,) = imap.ok(f"UID SEARCH RETURN ({options}) OR 2:4 6").untagged
    assert re.fullmatch(rf'ESEARCH \(TAG "\w+"\) UID {answer}', line)


def test_an_extended_search_without_result_tells_only_its_count(imap: ImapClient) -> None:
    imap.ok("SELECT INBOX")
    (line,) = imap.ok("SEARCH RETURN (MIN MAX ALL) SEEN").untagged
    assert re.fullmatch(r'ESEARCH \(TAG "\w+"\)', line)
    (line,) = imap.ok("SEARCH RETURN (MIN MAX ALL COUNT) SEEN").untagged
    assert re.fullmatch(r'ESEARCH \(TAG "\w+"\) COUNT 0', line)


def test_flags_are_searched(imap: ImapClient) -> None:
    imap.append("INBOX", *(message(str(number)) for number in range(5)))
    imap.ok("SELECT INBOX")
    imap.ok(r"STORE 1:2 +FLAGS (\Seen $Done)")
    imap.ok(r"STORE 2:3 +FLAGS (\Flagged)")
    assert found(imap, "SEEN") == [1, 2]
    assert found(imap, "UNSEEN") == [3, 4, 5]
    assert found(imap, "FLAGGED UNSEEN") == [3]
    assert found(imap, "KEYWORD $done") == [1, 2]
    assert found(imap, "UNKEYWORD $Done FLAGGED") == [3]
    assert found(imap, "OR SEEN FLAGGED") == [1, 2, 3]
    assert found(imap, "NOT (SEEN FLAGGED)") == [1, 3, 4, 5]
    assert found(imap, "NEW") == [3, 4, 5]
    assert found(imap, "OLD") == []


@pytest.mark.parametrize("charset", ["utf-8", "iso-8859-1", "windows-1252", "utf-7"])
@pytest.mark.parametrize("encoding", ["8bit", "quoted-printable", "base64"])
def test_a_body_is_found_whatever_it_was_encoded_in(imap: ImapClient, charset: str, encoding: str) -> None:
    """However short it is. Case and diacritics do not matter."""
    text = "Grüße aus Köln"
    raw = text.encode(charset)
    if encoding != "8bit":
        raw = codecs.encode(raw, "quopri" if encoding == "quoted-printable" else "base64")
        raw = raw.replace(b"\n", b"\r\n")
    head = f"Subject: x\r\nContent-Type: text/plain; charset={charset}\r\n"
    head += f"Content-Transfer-Encoding: {encoding}\r\n\r\n"
    imap.append("INBOX", message("other"), head.encode() + raw + b"\r\n")
    imap.ok("SELECT INBOX")
    for word in ("Grüße", "GRUßE", "köln", "koln", "aus köln"):
        assert found(imap, "CHARSET UTF-8 BODY {}", word.encode()) == [2], word
        assert found(imap, "CHARSET UTF-8 TEXT {}", word.encode()) == [2], word
    assert found(imap, "CHARSET ISO-8859-1 BODY {}", "Köln".encode("latin-1")) == [2]
    assert found(imap, "BODY xyzzy") == []


def test_text_includes_the_header_and_body_does_not(imap: ImapClient) -> None:
    imap.append("INBOX", message("needle", "hay"), message("hay", "needle"))
    imap.ok("SELECT INBOX")
    assert found(imap, "TEXT needle") == [1, 2]
    assert found(imap, "BODY needle") == [2]
    assert found(imap, "SUBJECT needle") == [1]
    assert found(imap, "HEADER subject NEEDLE") == [1]


def test_what_arrived_just_now_is_told_and_searched(instance: Instance, imap: ImapClient) -> None:
    imap.ok("SELECT INBOX")
    with instance.imap("cassandane") as other:
        other.append("INBOX", message("new"))
    assert imap.ok("SEARCH SUBJECT new").untagged == ["1 EXISTS", "1 RECENT", "SEARCH 1"]


def test_what_was_expunged_elsewhere_is_not_found_before_it_is_told(
    instance: Instance, imap: ImapClient
) -> None:
    """RFC 3501 section 7.4.1: no EXPUNGE during SEARCH."""
    imap.append("INBOX", *(message(str(number)) for number in range(3)))
    imap.ok("SELECT INBOX")
    with instance.imap("cassandane") as other:
        other.ok("SELECT INBOX")
        other.ok(r"STORE 2 +FLAGS (\Deleted)")
        other.ok("EXPUNGE")
    assert imap.ok("SEARCH ALL").untagged[-1] == "SEARCH 1 3"
    assert imap.ok("NOOP").untagged == ["2 EXPUNGE"]
    assert imap.ok("SEARCH ALL").untagged == ["SEARCH 1 2"]


@pytest.mark.imapd_conf(search_skipdiacrit="no", search_whitespace="skip")
def test_what_matters_in_a_comparison_is_configured(imap: ImapClient) -> None:
    imap.append("INBOX", message("Köln am Rhein"))
    imap.ok("SELECT INBOX")
    assert found(imap, "CHARSET UTF-8 SUBJECT {}", b"amrhe in") == [1]
    assert found(imap, "SUBJECT koln") == []


def test_an_unknown_charset_is_refused(imap: ImapClient) -> None:
    imap.ok("SELECT INBOX")
    assert imap.bad("SEARCH CHARSET nosuch ALL").text == "Unrecognized character set"
    assert imap.bad("SEARCH FOO").text == "Invalid Search criteria"
    assert imap.bad("SEARCH").text == "Missing required argument to Search"


def test_age_is_counted_in_seconds_from_now(imap: ImapClient) -> None:
    """RFC 5032 section 3."""
    imap.ok('APPEND INBOX "01-Jan-2020 10:00:00 +0000" {}', message("old"))
    imap.append("INBOX", message("new"))
    imap.ok("SELECT INBOX")
    assert found(imap, "YOUNGER 3600") == [2]
    assert found(imap, "OLDER 3600") == [1]
    assert found(imap, "YOUNGER 4000000000") == [1, 2]
    assert found(imap, "NOT OLDER 4000000000") == [1, 2]
    assert imap.bad("SEARCH OLDER soon").text == "Invalid interval in Search command"
    assert imap.bad("SEARCH YOUNGER").text == "Missing required argument to Search younger"
