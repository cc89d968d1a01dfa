"""What delivery sends and writes for scripts: headers, replies, rewritten senders, snoozing."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from imap.lmtpd.sieve import replies, snooze
from libcyrus.smtp.srs import SenderRewriting
from libcyrus.text.headerencoding import encode_body, encode_header
from libcyrus.text.mimeheader import parse_mimeheader
from sieve.run.outcomes import Snooze, Vacation


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (b"plain = text?", b"plain = text?"),
        ("grün".encode(), b"=?UTF-8?Q?gr=C3=BCn?="),
        (b"a\r\n b", b"=?UTF-8?Q?a?=\r\n =?UTF-8?Q?b?="),
        ("Jörg <joerg@x.example>".encode(), b"=?UTF-8?Q?J=C3=B6rg?= <joerg@x.example>"),
        ("ö@x.example no list".encode(), b"=?UTF-8?Q?=C3=B6@x.example_no_list?="),
        ("a@b.c, é".encode(), b"a@b.c, =?UTF-8?Q?=C3=A9?="),
        (b"x" * 80, b"=?UTF-8?Q?" + b"x" * 62 + b"?=\r\n =?UTF-8?Q?" + b"x" * 18 + b"?="),
    ],
)
def test_header_fields_are_encoded_where_needed(value: bytes, written: bytes) -> None:
    assert encode_header(value) == written


def test_long_fields_are_folded_at_blanks() -> None:
    written = encode_header(b"word " * 40)
    assert all(len(line) <= 78 for line in written.split(b"\r\n"))
    assert written.replace(b"\r\n", b"") == b"word " * 40
    value = "wört ".encode() * 40
    assert parse_mimeheader(encode_header(value)).split() == value.split()


def test_bodies_are_quoted_where_needed() -> None:
    assert encode_body(b"plain\r\ntext") == b"plain\r\ntext"
    assert encode_body("é".encode()) == b"=C3=A9"


def test_refusals_by_reply() -> None:
    assert replies.lmtp_refusal(b"one\r\n\r\ntwo\n") == ("550-5.7.1 one", "550 5.7.1 two")
    assert replies.lmtp_refusal(b"") == ("550 5.7.1 ",)


def test_an_answer_cannot_smuggle_fields() -> None:
    answer = Vacation(b"b@x", b"a@x\r\nBcc: c@x", b"s\r\nBcc: c@x", b"text\nmore", False, 1, None, None, ())
    lines = replies.vacation(answer, b"<1@x>", b"<2@x>", 0).split(b"\r\n")
    assert not any(line.lower().startswith(b"bcc") for line in lines)
    assert b"Subject: s" in lines
    assert lines[-3:] == [b"text", b"more", b""]


def test_what_is_passed_on_loses_its_path() -> None:
    header = b"Return-Path: <a@b>\r\nX: y\r\n"
    assert replies.forward(header, b"\r\nbody") == b"X-Sieve-Action: redirect\r\nX: y\r\n\r\nbody"


def test_senders_are_rewritten() -> None:
    srs = SenderRewriting("ours.example", "secret")
    now = 1795426205.0
    first = srs.forward("bob@example.com", now)
    assert first.startswith("SRS0=") and first.endswith("=example.com=bob@ours.example")
    assert len(first.split("=")[1]) == 4
    assert srs.forward("BOB@example.com", now).split("=")[1] == first.split("=")[1]
    assert SenderRewriting("ours.example", "other").forward("bob@example.com", now) != first
    again = srs.forward("SRS0=abcd=XY=example.com=bob@theirs.example")
    assert again.startswith("SRS1=")
    assert again.endswith("=theirs.example==abcd=XY=example.com=bob@ours.example")
    third = srs.forward("SRS1=efgh=theirs.example==abcd=XY=example.com=bob@next.example")
    assert third == again
    assert srs.forward("me@OURS.example") == "me@OURS.example"
    assert srs.forward("") == ""
    always = SenderRewriting("ours.example", "s", always=True, separator="+")
    assert always.forward("me@ours.example").startswith("SRS0+")


def _snooze(days: int, *times: int, tzid: bytes | None = b"Europe/Vienna") -> Snooze:
    return Snooze(None, (rb"\Flagged", b"x"), (rb"\seen",), days, times, tzid, (), None)


@pytest.mark.parametrize(
    ("days", "times", "when"),
    [
        (0b0000010, (36000, 50400), "2026-11-23T10:00:00"),
        (0b0000010, (32400,), "2026-11-30T09:00:00"),
        (0b0001000, (36000,), "2026-11-25T10:00:00"),
        (0b0000011, (0,), "2026-11-29T00:00:00"),
    ],
)
def test_when_a_message_comes_back(days: int, times: tuple[int, ...], when: str) -> None:
    zone = ZoneInfo("Europe/Vienna")
    now = int(datetime(2026, 11, 23, 9, 30, tzinfo=zone).timestamp())
    found = snooze.until(_snooze(days, *times), now)
    assert found is not None
    assert datetime.fromtimestamp(found, zone).strftime("%Y-%m-%dT%H:%M:%S") == when


@pytest.fixture
def vienna() -> Iterator[None]:
    before = os.environ.get("TZ")
    os.environ["TZ"] = "Europe/Vienna"
    time.tzset()
    yield
    if before is None:
        del os.environ["TZ"]
    else:
        os.environ["TZ"] = before
    time.tzset()


def test_local_time_counts_without_a_zone(vienna: None) -> None:
    zone = ZoneInfo("Europe/Vienna")
    # summer time ends in the night between
    now = int(datetime(2026, 10, 24, 12, 0, tzinfo=zone).timestamp())
    found = snooze.until(_snooze(0b0000001, 36000, tzid=None), now)
    assert found == int(datetime(2026, 10, 25, 10, 0, tzinfo=zone).timestamp())


def test_an_unknown_zone() -> None:
    assert snooze.until(_snooze(127, 0, tzid=b"../etc/passwd"), 0) is None
    assert snooze.until(_snooze(127, 0, tzid=b"\xff"), 0) is None


def test_what_the_annotation_says() -> None:
    value = json.loads(snooze.details(_snooze(1, 0), 0, "id"))
    assert value == {
        "until": "1970-01-01T00:00:00Z",
        "moveToMailboxId": "id",
        "setKeywords": {"$Flagged": True, "x": True, "$Seen": False},
    }
