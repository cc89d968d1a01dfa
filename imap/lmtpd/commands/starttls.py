"""STARTTLS (RFC 3207). A peer that is trusted already has no use for it."""

from __future__ import annotations

import logging

from imap.lmtpd.session import Session, Trust
from libcyrus.server import starttls

log = logging.getLogger(__name__)


def run(session: Session, argument: bytes) -> tuple[str, ...]:
    app = session.app
    if not app.tls_enabled or session.preauthorized:
        return ("500 5.5.2 Syntax error",)
    # what was sent along with the command may have been put there by somebody else
    session.stream.discard_input()
    if session.tls_done:
        return ("454 4.3.3 Already successfully executed STARTTLS",)
    if session.has_recipients:
        return ("503 5.5.0 STARTTLS not permitted now",)
    if app.tls() is None:
        log.error("[lmtpd] error initializing TLS")
        return ("454 4.3.3 Error initializing TLS",)
    session.out.line("220 Begin TLS negotiation now")
    negotiate(session, failed="[lmtpd] STARTTLS failed", timeout=starttls.PATIENCE)
    return ()


def negotiate(session: Session, *, failed: str, timeout: float) -> None:
    """Shake hands; the session is over if that fails."""
    try:
        tls = starttls.start(
            session.stream, session.app.tls(), session.client.host, failed=failed, timeout=timeout
        )
    except starttls.TlsUnavailable:
        log.error("[lmtpd] error initializing TLS")
        session.over = True
        return
    except starttls.TlsFailed:
        # half a handshake has passed over the connection: nothing can be said on it any more
        session.over = True
        session.stream.discard_output()
        return
    session.tls_done = True
    session.sasl.bits = tls.bits
    session.sasl.binding = tls.channel_binding
    session.sasl.certified = tls.peer_name
    if tls.peer_name and session.trust is Trust.NONE:
        session.trust = Trust.CERTIFICATE
