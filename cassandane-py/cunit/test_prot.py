"""ProtStream: lines, literals, pending output, telemetry, TLS."""

from __future__ import annotations

import io
import os
import select
import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from imap.admin.private_instance import make_certificate
from libcyrus.prot import ConnectionClosed, IdleTooLong, LineTooLong, ProtStream, TlsError
from libcyrus.prot.tls import ServerParameters, TlsContext, server_context

Pair = tuple[ProtStream, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    ours, theirs = socket.socketpair()
    theirs.settimeout(20)
    stream = ProtStream(ours, timeout=20)
    yield stream, theirs
    stream.close()
    theirs.close()


def test_lines_and_literals_come_out_the_same_wherever_the_network_cuts_them() -> None:
    text = b"one\r\ntwo {5}\r\nab\ncd three\n\r\n"
    for cut in range(len(text) + 1):
        ours, theirs = socket.socketpair()
        with theirs:
            stream = ProtStream(ours, timeout=20)
            sender = threading.Thread(target=lambda at=cut, peer=theirs: _send_in_two(peer, text, at))
            sender.start()
            assert stream.readline(100) == b"one\r\n"
            assert stream.readline(100) == b"two {5}\r\n"
            assert stream.read(5) == b"ab\ncd"
            assert stream.readline(100) == b" three\n"
            assert stream.readline(100) == b"\r\n"
            sender.join()
            stream.close()


def _send_in_two(peer: socket.socket, text: bytes, cut: int) -> None:
    peer.sendall(text[:cut])
    peer.sendall(text[cut:])


def test_a_line_may_be_as_long_as_the_limit_and_no_longer(pair: Pair) -> None:
    stream, peer = pair
    peer.sendall(b"x" * 9 + b"\n" + b"y" * 30 + b"\nnext\n")
    assert stream.readline(10) == b"x" * 9 + b"\n"
    with pytest.raises(LineTooLong):
        stream.readline(10)
    stream.skip_line()
    assert stream.readline(10) == b"next\n"


def test_a_line_that_is_too_long_is_refused_before_it_ends(pair: Pair) -> None:
    stream, peer = pair
    peer.sendall(b"z" * 4096)
    with pytest.raises(LineTooLong):
        stream.readline(1000)
    peer.sendall(b"zz\nrest\n")
    stream.skip_line()
    assert stream.readline(1000) == b"rest\n"


def test_the_end_of_the_connection_is_an_error_also_inside_a_line(pair: Pair) -> None:
    stream, peer = pair
    peer.sendall(b"whole\nhalf")
    peer.shutdown(socket.SHUT_WR)
    assert stream.readline(100) == b"whole\n"
    with pytest.raises(ConnectionClosed):
        stream.readline(100)


def test_silence_beyond_the_timeout_is_an_error() -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        stream = ProtStream(ours, timeout=0.01)
        with pytest.raises(IdleTooLong, match="idle for too long"):
            stream.readline(100)
        stream.close()


def test_a_peer_that_does_not_read_is_given_up() -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        stream = ProtStream(ours, timeout=0.01)
        with pytest.raises(IdleTooLong):
            stream.write(b"x" * (64 << 20))
        stream.close()


def test_output_waits_for_a_read_that_would_block_and_leaves_in_one_piece(pair: Pair) -> None:
    stream, peer = pair
    peer.sendall(b"first\nsecond\n")
    assert stream.readline(100) == b"first\n"
    stream.write(b"reply 1\r\n")
    stream.writev([b"reply", b" 2\r\n"])
    assert stream.readline(100) == b"second\n"
    assert not select.select([peer], [], [], 0)[0], "pipelined commands are answered together"
    threading.Timer(0, lambda: peer.sendall(b"third\n")).start()
    assert stream.readline(100) == b"third\n"
    assert peer.recv(4096) == b"reply 1\r\nreply 2\r\n"


def test_much_output_does_not_pile_up(pair: Pair) -> None:
    stream, peer = pair
    received: list[int] = []

    def drain() -> None:
        total = 0
        while total < 3_000_000:
            total += len(peer.recv(65536))
        received.append(total)

    reader = threading.Thread(target=drain)
    reader.start()
    for _ in range(3000):
        stream.write(b"x" * 1000)
    stream.flush()
    reader.join()
    assert received == [3_000_000]
    assert stream.bytes_out == 3_000_000


def test_a_literal_goes_to_a_file_and_what_follows_stays(pair: Pair) -> None:
    stream, peer = pair
    literal = os.urandom(200_000)
    sender = threading.Thread(target=peer.sendall, args=(b"{200000}\r\n" + literal + b"after\r\n",))
    sender.start()
    assert stream.readline(100) == b"{200000}\r\n"
    target = io.BytesIO()
    stream.read_into_file(len(literal), target)
    assert target.getvalue() == literal
    assert stream.readline(100) == b"after\r\n"
    sender.join()


def test_a_file_that_fails_does_not_lose_the_place_in_the_conversation(pair: Pair) -> None:
    stream, peer = pair

    class FullDisk:
        def write(self, data: bytes, /) -> object:
            raise OSError(28, "No space left on device")

    peer.sendall(b"0123456789next\n")
    with pytest.raises(OSError, match="No space"):
        stream.read_into_file(10, FullDisk())
    assert stream.readline(100) == b"next\n"


def test_what_was_read_can_be_put_back(pair: Pair) -> None:
    stream, peer = pair
    peer.sendall(b"body.\r\nQUIT\r\n")
    data = stream.read_some()
    stream.unread(data[7:])
    assert stream.readline(100) == b"QUIT\r\n"


def test_waiting_tells_which_descriptor_woke_it(pair: Pair) -> None:
    stream, peer = pair
    reader, writer = os.pipe()
    try:
        assert stream.wait_readable([reader], 0.001) == []
        os.write(writer, b"x")
        assert stream.wait_readable([reader], 20) == [reader]
        os.read(reader, 1)
        peer.sendall(b"a\nb\n")
        assert stream.wait_readable([reader], 20) == [stream.fileno()]
        assert stream.readline(10) == b"a\n"
        assert stream.wait_readable([reader], 20) == [stream.fileno()], "buffered input counts"
    finally:
        os.close(reader)
        os.close(writer)


def test_a_wakeup_calls_the_check_which_may_end_the_conversation() -> None:
    class Stop(BaseException):
        pass

    reader, writer = os.pipe()
    asked: list[bool] = []

    def check() -> None:
        asked.append(True)
        if select.select([reader], [], [], 0)[0]:
            raise Stop

    ours, theirs = socket.socketpair()
    with theirs:
        stream = ProtStream(ours, timeout=20, before_wait=check, wakeup_fd=reader)
        threading.Timer(0, os.write, (writer, b"!")).start()
        with pytest.raises(Stop):
            stream.readline(100)
        assert asked
        stream.close()
    os.close(reader)
    os.close(writer)


def test_telemetry_has_both_directions_with_their_marks(pair: Pair, tmp_path: Path) -> None:
    stream, peer = pair
    fd = os.open(tmp_path / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    stream.telemetry(fd)
    peer.sendall(b"a NOOP\r\n")
    stream.readline(100)
    stream.write(b"a OK\r\n")
    stream.flush()
    os.close(fd)
    log = (tmp_path / "log").read_bytes()
    marks = [piece for piece in log.replace(b">", b"<").split(b"<") if piece.isdigit()]
    assert len(marks) == 2
    assert log == b"<%b<a NOOP\r\n>%b>a OK\r\n" % (marks[0], marks[1])


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return make_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def context(certificate: dict[str, str]) -> TlsContext:
    return server_context(_parameters(certificate))


def _parameters(certificate: dict[str, str], **changes: str | int) -> ServerParameters:
    values = {
        "certificates": (certificate["tls_server_cert"],),
        "keys": (certificate["tls_server_key"],),
        **changes,
    }
    return ServerParameters(**values)  # type: ignore[arg-type]


class TlsPeer(threading.Thread):
    """A client that shakes hands, says hello and reads one line."""

    def __init__(self, sock: socket.socket, session: ssl.SSLSession | None = None) -> None:
        super().__init__()
        self.sock = sock
        self.given = session
        self.context = CLIENT
        self.answer = b""
        self.reused = False
        self.session: ssl.SSLSession | None = None
        self.error: Exception | None = None
        self.start()

    def run(self) -> None:
        try:
            with self.context.wrap_socket(self.sock, session=self.given) as tls:
                tls.sendall(b"hello\r\n")
                self.answer = tls.recv(100_000)
                self.reused = bool(tls.session_reused)
                self.session = tls.session
        except OSError as error:
            self.error = error


def _client_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


CLIENT = _client_context()


def test_tls_carries_lines_both_ways_and_says_what_was_agreed(pair: Pair, context: TlsContext) -> None:
    stream, sock = pair
    peer = TlsPeer(sock)
    session = stream.starttls(context)
    assert stream.readline(100) == b"hello\r\n"
    stream.write(b"x" * 100 + b"\r\n")
    stream.flush()
    peer.join()
    assert peer.answer == b"x" * 100 + b"\r\n"
    assert session.protocol == "TLSv1.3"
    assert session.bits in (128, 256)
    assert session.received_info().startswith("version=TLSv1.3 cipher=TLS_")
    assert session.peer_name is None


def test_a_session_resumes_on_another_connection_of_the_same_context(context: TlsContext) -> None:
    resumed: list[bool] = []
    ticket: ssl.SSLSession | None = None
    for _ in range(2):
        ours, theirs = socket.socketpair()
        stream = ProtStream(ours, timeout=20)
        peer = TlsPeer(theirs, ticket)
        session = stream.starttls(context)
        stream.readline(100)
        stream.write(b"done\r\n")
        stream.flush()
        peer.join()
        assert peer.error is None
        ticket = peer.session
        resumed.append(session.reused)
        stream.close()
    assert resumed == [False, True]


def test_what_was_pipelined_in_the_clear_before_tls_is_forgotten(pair: Pair, context: TlsContext) -> None:
    stream, sock = pair
    sock.sendall(b"STARTTLS\r\ninjected\r\n")
    assert stream.readline(100) == b"STARTTLS\r\n"
    stream.discard_input()
    peer = TlsPeer(sock)
    stream.starttls(context)
    assert stream.readline(100) == b"hello\r\n"
    stream.write(b"x")
    stream.flush()
    peer.join()


def test_a_failed_handshake_is_an_error_of_its_own(pair: Pair, context: TlsContext) -> None:
    stream, sock = pair
    sock.sendall(b"this is not TLS at all\r\n")
    with pytest.raises(TlsError):
        stream.starttls(context)


@pytest.mark.parametrize("sent", [b"", b"\x16\x03\x01\x02\x00\x01"])
def test_a_client_that_stalls_is_not_waited_for_longer_than_allowed(
    pair: Pair, context: TlsContext, sent: bytes
) -> None:
    stream, sock = pair
    sock.sendall(sent)
    with pytest.raises(IdleTooLong):
        stream.starttls(context, timeout=0.05)


def test_signals_are_looked_at_during_a_handshake(context: TlsContext) -> None:
    class Told(BaseException):
        pass

    def look() -> None:
        raise Told

    ours, theirs = socket.socketpair()
    with theirs, pytest.raises(Told):
        ProtStream(ours, before_wait=look).starttls(context)


def test_an_end_without_goodbye_is_told_in_the_systems_words(context: TlsContext) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        theirs = socket.create_connection(listener.getsockname())
        ours, _ = listener.accept()
    theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    stream = ProtStream(ours, timeout=20)
    theirs.sendall(b"\x16")
    theirs.close()
    with pytest.raises(TlsError, match="^Connection reset by peer$"):
        stream.starttls(context)


def test_only_the_configured_versions_are_spoken(pair: Pair, certificate: dict[str, str]) -> None:
    stream, sock = pair
    peer = TlsPeer(sock)
    session = stream.starttls(server_context(_parameters(certificate, versions="tls1_2")))
    assert session.protocol == "TLSv1.2"
    stream.write(b"x")
    stream.flush()
    peer.join()


@pytest.mark.parametrize(
    "changes",
    [
        {"ciphers": "NO-SUCH-CIPHER"},
        {"certificates": ("/nonexistent",)},
        {"keys": ("/nonexistent",)},
        {"client_certs": "require"},
    ],
)
def test_bad_parameters_are_refused_when_the_context_is_built(
    certificate: dict[str, str], changes: dict[str, str]
) -> None:
    with pytest.raises(TlsError):
        server_context(_parameters(certificate, **changes))
