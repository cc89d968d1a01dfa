"""Finding a server, connecting to it, and logging in as the configuration says.

A server is written as a path (a UNIX socket), or as ``host``, ``host:port`` or ``[address]:port``, with
options behind the port: ``/tls`` for TLS from the first byte, ``/noauth`` for no login.
"""

from __future__ import annotations

import logging
import re
import socket
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from libcyrus import options as opt
from libcyrus.backend.dialect import Dialect, Refused
from libcyrus.backend.peer import Peer
from libcyrus.base.dataclasses import dataclass
from libcyrus.config import Config
from libcyrus.errors import BadParameters, ServerUnavailable
from libcyrus.prot import ProtError, ProtStream, TlsError
from libcyrus.sasl import SaslCode, SaslError

if TYPE_CHECKING:
    from libcyrus.prot.tls import TlsContext
    from libcyrus.sasl.client import Login

log = logging.getLogger(__name__)

_STRONGEST_LAYER = 255
"""Bits: a proxy asks for as much as it can get."""

_ADDRESS = re.compile(
    r"(?:\[(?P<literal>[^]]+)\]|(?P<host>[^:/\[]*))(?::(?P<port>[^/]*))?(?P<options>(?:/[a-z]+)*)"
)


@dataclass(frozen=True, slots=True)
class Address:
    """``path`` for a UNIX socket, else ``host`` and ``port``, a number or a service's name."""

    host: str
    port: str | int | None = None
    path: str | None = None
    tls: bool = False
    noauth: bool = False

    @classmethod
    def parse(cls, text: str) -> Address:
        """Raises BadParameters."""
        if text.startswith("/"):
            return cls("localhost", path=text)
        found = _ADDRESS.fullmatch(text)
        host = found and (found["literal"] or found["host"])
        if found is None or not host:
            raise BadParameters
        options = set((found["options"] or "").split("/")) - {""}
        if options - {"tls", "noauth"}:
            raise BadParameters
        return cls(host, found["port"] or None, tls="tls" in options, noauth="noauth" in options)


def open_socket(
    address: Address, dialect: Dialect, *, timeout: float | None = None, bind: str | None = None
) -> socket.socket:
    """A connected socket, of the first of the host's addresses that answers. Raises OSError."""
    if address.path is not None:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.settimeout(timeout)
            sock.connect(address.path)
        except BaseException:
            sock.close()
            raise
        return sock
    failure: OSError = OSError(f"{address.host} has no address")
    for family, kind, protocol, _, where in _addresses(address, dialect):
        sock = socket.socket(family, kind, protocol)
        try:
            sock.settimeout(timeout)
            if bind is not None:
                local = socket.getaddrinfo(bind, None, family, kind)[0][4]
                sock.bind(local)
            sock.connect(where)
        except OSError as error:
            sock.close()
            failure = error
            continue
        except BaseException:
            sock.close()
            raise
        return sock
    raise failure


def connect(
    config: Config, server: str, dialect: Dialect, *, userid: str = "", login: Login | None = None
) -> Peer:
    """A connection that is logged in as the configured proxy user, acting for ``userid`` if that is given.

    ``login`` is somebody else to log in as. Over a UNIX socket LMTP and CSYNC need no login. Raises
    ServerUnavailable, with a line in the log that says why.
    """
    address = Address.parse(server)
    timeout = config[opt.client_timeout]
    bind = config[opt.client_bind_name] or config.servername if config[opt.client_bind] else None
    try:
        sock = open_socket(address, dialect, timeout=timeout, bind=bind)
    except OSError as error:
        log.error("connect(%s) failed: %s", server, error.strerror or error)
        raise ServerUnavailable from error
    peer = Peer(ProtStream(sock, timeout=timeout), dialect, address.host)
    try:
        if address.tls:
            peer.start_wrapped(_context(config, address.host))
        peer.greet()
        if not (address.noauth or (address.path is not None and dialect.name in ("lmtp", "csync"))):
            _log_in(config, peer, login or _proxy(config, peer, userid))
        if config[opt.proxy_compress] and peer.capabilities.compress:
            with suppress(Refused):
                peer.compress()
    except (ProtError, Refused, SaslError, TlsError) as error:
        log.error("couldn't authenticate to backend server: %s: %s", server, error)
        peer.close()
        raise ServerUnavailable from error
    except BaseException:
        peer.close()
        raise
    peer.stream.timeout = None
    return peer


def _proxy(config: Config, peer: Peer, userid: str) -> Login:
    from libcyrus.sasl.client import Login

    return Login(
        authcid=config[opt.proxy_authname] or "",
        password=_of_host(config, peer.host, "password") or config[opt.proxy_password] or "",
        authzid=userid,
        realm=config[opt.proxy_realm],
    )


def _log_in(config: Config, peer: Peer, login: Login) -> None:
    """With TLS if no mechanism will do without."""
    wanted = _of_host(config, peer.host, "mechs") or config[opt.force_sasl_client_mech]
    # with a mechanism that cannot act for the user, whatever is done would be done as the proxy
    authenticate = partial(
        peer.authenticate, login, wanted=wanted, maximum=_STRONGEST_LAYER, as_another=bool(login.authzid)
    )
    try:
        authenticate()
    except SaslError as error:
        if error.code is not SaslCode.NOMECH or peer.tls is not None or not peer.capabilities.starttls:
            raise
        peer.starttls(_context(config, peer.host))
        authenticate()


def _context(config: Config, host: str) -> TlsContext:
    from libcyrus.prot.tls import ClientParameters, client_context

    return client_context(
        ClientParameters(
            certificate=_of_host(config, host, "client_cert") or config[opt.tls_client_cert],
            key=_of_host(config, host, "client_key") or config[opt.tls_client_key],
            ca_file=config[opt.tls_server_ca_file],
            ca_dir=config[opt.tls_server_ca_dir],
        )
    )


def _of_host(config: Config, host: str, name: str) -> str | None:
    """An option of one server, named by its host without domain: ``mail1_password``."""
    return config.overflow(f"{host.partition('.')[0]}_{name}")


def _addresses(address: Address, dialect: Dialect) -> list[tuple[int, int, int, str, tuple[object, ...]]]:
    port = address.port
    if port is None:
        port = dialect.wrapped_port if address.tls and dialect.wrapped_port else dialect.port
    return socket.getaddrinfo(address.host, port, type=socket.SOCK_STREAM)  # type: ignore[return-value]
