"""What a server learns of a TLS client before the handshake."""

from __future__ import annotations

import random
import select
import socket
import ssl
from collections.abc import Iterator

import pytest

from libcyrus.prot import client_hello
from libcyrus.prot.client_hello import ClientHello

SESSION_ID = bytes(range(32))

Pair = tuple[socket.socket, socket.socket]


def hello(host: str | None, *, version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> bytes:
    """The first record of a client of OpenSSL's."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.maximum_version = version
    outgoing = ssl.MemoryBIO()
    session = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=host)
    with pytest.raises(ssl.SSLWantReadError):
        session.do_handshake()
    return outgoing.read()


def message(*extensions: tuple[int, bytes], session_id: bytes = SESSION_ID) -> bytes:
    """A ClientHello without its record."""
    encoded = b"".join(
        kind.to_bytes(2, "big") + len(body).to_bytes(2, "big") + body for kind, body in extensions
    )
    body = b"\3\3" + bytes(32) + bytes([len(session_id)]) + session_id + b"\0\2\x13\1" + b"\1\0"
    body += len(encoded).to_bytes(2, "big") + encoded
    return b"\1" + len(body).to_bytes(3, "big") + body


def names(*found: tuple[int, bytes]) -> bytes:
    encoded = b"".join(bytes([kind]) + len(name).to_bytes(2, "big") + name for kind, name in found)
    return len(encoded).to_bytes(2, "big") + encoded


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize(("host", "name"), [("Mail.Example.org", "mail.example.org"), (None, None)])
def test_the_name_in_a_real_hello(host: str | None, name: str | None, version: ssl.TLSVersion) -> None:
    assert client_hello.parse(hello(host, version=version)[5:]).server_name == name


@pytest.mark.parametrize(
    ("extensions", "expected"),
    [
        ([], ClientHello(None, SESSION_ID)),
        ([(0, names((0, b"A.example")))], ClientHello("a.example", SESSION_ID)),
        ([(7, b"x"), (0, names((0, b"a.example")))], ClientHello("a.example", SESSION_ID)),
        ([(0, names((9, b"x"), (0, b"a.example")))], ClientHello("a.example", SESSION_ID)),
        ([(0, names((0, b"")))], ClientHello(None, SESSION_ID)),
        ([(0, names((0, b"a" * 256)))], ClientHello(None, SESSION_ID)),
        ([(0, names((0, b"\xffa")))], ClientHello()),
        ([(0, b"\xff\xff")], ClientHello()),
        # a ticket, and the versions of TLS 1.3: then the session id means nothing
        ([(35, b"")], ClientHello(None, SESSION_ID)),
        ([(35, b"ticket")], ClientHello(None, b"")),
        ([(43, b"\2\3\4")], ClientHello(None, b"")),
    ],
)
def test_extensions(extensions: list[tuple[int, bytes]], expected: ClientHello) -> None:
    assert client_hello.parse(message(*extensions)) == expected


def test_a_hello_without_extensions() -> None:
    assert client_hello.parse(message()[:-2]) == ClientHello(None, SESSION_ID)


def test_broken_messages_say_nothing_and_break_nothing() -> None:
    whole = message((0, names((0, b"a.example"))), (35, b"ticket"))
    for end in range(len(whole)):
        client_hello.parse(whole[:end])
    chance = random.Random(5)
    for _ in range(2000):
        data = bytearray(whole)
        for _ in range(chance.randrange(1, 8)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        client_hello.parse(bytes(data))


@pytest.fixture
def pair() -> Iterator[Pair]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        theirs = socket.create_connection(listener.getsockname())
        ours, _ = listener.accept()
    ours.setblocking(False)
    theirs.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with ours, theirs:
        yield ours, theirs


class Waiter:
    """Waits for the socket, and lets the client do something each time before."""

    def __init__(self, sock: socket.socket, *steps: object) -> None:
        self.sock = sock
        self.steps = list(steps)
        self.waits = 0

    def __call__(self, write: bool) -> None:
        assert not write
        self.waits += 1
        if self.steps:
            step = self.steps.pop(0)
            assert callable(step)
            step()
        assert select.select([self.sock], [], [], 20)[0]


def test_peeking_leaves_everything_in_place(pair: Pair) -> None:
    ours, theirs = pair
    sent = hello("mail.example.org")
    wait = Waiter(ours, lambda: theirs.sendall(sent))
    assert client_hello.peek(ours, wait).server_name == "mail.example.org"
    assert ours.recv(65536) == sent


def test_a_hello_is_awaited_whole(pair: Pair) -> None:
    ours, theirs = pair
    sent = hello("mail.example.org")

    def rest() -> None:
        for start in range(3, len(sent), 60):
            theirs.sendall(sent[start : start + 60])

    wait = Waiter(ours, lambda: theirs.sendall(sent[:3]), rest)
    assert client_hello.peek(ours, wait).server_name == "mail.example.org"
    assert ours.getsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT) == 1


def test_a_client_that_stops_in_the_middle_is_not_waited_for(pair: Pair) -> None:
    ours, theirs = pair
    theirs.sendall(hello("mail.example.org")[:60])
    theirs.shutdown(socket.SHUT_WR)
    wait = Waiter(ours)
    assert client_hello.peek(ours, wait) == ClientHello()
    assert wait.waits < 10


@pytest.mark.parametrize("sent", [b"GET / HTTP/1.0\r\n\r\n", b"\x80\x2e\1\3\1", b"\x16\3\1\0\4\2\0\0\0"])
def test_what_is_no_hello_is_left_to_openssl(pair: Pair, sent: bytes) -> None:
    ours, theirs = pair
    theirs.sendall(sent)
    assert client_hello.peek(ours, Waiter(ours)) == ClientHello()
