"""STARTTLS (RFC 3501 section 6.2.1). What the client sent in the clear behind it is thrown away."""

from __future__ import annotations

import logging

from imap.imapd.response import Bad, No, Ok, Outcome, Silent
from imap.imapd.session import Session
from libcyrus.server import starttls
from libcyrus.server.starttls import TlsFailed, TlsUnavailable

log = logging.getLogger(__name__)


def available(session: Session) -> bool:
    return session.process.tls_enabled


def run(session: Session, _args: None) -> Outcome:
    if session.userid is not None:
        return Bad("Can't Starttls after authentication")
    if session.tls_active:
        return Bad("Already did a successful Starttls")
    if session.process.tls() is None:
        log.error("error initializing TLS")
        return No("Error initializing TLS")
    session.out.tagged(session.tag, Ok("Begin TLS negotiation now"))
    negotiate(session, failed="STARTTLS negotiation failed", timeout=starttls.PATIENCE)
    return Silent()


def negotiate(session: Session, *, failed: str, timeout: float) -> None:
    """Shake hands; what follows a failed handshake cannot be read, so the session closes then."""
    stream, host = session.stream, session.client_host
    try:
        tls = starttls.start(stream, session.process.tls(), host, failed=failed, timeout=timeout)
    except TlsUnavailable:
        log.error("error initializing TLS")
        session.closing = True
        return
    except TlsFailed:
        session.closing = True
        session.stream.discard_output()
        return
    session.sasl.bits = max(tls.bits, session.settings.switches.external_ssf)
    session.sasl.binding = tls.channel_binding
    session.sasl.certified = tls.peer_name
