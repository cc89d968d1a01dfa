"""LMTP (RFC 2033) and SMTP (RFC 5321), which differ in their hello only, up to MAIL."""

from __future__ import annotations

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
    read_reply,
)


class Lmtp(Dialect):
    name, port, sasl_service = "lmtp", 2003, "lmtp"
    longest_auth = 512
    hello: ClassVar[bytes] = b"LHLO"

    def __init__(self, client_name: str = "localhost") -> None:
        self._client_name = client_name.encode()

    def greet(self, peer: Lines) -> Capabilities | None:
        read_reply(peer, b"220")
        return None

    def ask(self, peer: Lines) -> Capabilities:
        peer.send(self.hello + b" " + self._client_name)
        lines = [as_text(line[4:]).upper() for line in read_reply(peer, b"250")]
        auth = [line.split()[1:] for line in lines if line.split()[:1] == ["AUTH"]]
        return Capabilities(
            words=tuple(lines[1:]),
            mechanisms=tuple(auth[0]) if auth else (),
            starttls="STARTTLS" in lines,
            initial_response=True,
        )

    def starttls(self, peer: Lines) -> None:
        peer.send(b"STARTTLS")
        read_reply(peer, b"220")

    def begin_auth(self, peer: Lines, mechanism: str, initial: bytes | None) -> None:
        peer.send(joined(b"AUTH", mechanism.encode(), initial_argument(initial)))

    def read_auth(self, peer: Lines) -> AuthChallenge | AuthSuccess:
        line = peer.receive()
        if line.startswith(b"334"):
            return AuthChallenge(decoded(line[4:].strip()))
        if line.startswith(b"235"):
            return AuthSuccess(line)
        raise Refused(as_text(line))

    def ping(self, peer: Lines) -> None:
        peer.send(b"NOOP")
        read_reply(peer, b"250")

    def send_logout(self, peer: Lines) -> None:
        peer.send(b"QUIT")

    def read_logout(self, peer: Lines) -> None:
        read_reply(peer, b"221")


class Smtp(Lmtp):
    name, port, wrapped_name, wrapped_port, sasl_service = "smtp", 25, "smtps", 465, "smtp"
    hello = b"EHLO"
