"""One TLS session on a socket: handshake, records, and what was agreed."""

from __future__ import annotations

import contextlib
import hashlib
import warnings
from collections.abc import Callable
from functools import cached_property

from OpenSSL import SSL, crypto

from libcyrus.prot.errors import TlsError
from libcyrus.prot.tls_files import reason

MAX_RECORD = 16 * 1024


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
            raise TlsError(reason(error)) from error
        except SSL.Error as error:
            raise TlsError(reason(error)) from error

    def send(self, data: bytes | memoryview) -> int:
        """Bytes taken. After BlockingIOError the same bytes must be offered again (OpenSSL's rule)."""
        piece = self._retry if self._retry is not None else bytes(data)
        try:
            sent = self._connection.send(piece)
        except (SSL.WantReadError, SSL.WantWriteError):
            self._retry = piece
            raise BlockingIOError from None
        except SSL.Error as error:
            raise TlsError(reason(error)) from error
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

    @cached_property
    def peer_name(self) -> str | None:
        """The common name of a verified client certificate; None also for one that no user can have."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            certificate = self._connection.get_peer_certificate()
            name = None if certificate is None else certificate.get_subject().CN
        # a name that ends early for whoever reads it in C is meant to deceive
        return name if name and "\0" not in name else None

    @property
    def server_name(self) -> str | None:
        """Which server the client asked for."""
        name = self._connection.get_servername()
        return None if name is None else name.decode("ascii", "replace")

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


def shake_hands(
    connection: SSL.Connection, wait: Callable[[bool], None], *, server_side: bool
) -> TlsSession:
    """``wait(write)`` blocks until the socket is ready, or raises. Raises TlsError."""
    if server_side:
        # the client begins: OpenSSL could only say that nothing is there yet
        wait(False)
    while True:
        try:
            connection.do_handshake()
            return TlsSession(connection, server_side=server_side)
        except SSL.WantReadError:
            wait(False)
        except SSL.WantWriteError:
            wait(True)
        except SSL.Error as error:
            raise TlsError(_why(connection, error)) from error


def _why(connection: SSL.Connection, error: SSL.Error) -> str:
    """With what OpenSSL has against the other side's certificate, where pyOpenSSL can tell."""
    words = reason(error)
    if "verify" not in words:
        return words
    try:
        library, memory = vars(SSL)["_lib"], vars(SSL)["_ffi"]
        fault = library.SSL_get_verify_result(connection._ssl)
        text = memory.string(library.X509_verify_cert_error_string(fault)).decode()
    except (AttributeError, KeyError):
        return words
    return f"{words}: num={fault}:{text}" if fault else words
