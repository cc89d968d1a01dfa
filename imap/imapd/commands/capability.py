"""CAPABILITY (RFC 3501 section 6.1.1)."""

from __future__ import annotations

from imap.imapd import capability
from imap.imapd.response import Ok
from imap.imapd.session import Session


def run(session: Session, _args: None) -> Ok:
    session.out.capability(capability.full(session))
    return Ok()
