"""MUPDATE (RFC 3656) and CSYNC, which greet with a list of untagged lines up to ``* OK``."""

from __future__ import annotations

import base64
from typing import ClassVar

from libcyrus.backend.dialect import (
    AuthChallenge,
    AuthSuccess,
    Capabilities,
    Dialect,
    Lines,
    Refused,
    as_text,
    decoded,
    initial_argument,
    joined,
    read_tagged,
    tagged,
    until,
)
from libcyrus.base.dataclasses import replace


class _Starred(Dialect):
    """Those whose greeting is a list of untagged lines up to ``* OK``."""

    tells_after_tls = True
    mechanisms_word: ClassVar[str]

    def greet(self, peer: Lines) -> Capabilities | None:
        return self._read(peer)

    def read_after_tls(self, peer: Lines) -> Capabilities:
        return self._read(peer)

    def ask(self, peer: Lines) -> Capabilities:
        raise Refused(f"{self.name} tells its capabilities in its greeting only")

    def ask_under_layer(self, peer: Lines) -> Capabilities | None:
        return None

    def _read(self, peer: Lines) -> Capabilities:
        found = Capabilities(initial_response=True)
        for line in until(peer, lambda line: line[:2] != b"* " or line[:4].upper() == b"* OK"):
            if line[:4].upper() == b"* OK":
                continue
            words = as_text(line[2:]).upper().replace('"', "").split()
            if line[:2] != b"* " or not words:
                raise Refused(as_text(line))
            found = replace(found, words=(*found.words, " ".join(words)))
            if words[0] == self.mechanisms_word:
                found = replace(found, mechanisms=tuple(words[1:]))
            elif words[0] == "STARTTLS":
                found = replace(found, starttls=True)
            elif words == ["COMPRESS", "DEFLATE"]:
                found = replace(found, compress=True)
        return found


class Mupdate(_Starred):
    name, port, sasl_service = "mupdate", 3905, "mupdate"
    mechanisms_word = "AUTH"

    def starttls(self, peer: Lines) -> None:
        tagged(peer, b"S01", b"STARTTLS")

    def begin_auth(self, peer: Lines, mechanism: str, initial: bytes | None) -> None:
        command = b'A01 AUTHENTICATE "%s"' % mechanism.encode()
        if initial is None:
            peer.send(command)
        else:
            encoded = base64.b64encode(initial)
            peer.send(b"%s {%d+}" % (command, len(encoded)), encoded)

    def read_auth(self, peer: Lines) -> AuthChallenge | AuthSuccess:
        line = peer.receive()
        if line.startswith(b"A01 "):
            if line[4:7].upper() != b"OK ":
                raise Refused(as_text(line))
            return AuthSuccess(line)
        return AuthChallenge(decoded(line.strip()))

    def compress(self, peer: Lines) -> None:
        tagged(peer, b"Z01", b'COMPRESS "DEFLATE"')

    def ping(self, peer: Lines) -> None:
        tagged(peer, b"N01", b"NOOP")

    def send_logout(self, peer: Lines) -> None:
        peer.send(b"Q01 LOGOUT")

    def read_logout(self, peer: Lines) -> None:
        read_tagged(peer, b"Q01")


class Csync(_Starred):
    name, port, sasl_service = "csync", 2005, "csync"
    mechanisms_word = "SASL"

    def starttls(self, peer: Lines) -> None:
        self._command(peer, b"STARTTLS")

    def begin_auth(self, peer: Lines, mechanism: str, initial: bytes | None) -> None:
        peer.send(joined(b"AUTHENTICATE", mechanism.encode(), initial_argument(initial)))

    def read_auth(self, peer: Lines) -> AuthChallenge | AuthSuccess:
        line = peer.receive()
        if line.startswith(b"+"):
            return AuthChallenge(decoded(line[1:].strip()))
        if line[:2].upper() == b"OK":
            return AuthSuccess(line)
        raise Refused(as_text(line))

    def compress(self, peer: Lines) -> None:
        self._command(peer, b"COMPRESS DEFLATE")

    def ping(self, peer: Lines) -> None:
        self._command(peer, b"NOOP")

    def send_logout(self, peer: Lines) -> None:
        peer.send(b"EXIT")

    def read_logout(self, peer: Lines) -> None:
        self._ok(peer)

    def _command(self, peer: Lines, command: bytes) -> None:
        peer.send(command)
        self._ok(peer)

    def _ok(self, peer: Lines) -> None:
        line = peer.receive()
        if line[:2].upper() != b"OK":
            raise Refused(as_text(line))
