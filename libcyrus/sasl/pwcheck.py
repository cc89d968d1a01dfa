"""Checking a plain password: the verifiers of ``sasl_pwcheck_method``, asked in order.

A verifier returns when the password is right and raises :class:`SaslError` when it is not, when the
user is unknown to it, or when it cannot tell. The first that is satisfied decides; otherwise the last
answer stands.
"""

from __future__ import annotations

import logging
import socket
import struct
from collections.abc import Sequence
from typing import Protocol

from libcyrus.sasl.codes import SaslCode, SaslError

log = logging.getLogger(__name__)

SASLAUTHD_PATH = "/var/run/saslauthd/mux"
SASLAUTHD_TIMEOUT = 60.0


class Verifier(Protocol):
    """One way to tell whether a password is a user's. ``realm`` is empty for local users."""

    def verify(self, user: str, password: str) -> None: ...


class AlwaysTrue:
    """``alwaystrue``: every password of every user is right. For test systems."""

    def verify(self, user: str, password: str) -> None:
        log.warning("AlwaysTrue Password Verifier Verified: %s", user)


class Saslauthd:
    """``saslauthd``: ask the daemon on its UNIX socket.

    A request is user, password, service and realm, each behind its length in two bytes, network
    order. The answer comes in the same form and begins with OK or NO.
    """

    def __init__(self, service: str, path: str = SASLAUTHD_PATH) -> None:
        self._service = service
        self._path = path

    def verify(self, user: str, password: str) -> None:
        name, at, realm = user.rpartition("@")
        if not at:
            name, realm = user, ""
        try:
            answer = self._ask(name, password, self._service, realm)
        except (OSError, EOFError, struct.error) as error:
            log.error("cannot connect to saslauthd server: %s", getattr(error, "strerror", None) or error)
            raise SaslError(SaslCode.FAIL, "cannot connect to saslauthd server") from error
        if not answer.startswith(b"OK"):
            raise SaslError(SaslCode.BADAUTH, "checkpass failed")

    def _ask(self, *fields: str) -> bytes:
        request = []
        for field in fields:
            data = field.encode("utf-8", "surrogateescape")
            request.append(struct.pack(">H", len(data)) + data)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            sock.settimeout(SASLAUTHD_TIMEOUT)
            sock.connect(self._path)
            sock.sendall(b"".join(request))
            (length,) = struct.unpack(">H", _receive(sock, 2))
            return _receive(sock, length)


class Unusable:
    """Stands for a method or plugin that this build has not got: it refuses everybody, and says so."""

    def __init__(self, what: str) -> None:
        self._what = what

    def verify(self, user: str, password: str) -> None:
        log.error("%s: not supported", self._what)
        raise SaslError(SaslCode.FAIL, f"{self._what}: not supported")


class PasswordCheck:
    """The verifiers in their order."""

    def __init__(self, verifiers: Sequence[Verifier]) -> None:
        self._verifiers = tuple(verifiers)

    def verify(self, user: str, password: str) -> None:
        """Return when one verifier is satisfied, else raise the last one's SaslError."""
        failure = SaslError(SaslCode.NOMECH, "no password verifier is configured")
        if "\0" in password or len(password) > 1024:
            raise SaslError(SaslCode.BUFOVER, "password is too long or holds a NUL")
        for verifier in self._verifiers:
            try:
                return verifier.verify(user, password)
            except SaslError as error:
                failure = error
        raise failure


def _receive(sock: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        block = sock.recv(size - len(data))
        if not block:
            raise EOFError("connection closed")
        data += block
    return data
