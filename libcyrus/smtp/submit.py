"""The way out that the configuration names (``smtp_backend``), opened for one or more mails."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from libcyrus import options as opt
from libcyrus.backend.connect import connect
from libcyrus.backend.dialect import Capabilities, Refused
from libcyrus.backend.xmtp import Smtp
from libcyrus.config import Config
from libcyrus.errors import CyrusError, IoError, ServerUnavailable
from libcyrus.prot.errors import ProtError
from libcyrus.smtp.client import SmtpClient
from libcyrus.smtp.pipe import ProgramPipe

log = logging.getLogger(__name__)

REPLY = 300.0
"""Seconds that a reply may take once the connection stands (RFC 5321 section 4.5.3.2)."""


@contextmanager
def opened(config: Config) -> Iterator[SmtpClient]:
    """A client that is greeted and, where configured, logged in. Raises CyrusError, and logs why."""
    way = _host(config) if config[opt.smtp_backend] == "host" else _sendmail(config)
    with way as client:
        yield client


@contextmanager
def _sendmail(config: Config) -> Iterator[SmtpClient]:
    program = config[opt.sendmail] or ""
    try:
        pipe = ProgramPipe(["sendmail", "-bs"], program, timeout=REPLY)
    except OSError as error:
        log.error("smtpclient_open: can't exec sendmail: %s: %s", program, error.strerror or error)
        raise IoError from error
    dialect = Smtp()
    try:
        try:
            dialect.greet(pipe)
            capabilities: Capabilities = dialect.ask(pipe)
        except (ProtError, Refused, CyrusError) as error:
            log.error("smptclient_open: can't open sendmail backend: %s", error)
            raise IoError from error

        def leave() -> None:
            dialect.send_logout(pipe)
            dialect.read_logout(pipe)

        with _leaving(leave):
            yield SmtpClient(pipe, capabilities)
    finally:
        pipe.close()


@contextmanager
def _host(config: Config) -> Iterator[SmtpClient]:
    from libcyrus.sasl.client import Login

    server = config[opt.smtp_host] or ""
    name = config[opt.smtp_auth_authname]
    login = None
    if name:
        login = Login(
            authcid=name,
            password=config[opt.smtp_auth_password] or "",
            realm=config[opt.smtp_auth_realm],
        )
    else:
        server += "/noauth"
    try:
        peer = connect(config, server, Smtp(), login=login)
    except ServerUnavailable:
        log.error("smptclient_open: can't connect to host: %s", server)
        raise
    peer.stream.timeout = REPLY
    try:
        with _leaving(peer.logout):
            yield SmtpClient(peer, peer.capabilities)
    finally:
        peer.close()


@contextmanager
def _leaving(leave: Callable[[], None]) -> Iterator[None]:
    """Say QUIT at the end, also to a server that refused something, but not where the connection failed."""
    failure: CyrusError | None = None
    try:
        yield
    except IoError:
        raise
    except CyrusError as error:
        failure = error
    try:
        leave()
    except (ProtError, Refused, CyrusError) as error:
        log.info("smtpclient: QUIT without reply: %s", error)
    if failure is not None:
        raise failure
