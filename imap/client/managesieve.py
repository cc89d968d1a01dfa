"""A user's connection to a ManageSieve server (RFC 5804): scripts and what can be done with them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TypeVar

from libcyrus.backend.connect import Address, open_socket
from libcyrus.backend.dialect import Refused, read_string
from libcyrus.backend.peer import Peer
from libcyrus.backend.sieve import Sieve
from libcyrus.base.dataclasses import dataclass
from libcyrus.errors import ProtocolError
from libcyrus.prot import ProtStream
from libcyrus.sasl import SaslCode, SaslError
from libcyrus.sasl.client import Login

MOST_LINES = 100_000
MOST_REFERRALS = 5
LARGEST_SCRIPT = 64 * 1024 * 1024

_STATUS = re.compile(rb"(OK|NO|BYE)(?: \(([^)]*)\))?(?: (.*))?", re.IGNORECASE | re.DOTALL)
_LITERAL = re.compile(rb"\{(\d{1,12})\+?\}")
_REFERRAL = re.compile(rb'REFERRAL "sieve://(?:[^@"/]*@)?([^"/]*)[^"]*"', re.IGNORECASE)

Result = TypeVar("Result")


class ScriptError(Exception):
    """The server refused; the text is what it said."""


class _Referred(Exception):
    """Another server has the scripts."""


@dataclass(frozen=True, slots=True)
class Script:
    name: str
    active: bool


class ManageSieve:
    """A connection that is logged in. Methods raise ScriptError, ProtError, ProtocolError.

    A server that refers to another is left for that one, with the same login.
    """

    def __init__(self, server: str, login: Callable[[], Login], *, mechanism: str | None = None) -> None:
        """``server`` as ``host`` or ``host:port``. Raises OSError, SaslError, TlsError, Refused besides."""
        self._login = login
        self._mechanism = mechanism
        self._peer = self._open(server)

    def list(self) -> list[Script]:
        def ask() -> list[Script]:
            self._peer.send(b"LISTSCRIPTS")
            return [
                Script(_shown(name), rest.strip().upper() == b"ACTIVE") for name, rest in self._strings()
            ]

        return self._follow(ask)

    def get(self, name: str) -> bytes:
        def ask() -> bytes:
            self._peer.send(b"GETSCRIPT " + _literal(name))
            found = [data for data, _ in self._strings()]
            if len(found) != 1:
                raise ProtocolError
            return found[0]

        return self._follow(ask)

    def put(self, name: str, script: bytes) -> None:
        self._command(b"PUTSCRIPT " + _literal(name) + b" " + _literal(script))

    def check(self, script: bytes) -> None:
        self._command(b"CHECKSCRIPT " + _literal(script))

    def delete(self, name: str) -> None:
        self._command(b"DELETESCRIPT " + _literal(name))

    def rename(self, old: str, new: str) -> None:
        self._command(b"RENAMESCRIPT " + _literal(old) + b" " + _literal(new))

    def activate(self, name: str) -> None:
        """Make a script the active one; none for an empty name."""
        self._command(b"SETACTIVE " + _literal(name))

    def close(self) -> None:
        """Say goodbye."""
        try:
            self._peer.logout()
        except (Refused, ProtocolError):
            pass
        finally:
            self._peer.close()

    def _command(self, command: bytes) -> None:
        def ask() -> None:
            self._peer.send(command)
            if list(self._strings()):
                raise ProtocolError

        self._follow(ask)

    def _follow(self, ask: Callable[[], Result]) -> Result:
        for _ in range(MOST_REFERRALS):
            try:
                return ask()
            except _Referred as referred:
                self._peer.close()
                self._peer = self._open(str(referred))
        raise ScriptError("referral failed")

    def _strings(self) -> Iterator[tuple[bytes, bytes]]:
        """The strings of a reply with what follows each on its line, up to an OK; all else is raised."""
        for _ in range(MOST_LINES):
            line = self._peer.receive()
            size = _LITERAL.fullmatch(line)
            if size is not None:
                if int(size[1]) > LARGEST_SCRIPT:
                    raise ProtocolError
                yield self._peer.stream.read(int(size[1])), self._peer.receive()
                continue
            if line.startswith(b'"'):
                data = read_string(self._peer, line)
                if data is None:
                    raise ProtocolError
                yield data, line.rpartition(b'"')[2]
                continue
            self._status(line)
            return
        raise ProtocolError

    def _status(self, line: bytes) -> None:
        found = _STATUS.fullmatch(line)
        if found is None:
            raise ProtocolError
        if found[1].upper() == b"OK":
            return
        referral = _REFERRAL.match(found[2] or b"")
        if referral is not None:
            raise _Referred(_shown(referral[1]))
        text = found[3] or b""
        said = read_string(self._peer, text) if text else b""
        raise ScriptError(_shown(said if said is not None else text))

    def _open(self, server: str) -> Peer:
        dialect = Sieve()
        address = Address.parse(server)
        peer = Peer(ProtStream(open_socket(address, dialect)), dialect, address.host)
        try:
            peer.greet()
            if peer.capabilities.starttls:
                from libcyrus.prot.tls import ClientParameters, client_context

                peer.starttls(client_context(ClientParameters(verify=False)))
            self._authenticate(peer)
        except BaseException:
            peer.close()
            raise
        return peer

    def _authenticate(self, peer: Peer) -> None:
        if not peer.capabilities.mechanisms:
            raise SaslError(SaslCode.NOMECH, "the server offers no mechanism")
        peer.authenticate(self._login(), wanted=self._mechanism)


def _literal(data: bytes | str) -> bytes:
    encoded = data if isinstance(data, bytes) else data.encode("utf-8", "surrogateescape")
    return b"{%d+}\r\n%b" % (len(encoded), encoded)


def _shown(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")
