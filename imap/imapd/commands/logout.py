"""LOGOUT (RFC 3501 section 6.1.3)."""

from __future__ import annotations

from imap.imapd.response import Ok
from imap.imapd.session import Session


def run(session: Session, _args: None) -> Ok:
    session.out.bye("LOGOUT received")
    session.process.usage.log(session.userid)
    session.closing = True
    return Ok()
