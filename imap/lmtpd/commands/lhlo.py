"""LHLO (RFC 2033 section 4.1): the extensions of this moment, and a new session id afterwards."""

from __future__ import annotations

from imap.lmtpd.session import Session, Trust

LONGEST_NAME = 249


def run(session: Session, argument: bytes) -> tuple[str, ...]:
    app = session.app
    lines = [app.config.servername, "8BITMIME", "ENHANCEDSTATUSCODES", "PIPELINING"]
    limit = app.settings.maxmessagesize
    lines.append(f"SIZE {limit}" if limit else "SIZE")
    if app.tls_enabled and not session.tls_done and session.trust is Trust.NONE:
        lines.append("STARTTLS")
    # deliver(8) sends MAIL's AUTH= parameter only to a server that announces AUTH
    if session.trust is not Trust.LOGIN:
        mechanisms = session.sasl.mechanisms()
        if mechanisms:
            lines.append("AUTH " + " ".join(mechanisms))
    lines.append("IGNOREQUOTA")
    current = str(session.session_id)
    session.lhlo_name = argument[:LONGEST_NAME].decode("utf-8", "surrogateescape")
    session.session_id.new()
    return (*(f"250-{line}" for line in lines), f"250 Ok SESSIONID=<{current}>")

