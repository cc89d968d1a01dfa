"""Small blocking clients that show the exact lines a server sends."""

from __future__ import annotations

import re
import socket
import ssl
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType

DEADLINE = 60.0


class Connection:
    """Lines and literals over a socket; EOFError when the server closes."""

    def __init__(self, address: tuple[str, int] | str, *, tls: bool = False) -> None:
        if isinstance(address, str):
            raw = socket.socket(socket.AF_UNIX)
            raw.settimeout(DEADLINE)
            raw.connect(address)
        else:
            raw = socket.create_connection(address, timeout=DEADLINE)
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket: socket.socket = raw
        self._buffer = b""
        if tls:
            self.start_tls()

    def start_tls(self, newest: ssl.TLSVersion = ssl.TLSVersion.MAXIMUM_SUPPORTED) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.maximum_version = newest
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        self.socket = context.wrap_socket(self.socket)

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def line(self) -> bytes:
        """One line without its CRLF."""
        while b"\r\n" not in self._buffer:
            self._fill()
        line, _, self._buffer = self._buffer.partition(b"\r\n")
        return line

    def read(self, size: int) -> bytes:
        while len(self._buffer) < size:
            self._fill()
        data, self._buffer = self._buffer[:size], self._buffer[size:]
        return data

    def replace_buffer(self, change: Callable[[bytes], bytes]) -> None:
        """Put something else in place of what was received and not read yet."""
        self._buffer = change(self._buffer)

    def at_end(self) -> bool:
        """Whether the server has closed; pending bytes mean it has not."""
        try:
            return not self._buffer and not self.socket.recv(1)
        except ConnectionResetError:
            return True

    def _fill(self) -> None:
        data = self.socket.recv(65536)
        if not data:
            raise EOFError(f"closed by the server after {self._buffer!r}")
        self._buffer += data

    def close(self) -> None:
        self.socket.close()


@dataclass(frozen=True)
class Reply:
    """What one IMAP command brought: untagged lines without ``* ``, status word, text."""

    untagged: list[str]
    status: str
    text: str

    def grep(self, pattern: str) -> list[str]:
        return [line for line in self.untagged if re.search(pattern, line)]


class ImapClient(Connection):
    def __init__(self, address: tuple[str, int] | str, *, tls: bool = False) -> None:
        super().__init__(address, tls=tls)
        self._count = 0
        self.greeting = self.line().decode("latin-1")

    def __enter__(self) -> ImapClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self.command("LOGOUT")
        except (EOFError, OSError):
            pass
        finally:
            self.close()

    def response(self) -> bytes:
        """One response: its line with every literal it announces."""
        whole = self.line()
        while match := re.search(rb"\{(\d+)\}$", whole):
            whole += b"\r\n" + self.read(int(match[1])) + self.line()
        return whole

    def command(self, text: str | bytes, *literals: bytes) -> Reply:
        """Send a command; each ``{}`` in it stands for the next literal (synchronising)."""
        self._count += 1
        tag = b"a%d" % self._count
        pieces = (text.encode("latin-1") if isinstance(text, str) else text).split(b"{}")
        self.send(tag + b" " + pieces[0])
        untagged: list[str] = []
        for piece, literal in zip(pieces[1:], literals, strict=True):
            self.send(b"{%d}\r\n" % len(literal))
            line = self.response()
            while not line.startswith(b"+"):
                if line.startswith(tag + b" "):
                    return self._reply(line, untagged)
                untagged.append(line[2:].decode("latin-1"))
                line = self.response()
            self.send(literal + piece)
        self.send(b"\r\n")
        return self.finish(tag, untagged)

    def finish(self, tag: bytes, untagged: list[str] | None = None) -> Reply:
        untagged = [] if untagged is None else untagged
        while True:
            line = self.response()
            if line.startswith(tag + b" "):
                return self._reply(line, untagged)
            untagged.append(line[2:].decode("latin-1"))

    @staticmethod
    def _reply(line: bytes, untagged: list[str]) -> Reply:
        _, status, text = (line.decode("latin-1") + " ").split(" ", 2)
        return Reply(untagged, status, text.strip())

    def ok(self, text: str | bytes, *literals: bytes) -> Reply:
        reply = self.command(text, *literals)
        assert reply.status == "OK", f"{text!r}: {reply}"
        return reply

    def no(self, text: str | bytes, *literals: bytes) -> Reply:
        reply = self.command(text, *literals)
        assert reply.status == "NO", f"{text!r}: {reply}"
        return reply

    def bad(self, text: str | bytes, *literals: bytes) -> Reply:
        reply = self.command(text, *literals)
        assert reply.status == "BAD", f"{text!r}: {reply}"
        return reply

    def append(self, mailbox: str, *messages: bytes, flags: str = "") -> None:
        for message in messages:
            self.ok(f"APPEND {mailbox} {flags + ' ' if flags else ''}{{}}", message)


class LmtpClient(Connection):
    def __init__(self, address: tuple[str, int] | str) -> None:
        super().__init__(address)
        self.greeting = self.reply()
        self.lhlo = self.command("LHLO localhost")

    def __enter__(self) -> LmtpClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def reply(self) -> str:
        """A whole reply, its lines joined by LF."""
        lines = [self.line().decode("latin-1")]
        while lines[-1][3:4] == "-":
            lines.append(self.line().decode("latin-1"))
        return "\n".join(lines)

    def command(self, text: str) -> str:
        self.send(text.encode("latin-1") + b"\r\n")
        return self.reply()

    def deliver(self, message: bytes, *recipients: str, sender: str = "sender@example.org") -> list[str]:
        """Deliver ``message``; the replies, one for each accepted recipient."""
        assert self.command(f"MAIL FROM:<{sender}>").startswith("250")
        accepted = 0
        for recipient in recipients:
            reply = self.command(f"RCPT TO:<{recipient}>")
            assert reply.startswith("250"), reply
            accepted += 1
        assert self.command("DATA").startswith("354")
        body = re.sub(rb"(?m)^\.", b"..", message)
        self.send(body + (b"" if body.endswith(b"\r\n") else b"\r\n") + b".\r\n")
        return [self.reply() for _ in range(accepted)]


class DeflatedSocket:
    """A client's socket from the time on when both ends deflate, what it has read beyond included."""

    def __init__(self, client: ImapClient) -> None:
        self._socket = client.socket
        self._inflater = zlib.decompressobj(-15)
        self._deflater = zlib.compressobj(6, zlib.DEFLATED, -15)
        self.received = 0
        client.socket = self  # type: ignore[assignment]
        client.replace_buffer(self._inflater.decompress)

    def sendall(self, data: bytes) -> None:
        self._socket.sendall(self._deflater.compress(data) + self._deflater.flush(zlib.Z_SYNC_FLUSH))

    def recv(self, size: int) -> bytes:
        while True:
            data = self._socket.recv(size)
            self.received += len(data)
            if not data:
                return b""
            if inflated := self._inflater.decompress(data):
                return inflated

    def __getattr__(self, name: str) -> object:
        return getattr(self._socket, name)
