"""AUTH (RFC 4954). Only administrators may authenticate to deliver."""

from __future__ import annotations

import logging

from imap.lmtpd.session import Session, Trust
from libcyrus.base.xlog import NOTICE
from libcyrus.errors import SaslCancel, SaslProtocol
from libcyrus.sasl import SaslCode, SaslError
from libcyrus.server import login

log = logging.getLogger(__name__)


def run(session: Session, argument: bytes) -> tuple[str, ...]:
    if session.trust is Trust.LOGIN:
        return ("503 5.5.0 already authenticated",)
    if session.has_recipients:
        return ("503 5.5.0 AUTH not permitted now",)
    word, space, initial = argument.partition(b" ")
    mechanism = word[:127].decode("ascii", "replace")
    try:
        success = login.exchange(
            session.stream, session.sasl, mechanism, initial if space else None, continuation=b"334 "
        )
    except SaslCancel:
        return ("501 5.5.4 client canceled authentication",)
    except SaslProtocol as error:
        return (f"501 5.5.4 Error reading client response: {error}",)
    except SaslError as error:
        if error.code is SaslCode.NOMECH:
            return ("504 Unrecognized authentication type.",)
        tried = error.userid or "-notset-"
        log.error("badlogin: %s %s (%s) [%s]", session.client.host, mechanism, tried, error.log_text)
        if session.app.metrics is not None:
            session.app.metrics.add("authenticate_total_result_no")
        login.pause_after_failure(session.app.config)
        # the original looks its own error number up in libsasl's table, and this is what it finds
        return ("501 5.5.4 undefined error!",)
    session.start_telemetry(success.userid)
    log.log(
        NOTICE,
        "login: %s %s %s%s User logged in",
        session.client.host,
        success.userid,
        mechanism,
        "+TLS" if session.tls_done else "",
    )
    if session.app.metrics is not None:
        session.app.metrics.add("authenticate_total_result_yes")
    session.trust = Trust.LOGIN
    if success.layer is None:
        return ("235 Authenticated!",)
    session.out.line("235 Authenticated!")
    session.stream.protect(success.layer)
    return ()
