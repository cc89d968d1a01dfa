"""imapd(8): the IMAP daemon."""

from __future__ import annotations

import contextlib
import logging
import os
import socket

from imap.imapd import loop
from imap.imapd.commands.starttls import negotiate
from imap.imapd.parse import Parser
from imap.imapd.process import Process
from imap.imapd.response import Responses
from imap.imapd.session import Session
from imap.imapd.settings import Settings, Switches
from libcyrus import options as opt
from libcyrus.base.xlog import NOTICE
from libcyrus.config.session_id import SessionId
from libcyrus.errors import Fatal
from libcyrus.events.mboxevent.kinds import EventType
from libcyrus.prot import ProtStream
from libcyrus.sasl import make_server
from libcyrus.server import clienthost, limits, service, telemetry
from libcyrus.server import starttls as tls
from libcyrus.server.connection import Connection
from libcyrus.server.login import LoginPolicy
from libcyrus.server.program import Service, ServiceProgram

log = logging.getLogger(__name__)


def init(surroundings: Service) -> Process:
    """In the pool parent: everything that workers can share."""
    limits.refuse_murder(surroundings.config)
    switches = _switches(surroundings.options)
    if switches.imaps and not tls.enabled(surroundings.config):
        log.error("imaps: required OpenSSL options not present")
        raise Fatal("imaps: required OpenSSL options not present", os.EX_CONFIG)
    _load_name_services()
    return Process(surroundings, Settings.from_config(surroundings.config, switches))


def _load_name_services() -> None:
    """The first look for a host loads libraries; workers shall inherit them."""
    with contextlib.suppress(OSError):
        socket.getnameinfo(("127.0.0.1", 0), socket.NI_NUMERICSERV)


def serve(process: Process, connection: Connection) -> None:
    """One client, from the greeting to the end."""
    settings, config = process.settings, process.config
    stream = ProtStream(
        connection.sock,
        timeout=settings.timeout,
        before_wait=process.signals.check,
        wakeup_fd=process.signals.wakeup_fd,
    )
    out = Responses(stream)
    policy = LoginPolicy(
        config,
        denied=lambda userid, _service: process.denied(userid),
        inbox_admin=process.inbox_admin,
        local_domain=lambda: clienthost.domain_of(connection.sock),
        magic_plus=settings.magicplus,
    )
    session = Session(
        process=process,
        settings=settings,
        stream=stream,
        parser=Parser(stream, out.continuation, settings.limits),
        out=out,
        session_id=SessionId(config),
        policy=policy,
        sasl=make_server(process.sasl, policy),
        namespace=process.admin_namespace,
    )
    session.sasl.bits = settings.switches.external_ssf
    if config[opt.auditlog] or config[opt.event_notifier]:
        process.store.begin_session(session.session_id)
        session.name_client("")
    if process.metrics is not None:
        process.metrics.connected()
    process.failed = True
    try:
        with telemetry.io_logged(config, "IMAP"):
            _converse(session, connection)
        process.failed = False
    finally:
        if session.telemetry_fd is not None:
            os.close(session.telemetry_fd)
        process.unregister()
        stream.close()
        if process.metrics is not None:
            process.metrics.disconnected()
        if config[opt.auditlog]:
            log.log(
                NOTICE,
                "auditlog: traffic sessionid=<%s> bytes_in=<%d> bytes_out=<%d>",
                session.session_id,
                stream.bytes_in,
                stream.bytes_out,
            )


def _converse(session: Session, connection: Connection) -> None:
    if session.settings.switches.imaps:
        session.client_host = connection.client.host
        negotiate(session, failed="imaps TLS negotiation failed", timeout=tls.IMPATIENCE)
        if session.closing:
            return
        loop.greet(session)
    else:
        # the name of the client may take its time, the greeting need not
        loop.greet(session)
        session.stream.flush()
        session.client_host = connection.client.host
    session.addresses = connection.client.local, connection.client.remote
    session.register()
    if session.process.metrics is not None:
        session.process.metrics.add("connections_total")
    loop.converse(session)
    session.tell_access(EventType.LOGOUT)


def _switches(options: list[tuple[str, str]]) -> Switches:
    given = dict(options)
    external = given.get("p", "0")
    return Switches(
        imaps="s" in given,
        external_ssf=int(external) if external.isdigit() else 0,
        skip_password_check="N" in given,
        ignore_quota="q" in given,
    )


_REHEARSAL = b"""\
1 CAPABILITY
2 LOGIN rehearsal x
3 LIST "" *
4 APPEND INBOX (\\Seen) {48+}
From: <a@example.org>
Subject: hello

hello

5 SELECT INBOX
6 UID FETCH 1:* (FLAGS)
7 STATUS INBOX (MESSAGES UNSEEN)
8 NOOP
9 IDLE
DONE
10 LOGOUT
""".replace(b"\n", b"\r\n")

PROGRAM: ServiceProgram[Process] = ServiceProgram(
    name="imapd",
    options="Np:sq",
    init=init,
    serve=serve,
    started=Process.start,
    close=Process.close,
    rehearsal=_REHEARSAL,
)


def main() -> int:
    return service.main(PROGRAM)
