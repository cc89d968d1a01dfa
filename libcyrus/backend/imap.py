"""IMAP (RFC 3501, RFC 4959, RFC 4978)."""

from __future__ import annotations

import re

from libcyrus.backend.dialect import (
    MOST_LINES,
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
from libcyrus.errors import ProtocolError


class Imap(Dialect):
    name, port, wrapped_name, wrapped_port, sasl_service = "imap", 143, "imaps", 993, "imap"

    def greet(self, peer: Lines) -> Capabilities | None:
        line = peer.receive()
        if not re.match(rb"\* (?:OK|PREAUTH)\b", line, re.IGNORECASE):
            raise Refused(as_text(line))
        return self._in_code(line)

    def ask(self, peer: Lines) -> Capabilities:
        peer.send(b"C01 CAPABILITY")
        found = Capabilities()
        for line in until(peer, lambda line: line.startswith(b"C01 ")):
            if line[:13].upper() == b"* CAPABILITY ":
                found = self._parse(line[13:])
        return found

    def starttls(self, peer: Lines) -> None:
        tagged(peer, b"S01", b"STARTTLS")

    def begin_auth(self, peer: Lines, mechanism: str, initial: bytes | None) -> None:
        peer.send(joined(b"A01 AUTHENTICATE", mechanism.encode(), initial_argument(initial)))

    def read_auth(self, peer: Lines) -> AuthChallenge | AuthSuccess:
        for _ in range(MOST_LINES):
            line = peer.receive()
            if line.startswith(b"+"):
                return AuthChallenge(decoded(line[1:].strip()))
            if line.startswith(b"A01 "):
                if line[4:7].upper() != b"OK ":
                    raise Refused(as_text(line))
                return AuthSuccess(line)
        raise ProtocolError

    def capabilities_in(self, success: AuthSuccess) -> Capabilities | None:
        return self._in_code(success.text)

    def compress(self, peer: Lines) -> None:
        tagged(peer, b"Z01", b"COMPRESS DEFLATE")

    def ping(self, peer: Lines) -> None:
        tagged(peer, b"N01", b"NOOP")

    def send_logout(self, peer: Lines) -> None:
        peer.send(b"Q01 LOGOUT")

    def read_logout(self, peer: Lines) -> None:
        read_tagged(peer, b"Q01")

    def _in_code(self, line: bytes) -> Capabilities | None:
        found = re.search(rb"\[CAPABILITY ([^\]]*)\]", line, re.IGNORECASE)
        return None if found is None else self._parse(found[1])

    def _parse(self, text: bytes) -> Capabilities:
        words = as_text(text).upper().split()
        return Capabilities(
            words=tuple(words),
            mechanisms=tuple(word[5:] for word in words if word.startswith("AUTH=")),
            starttls="STARTTLS" in words,
            compress="COMPRESS=DEFLATE" in words,
            login="LOGINDISABLED" not in words,
            initial_response="SASL-IR" in words,
        )
