"""NNTP (RFC 3977, RFC 4643, RFC 8054)."""

from __future__ import annotations

import base64

from libcyrus.backend.dialect import (
    AuthChallenge,
    AuthSuccess,
    Capabilities,
    Dialect,
    Lines,
    Refused,
    as_text,
    decoded,
    expect,
    initial_argument,
    joined,
    until,
)


class Nntp(Dialect):
    name, port, wrapped_name, wrapped_port, sasl_service = "nntp", 119, "nntps", 563, "nntp"
    longest_auth = 512

    def greet(self, peer: Lines) -> Capabilities | None:
        expect(peer, b"20")
        return None

    def ask(self, peer: Lines) -> Capabilities:
        peer.send(b"CAPABILITIES")
        expect(peer, b"101")
        lines = [as_text(line).upper() for line in until(peer, lambda line: line == b".")][:-1]
        sasl = [line.split()[1:] for line in lines if line.split()[:1] == ["SASL"]]
        info = [line.split()[1:] for line in lines if line.split()[:1] == ["AUTHINFO"]]
        return Capabilities(
            words=tuple(lines),
            mechanisms=tuple(sasl[0]) if sasl else (),
            starttls="STARTTLS" in lines,
            compress="COMPRESS DEFLATE" in lines,
            login=bool(info) and "USER" in info[0],
            initial_response=True,
        )

    def starttls(self, peer: Lines) -> None:
        peer.send(b"STARTTLS")
        expect(peer, b"382")

    def begin_auth(self, peer: Lines, mechanism: str, initial: bytes | None) -> None:
        peer.send(joined(b"AUTHINFO SASL", mechanism.encode(), initial_argument(initial)))

    def read_auth(self, peer: Lines) -> AuthChallenge | AuthSuccess:
        line = peer.receive()
        if line.startswith(b"383"):
            data = line[4:].strip()
            return AuthChallenge(b"" if data == b"=" else decoded(data))
        if line.startswith(b"283"):
            return AuthSuccess(line, decoded(line[4:].strip()))
        if line.startswith(b"28"):
            return AuthSuccess(line)
        raise Refused(as_text(line))

    def answer_auth(self, peer: Lines, response: bytes) -> None:
        peer.send(base64.b64encode(response) or b"=")

    def compress(self, peer: Lines) -> None:
        peer.send(b"COMPRESS DEFLATE")
        expect(peer, b"206")

    def ping(self, peer: Lines) -> None:
        peer.send(b"DATE")
        expect(peer, b"111")

    def send_logout(self, peer: Lines) -> None:
        peer.send(b"QUIT")

    def read_logout(self, peer: Lines) -> None:
        expect(peer, b"205")
