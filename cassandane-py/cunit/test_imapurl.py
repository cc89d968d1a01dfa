"""IMAP URLs (RFC 5092, RFC 4467)."""

from __future__ import annotations

import pytest

from libcyrus.base.imapurl import BadImapUrl, ImapUrl, parse


def test_every_part_is_read() -> None:
    rump = (
        b"imap://jo%20e;AUTH=*@mail.example.org/INBOX/caf%C3%A9;uidvalidity=7/;UID=12/;section=1.TEXT"
        b"/;PARTIAL=3.4;expire=2030-01-02T03:04:05Z;URLAUTH=user+urlauth=x"
    )
    assert parse(rump + b":INTERNAL:00ff") == ImapUrl(
        user=b"jo e;AUTH=*",
        server=b"mail.example.org",
        mailbox="INBOX/café".encode(),
        uidvalidity=7,
        uid=12,
        section=b"1.TEXT",
        start=3,
        count=4,
        expire=1893553445,
        access=b"user+urlauth=x",
        mechanism=b"INTERNAL",
        token=b"00ff",
        rump=rump,
    )


def test_a_url_may_be_relative() -> None:
    assert parse(b"/;UID=2").mailbox is None
    assert parse(b"INBOX/;UID=2") == ImapUrl(mailbox=b"INBOX", uid=2, rump=b"INBOX/;UID=2")


@pytest.mark.parametrize(
    "text",
    [
        b"imap://x",
        b"{x",
        b"/a;uid=x",
        b"/a;uid=",
        b"/a;uid=1;uid=1",
        b"/a;section=1",
        b"/a;uid=1/;partial=1.x",
        b"/a;uid=99999999999999999999999999",
        b"/a;uid=1;expire=yesterday",
        b"/a;uid=1;urlauth=a:b:c;uid=1",
        b"/a%zz",
    ],
)
def test_what_is_no_url_is_refused(text: bytes) -> None:
    with pytest.raises(BadImapUrl):
        parse(text)
