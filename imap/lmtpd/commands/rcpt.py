"""RCPT (RFC 5321 section 4.1.1.3) with IGNOREQUOTA (draft-murchison-lmtp-ignorequota)."""

from __future__ import annotations

import logging

from imap.lmtpd import parse, recipients
from imap.lmtpd.session import Session
from libcyrus.errors import CyrusError

log = logging.getLogger(__name__)

MAX_RECIPIENTS = 10_000


def run(session: Session, argument: bytes) -> tuple[str, ...]:
    transaction = session.transaction
    if transaction is None:
        return ("503 5.5.1 Need MAIL command",)
    if len(transaction.recipients) >= MAX_RECIPIENTS:
        return ("452 4.5.3 Too many recipients",)
    args = parse.rcpt(argument, strict=session.app.settings.strict_rfc2821)
    try:
        recipient = recipients.resolve(
            session.app,
            args.address,
            ignorequota=args.ignorequota,
            size=transaction.size,
            authstate=transaction.authstate,
        )
    except CyrusError as error:
        log.debug("verify_user(%s) failed: %s", args.address, error)
        return session.app.wording.refusal(error, str(session.session_id))
    transaction.recipients.append(recipient)
    return ("250 2.1.5 ok",)
