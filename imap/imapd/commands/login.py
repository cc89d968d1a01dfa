"""LOGIN (RFC 3501 section 6.2.3), and what every successful login sets in motion."""

from __future__ import annotations

import logging
import os
import time

from imap.imapd import capability
from imap.imapd.parse import LITERAL_TOO_LARGE, LiteralTooLarge, MissingArgument, ParseError, Parser
from imap.imapd.response import Bad, No, Ok, Outcome
from imap.imapd.session import Session
from libcyrus.auth import ANONYMOUS_STATE, new_state
from libcyrus.base.xlog import NOTICE
from libcyrus.events.mboxevent.kinds import EventType
from libcyrus.mboxname import Namespace
from libcyrus.sasl import SaslError
from libcyrus.server import limits, telemetry
from libcyrus.server.login import Identity, is_anonymous, pause_after_failure

log = logging.getLogger(__name__)

_LONGEST_ANONYMOUS = 500


def parse(parser: Parser) -> str:
    """The user only: whether the password is read at all is decided by who it is for."""
    parser.sp()
    user = os.fsdecode(parser.astring())
    parser.sp()
    return user


def run(session: Session, user: str) -> Outcome:
    parser = session.parser
    host = session.client_host
    if session.userid is not None:
        return Bad("Already logged in")
    try:
        canonical = session.policy.canonify(user)
    except SaslError:
        log.log(NOTICE, "badlogin: %s plaintext (%s) invalid user", host, _printable(user))
        return No("Invalid user")
    anonymous = is_anonymous(session.process.config, canonical)
    if session.tls_missing or not (session.plaintext_allowed or anonymous):
        return No("Login only available under a layer")
    try:
        password = os.fsdecode(parser.astring())
        parser.eol()
    except LiteralTooLarge:
        return No(f"{LITERAL_TOO_LARGE} in LOGIN")
    except (MissingArgument, ParseError):
        raise ParseError("Unexpected extra arguments to LOGIN") from None

    if anonymous:
        return _anonymous(session, password)
    if session.settings.switches.skip_password_check:
        state = new_state(session.process.config, canonical)
        if state is None:
            return No("Invalid user")
        admin = state.is_a(session.process.admins)
        return _succeed(session, Identity(canonical, canonical, state, is_admin=admin), "nopassword")
    try:
        success = session.sasl.check_password(user, password)
    except SaslError as error:
        log.log(NOTICE, "badlogin: %s plaintext (%s) [%s]", host, canonical, error.log_text)
        pause_after_failure(session.process.config)
        return No(f"Login failed: {error.code.public_text}")
    outcome = _succeed(session, success.identity, "plaintext")
    if not session.tls_active and isinstance(outcome, Ok):
        if session.settings.plaintext_login_pause:
            time.sleep(session.settings.plaintext_login_pause)
        session.pending_alert = session.settings.plaintext_login_alert
    return outcome


def _anonymous(session: Session, password: str) -> Outcome:
    if not session.settings.allowanonymous:
        log.log(NOTICE, "badlogin: %s anonymous login refused", session.client_host)
        return No("Anonymous login is not permitted")
    told = _printable(password)[:_LONGEST_ANONYMOUS]
    log.log(NOTICE, "login: %s anonymous %s", session.client_host, told)
    identity = Identity("anonymous", "anonymous", ANONYMOUS_STATE)
    return enter(session, identity, "Anonymous access granted")


def _succeed(session: Session, identity: Identity, how: str) -> Outcome:
    text = f"User logged in SESSIONID=<{session.session_id}>"
    log_login(session, identity, how, text)
    return enter(session, identity, text)


def log_login(session: Session, identity: Identity, how: str, text: str) -> None:
    """The line that administrators count logins by."""
    log.log(
        NOTICE,
        "login: %s %s%s %s%s %s",
        session.client_host,
        identity.userid,
        session.magicplus or "",
        how,
        "+TLS" if session.tls_active else "",
        text,
    )


def enter(session: Session, identity: Identity, text: str, *, tells: bool = True) -> Outcome:
    """Make the session the user's, unless there are too many already, and word the success.

    With ``tells`` that holds the capabilities.
    """
    process = session.process
    excess = limits.check(process.config, session.client_host, identity.userid)
    if excess is not None:
        session.sasl.forget()
        return No(str(excess))
    session.userid = identity.userid
    session.auth = identity.authstate
    session.is_admin = identity.is_admin
    session.is_proxy_admin = identity.is_proxy_admin
    reply = Ok(text, code=" ".join(["CAPABILITY", *capability.full(session)]) if tells else None)
    session.telemetry_fd = telemetry.open_log(process.config, identity.userid, session.session_id)
    if session.telemetry_fd is not None:
        session.stream.telemetry(session.telemetry_fd)
    session.namespace = _namespace(session)
    session.register()
    session.tell_access(EventType.LOGIN)
    process.autocreate_inbox(session)
    return reply


def _namespace(session: Session) -> Namespace:
    process = session.process
    return process.admin_namespace if session.privileged else process.user_namespace


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text)
