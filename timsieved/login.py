"""AUTHENTICATE, UNAUTHENTICATE and STARTTLS (RFC 5804 sections 2.1, 2.2 and 2.14.1)."""

from __future__ import annotations

import base64
import logging
import os

from libcyrus.base.xlog import NOTICE
from libcyrus.errors import CyrusError, SaslProtocol
from libcyrus.sasl import SaslCode, SaslError
from libcyrus.sasl.server import Success
from libcyrus.server import limits, telemetry
from libcyrus.server import starttls as tls
from libcyrus.server.login import Identity, converse, pause_after_failure
from sieve.scripts.store import UserScripts
from timsieved import capability
from timsieved.lexer import Kind
from timsieved.response import Reply, literal, no, ok
from timsieved.session import ANONYMOUS, Session

log = logging.getLogger(__name__)

_FAILED = no("Authentication Error")


def why_not(session: Session) -> str | None:
    return "AUTHENTICATE only available under a layer" if session.tls_missing else None


def authenticate(session: Session, mechanism: bytes, initial: bytes | None = None) -> Reply | None:
    if session.authenticated:
        return no("Already authenticated")
    name = mechanism[:127].decode("ascii", "replace")

    def ask(challenge: bytes) -> bytes:
        session.out.line(literal(challenge))
        answer, end = session.lexer.next(), None
        if answer.kind is Kind.STRING:
            end = session.lexer.next()
        if end is None or end.kind is not Kind.EOL:
            session.lexer.drop_line()
            raise SaslProtocol("expected string")
        return answer.data

    try:
        success = converse(session.sasl, name, initial, ask)
    except SaslProtocol as error:
        session.sasl.forget()
        log.log(NOTICE, "badlogin: %s %s %s", session.client_host, name, error)
        return _FAILED
    except SaslError as error:
        session.sasl.forget()
        code = SaslCode.BADAUTH if error.code is SaslCode.NOUSER else error.code
        log.log(NOTICE, "badlogin: %s %s %s", session.client_host, name, code.public_text)
        pause_after_failure(session.app.config)
        return _FAILED
    return _enter(session, success, name)


def _enter(session: Session, success: Success[Identity], mechanism: str) -> Reply | None:
    app, userid = session.app, success.userid
    excess = limits.check(app.config, session.client_host, userid)
    if excess is not None:
        session.sasl.forget()
        return no(str(excess))
    if userid != ANONYMOUS:
        try:
            session.scripts = UserScripts(app.store, userid)
        except CyrusError as error:
            log.error("error in actions_setuser(): %s: %s", userid, error)
            session.sasl.forget()
            return _FAILED
    session.userid = userid
    log.log(
        NOTICE,
        "login: %s %s %s%s User logged in",
        session.client_host,
        userid,
        mechanism,
        "+TLS" if session.tls_done else "",
    )
    data = success.data
    session.out.reply(ok(code=None if data is None else b'SASL "' + base64.b64encode(data) + b'"'))
    if success.layer is not None:
        session.stream.protect(success.layer)
        if app.settings.tells_capabilities_after_login:
            capability.tell(session)
    session.telemetry_fd = telemetry.open_log(app.config, userid, session.session_id)
    if session.telemetry_fd is not None:
        session.stream.telemetry(session.telemetry_fd)
    return None


def unauthenticate(session: Session) -> Reply | None:
    """Be as after the greeting; TLS stays."""
    session.out.reply(ok())
    session.out.flush()
    session.stream.unprotect()
    session.sasl.forget()
    leave(session)
    return None


def leave(session: Session) -> None:
    """Let go of the user."""
    if session.scripts is not None:
        session.scripts.close()
    if session.telemetry_fd is not None:
        session.stream.telemetry(None)
        os.close(session.telemetry_fd)
    session.scripts = session.userid = session.telemetry_fd = None


def starttls(session: Session) -> Reply | None:
    # what was sent along with the command may have been put there by somebody else
    session.lexer.forget_input()
    if session.tls_done:
        return no("TLS already active")
    if session.app.tls() is None:
        log.error("error initializing TLS")
        return no("Error initializing TLS")
    session.out.reply(ok("Begin TLS negotiation now"))
    try:
        found = tls.start(
            session.stream, session.app.tls(), session.client_host, failed="STARTTLS failed"
        )
    except tls.TlsFailed:
        # half a handshake has passed over the connection: nothing can be said on it any more
        session.over = True
        session.stream.discard_output()
        return None
    session.tls_done = True
    session.sasl.bits = found.bits
    session.sasl.binding = found.channel_binding
    session.sasl.certified = found.peer_name
    capability.tell(session)
    return None
