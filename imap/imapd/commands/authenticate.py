"""AUTHENTICATE with an optional initial response (RFC 3501 section 6.2.2, RFC 4959)."""

from __future__ import annotations

import logging

from imap.imapd.commands.login import enter, log_login
from imap.imapd.parse import SP, ParseError, Parser, is_atom
from imap.imapd.response import Bad, No, Ok, Outcome, Silent
from imap.imapd.session import Session
from libcyrus.base.dataclasses import dataclass
from libcyrus.base.xlog import NOTICE
from libcyrus.errors import SaslCancel, SaslProtocol
from libcyrus.sasl import SaslCode, SaslError
from libcyrus.sasl.layer import SecurityLayer
from libcyrus.server.login import exchange, pause_after_failure

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class AuthenticateArgs:
    """``initial`` as written, in base64; None if there was none."""

    mechanism: str
    initial: bytes | None


def parse(parser: Parser) -> AuthenticateArgs:
    parser.sp()
    mechanism = parser.word()
    if not is_atom(mechanism):
        raise ParseError("Invalid authenticate mechanism")
    initial = parser.word() if parser.accept(SP) else None
    parser.eol()
    return AuthenticateArgs(mechanism.decode("ascii"), initial)


def run(session: Session, args: AuthenticateArgs) -> Outcome:
    if session.userid is not None:
        return Bad("Already authenticated")
    if session.tls_missing:
        return No("Authenticate only available under a layer")
    try:
        success = exchange(session.stream, session.sasl, args.mechanism, args.initial, continuation=b"+ ")
    except SaslCancel:
        return Bad("Client canceled authentication")
    except SaslProtocol as error:
        return No(f"Error reading client response: {error}")
    except SaslError as error:
        # who names nobody may have written a password in the wrong place
        tried = error.userid if error.userid and error.code is not SaslCode.NOUSER else "-notset-"
        log.log(
            NOTICE,
            "badlogin: %s %s (%s) [%s]",
            session.client_host,
            args.mechanism,
            tried,
            error.log_text,
        )
        pause_after_failure(session.process.config)
        return No(error.code.public_text)
    log_login(session, success.identity, args.mechanism, f"User logged in SESSIONID=<{session.session_id}>")
    text = f"Success ({_protection(session, success.layer)}) SESSIONID=<{session.session_id}>"
    if success.layer is None:
        return enter(session, success.identity, text)
    # what was told in the clear may have been changed on its way: under the layer the client asks anew
    outcome = enter(session, success.identity, text, tells=False)
    session.out.tagged(session.tag, outcome)
    if isinstance(outcome, Ok):
        session.stream.protect(success.layer)
    return Silent()


def _protection(session: Session, layer: SecurityLayer | None) -> str:
    own = "" if layer is None else "integrity protection" if layer.strength == 1 else "privacy protection"
    if session.tls_active:
        return f"tls plus {own}" if own else "tls protection"
    return own or "no protection"
