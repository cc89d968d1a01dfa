"""From the address to a session that is logged in, or is not; every line of it on standard output."""

from __future__ import annotations

import getpass
import os
import pwd
import re
import socket
import sys
from typing import TYPE_CHECKING

from imap.client.imtest import logins
from imap.client.imtest.arguments import Arguments, Failure
from libcyrus.backend.connect import Address, open_socket
from libcyrus.backend.dialect import Dialect, Refused
from libcyrus.backend.http import Http
from libcyrus.backend.peer import Peer
from libcyrus.backend.xmtp import Lmtp, Smtp
from libcyrus.base.dataclasses import replace
from libcyrus.errors import ProtocolError
from libcyrus.prot import ProtError, ProtStream, TlsError
from libcyrus.sasl import SaslError

if TYPE_CHECKING:
    # OpenSSL takes longer to load than all else together
    from libcyrus.prot.tls import TlsContext, TlsSession

_TIMESTAMP = re.compile(rb"<[^<>]+>")


HTTP_SCHEMES = {
    "BASIC": "PLAIN",
    "DIGEST": "DIGEST-MD5",
    "NEGOTIATE": "GSS-SPNEGO",
    "BEARER": "OAUTHBEARER",
}

# the words of OpenSSL for what is commonly wrong with a certificate
_FAULTS = {
    9: "certificate is not yet valid",
    10: "certificate has expired",
    18: "self-signed certificate",
    19: "self-signed certificate in certificate chain",
    20: "unable to get local issuer certificate",
    21: "unable to verify the first certificate",
    23: "certificate revoked",
}


def show(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def trace(direction: str, line: bytes) -> None:
    show(f"{direction}: {line.decode('utf-8', 'surrogateescape')}\r\n")


class Client:
    """One run: as many connections one after the other as ``-n`` says, the last of which stays."""

    def __init__(self, arguments: Arguments) -> None:
        self._arguments = arguments
        self._context: TlsContext | None = None
        self._last_tls: TlsSession | None = None
        self._password = arguments.password

    def connect(self) -> Peer:
        """Connect and log in. Raises Failure where nothing can go on; a failed login is told only."""
        peer = self._connect()
        for _ in range(1, self._arguments.attempts):
            try:
                peer.logout()
            except (ProtError, ProtocolError, Refused) as error:
                raise Failure("prot layer failure") from error
            show("Connection closed.\n\n")
            self._last_tls = peer.tls
            peer.close()
            peer = self._connect()
        if self._arguments.compress and peer.capabilities.compress:
            try:
                peer.compress()
            except Refused:
                pass
        return peer

    def _connect(self) -> Peer:
        arguments = self._arguments
        try:
            return self._log_in(self._dial())
        except (ProtError, ProtocolError, Refused) as error:
            raise Failure("prot layer failure") from error
        except TlsError as error:
            show(f"{error}\n")
            raise Failure("TLS negotiation failed!") from error
        except OSError as error:
            print(f"connect: {error.strerror or error}", file=sys.stderr)
            port = arguments.port or (
                arguments.dialect.wrapped_name if arguments.wrapped else arguments.protocol
            )
            raise Failure(
                f"Network initialization - cannot connect to {arguments.host or 'localhost'}:{port}"
            ) from error

    def _dial(self) -> Peer:
        arguments = self._arguments
        dialect = _dialect(arguments)
        host = arguments.host or "localhost"
        address = (
            Address("localhost", path=host)
            if host.startswith("/")
            else Address(host, arguments.port, tls=arguments.wrapped)
        )
        sock = open_socket(address, dialect)
        number = sock.getpeername()[1] if sock.family in (socket.AF_INET, socket.AF_INET6) else 0
        peer = Peer(ProtStream(sock), dialect, _canonical(address), number, trace=trace)
        if arguments.wrapped:
            self._say_tls(peer.start_wrapped(self._tls_context(), self._last_tls))
        peer.greet()
        if arguments.tls_key is not None and not arguments.wrapped:
            if not peer.capabilities.starttls:
                raise Failure("STARTTLS not supported by the server!")
            peer.starttls(self._tls_context(), self._last_tls, started=self._say_tls)
        return peer

    def _tls_context(self) -> TlsContext:
        from libcyrus.prot.tls import ClientParameters, client_context

        if self._context is None:
            key = self._arguments.tls_key or None
            self._context = client_context(ClientParameters(certificate=key, doubt=_doubt))
        return self._context

    def _say_tls(self, tls: TlsSession) -> None:
        if self._arguments.verbose:
            if tls.peer_name is not None:
                show(f"subject_CN={tls.peer_name}, issuer_CN={tls.peer_issuer}\n")
            show("reused the session\n" if tls.reused else "new session\n")
        show(
            f"TLS connection established: {tls.protocol} with cipher {tls.cipher} "
            f"({tls.bits}/{tls.bits} bits)\n"
        )

    def _log_in(self, peer: Peer) -> Peer:
        bits = peer.tls.bits if peer.tls is not None else 0
        try:
            self._authenticate(peer, bits)
        except _NotOffered as error:
            show(f"[{error}]\nAuthentication failed. generic failure\n")
        except Refused:
            show("Authentication failed. generic failure\n")
        except SaslError as error:
            show(f"Authentication failed. {error.code.text}\n")
        else:
            show("Authenticated.\n")
        show(f"Security strength factor: {bits + peer.strength}\n")
        if peer.strength:
            if self._arguments.verbose:
                show("Asking for capabilities again since they might have changed\n")
            if peer.changed_mechanisms(suspicious=True):
                show("WARNING: possible MITM attack: list of available SASL mechanisms changed\n")
        return peer

    def _authenticate(self, peer: Peer, bits: int) -> None:
        arguments = self._arguments
        offered = peer.capabilities
        wanted = arguments.mechanism and arguments.mechanism.upper()
        if arguments.protocol == "http" and wanted is not None:
            wanted = HTTP_SCHEMES.get(wanted, wanted)
            if wanted not in offered.mechanisms:
                raise _NotOffered(f"Server did not advertise HTTP {_scheme(wanted)}")
        apop = _timestamp(peer) if arguments.protocol == "pop3" else None
        if self._plain_login(peer, wanted, apop):
            return
        tells = arguments.protocol in ("imap", "pop3", "nntp")
        if tells and wanted is not None and not any(wanted in name for name in offered.mechanisms):
            what = f"AUTH={wanted}" if arguments.protocol == "imap" else f"SASL {wanted}"
            raise _NotOffered(f"Server did not advertise {what}")
        if wanted is not None and wanted not in offered.mechanisms:
            # it is tried all the same: to see what the server makes of it
            offered = peer.capabilities = replace(offered, mechanisms=(*offered.mechanisms, wanted))
        if arguments.mechanisms is not None:
            wanted = " ".join(name for name in arguments.mechanisms if wanted in (None, name)) or "NONE"
        from libcyrus.sasl.client import Login

        peer.authenticate(
            Login(
                authcid=self._name(),
                password=self._ask,
                authzid=arguments.username or "",
                realm=arguments.realm,
                token=self._ask() if wanted in ("OAUTHBEARER", "XOAUTH2") else None,
                one_time=_ask_one_time if arguments.challenge else None,
            ),
            wanted=wanted,
            minimum=arguments.minimum,
            maximum=arguments.maximum,
            initial_response=arguments.initial_response,
            trusting=True,
        )

    def _plain_login(self, peer: Peer, wanted: str | None, apop: bytes | None) -> bool:
        """Use the protocol's own command if it is asked for, or if there is nothing else."""
        offered = peer.capabilities
        none = wanted is None and not offered.mechanisms
        match self._arguments.protocol:
            case "imap" if wanted == "LOGIN" or (none and offered.login):
                if not offered.login:
                    raise _NotOffered("Server advertised LOGINDISABLED")
                logins.imap_login(peer, self._name(), self._ask)
            case "pop3" if wanted == "APOP" or (none and apop is not None):
                if apop is None:
                    raise _NotOffered("Server did not advertise APOP challenge")
                logins.pop3_apop(peer, apop, self._name(), self._ask)
            case "pop3" if wanted == "USER" or (none and offered.login):
                if not offered.login:
                    raise _NotOffered("Server did not advertise USER")
                logins.pop3_user(peer, self._name(), self._ask)
            case "nntp" if wanted == "USER" or (none and offered.login):
                if not offered.login:
                    raise _NotOffered("Server did not advertise AUTHINFO USER")
                logins.nntp_user(peer, self._name(), self._ask)
            case _:
                return False
        return True

    def _name(self) -> str:
        return self._arguments.authname or pwd.getpwuid(os.getuid()).pw_name

    def _ask(self) -> str:
        if self._password is None:
            self._password = getpass.getpass("Please enter your password: ")
        return self._password


def _ask_one_time(challenge: str) -> str:
    show(f"Server challenge: {challenge}\nPlease enter your one-time password: ")
    # not a byte more: what follows is for the server
    typed = b""
    while not typed.endswith(b"\n") and (byte := os.read(0, 1)):
        typed += byte
    return os.fsdecode(typed.rstrip(b"\r\n"))


class _NotOffered(Exception):
    """The server cannot do what was asked for."""


def _doubt(fault: int) -> None:
    show(f"verify error:num={fault}:{_FAULTS.get(fault, 'certificate verify failed')}\n")


def _dialect(arguments: Arguments) -> Dialect:
    client_name = f"{arguments.protocol}test"
    match arguments.protocol:
        case "http":
            return Http(client_name, proxy=False)
        case "lmtp":
            return Lmtp(client_name)
        case "smtp":
            return Smtp(client_name)
    return arguments.dialect()


def _scheme(mechanism: str) -> str:
    return "Basic" if mechanism == "PLAIN" else mechanism


def _timestamp(peer: Peer) -> bytes | None:
    found = _TIMESTAMP.search(peer.greeting)
    return None if found is None else found[0]


def _canonical(address: Address) -> str:
    """The name that mechanisms use, as the original asks the resolver for it."""
    if address.path is not None:
        return address.host
    found = socket.getaddrinfo(address.host, None, type=socket.SOCK_STREAM, flags=socket.AI_CANONNAME)
    return found[0][3] or address.host
