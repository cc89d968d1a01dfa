"""TLS for a service: contexts from the ``tls_*`` options, and STARTTLS on a running conversation.

OpenSSL is loaded when a context is built, so that a service without TLS does not carry it.
"""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

from libcyrus import options as opt
from libcyrus.base.xlog import NOTICE
from libcyrus.config import Config
from libcyrus.errors import CyrusError
from libcyrus.prot import ProtError, ProtStream, TlsError

if TYPE_CHECKING:
    from libcyrus.prot.tls import ServerParameters, TlsContext, TlsSession

log = logging.getLogger(__name__)

LONGEST_SESSION = 24 * 60 * 60


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


def build_context(config: Config, ident: str) -> TlsContext | None:
    """The context of a service, made through ``Service.on_demand`` so that workers share ticket keys.

    None where TLS is off, and, after a line in the log, where it cannot be had; the service then runs
    without, and STARTTLS answers that it cannot be initialised.
    """
    if not enabled(config):
        return None
    from libcyrus.prot.tls import server_context

    try:
        return server_context(parameters(config, ident))
    except TlsError as error:
        log.error("TLS server engine: %s", error)
        return None


def start(stream: ProtStream, context: TlsContext | None, clienthost: str) -> TlsSession:
    """Shake hands on ``stream``, whose go-ahead reply has been written (it is flushed here).

    Raises TlsUnavailable (before anything is sent: see :func:`build_context`), TlsFailed, ProtError.
    """
    if context is None:
        raise TlsUnavailable
    try:
        session = stream.starttls(context)
    except (TlsError, OSError, ProtError) as error:
        log.log(NOTICE, "STARTTLS failed: %s: %s", clienthost, error)
        raise TlsFailed from error
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
