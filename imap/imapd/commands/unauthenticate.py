"""UNAUTHENTICATE (RFC 8437), for administrators: back to where a connection begins, but for TLS."""

from __future__ import annotations

import os

from imap.imapd import capability
from imap.imapd.listed import Repeated
from imap.imapd.response import Ok, Outcome, Silent
from imap.imapd.session import Session


def available(session: Session) -> bool:
    return session.is_admin


def run(session: Session, _args: None) -> Outcome:
    session.leave_mailbox()
    session.forget_user()
    session.listed = Repeated()
    code = " ".join(["CAPABILITY", *capability.greeting(session)])
    session.out.tagged(session.tag, Ok(code=code))
    session.stream.stop_compressing()
    session.stream.unprotect()
    if session.telemetry_fd is not None:
        session.stream.telemetry(None)
        os.close(session.telemetry_fd)
        session.telemetry_fd = None
    session.register()
    return Silent()
