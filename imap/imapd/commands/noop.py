"""NOOP and CHECK (RFC 3501 sections 6.1.2 and 6.4.1): the news itself is told by the loop."""

from __future__ import annotations

from imap.imapd.response import Ok
from imap.imapd.session import Session


def run(_session: Session, _args: None) -> Ok:
    return Ok()
