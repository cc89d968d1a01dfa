"""STARTTLS (RFC 3207). A peer that is trusted already has no use for it."""

from __future__ import annotations

from imap.lmtpd.session import Session, Trust
from libcyrus.server import starttls


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
        return ("454 4.3.3 Error initializing TLS",)
    session.out.line("220 Begin TLS negotiation now")
    try:
        tls = starttls.start(session.stream, app.tls(), session.client.host)
    except starttls.TlsFailed:
        # half a handshake has passed over the connection: nothing can be said on it any more
        session.over = True
        session.stream.discard_output()
        return ()
    session.tls_done = True
    session.sasl.bits = tls.bits
    session.sasl.binding = tls.channel_binding
    session.sasl.certified = tls.peer_name
    if tls.peer_name and session.trust is Trust.NONE:
        session.trust = Trust.CERTIFICATE
    return ()
