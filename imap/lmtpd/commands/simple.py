"""NOOP, QUIT, RSET and VRFY: the commands that answer and do little else (RFC 5321 section 4.1.1)."""

from __future__ import annotations

from imap.lmtpd.session import Session


def noop(session: Session, argument: bytes) -> tuple[str, ...]:
    return ("250 2.0.0 ok",)


def quit_(session: Session, argument: bytes) -> tuple[str, ...]:
    session.over = True
    return ("221 2.0.0 bye",)


def rset(session: Session, argument: bytes) -> tuple[str, ...]:
    session.transaction = None
    return (f"250 2.0.0 Ok SESSIONID=<{session.session_id.new()}>",)


def vrfy(session: Session, argument: bytes) -> tuple[str, ...]:
    return ("252 2.3.3 try RCPT to attempt delivery",)
