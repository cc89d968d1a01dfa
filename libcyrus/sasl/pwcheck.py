"""Checking a plain password: the verifiers of ``sasl_pwcheck_method``, asked in order.

A verifier returns when the password is right and raises :class:`SaslError` when it is not, when the
user is unknown to it, or when it cannot tell. The first that is satisfied decides; otherwise the last
answer stands.
"""

from __future__ import annotations

import logging
import os
import socket
import struct
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from libcyrus.sasl.codes import SaslCode, SaslError

log = logging.getLogger(__name__)

SASLAUTHD_PATH = "/var/run/saslauthd/mux"
SASLAUTHD_TIMEOUT = 60.0
"""Seconds for the whole conversation: the daemon may wait for a directory itself."""

AUTHDAEMOND_TIMEOUT = 30.0

_LARGEST_ATTRIBUTES = 8192
_LARGEST_REQUEST = 8192 - 30
_LARGEST_ANSWER = 1023


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

    def __init__(self, service: str, path: str, *, timeout: float = SASLAUTHD_TIMEOUT) -> None:
        self._service = service
        self._path = path
        self._timeout = timeout

    def verify(self, user: str, password: str) -> None:
        name, at, realm = user.rpartition("@")
        if not at:
            name, realm = user, ""
        request = self._request(name, password, self._service, realm)
        try:
            answer = self._ask(request)
        except (OSError, EOFError) as error:
            reason = getattr(error, "strerror", None) or error
            log.error("cannot connect to saslauthd server: %s: %s", self._path, reason)
            raise SaslError(SaslCode.FAIL, "cannot connect to saslauthd server") from error
        if not answer.startswith(b"OK"):
            raise SaslError(SaslCode.BADAUTH, "authentication failed")

    @staticmethod
    def _request(*fields: str) -> bytes:
        told = [os.fsencode(field) for field in fields]
        if sum(map(len, told)) > _LARGEST_REQUEST:
            raise SaslError(SaslCode.FAIL, "saslauthd request too large")
        return b"".join(struct.pack(">H", len(field)) + field for field in told)

    def _ask(self, request: bytes) -> bytes:
        deadline = time.monotonic() + self._timeout
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            sock.settimeout(self._timeout)
            sock.connect(self._path)
            sock.sendall(request)
            (length,) = struct.unpack(">H", _receive(sock, 2, deadline))
            if length < 2:
                raise EOFError("bad response from saslauthd")
            return _receive(sock, min(length, _LARGEST_ANSWER), deadline)


class Authdaemond:
    """``authdaemond``: ask Courier's daemon on its UNIX socket.

    A request is service, kind of login, user and password, a line each, behind a line with their length. The
    answer is the user's attributes and a line with a dot, or a line FAIL.
    """

    def __init__(self, service: str, path: str, *, timeout: float = AUTHDAEMOND_TIMEOUT) -> None:
        self._service = service
        self._path = path
        self._timeout = timeout

    def verify(self, user: str, password: str) -> None:
        if "\n" in user + password:
            raise SaslError(SaslCode.BADAUTH, "authentication failed")
        told = os.fsencode(f"{self._service}\nlogin\n{user}\n{password}\n")
        try:
            answer = self._ask(b"AUTH %d\n%b\n" % (len(told), told))
        except (OSError, EOFError) as error:
            reason = getattr(error, "strerror", None) or error
            log.error("cannot connect to Courier authdaemond: %s: %s", self._path, reason)
            raise SaslError(SaslCode.FAIL, "could not verify password") from error
        if answer != b".":
            raise SaslError(SaslCode.BADAUTH, "authentication failed")

    def _ask(self, request: bytes) -> bytes:
        """The line that decides."""
        deadline = time.monotonic() + self._timeout
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            sock.settimeout(self._timeout)
            sock.connect(self._path)
            sock.sendall(request)
            answer = b""
            while len(answer) < _LARGEST_ATTRIBUTES:
                answer += _receive_some(sock, _LARGEST_ATTRIBUTES - len(answer), deadline)
                for line in answer.split(b"\n")[:-1]:
                    if line in (b".", b"FAIL"):
                        return line
        raise EOFError("bad answer from authdaemond")


class Unusable:
    """Stands for a method or plugin that cannot work here: it refuses everybody, and says so."""

    def __init__(self, why: str) -> None:
        self._why = why
        log.error("%s", why)

    def verify(self, user: str, password: str) -> None:
        log.error("%s", self._why)
        raise SaslError(SaslCode.NOMECH, self._why)


class PasswordCheck:
    """The verifiers in their order.

    ``transition(user, password)`` is called with what a verifier has found right, if this one is not among
    ``settled``: those that would learn nothing from it.
    """

    def __init__(
        self,
        verifiers: Sequence[Verifier],
        *,
        transition: Callable[[str, str], None] | None = None,
        settled: Sequence[Verifier] = (),
    ) -> None:
        self._verifiers = tuple(verifiers)
        self._transition = transition
        self._settled = tuple(settled)

    def verify(self, user: str, password: str) -> None:
        """Return when one verifier is satisfied, else raise the last one's SaslError."""
        failure = SaslError(SaslCode.NOMECH, "no password verifier is configured")
        if "\0" in password or len(password) > 1024:
            raise SaslError(SaslCode.BADAUTH, "password is too long or holds a NUL")
        for verifier in self._verifiers:
            try:
                verifier.verify(user, password)
            except SaslError as error:
                failure = error
                continue
            if self._transition is not None and verifier not in self._settled:
                self._transition(user, password)
            return
        raise failure


def _receive(sock: socket.socket, size: int, deadline: float) -> bytes:
    data = b""
    while len(data) < size:
        data += _receive_some(sock, size - len(data), deadline)
    return data


def _receive_some(sock: socket.socket, size: int, deadline: float) -> bytes:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("timed out")
    sock.settimeout(left)
    block = sock.recv(size)
    if not block:
        raise EOFError("connection closed")
    return block
