"""Hostile input for servers: what a session may send, broken in every way, and what must hold all the same.

A `Target` plays streams of bytes against a running server, which is imapd unless a subclass says otherwise.
Whatever they are, the server must end the conversation when the client has ended its half, say nothing that
is no response, log no traceback, and serve on.
"""

from __future__ import annotations

import re
import select
import socket
import ssl
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from random import Random

import psutil

from cassandane.instance import Instance
from cassandane.legality import Illegal, parse

PATIENCE = 60.0
"""Seconds that a conversation may take on a busy machine before it counts as hanging."""

TRANSCRIPTS = Path(__file__).parents[1] / "cyrus/transcripts"

_BUG = re.compile(r"Traceback|died of a bug|lock order violated|terminated abnormally|\]: <[012]> ")
_RESPONSE = re.compile(rb"(?:\* |\+ ?|[^\x00-\x1e\x20\x7f-\xff{()%*\"\\]+ (?:OK|NO|BAD) )")
_LITERAL = re.compile(rb"\{(\d+)\}\Z")
_INTERESTING = (
    b"\0", b"\r", b"\n", b"\r\n", b"\xff", b"\x80", b"\xc3\xa9", b"(", b")", b"((", b"))", b'"', b'""', b"\\",
    b"{0}\r\n", b"{1+}\r\n", b"{5}\r\n", b"{99999999999}\r\n", b"{-1}\r\n", b"~{3+}\r\n", b"{2+}", b"[",
    b"]", b"*", b"%", b" ", b"  ", b",", b":", b"0", b"4294967295", b"4294967296", b"18446744073709551616",
    b"-1", b"1:*", b"*:*", b"NIL", b"INBOX", b"&", b"&-", b"=?", b"\x1b$B", b"<", b">", b";", b"@", b"/",
    b"..",
)  # fmt: skip
_NUMBER = re.compile(rb"\d+")
_WORD = re.compile(rb"[^\s()]+")


class Broken(AssertionError):
    """The server did what no input may make it do."""


class Target:
    """A server of ours under fire. ``check`` says what its log has to complain of since the last time."""

    program = "imapd"

    def __init__(self, server: Instance, service: str = "imap") -> None:
        self.server = server
        self.service = service
        self._seen = 0
        self._recent: deque[bytes] = deque(maxlen=4)

    # conversations

    def play(self, stream: bytes, *, cut: bool = False, deaf: bool = False) -> bytes:
        """All that the server says to a stream, after which the client ends its half of the connection.

        With ``cut`` the client is gone at once, with ``deaf`` it reads nothing before it has sent all.
        """
        self._recent.append(stream)
        with self.connect() as sock:
            if cut:
                sock.settimeout(PATIENCE)
                try:
                    sock.sendall(stream[: 1 << 16])
                except OSError:
                    pass
                return b""
            said = exchange(sock, stream, deaf=deaf)
        if said is None:
            raise self.broken("no end of the conversation")
        return said

    def judge(self, said: bytes) -> list[bytes]:
        """The responses, each of them well-formed; the last may be cut off."""
        found = responses(said)
        for response in found:
            if not _RESPONSE.match(response):
                raise self.broken(f"no response: {response[:200]!r}")
            if re.match(rb"\* \d+ FETCH ", response):
                try:
                    parse(response[2:])
                except Illegal as error:
                    raise self.broken(str(error)[:500]) from None
        return found

    def connect(self) -> socket.socket:
        """A new connection, on which nothing was read yet."""
        sock = socket.create_connection(("127.0.0.1", self.server.ports[self.service]), timeout=PATIENCE)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.service == "imaps":
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            return context.wrap_socket(sock)
        return sock

    # the server's health

    def check(self) -> None:
        """Raise Broken if the log tells of a bug since the last call."""
        with open(self.server.log, "rb") as file:
            file.seek(self._seen)
            new = file.read()
            self._seen = file.tell()
        text = new.decode("utf-8", "replace")
        if _BUG.search(text):
            raise self.broken("the log tells of a bug\n" + text[-4000:])

    def broken(self, what: str) -> Broken:
        streams = "\n".join(f"{stream[:1000]!r}" for stream in self._recent)
        return Broken(f"{what}\nlast streams:\n{streams}")

    def workers(self) -> list[psutil.Process]:
        """The processes that serve connections: children of the pool's parent."""
        found = self.server.processes()
        parents = set()
        for process in found:
            with suppress(psutil.NoSuchProcess):
                parents.add(process.ppid())
        return [one for one in found if one.pid not in parents and _runs(one, self.program)]

    def memory(self) -> dict[int, int]:
        """KiB in memory of the workers that live, by process id."""
        found = {}
        for process in self.workers():
            with suppress(psutil.NoSuchProcess):
                found[process.pid] = process.memory_info().rss >> 10
        return found

    def worker_of(self, sock: socket.socket) -> psutil.Process:
        """The process at the other end of a connection."""
        port = sock.getsockname()[1]
        for process in self.workers():
            if any(
                connection.raddr and connection.raddr[1] == port for connection in process.net_connections()
            ):
                return process
        raise LookupError(port)


def _runs(process: psutil.Process, program: str) -> bool:
    with suppress(psutil.NoSuchProcess):
        return any(word.endswith(program) for word in process.cmdline())
    return False


def zombies(server: Instance) -> list[int]:
    """Processes of the server that ended without anybody waiting for them."""
    found = []
    for process in server.processes():
        with suppress(psutil.NoSuchProcess):
            for child in process.children():
                if child.status() == psutil.STATUS_ZOMBIE:
                    found.append(child.pid)
    return found


def exchange(sock: socket.socket, stream: bytes, *, deaf: bool = False) -> bytes | None:
    """Send all, end that half, and read to the end; None if there is no end."""
    sock.setblocking(False)
    left = memoryview(stream)
    said = bytearray()
    ended = False
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if not left and not ended:
            ended = True
            try:
                # not that of TLS, which would end both halves
                socket.socket.shutdown(sock, socket.SHUT_WR)
            except OSError:
                return bytes(said)
        reading = [] if deaf and left else [sock]
        # a server that waits for its reader stops reading itself: then it is time to listen
        ready, writable, _ = select.select(reading, [sock] if left else [], [], 0.0 if pending(sock) else 1.0)
        deaf = deaf and bool(writable)
        try:
            if writable:
                left = left[sock.send(left[: 1 << 18]) :]
            if ready or pending(sock):
                data = sock.recv(1 << 20)
                if not data:
                    return bytes(said)
                said += data
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            continue
        except OSError:
            return bytes(said)
    return None


def pending(sock: socket.socket) -> bool:
    """Whether TLS has something that was received already."""
    return isinstance(sock, ssl.SSLSocket) and sock.pending() > 0


def responses(said: bytes) -> list[bytes]:
    """What a server said, cut into responses with their literals; what is cut off at the end is left out."""
    found = []
    at = start = 0
    while (end := said.find(b"\r\n", at)) >= 0:
        literal = _LITERAL.search(said[max(at, end - 24) : end])
        if literal is not None:
            at = end + 2 + int(literal[1])
            if at > len(said):
                break
            continue
        found.append(said[start:end])
        at = start = end + 2
    return found


def recorded(name: str) -> list[bytes]:
    """The commands of a transcript, as they go over the wire."""
    commands: list[bytes] = []
    for line in (TRANSCRIPTS / f"{name}.txt").read_text().splitlines():
        if not line or line.startswith("# "):
            continue
        data = line.removeprefix("B: ").encode("latin-1").replace(b"\\r\\n", b"\r\n").replace(b"\\0", b"\0")
        if data.startswith(b"> ") and commands:
            commands[-1] += data[2:] + b"\r\n"
        else:
            commands.append(data + b"\r\n")
    return commands


def mutated(random: Random, data: bytes, others: Sequence[bytes] = ()) -> bytes:
    """The data with a few changes, of bits, octets, numbers, words or lines; some make it much longer."""
    for _ in range(random.choice((1, 1, 2, 3, 8))):
        data = _changed(random, data, others)
    return data


def _changed(random: Random, data: bytes, others: Sequence[bytes]) -> bytes:
    at = random.randrange(len(data) + 1)
    length = random.choice((1, 1, 2, 5, 20, 100))
    kind = random.randrange(11)
    if kind == 0:
        return data[:at] + random.choice(_INTERESTING) + data[at:]
    if kind == 1:
        return data[:at] + random.choice(_INTERESTING) + data[at + length :]
    if kind == 2:
        return data[:at] + data[at + length :]
    if kind == 3:
        return data[:at] + data[at : at + length] * random.choice((2, 3, 20, 400)) + data[at + length :]
    if kind == 4:
        return data[:at] + random.randbytes(length) + data[at + length :]
    if kind == 5 and at < len(data):
        return data[:at] + bytes([data[at] ^ 1 << random.randrange(8)]) + data[at + 1 :]
    if kind == 6:
        return _replaced(random, _NUMBER, data, _INTERESTING)
    if kind == 7:
        words = [found[0] for found in _WORD.finditer(data[:20000])]
        return _replaced(random, _WORD, data, words or [b"x"])
    if kind == 8:
        lines = data.split(b"\r\n")
        one, other = random.randrange(len(lines)), random.randrange(len(lines))
        lines[one], lines[other] = lines[other], lines[one]
        return b"\r\n".join(lines)
    if kind == 9 and others:
        other_data = random.choice(others)
        start = random.randrange(len(other_data) + 1)
        return data[:at] + other_data[start : start + random.choice((10, 100, 1000))] + data[at:]
    return (
        data[:at]
        + random.choice((b"(", b"NOT ", b"a ", b"1,", b"%", b"*", b"\\", b'"', b"1.")) * 3000
        + data[at:]
    )


def _replaced(random: Random, pattern: re.Pattern[bytes], data: bytes, values: Sequence[bytes]) -> bytes:
    places = [found.span() for found in pattern.finditer(data[:20000])]
    if not places:
        return data
    start, end = random.choice(places)
    return data[:start] + random.choice(values) + data[end:]
