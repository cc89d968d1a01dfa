"""CLOSE and UNSELECT (RFC 3501 section 6.4.2, RFC 3691). Neither tells what it expunged."""

from __future__ import annotations

from imap.imapd.response import Ok
from imap.imapd.session import Session


def run(session: Session, _args: None, *, expunge: bool) -> Ok:
    try:
        session.leave_mailbox(expunge=expunge)
    finally:
        # or the session would end with the mailbox when that is deleted
        session.register()
    return Ok()
