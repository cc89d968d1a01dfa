"""MAIL (RFC 5321 section 4.1.1.2) with SIZE, BODY and AUTH."""

from __future__ import annotations

from imap.lmtpd import parse
from imap.lmtpd.session import Session, Transaction, Trust
from libcyrus.auth import new_state


def run(session: Session, argument: bytes) -> tuple[str, ...]:
    settings = session.app.settings
    if session.trust is Trust.NONE:
        return ("430 Authentication required" if settings.soft_noauth else "530 Authentication required",)
    if session.transaction is not None:
        return ("503 5.5.1 Nested MAIL command",)
    args = parse.mail(
        argument, strict=settings.strict_rfc2821, maxsize=settings.maxmessagesize or parse.LARGEST_INT
    )
    authstate = new_state(session.app.config, args.authuser) if args.authuser else None
    session.transaction = Transaction(args.return_path, args.authuser, authstate, args.size)
    return ("250 2.1.0 ok",)
