"""lmtpd(8): takes mail by LMTP and puts it into mailboxes."""

from __future__ import annotations

import contextlib
import logging
import os

from imap.lmtpd import loop
from imap.lmtpd.app import TIMEOUT, Lmtpd, build
from imap.lmtpd.commands.starttls import negotiate
from imap.lmtpd.response import Response
from imap.lmtpd.session import POSTMAN, Session, Trust
from libcyrus.base.signals import ShutdownRequested
from libcyrus.config.session_id import SessionId
from libcyrus.errors import CyrusError, Fatal
from libcyrus.prot import ProtError, ProtStream
from libcyrus.sasl import make_server
from libcyrus.server import clienthost, service, starttls
from libcyrus.server.connection import Connection
from libcyrus.server.login import LoginPolicy
from libcyrus.server.program import ServiceProgram
from libcyrus.server.telemetry import io_logged, open_log

log = logging.getLogger(__name__)

# what a trusted local socket is worth, in bits
LOCAL_STRENGTH = 2


def serve(app: Lmtpd, connection: Connection) -> None:
    """One conversation."""
    surroundings = app.service
    signals = surroundings.signals
    stream = ProtStream(
        connection.sock, timeout=TIMEOUT, before_wait=signals.check, wakeup_fd=signals.wakeup_fd
    )
    out = Response(stream)
    app.failed = True
    with contextlib.ExitStack() as stack:
        if app.metrics is not None:
            app.metrics.connected()
            stack.callback(app.metrics.disconnected)
            app.metrics.add("connections_total")
        stack.enter_context(io_logged(app.config, "LMTP"))
        session = _session(app, connection, stream, out, stack)
        try:
            if app.wrapped:
                negotiate(session, failed="lmtps TLS negotiation failed", timeout=starttls.IMPATIENCE)
            loop.run(session)
            app.failed = False
        except ShutdownRequested:
            with contextlib.suppress(ProtError):
                stream.flush()
            raise
        except Fatal as error:
            out.line(f"421 4.3.0 lmtpd: {error}")
            with contextlib.suppress(ProtError):
                stream.flush()
            raise
        finally:
            with contextlib.suppress(ProtError):
                stream.flush()
            if stream.tls is not None:
                stream.tls.shutdown()
            _clean_up(app)


def _clean_up(app: Lmtpd) -> None:
    """What mailboxes need that were seen on the way. Whatever comes of it, the mail has been delivered."""
    try:
        app.store.run_cleanup()
    except CyrusError as error:
        log.error("cleaning up after a delivery failed: %s", error)


def _session(
    app: Lmtpd, connection: Connection, stream: ProtStream, out: Response, stack: contextlib.ExitStack
) -> Session:
    client = connection.client
    session_id = SessionId(app.config)

    def start_telemetry(userid: str) -> None:
        fd = open_log(app.config, userid, session_id)
        if fd is not None:
            stack.callback(os.close, fd)
            stream.telemetry(fd)

    policy = LoginPolicy(
        app.config, admins_only=True, local_domain=lambda: clienthost.domain_of(connection.sock)
    )
    app.store.begin_session(session_id)
    session = Session(app, stream, out, client, make_server(app.sasl, policy), session_id, start_telemetry)
    if app.preauthorized or client.is_local:
        session.trust = Trust.EXTERNAL
        session.sasl.bits = LOCAL_STRENGTH
        session.sasl.external = POSTMAN
        start_telemetry(POSTMAN)
    log.debug("connection from %s%s", client.host, " preauth'd as postman" if session.preauthorized else "")
    return session


_REHEARSAL = b"""\
LHLO localhost
MAIL FROM:<a@example.org>
RCPT TO:<rehearsal>
DATA
From: <a@example.org>
Subject: hello

hello
.
QUIT
""".replace(b"\n", b"\r\n")

PROGRAM: ServiceProgram[Lmtpd] = ServiceProgram(
    name="lmtpd",
    options="as",
    init=build,
    serve=serve,
    started=Lmtpd.open,
    close=Lmtpd.close,
    rehearsal=_REHEARSAL,
)


def main() -> int:
    return service.main(PROGRAM)
