"""ManageSieve (RFC 5804). Strings are quoted or literals; the server's may be either."""

from __future__ import annotations

import base64
import re

from libcyrus.backend.dialect import (
    AuthChallenge,
    AuthSuccess,
    Capabilities,
    Dialect,
    Lines,
    Refused,
    as_text,
    decoded,
    read_string,
    until,
)
from libcyrus.base.dataclasses import replace

_PATIENCE = 0.25
"""Seconds within which capabilities come by themselves, if they do (RFC 5804 section 2.1 wants them)."""


class Sieve(Dialect):
    """ManageSieve (RFC 5804). Strings are quoted or literals; the server's may be either."""

    name, port, sasl_service = "sieve", 4190, "sieve"
    tells_after_tls = True

    def greet(self, peer: Lines) -> Capabilities | None:
        return self._read(peer)

    def ask(self, peer: Lines) -> Capabilities:
        peer.send(b"CAPABILITY")
        return self._read(peer)

    def read_after_tls(self, peer: Lines) -> Capabilities:
        return self._read(peer)

    def ask_under_layer(self, peer: Lines) -> Capabilities | None:
        return self._read(peer) if peer.arrives(_PATIENCE) else self.ask(peer)

    def starttls(self, peer: Lines) -> None:
        peer.send(b"STARTTLS")
        self._ok(peer.receive())

    def begin_auth(self, peer: Lines, mechanism: str, initial: bytes | None) -> None:
        command = b'AUTHENTICATE "%s"' % mechanism.encode()
        if initial is None:
            peer.send(command)
        else:
            encoded = base64.b64encode(initial)
            peer.send(b"%s {%d+}" % (command, len(encoded)), encoded)

    def read_auth(self, peer: Lines) -> AuthChallenge | AuthSuccess:
        line = peer.receive()
        challenge = read_string(peer, line)
        if challenge is not None:
            return AuthChallenge(decoded(challenge))
        self._ok(line)
        found = re.match(rb'OK \(SASL (".*"|\{\d+\+?\}$)', line, re.IGNORECASE)
        data = None if found is None else read_string(peer, found[1])
        return AuthSuccess(line, None if data is None else decoded(data))

    def answer_auth(self, peer: Lines, response: bytes) -> None:
        encoded = base64.b64encode(response)
        peer.send(b"{%d+}" % len(encoded), encoded)

    def cancel_auth(self, peer: Lines) -> None:
        peer.send(b'"*"')

    def ping(self, peer: Lines) -> None:
        peer.send(b"NOOP")
        self._ok(peer.receive())

    def send_logout(self, peer: Lines) -> None:
        peer.send(b"LOGOUT")

    def read_logout(self, peer: Lines) -> None:
        self._ok(peer.receive())

    def _read(self, peer: Lines) -> Capabilities:
        found = Capabilities(initial_response=True)
        for line in until(
            peer, lambda line: line[:2].upper() in (b"OK", b"NO") or line[:3].upper() == b"BYE"
        ):
            pair = re.match(rb'"([^"]*)"(?: "((?:[^"\\]|\\.)*)")?', line)
            if pair is None:
                self._ok(line)
                continue
            key, value = as_text(pair[1]).upper(), as_text(pair[2] or b"")
            found = replace(found, words=(*found.words, key))
            if key == "SASL":
                found = replace(found, mechanisms=tuple(value.upper().split()))
            elif key == "STARTTLS":
                found = replace(found, starttls=True)
        return found

    def _ok(self, line: bytes) -> None:
        if line[:2].upper() != b"OK":
            raise Refused(as_text(line))
