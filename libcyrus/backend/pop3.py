"""POP3 (RFC 1939, RFC 2449, RFC 5034)."""

from __future__ import annotations

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
    until,
)


class Pop3(Dialect):
    name, port, wrapped_name, wrapped_port, sasl_service = "pop3", 110, "pop3s", 995, "pop"
    longest_auth = 255

    def greet(self, peer: Lines) -> Capabilities | None:
        self._ok(peer)
        return None

    def ask(self, peer: Lines) -> Capabilities:
        peer.send(b"CAPA")
        self._ok(peer)
        lines = [as_text(line).upper() for line in until(peer, lambda line: line == b".")]
        sasl = [line.split()[1:] for line in lines if line.split()[:1] == ["SASL"]]
        return Capabilities(
            words=tuple(lines[:-1]),
            mechanisms=tuple(sasl[0]) if sasl else (),
            starttls="STLS" in lines,
            login="USER" in lines,
            initial_response=True,
        )

    def starttls(self, peer: Lines) -> None:
        peer.send(b"STLS")
        self._ok(peer)

    def begin_auth(self, peer: Lines, mechanism: str, initial: bytes | None) -> None:
        peer.send(joined(b"AUTH", mechanism.encode(), initial_argument(initial)))

    def read_auth(self, peer: Lines) -> AuthChallenge | AuthSuccess:
        line = peer.receive()
        if line.startswith(b"+OK"):
            return AuthSuccess(line)
        if line.startswith(b"+ ") or line == b"+":
            return AuthChallenge(decoded(line[1:].strip()))
        raise Refused(as_text(line))

    def ping(self, peer: Lines) -> None:
        peer.send(b"NOOP")
        self._ok(peer)

    def send_logout(self, peer: Lines) -> None:
        peer.send(b"QUIT")

    def read_logout(self, peer: Lines) -> None:
        self._ok(peer)

    def _ok(self, peer: Lines) -> None:
        line = peer.receive()
        if not line.startswith(b"+OK"):
            raise Refused(as_text(line))
