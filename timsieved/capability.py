"""The capabilities (RFC 5804 section 1.7), told at the beginning, when asked for, and after STARTTLS."""

from __future__ import annotations

from timsieved.response import ok, string
from timsieved.session import Session


def tell(session: Session) -> None:
    settings = session.app.settings
    lines = [("IMPLEMENTATION", settings.implementation), ("VERSION", "1.0")]
    if not session.tls_missing and (not session.authenticated or session.sasl.strength):
        lines.append(("SASL", " ".join(session.sasl.mechanisms())))
    lines.append(("SIEVE", " ".join(settings.extensions)))
    if "enotify" in settings.extensions:
        lines.append(("NOTIFY", "mailto"))
    if settings.lists is not None:
        lines.append(("EXTLISTS", settings.lists))
    for name, value in lines:
        session.out.line(string(name.encode()), string(value.encode()))
    if session.app.tls_enabled and not session.tls_done and not session.authenticated:
        session.out.line(b'"STARTTLS"')
    if session.userid is not None:
        session.out.line(b'"OWNER"', string(session.userid.encode("utf-8", "surrogateescape")))
    session.out.line(b'"UNAUTHENTICATE"')
    session.out.reply(ok())
