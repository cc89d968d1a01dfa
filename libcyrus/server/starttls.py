"""TLS for a service: contexts from the ``tls_*`` options, and STARTTLS on a running conversation.

OpenSSL is loaded when a context is built, so that a service without TLS does not carry it.
"""

from __future__ import annotations

import contextlib
import logging
import os
import time
from typing import TYPE_CHECKING

from libcyrus import options as opt
from libcyrus.base.xlog import NOTICE
from libcyrus.config import Config
from libcyrus.errors import CyrusError
from libcyrus.prot import ProtError, ProtStream, TlsError
from libcyrus.records.tls_sessions import TlsSessions
from libcyrus.server.on_demand import OnDemand

if TYPE_CHECKING:
    from libcyrus.prot.tls import ServerParameters, TlsContext, TlsSession
    from libcyrus.server.program import Service

log = logging.getLogger(__name__)

LONGEST_SESSION = 24 * 60 * 60
PATIENCE = 360.0
"""Seconds that a handshake may take as a whole; the original waits as long for each of its pieces."""
IMPATIENCE = 180.0
"""The same where TLS comes first."""

_KEY_LIFE = 12 * 60 * 60
"""Seconds after which a pool's ticket keys are replaced."""


class TlsUnavailable(CyrusError):
    """TLS is configured, but its certificate, key or parameters cannot be used."""

    text = "Error initializing TLS"


class TlsFailed(CyrusError):
    """The handshake failed; the connection is of no further use."""

    text = "STARTTLS failed"


def enabled(config: Config) -> bool:
    """Whether both a certificate and a key are configured (``disabled`` counts as none)."""
    pair = (config[opt.tls_server_cert], config[opt.tls_server_key])
    return all(value and value.lower() != "disabled" for value in pair)


def parameters(config: Config, ident: str) -> ServerParameters:
    """The server side of the ``tls_*`` options. ``ident`` keeps the services' sessions apart."""
    from libcyrus.prot.tls import ServerParameters

    return ServerParameters(
        certificates=_files(config[opt.tls_server_cert]),
        keys=_files(config[opt.tls_server_key]),
        certificate_dir=config.overflow("tls_server_cert_dir"),
        ident=ident,
        client_ca_file=config[opt.tls_client_ca_file],
        client_ca_dir=config[opt.tls_client_ca_dir],
        client_certs=config[opt.tls_client_certs],
        crl_file=config[opt.tls_crl_file],
        dhparam_file=config[opt.tls_server_dhparam],
        versions=config[opt.tls_versions] or "",
        ciphers=config[opt.tls_ciphers] or "DEFAULT",
        prefer_server_ciphers=config[opt.tls_prefer_server_ciphers],
        eccurve=config[opt.tls_eccurve] or "",
        session_timeout=max(0, min(config[opt.tls_session_timeout], LONGEST_SESSION)),
    )


def on_demand(service: Service, ident: str, *, now: bool = False) -> OnDemand[TlsContext | None]:
    """The context of a service: None where TLS is off or cannot be had (see :func:`build_context`).

    The pool parent makes it for all workers, so that a session of one resumes in any other. It makes
    another when the files have changed, which workers to come then have, and every twelve hours, for the
    keys of the tickets are in it. If the new files are no good, the context of before stays.
    """
    keeper = _Keeper(service.config, ident)
    return service.on_demand(keeper.make, now=now, renew=keeper.renew, shared=True)


class _Keeper:
    """Knows what a context was made of, and when."""

    def __init__(self, config: Config, ident: str) -> None:
        self._config = config
        self._ident = ident
        self._files: list[tuple[str, int, int, int]] = []
        self._made = 0.0

    def make(self) -> TlsContext | None:
        self._note()
        return build_context(self._config, self._ident)

    def renew(self, old: TlsContext | None) -> TlsContext | None:
        before, is_old = self._files, time.monotonic() - self._made > _KEY_LIFE
        if not (is_old or before != self._look()):
            return None
        fresh = self.make()
        if before != self._files and fresh is not None:
            log.log(NOTICE, "TLS server engine: the files have changed and are loaded again")
        elif fresh is None and old is not None:
            log.error("TLS server engine: the certificates of before stay in use")
        return fresh

    def _note(self) -> None:
        self._files, self._made = self._look(), time.monotonic()

    def _look(self) -> list[tuple[str, int, int, int]]:
        """What tells a file from its successor, for every file that there is."""
        if not enabled(self._config):
            return []
        found = []
        for path in parameters(self._config, self._ident).files():
            with contextlib.suppress(OSError):
                status = os.stat(path)
                found.append((path, status.st_ino, status.st_size, status.st_mtime_ns))
        return found


def build_context(config: Config, ident: str) -> TlsContext | None:
    """None where TLS is off, and, after a line in the log, where it cannot be had.

    The service then runs without, and STARTTLS answers that it cannot be initialised.
    """
    if not enabled(config):
        return None
    from libcyrus.prot.tls import server_context

    try:
        return server_context(parameters(config, ident), TlsSessions(config))
    except TlsError as error:
        log.error("TLS server engine: %s", error)
        return None


def start(
    stream: ProtStream,
    context: TlsContext | None,
    clienthost: str,
    *,
    failed: str = "STARTTLS negotiation failed",
    timeout: float = PATIENCE,
) -> TlsSession:
    """Shake hands on ``stream``, whose go-ahead reply has been written (it is flushed here).

    ``failed`` begins the line in the log if that fails. Raises TlsUnavailable (before anything is sent: see
    :func:`build_context`), TlsFailed, ProtError.
    """
    if context is None:
        raise TlsUnavailable
    try:
        session = stream.starttls(context, timeout=timeout)
    except (TlsError, OSError, ProtError) as error:
        log.log(NOTICE, "%s: %s: %s", failed, clienthost, error)
        raise TlsFailed from error
    if log.isEnabledFor(logging.DEBUG) and session.server_name is not None:
        log.debug('TLS Server Name Indication (SNI) Extension: "%s"', session.server_name)
    who = session.peer_name
    log.log(
        NOTICE,
        "starttls: %s with cipher %s (%d/%d bits %s) %s",
        session.protocol,
        session.cipher,
        session.bits,
        session.bits,
        "reused" if session.reused else "new",
        f"authenticated as {who}" if who else "no authentication",
    )
    return session


def _files(value: str | None) -> tuple[str, ...]:
    """One file, or two behind a comma (an RSA and an ECDSA certificate)."""
    return tuple(os.fspath(name.strip()) for name in (value or "").split(",") if name.strip())
