"""TLS for every daemon and client of the suite: the one module that touches OpenSSL.

Contexts are built once, in the pool parent, before workers are forked: all workers then share the
ticket keys, and a session started in one resumes in any other. No session database is kept; tickets
carry the state. Compression and renegotiation are off.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import socket
import warnings
from collections.abc import Callable

from OpenSSL import SSL, crypto

from libcyrus.base.dataclasses import dataclass
from libcyrus.prot.errors import TlsError

VERIFY_DEPTH = 5
MAX_RECORD = 16 * 1024

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
    ``versions`` is the option's text (any of tls1_0 tls1_1 tls1_2 tls1_3), ``session_timeout`` is in
    seconds, 0 turns resumption off.
    """

    certificates: tuple[str, ...]
    keys: tuple[str, ...] = ()
    ident: str = "imap"
    client_ca_file: str | None = None
    client_ca_dir: str | None = None
    client_certs: str = "optional"
    server_ca_file: str | None = None
    crl_file: str | None = None
    dhparam_file: str | None = None
    versions: str = "tls1_0 tls1_1 tls1_2 tls1_3"
    ciphers: str = "DEFAULT"
    prefer_server_ciphers: bool = False
    eccurve: str = "prime256v1"
    session_timeout: int = 86400


class TlsContext:
    """A ready OpenSSL context; opaque outside this module."""

    def __init__(self, context: SSL.Context) -> None:
        self._context = context

    def accept(self, sock: socket.socket, wait: Callable[[bool], None]) -> TlsSession:
        """Shake hands as the server. ``wait(write)`` blocks until the socket is ready, or raises."""
        connection = SSL.Connection(self._context, sock)
        connection.set_accept_state()
        return _handshake(connection, wait, server_side=True)

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
        return _handshake(connection, wait, server_side=False)


def server_context(parameters: ServerParameters) -> TlsContext:
    """Load certificates and build a context. Raises TlsError naming the file or value at fault."""
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_options(_protocol_options(parameters))
    context.set_mode(getattr(SSL, "MODE_RELEASE_BUFFERS", 0))
    try:
        context.set_cipher_list(parameters.ciphers.encode("ascii", "replace"))
    except SSL.Error as error:
        raise TlsError(f"cannot load cipher list '{parameters.ciphers}'") from error
    _load_certificates(context, parameters.certificates, parameters.keys)
    if parameters.dhparam_file:
        try:
            context.load_tmp_dh(parameters.dhparam_file)
        except SSL.Error as error:
            raise TlsError(f"cannot load DH parameters from '{parameters.dhparam_file}'") from error
    _set_curve(context, parameters.eccurve)
    _set_client_certificates(context, parameters)
    if parameters.crl_file:
        _load_revocations(context, parameters.crl_file)
    if parameters.session_timeout > 0:
        context.set_session_id(parameters.ident.encode()[:32])
        context.set_session_cache_mode(SSL.SESS_CACHE_SERVER | SSL.SESS_CACHE_NO_INTERNAL)
        context.set_timeout(parameters.session_timeout)
    else:
        context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    return TlsContext(context)


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
    try:
        context.set_cipher_list(parameters.ciphers.encode("ascii", "replace"))
    except SSL.Error as error:
        raise TlsError(f"cannot load cipher list '{parameters.ciphers}'") from error
    if parameters.certificate:
        _load_certificates(context, (parameters.certificate,), (parameters.key or parameters.certificate,))
    try:
        if parameters.ca_file or parameters.ca_dir:
            context.load_verify_locations(parameters.ca_file, parameters.ca_dir)
        else:
            context.set_default_verify_paths()
    except SSL.Error as error:
        raise TlsError(f"cannot load CA data from '{parameters.ca_file or parameters.ca_dir}'") from error
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


class TlsSession:
    """TLS on one non-blocking socket. Reads and writes raise BlockingIOError instead of waiting."""

    def __init__(self, connection: SSL.Connection, *, server_side: bool) -> None:
        self._connection = connection
        self._server_side = server_side
        self._retry: bytes | None = None

    def recv(self, size: int) -> bytes:
        """Up to one record; empty at the end. Raises BlockingIOError, TlsError."""
        try:
            return self._connection.recv(min(size, 4 * MAX_RECORD))
        except (SSL.WantReadError, SSL.WantWriteError):
            raise BlockingIOError from None
        except SSL.ZeroReturnError:
            return b""
        except SSL.SysCallError as error:
            if error.args[0] == -1:
                return b""
            raise TlsError(_reason(error)) from error
        except SSL.Error as error:
            raise TlsError(_reason(error)) from error

    def send(self, data: bytes | memoryview) -> int:
        """Bytes taken. After BlockingIOError the same bytes must be offered again (OpenSSL's rule)."""
        piece = self._retry if self._retry is not None else bytes(data)
        try:
            sent = self._connection.send(piece)
        except (SSL.WantReadError, SSL.WantWriteError):
            self._retry = piece
            raise BlockingIOError from None
        except SSL.Error as error:
            raise TlsError(_reason(error)) from error
        self._retry = None
        return sent

    def pending(self) -> int:
        """Decrypted bytes that wait inside OpenSSL."""
        return self._connection.pending()

    def shutdown(self) -> None:
        """Say goodbye without waiting for the peer's answer; the session stays resumable."""
        with contextlib.suppress(SSL.Error):
            self._connection.shutdown()

    @property
    def protocol(self) -> str:
        return self._connection.get_protocol_version_name()

    @property
    def cipher(self) -> str:
        return self._connection.get_cipher_name() or ""

    @property
    def bits(self) -> int:
        """Strength of the cipher in use, SASL's external SSF."""
        return self._connection.get_cipher_bits() or 0

    @property
    def reused(self) -> bool:
        """Whether the session was resumed; for log lines, False where pyOpenSSL cannot tell."""
        ask = getattr(getattr(SSL, "_lib", None), "SSL_session_reused", None)
        handle = getattr(self._connection, "_ssl", None)
        return bool(ask(handle)) if ask is not None and handle is not None else False

    @property
    def peer_name(self) -> str | None:
        """The common name of a verified client certificate."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            certificate = self._connection.get_peer_certificate()
            return None if certificate is None else certificate.get_subject().CN

    def channel_binding(self, kind: str) -> bytes | None:
        """What a SASL mechanism binds to (RFC 5929, RFC 9266); None for a kind that is not known here.

        tls-unique is given for TLS 1.3 too, where it is not defined: the original's clients ask for it.
        """
        match kind:
            case "tls-unique":
                ours, theirs = self._connection.get_finished(), self._connection.get_peer_finished()
                return ours if self._server_side == self.reused else theirs
            case "tls-server-end-point":
                return self._certificate_hash()
            case "tls-exporter" if self.protocol == "TLSv1.3":
                return self._connection.export_keying_material(b"EXPORTER-Channel-Binding", 32, b"")
        return None

    def _certificate_hash(self) -> bytes | None:
        """The server's certificate by the hash of its signature, or SHA-256 where that one is weak."""
        connection = self._connection
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            ask = connection.get_certificate if self._server_side else connection.get_peer_certificate
            certificate = ask()
            if certificate is None:
                return None
            found = certificate.to_cryptography().signature_hash_algorithm
            encoded = crypto.dump_certificate(crypto.FILETYPE_ASN1, certificate)
        # a signature without a hash of its own (Ed25519) has no such binding
        if found is None:
            return None
        return hashlib.new("sha256" if found.name in ("md5", "sha1") else found.name, encoded).digest()

    @property
    def peer_issuer(self) -> str | None:
        """The common name of who signed that certificate."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            certificate = self._connection.get_peer_certificate()
            return None if certificate is None else certificate.get_issuer().CN

    def hand_over(self, connection: SSL.Connection) -> None:
        """Let a connection that has not shaken hands yet go on with this session."""
        session = self._connection.get_session()
        if session is not None:
            connection.set_session(session)

    def received_info(self) -> str:
        """The words in a Received header, without parentheses."""
        version = self._connection.get_cipher_version() or self.protocol
        return f"version={version} cipher={self.cipher} bits={self.bits}/{self.bits} verify=YES"


def _handshake(
    connection: SSL.Connection, wait: Callable[[bool], None], *, server_side: bool
) -> TlsSession:
    while True:
        try:
            connection.do_handshake()
            return TlsSession(connection, server_side=server_side)
        except SSL.WantReadError:
            wait(False)
        except SSL.WantWriteError:
            wait(True)
        except SSL.Error as error:
            raise TlsError(_reason(error)) from error


def _protocol_options(parameters: ServerParameters) -> int:
    options = SSL.OP_ALL | SSL.OP_NO_SSLv2 | SSL.OP_NO_SSLv3 | SSL.OP_NO_COMPRESSION
    options |= getattr(SSL, "OP_NO_RENEGOTIATION", 0) | _versions_off(parameters.versions)
    if parameters.prefer_server_ciphers:
        options |= SSL.OP_CIPHER_SERVER_PREFERENCE
    if parameters.session_timeout <= 0:
        options |= SSL.OP_NO_TICKET
    return options


def _versions_off(versions: str) -> int:
    wanted = set(re.split(r"[\s,]+", versions))
    options = 0
    for version, off in _VERSIONS.items():
        if version not in wanted:
            options |= off
    return options


def _is_address(host: str) -> bool:
    """Whether it is a numeric address: names alone go into the handshake (RFC 6066 section 3)."""
    return ":" in host or host.replace(".", "").isdecimal()


def _load_certificates(context: SSL.Context, certificates: tuple[str, ...], keys: tuple[str, ...]) -> None:
    for number, certificate in enumerate(certificates):
        key = keys[number] if number < len(keys) else certificate
        try:
            context.use_certificate_chain_file(certificate)
        except SSL.Error as error:
            raise TlsError(f"unable to get certificate from '{certificate}': {_reason(error)}") from error
        try:
            context.use_privatekey_file(key)
            context.check_privatekey()
        except SSL.Error as error:
            raise TlsError(f"unable to get private key from '{key}': {_reason(error)}") from error


def _set_curve(context: SSL.Context, name: str) -> None:
    """An unknown curve leaves OpenSSL's own choice, as in the original."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        with contextlib.suppress(ValueError):
            context.set_tmp_ecdh(crypto.get_elliptic_curve(name))


def _set_client_certificates(context: SSL.Context, parameters: ServerParameters) -> None:
    if parameters.client_certs == "off":
        return
    if not (parameters.client_ca_file or parameters.client_ca_dir):
        if parameters.client_certs == "require":
            raise TlsError("client certificates are required, but no client CA is configured")
        return
    try:
        context.load_verify_locations(parameters.client_ca_file, parameters.client_ca_dir)
        if parameters.client_ca_file:
            context.load_client_ca(os.fsencode(parameters.client_ca_file))
    except SSL.Error as error:
        if parameters.client_certs == "require":
            raise TlsError(f"cannot load client CA data from '{parameters.client_ca_file}'") from error
        return
    mode = SSL.VERIFY_PEER | SSL.VERIFY_CLIENT_ONCE
    if parameters.client_certs == "require":
        mode |= SSL.VERIFY_FAIL_IF_NO_PEER_CERT
    # no callback: one would need memory that is writable and executable, which a hardened host denies
    context.set_verify(mode)
    context.set_verify_depth(VERIFY_DEPTH)


def _load_revocations(context: SSL.Context, path: str) -> None:
    store = context.get_cert_store()
    if store is None:
        raise TlsError(f"cannot load CRL file '{path}'")
    try:
        store.load_locations(path)
    except crypto.Error as error:
        raise TlsError(f"cannot load CRL file '{path}'") from error
    store.set_flags(crypto.X509StoreFlags.CRL_CHECK | crypto.X509StoreFlags.CRL_CHECK_ALL)


def _reason(error: SSL.Error) -> str:
    """OpenSSL's last word on what went wrong, or the system's."""
    if error.args and isinstance(error.args[0], list):
        return str(error.args[0][-1][-1]) if error.args[0] else "protocol error"
    return str(error.args[-1]) if error.args else type(error).__name__
