"""TLS for every daemon and client of the suite: contexts, from the files and words of the configuration.

This module and its parts, ``tls_files``, ``tls_session`` and ``session_store``, are the only ones that touch
OpenSSL. A server's contexts are built in the pool parent, before workers are forked: all workers then share
the ticket keys, and a session started in one resumes in any other. Tickets carry the state; for TLS 1.2
clients that take none there is the ``session_store``. Compression, renegotiation and early data are off.

No server's context has a Python callback: one would need memory that is writable and executable, which a
hardened host denies. What OpenSSL would call back for is found out before the handshake (see
``client_hello``) or asked for after it.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import warnings
from collections.abc import Callable, Mapping

from OpenSSL import SSL, crypto

from libcyrus.base.dataclasses import dataclass, replace
from libcyrus.prot.client_hello import ClientHello, peek
from libcyrus.prot.errors import TlsError
from libcyrus.prot.session_store import SessionStore, Store, reach
from libcyrus.prot.tls_files import (
    further_certificates,
    load_authorities,
    load_pair,
    load_parameters,
    load_revocations,
    names_in,
    reason,
)
from libcyrus.prot.tls_session import TlsSession, shake_hands

__all__ = [
    "ClientParameters",
    "ServerParameters",
    "Store",
    "TlsContext",
    "TlsError",
    "TlsSession",
    "client_context",
    "server_context",
]

log = logging.getLogger(__name__)

VERIFY_DEPTH = 5

_VERSIONS = {
    "tls1_0": SSL.OP_NO_TLSv1,
    "tls1_1": SSL.OP_NO_TLSv1_1,
    "tls1_2": SSL.OP_NO_TLSv1_2,
    "tls1_3": SSL.OP_NO_TLSv1_3,
}


@dataclass(frozen=True, slots=True)
class ServerParameters:
    """What a server context is made of; file names, and the words of the ``tls_*`` options.

    ``certificates`` and ``keys`` pair up; a missing key is looked for in the certificate's file.
    ``versions`` is the option's text, in which each of tls1_0 tls1_1 tls1_2 tls1_3 may occur;
    ``session_timeout`` is in seconds, 0 turns resumption off. ``certificate_dir`` has the certificates for
    clients that ask for a server by another name.
    """

    certificates: tuple[str, ...]
    keys: tuple[str, ...] = ()
    certificate_dir: str | None = None
    ident: str = "imap"
    client_ca_file: str | None = None
    client_ca_dir: str | None = None
    client_certs: str = "optional"
    crl_file: str | None = None
    dhparam_file: str | None = None
    versions: str = "tls1_0 tls1_1 tls1_2 tls1_3"
    ciphers: str = "DEFAULT"
    prefer_server_ciphers: bool = False
    eccurve: str = "prime256v1"
    session_timeout: int = 86400

    def files(self) -> tuple[str, ...]:
        """All that a context depends on."""
        one = (self.certificate_dir, self.client_ca_file, self.crl_file, self.dhparam_file)
        found = [*self.certificates, *self.keys, *(name for name in one if name)]
        if self.certificate_dir is not None:
            with contextlib.suppress(TlsError):
                for pair in further_certificates(self.certificate_dir):
                    found += pair
        return tuple(found)


class TlsContext:
    """A ready OpenSSL context, and those for servers of other names; opaque outside this module.

    ``sessions`` has those that clients name by id, which are kept for ``lifetime`` seconds.
    """

    def __init__(
        self,
        context: SSL.Context,
        by_name: Mapping[str, SSL.Context] | None = None,
        sessions: SessionStore | None = None,
        lifetime: int = 0,
    ) -> None:
        self._context = context
        self._by_name = by_name or {}
        self._sessions = sessions
        self._lifetime = lifetime

    def accept(self, sock: socket.socket, wait: Callable[[bool], None]) -> TlsSession:
        """Shake hands as the server. ``wait(write)`` blocks until the socket is ready, or raises."""
        context, sessions = self._context, self._sessions
        hello = ClientHello()
        if self._by_name or sessions is not None:
            hello = peek(sock, wait)
            context = self._choose(hello.server_name)
        if sessions is not None and hello.session_id:
            sessions.recall(context, hello.session_id)
        connection = SSL.Connection(context, sock)
        connection.set_accept_state()
        session = shake_hands(connection, wait, server_side=True)
        if sessions is not None and session.protocol != "TLSv1.3" and not session.reused:
            sessions.remember(connection, self._lifetime)
        return session

    def connect(
        self,
        sock: socket.socket,
        wait: Callable[[bool], None],
        host: str | None = None,
        resume: TlsSession | None = None,
    ) -> TlsSession:
        """Shake hands as the client, with the server of that name, going on with an earlier session."""
        connection = SSL.Connection(self._context, sock)
        if resume is not None:
            resume.hand_over(connection)
        if host is not None and not _is_address(host):
            connection.set_tlsext_host_name(host.encode("idna"))
        connection.set_connect_state()
        return shake_hands(connection, wait, server_side=False)

    def _choose(self, name: str | None) -> SSL.Context:
        """A star stands for one label, the first (RFC 6125 section 6.4.3)."""
        if name is None:
            return self._context
        found = self._by_name.get(name) or self._by_name.get("*." + name.partition(".")[2])
        return found or self._context


def server_context(parameters: ServerParameters, store: Store | None = None) -> TlsContext:
    """Load certificates and build a context; ``store`` is for sessions that clients name by id.

    Raises TlsError naming the option, and the file or value, without which there is no TLS. What it can do
    without, it tells the log.
    """
    context = _server_context(parameters)
    by_name: dict[str, SSL.Context] = {}
    if parameters.certificate_dir is not None:
        try:
            found = list(further_certificates(parameters.certificate_dir))
        except TlsError as error:
            log.error("TLS server engine: %s", error)
            found = []
        for certificate, key in found:
            try:
                hosts = names_in(certificate)
                pair = replace(parameters, certificates=(certificate,), keys=(key,))
                one = _server_context(pair, ("tls_server_cert_dir", "tls_server_cert_dir"))
            except TlsError as error:
                log.error("TLS server engine: %s", error)
                continue
            for name in hosts:
                by_name.setdefault(name, one)
    sessions = reach(store) if store is not None and parameters.session_timeout > 0 else None
    if sessions is not None:
        for one in (context, *by_name.values()):
            sessions.prepare(one)
    return TlsContext(context, by_name, sessions, parameters.session_timeout)


def _server_context(
    parameters: ServerParameters, names: tuple[str, str] = ("tls_server_cert", "tls_server_key")
) -> SSL.Context:
    """``names`` are the options that the certificates and keys are of."""
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_options(_protocol_options(parameters))
    context.set_mode(getattr(SSL, "MODE_RELEASE_BUFFERS", 0))
    _set_ciphers(context, parameters.ciphers)
    keys = parameters.keys
    for number, certificate in enumerate(parameters.certificates):
        key = keys[number] if number < len(keys) else certificate
        load_pair(context, certificate, key, names, _warn)
    load_parameters(context, parameters.dhparam_file, (*keys, *parameters.certificates), _warn)
    _set_curve(context, parameters.eccurve)
    _set_client_certificates(context, parameters)
    if parameters.session_timeout > 0:
        context.set_session_id(parameters.ident.encode()[:32])
        context.set_session_cache_mode(SSL.SESS_CACHE_SERVER)
        context.set_timeout(parameters.session_timeout)
    else:
        context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    return context


@dataclass(frozen=True, slots=True)
class ClientParameters:
    """What a client context is made of. Without ``verify`` any server is believed, as the original does.

    ``doubt`` is told the number of each fault that OpenSSL finds in a server's certificate.
    """

    certificate: str | None = None
    key: str | None = None
    ca_file: str | None = None
    ca_dir: str | None = None
    verify: bool = False
    versions: str = "tls1_0 tls1_1 tls1_2 tls1_3"
    ciphers: str = "DEFAULT"
    doubt: Callable[[int], None] | None = None


def client_context(parameters: ClientParameters) -> TlsContext:
    """Raises TlsError naming the file or value at fault."""
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_options(SSL.OP_ALL | _versions_off(parameters.versions) | SSL.OP_NO_COMPRESSION)
    _set_ciphers(context, parameters.ciphers)
    if parameters.certificate:
        names = ("client certificate", "client key")
        load_pair(context, parameters.certificate, parameters.key or parameters.certificate, names, _warn)
    if parameters.ca_file or parameters.ca_dir:
        try:
            load_authorities(context, parameters.ca_file, parameters.ca_dir)
        except TlsError as error:
            if parameters.verify:
                raise TlsError(f"cannot load CA data from {error}") from error
            _warn(f"cannot load CA data from {error}")
    else:
        context.set_default_verify_paths()
    doubt = parameters.doubt
    if doubt is None:
        context.set_verify(SSL.VERIFY_PEER if parameters.verify else SSL.VERIFY_NONE)
        return TlsContext(context)

    def judge(
        _connection: SSL.Connection, _certificate: crypto.X509, fault: int, _depth: int, ok: int
    ) -> bool:
        if not ok:
            doubt(fault)
        return bool(ok) or not parameters.verify

    context.set_verify(SSL.VERIFY_PEER, judge)
    return TlsContext(context)


def _warn(text: str) -> None:
    log.warning("TLS engine: %s", text)


def _protocol_options(parameters: ServerParameters) -> int:
    options = SSL.OP_ALL | SSL.OP_NO_SSLv2 | SSL.OP_NO_SSLv3 | SSL.OP_NO_COMPRESSION
    options |= getattr(SSL, "OP_NO_RENEGOTIATION", 0) | _versions_off(parameters.versions)
    if parameters.prefer_server_ciphers:
        options |= SSL.OP_CIPHER_SERVER_PREFERENCE
    if parameters.session_timeout <= 0:
        options |= SSL.OP_NO_TICKET
    return options


def _versions_off(versions: str) -> int:
    """A version stays that occurs anywhere in the text: the original looks no closer."""
    options = 0
    for version, off in _VERSIONS.items():
        if version not in versions:
            options |= off
    return options


def _set_ciphers(context: SSL.Context, ciphers: str) -> None:
    """For TLS 1.2 and before: OpenSSL has other lists for 1.3, whose suites are all sound."""
    try:
        context.set_cipher_list(ciphers.encode("ascii", "replace"))
    except SSL.Error as error:
        raise TlsError(f"tls_ciphers: cannot load cipher list '{ciphers}': {reason(error)}") from error


def _is_address(host: str) -> bool:
    """Whether it is a numeric address: names alone go into the handshake (RFC 6066 section 3)."""
    return ":" in host or host.replace(".", "").isdecimal()


def _set_curve(context: SSL.Context, name: str) -> None:
    """An unknown curve leaves OpenSSL's own choice, as in the original."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            context.set_tmp_ecdh(crypto.get_elliptic_curve(name))
        except ValueError:
            if name:
                _warn(f"tls_eccurve: there is no curve '{name}'")


def _set_client_certificates(context: SSL.Context, parameters: ServerParameters) -> None:
    """Whether clients are asked for certificates, and which are believed.

    If there is nothing to check them with, or it cannot be loaded, nobody is asked, and no client can do
    without one that must: then there is no TLS. A list of revoked certificates that cannot be loaded means
    that none is believed.
    """
    wanted, file, directory = parameters.client_certs, parameters.client_ca_file, parameters.client_ca_dir
    if wanted == "off":
        return
    if not (file or directory):
        if wanted == "require":
            raise TlsError("tls_client_certs: they are required, but no tls_client_ca_file is configured")
        return
    name = "tls_client_ca_file" if file else "tls_client_ca_dir"
    try:
        load_authorities(context, file, directory)
        if file:
            context.load_client_ca(os.fsencode(file))
    except (SSL.Error, TlsError) as error:
        text = f"{name}: failed loading client CA data from {reason(error)}"
        if wanted == "require":
            raise TlsError(text) from error
        _warn(f"{text}, certificate authentication disabled")
        return
    if parameters.crl_file:
        try:
            load_revocations(context, parameters.crl_file)
        except TlsError as error:
            log.error(
                "TLS server engine: tls_crl_file: can't load CRL file '%s': %s: no client certificate is"
                " accepted",
                parameters.crl_file,
                error,
            )
    mode = SSL.VERIFY_PEER | SSL.VERIFY_CLIENT_ONCE
    if wanted == "require":
        mode |= SSL.VERIFY_FAIL_IF_NO_PEER_CERT
    context.set_verify(mode)
    context.set_verify_depth(VERIFY_DEPTH)
