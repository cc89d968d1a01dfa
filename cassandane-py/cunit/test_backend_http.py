"""The HTTP dialect against a script of answers, and HTTP's Digest against the example of the RFC."""

from __future__ import annotations

import base64
import hashlib

import pytest
from pysasl.creds.client import ClientCredentials
from pysasl.exception import UnexpectedChallenge
from pysasl.mechanism import ServerChallenge

from libcyrus.backend import http_response
from libcyrus.backend.dialect import AuthChallenge, AuthSuccess, Refused
from libcyrus.backend.http import Http
from libcyrus.errors import ProtocolError
from libcyrus.prot import ConnectionClosed
from libcyrus.sasl.client import Login
from libcyrus.sasl.digest_http import HttpDigestClient
from libcyrus.sasl.digest_md5 import directives


class Script:
    """Answers what it was given, and remembers what was asked."""

    host = "server.example.org"

    def __init__(self, *answers: bytes) -> None:
        self._rest = b"".join(answers)
        self.asked: list[bytes] = []

    def send(self, *lines: bytes) -> None:
        self.asked += lines

    def receive(self) -> bytes:
        line, end, self._rest = self._rest.partition(b"\r\n")
        if not end:
            raise ConnectionClosed
        return line

    def receive_literal(self, size: int) -> bytes:
        data, self._rest = self._rest[:size], self._rest[size:]
        if len(data) < size:
            raise ConnectionClosed
        return data

    def arrives(self, seconds: float) -> bool:
        return bool(self._rest)

    def header(self, name: str) -> list[str]:
        """The values of a header in all requests so far."""
        lines = [line.decode().partition(": ") for line in self.asked]
        return [value for found, _, value in lines if found == name]

    @property
    def left(self) -> bytes:
        return self._rest


def answer(status: str, *headers: str, body: bytes = b"") -> bytes:
    lines = [f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


def test_capabilities_are_in_the_headers() -> None:
    peer = Script(
        answer(
            "401 Unauthorized",
            "WWW-Authenticate: SCRAM-SHA-256 realm=x",
            "www-authenticate:  Digest nonce=1",
            "WWW-Authenticate: Negotiate",
            "WWW-Authenticate: Basic realm=x",
            "WWW-Authenticate: Bearer",
            "Upgrade: h2c, TLS/1.2",
            "DAV: 1, access-control",
            "Allow: OPTIONS",
            body=b"<html/>",
        )
    )
    found = Http("me").ask(peer)
    assert found.mechanisms == ("SCRAM-SHA-256", "DIGEST-MD5", "GSS-SPNEGO", "PLAIN", "OAUTHBEARER")
    assert found.starttls and found.login and not found.compress
    assert found.has("DAV=access-control") and found.has("allow=options")
    assert peer.asked == [
        b"OPTIONS * HTTP/1.1", b"Host: server.example.org", b"User-Agent: me", b"Upgrade: TLS/1.2",
        b"Authorization: ", b"",
    ]  # fmt: skip
    assert peer.left == b""


def test_a_server_that_wants_tls_first_is_understood() -> None:
    found = Http().ask(Script(answer("426 Upgrade Required", "Upgrade: TLS/1.2")))
    assert found.starttls and not found.mechanisms
    peer = Script(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: TLS/1.2\r\n\r\n")
    Http(proxy=False).starttls(peer)
    assert peer.header("Connection") == ["Upgrade"] and peer.header("Upgrade") == ["TLS/1.2"]
    with pytest.raises(Refused):
        Http().starttls(Script(answer("200 OK")))


@pytest.mark.parametrize(
    ("mechanism", "initial", "expected"),
    [
        ("PLAIN", b"\0joe\0a:b", "Basic " + base64.b64encode(b"joe:a:b").decode()),
        ("PLAIN", b"\0joe\0", "Basic " + base64.b64encode(b"joe:").decode()),
        ("OAUTHBEARER", b"n,a=joe,\1host=x\1port=1\1auth=Bearer abc.def\1\1", "Bearer abc.def"),
        ("DIGEST-MD5", None, "Digest"),
        ("GSS-SPNEGO", b"\0\1", "Negotiate AAE="),
        ("SCRAM-SHA-1", b"n,,", "SCRAM-SHA-1 data=biws"),
    ],
)
def test_a_mechanism_is_a_scheme(mechanism: str, initial: bytes | None, expected: str) -> None:
    peer = Script()
    dialect = Http()
    assert dialect.begin_exchange(Login("joe", "x", authzid="other")).authzid == ""
    dialect.begin_auth(peer, mechanism, initial)
    assert peer.header("Authorization") == [expected]
    assert peer.header("Authorize-As") == ["other"]


@pytest.mark.parametrize(
    ("initial", "authzid"), [(b"\0a:b\0x", ""), (b"\0a\0x", "b\r\nHost: other"), (b"\0a\0x", "b\n")]
)
def test_what_cannot_be_said_in_a_header_is_not_said(initial: bytes, authzid: str) -> None:
    peer = Script()
    dialect = Http()
    dialect.begin_exchange(Login("a", "x", authzid=authzid))
    with pytest.raises(Refused):
        dialect.begin_auth(peer, "PLAIN", initial)
    assert peer.asked == []


def test_scram_goes_on_by_its_session() -> None:
    """RFC 7804 section 5."""
    peer = Script(
        answer("401 Unauthorized", 'WWW-Authenticate: SCRAM-SHA-256 sid="s-1", data=Zmlyc3Q='),
        answer("200 OK", 'Authentication-Info: sid=s-1,data=bGFzdA=='),
    )
    dialect = Http()
    dialect.begin_auth(peer, "SCRAM-SHA-256", b"x")
    assert dialect.read_auth(peer) == AuthChallenge(b"first")
    dialect.answer_auth(peer, b"y")
    assert peer.header("Authorization")[-1] == "SCRAM-SHA-256 sid=s-1,data=eQ=="
    assert dialect.read_auth(peer) == AuthSuccess(b"HTTP/1.1 200 OK", b"last")
    again = Script(answer("401 Unauthorized", "WWW-Authenticate: SCRAM-SHA-256 sid=other,data=eQ=="))
    with pytest.raises(ProtocolError):
        dialect.read_auth(again)


@pytest.mark.parametrize(
    ("mechanism", "headers"),
    [
        ("PLAIN", ["WWW-Authenticate: Basic realm=x"]),
        ("OAUTHBEARER", ["WWW-Authenticate: Bearer error=invalid_token"]),
        ("SCRAM-SHA-1", ["WWW-Authenticate: SCRAM-SHA-1 realm=x"]),
        ("GSS-SPNEGO", ["WWW-Authenticate: Negotiate"]),
        ("DIGEST-MD5", ["WWW-Authenticate: Basic"]),
        ("DIGEST-MD5", []),
    ],
)
def test_a_scheme_offered_anew_is_a_no(mechanism: str, headers: list[str]) -> None:
    peer = Script(answer("401 Unauthorized", *headers))
    dialect = Http()
    dialect.begin_auth(peer, mechanism, None if mechanism == "DIGEST-MD5" else b"\0a\0b")
    with pytest.raises(Refused, match="401"):
        dialect.read_auth(peer)


def test_a_second_challenge_of_digest_is_a_no() -> None:
    challenge = answer("401 Unauthorized", 'WWW-Authenticate: Digest nonce="1"')
    peer = Script(challenge, challenge)
    dialect = Http()
    dialect.begin_auth(peer, "DIGEST-MD5", None)
    assert isinstance(dialect.read_auth(peer), AuthChallenge)
    dialect.answer_auth(peer, b"x=y")
    with pytest.raises(Refused):
        dialect.read_auth(peer)


@pytest.mark.parametrize("status", ["301 Moved", "403 Forbidden", "426 Upgrade Required", "500 Oops"])
def test_other_answers_are_a_no(status: str) -> None:
    dialect = Http()
    peer = Script(answer(status, "WWW-Authenticate: SCRAM-SHA-1 data=eA=="))
    dialect.begin_auth(peer, "SCRAM-SHA-1", b"x")
    with pytest.raises(Refused, match=status):
        dialect.read_auth(peer)


def test_nothing_that_comes_after_giving_up_is_a_success() -> None:
    dialect = Http()
    peer = Script(answer("200 OK"))
    dialect.begin_auth(peer, "SCRAM-SHA-1", b"x")
    dialect.cancel_auth(peer)
    with pytest.raises(Refused):
        dialect.read_auth(peer)


def test_chunks_folded_lines_and_provisional_answers_are_read() -> None:
    peer = Script(
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 102 Processing\r\nX: y\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX: one\r\n\ttwo\r\n\r\n",
        b"5;ext=1\r\nhello\r\n0\r\nTrailer: x\r\n\r\n",
        answer("404 Not Found", body=b"x" * 70000),
        b"HTTP/1.1 204 No Content\r\n\r\n",
    )
    first = http_response.read(peer)
    assert (first.status, first.all("x")) == (200, ["one two"])
    assert [http_response.read(peer).status for _ in range(2)] == [404, 204]
    assert peer.left == b""


@pytest.mark.parametrize(
    "text",
    [
        b"", b"HTTP/1.1 200 OK\r\n", b"ICY 200 OK\r\n\r\n", b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nName : x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n: x\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9999999999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"8000\r\n" + b"x" * 32768 + b"\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 2000 + b"\r\n", b"HTTP/1.1 100 x\r\n\r\n" * 2000,
    ],
    ids=lambda text: str(text[:60]),
)  # fmt: skip
def test_what_is_no_answer_is_refused(text: bytes) -> None:
    with pytest.raises((ProtocolError, ConnectionClosed)):
        http_response.read(Script(text))


def test_an_endless_body_is_not_read() -> None:
    chunks = (b"8000\r\n" + b"x" * 32768 + b"\r\n") * 64
    peer = Script(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", chunks)
    with pytest.raises(ProtocolError):
        http_response.read(peer)


CREDENTIALS = ClientCredentials("joe", "sécret")


def digested(algorithm: str, offered: dict[str, bytes], said: dict[str, bytes], method: str) -> bytes:
    """The response value by the words of RFC 2617 section 3.2.2 and its erratum 1649."""

    def h(text: bytes) -> bytes:
        return hashlib.md5(text, usedforsecurity=False).hexdigest().encode()

    one = h(b"joe:" + offered["realm"] + b":s\xe9cret")
    if algorithm == "md5-sess":
        one = h(b":".join((one, offered["nonce"], said["cnonce"])))
    two = h(f"{method}:*".encode())
    return h(b":".join((one, offered["nonce"], b"00000001", said["cnonce"], b"auth", two)))


@pytest.mark.parametrize("algorithm", ["md5", "md5-sess"])
def test_digest_proves_the_client_and_the_server(algorithm: str) -> None:
    client = HttpDigestClient()
    head = 'nonce="n,1",realm="the \\"realm\\"",qop="auth,auth-int",opaque="o"'
    challenge = f"{head},algorithm={algorithm}".encode()
    given = [ServerChallenge(challenge)]
    said = directives(client.client_attempt(CREDENTIALS, given).response)
    offered = directives(challenge)
    assert said["response"] == digested(algorithm, offered, said, "OPTIONS")
    assert (said["uri"], said["opaque"], said["algorithm"]) == (b"*", b"o", algorithm.encode())
    assert not client.server_proven
    wrong = [*given, ServerChallenge(b'rspauth="' + b"0" * 32 + b'"')]
    with pytest.raises(UnexpectedChallenge):
        client.client_attempt(CREDENTIALS, wrong)
    proof = b'rspauth="%s",nc=00000001,qop="auth"' % digested(algorithm, offered, said, "")
    client.client_attempt(CREDENTIALS, [*given, ServerChallenge(proof)])
    assert client.server_proven


@pytest.mark.parametrize(
    "challenge",
    [b"", b'realm="x"', b'nonce="1",algorithm=SHA-256', b'nonce="1",qop="auth-int"', b'nonce="1',
     b'nonce="1",nonce="2"'],
)  # fmt: skip
def test_a_digest_that_cannot_be_answered_is_not(challenge: bytes) -> None:
    with pytest.raises(UnexpectedChallenge):
        HttpDigestClient().client_attempt(CREDENTIALS, [ServerChallenge(challenge)])
