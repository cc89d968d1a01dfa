"""The interactive part: a person, a file, or programs at a UNIX socket talk to the server."""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
import socket
import sys
from collections.abc import Iterator
from types import FrameType
from typing import BinaryIO

from imap.client.imtest.arguments import Failure
from libcyrus.backend.dialect import MOST_LINES
from libcyrus.backend.peer import Peer
from libcyrus.prot import ConnectionClosed, ProtError

SIZE = 64 * 1024
SOCKET_SECONDS = 600
"""How long the connection is kept while nobody is at the socket."""

_UNAUTHENTICATE = re.compile(rb"(?:^|\s)UNAUTHENTICATE\r\n\Z", re.IGNORECASE)
_LITERAL = re.compile(rb"\{(\d+)\+?\}\r?\n\Z")


def say_goodbye(peer: Peer) -> None:
    """Send the logout command without waiting for the answer."""
    with contextlib.suppress(ProtError):
        peer.dialect.send_logout(peer)


class Terminal:
    """Lines from standard input; at its end the session is logged out and read to its end."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self._unauthenticating = False

    def run(self) -> None:
        """Returns when the server has closed, or at SIGINT."""
        peer = self._peer
        reading = [0]
        with _interruptible():
            try:
                while True:
                    ready = peer.stream.wait_readable(reading)
                    if 0 in ready and not self._type(os.read(0, SIZE)):
                        reading = []
                    if peer.stream.fileno() in ready:
                        self._show(peer.stream.read_some())
            except KeyboardInterrupt:
                say_goodbye(peer)
            except ConnectionClosed:
                pass
            except ProtError as error:
                _show(f"Protection error: {error}\n".encode())
        peer.close()
        _show(b"Connection closed.\n")

    def _type(self, data: bytes) -> bool:
        """Send what was typed, with the network's line ends; False at the end of input."""
        if not data:
            say_goodbye(self._peer)
            return False
        data = re.sub(rb"(?<!\r)\n", b"\r\n", data)
        if _UNAUTHENTICATE.search(data):
            self._unauthenticating = True
        self._peer.stream.write(data)
        self._peer.stream.flush()
        return True

    def _show(self, data: bytes) -> None:
        _show(data)
        if self._unauthenticating:
            # TLS stays, what came with the login goes (RFC 8437)
            self._unauthenticating = False
            self._peer.stream.stop_compressing()


def send_file(peer: Peer, path: str) -> None:
    """Pipe a file into the connection, then log out and read to the end."""
    with _opened(path) as file, _interruptible():
        try:
            done = False
            while True:
                if not done:
                    data = file.read(SIZE)
                    if data:
                        _show(data)
                        peer.stream.write(data)
                        peer.stream.flush()
                    else:
                        done = True
                        say_goodbye(peer)
                while done or peer.stream.wait_readable(timeout=0):
                    _show(peer.stream.read_some())
        except KeyboardInterrupt:
            say_goodbye(peer)
        except ConnectionClosed:
            pass
        except ProtError as error:
            _show(f"Protection error: {error}\n".encode())
    peer.close()
    _show(b"Connection closed.\n")


def _opened(path: str) -> BinaryIO:
    try:
        return open(path, "rb")
    except OSError as error:
        print(f"Unable to open file: {path}:{error.strerror}", file=sys.stderr)
        sys.exit(1)


class SocketRelay:
    """Whoever connects to a UNIX socket talks to the server, one after the other, on one session.

    A visitor who leaves in the midst of something takes the session along; so does one of a protocol that
    has nothing like UNSELECT or RSET to make it clean again.
    """

    def __init__(self, peer: Peer, path: str) -> None:
        self._peer = peer
        self._path = path
        self._visits = 0
        self._literal = 0
        self._in_data = False
        self._partial = b""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._listener.bind(path)
            self._listener.listen(5)
        except OSError as error:
            raise Failure(f"could not bind output socket: {error.strerror}") from error
        self._inode = os.stat(path).st_ino

    def run(self) -> None:
        with _interruptible():
            try:
                while self._visit() and self._reset():
                    pass
            except (KeyboardInterrupt, ProtError, OSError):
                pass
        with contextlib.suppress(FileNotFoundError):
            if os.stat(self._path).st_ino == self._inode:
                os.unlink(self._path)
        self._listener.close()
        say_goodbye(self._peer)
        self._peer.close()
        _show(b"Connection closed.\n")

    def _visit(self) -> bool:
        """Serve one visitor; False when nobody came, or when the session cannot be used again."""
        if not select.select([self._listener], [], [], SOCKET_SECONDS)[0]:
            return False
        visitor, _ = self._listener.accept()
        peer = self._peer
        with visitor:
            while True:
                ready = peer.stream.wait_readable([visitor.fileno()])
                if peer.stream.fileno() in ready:
                    visitor.sendall(peer.stream.read_some())
                if visitor.fileno() in ready:
                    data = visitor.recv(SIZE)
                    if not data:
                        return True
                    if not self._pass_on(data):
                        return True

    def _pass_on(self, data: bytes) -> bool:
        """Send whole lines; False when the visitor is about to log out, which the session must not."""
        whole = self._partial + data
        *lines, self._partial = whole.split(b"\n")
        for line in lines:
            if not self._line(line + b"\n"):
                return False
        if self._literal and self._partial:
            # what belongs to a literal need not wait for its line
            self._literal = max(0, self._literal - len(self._partial))
            self._send(self._partial)
            self._partial = b""
        return True

    def _line(self, line: bytes) -> bool:
        if self._literal:
            self._literal = max(0, self._literal - len(line))
            self._send(line)
            return True
        word = line.split()[-1].upper() if line.split() else b""
        match self._peer.dialect.name:
            case "imap":
                if len(line.split()) == 2 and word == b"LOGOUT":
                    return False
                found = _LITERAL.search(line)
                self._literal = int(found[1]) if found is not None else 0
            case "lmtp" | "smtp":
                if self._in_data:
                    self._in_data = line.rstrip(b"\r\n") != b"."
                elif line.strip().upper() == b"QUIT":
                    return False
                else:
                    self._in_data = line.strip().upper() == b"DATA"
        self._send(re.sub(rb"(?<!\r)\n\Z", b"\r\n", line))
        return True

    def _send(self, data: bytes) -> None:
        self._peer.stream.write(data)
        self._peer.stream.flush()

    def _reset(self) -> bool:
        """Make the session clean for the next visitor; False where that cannot be done."""
        if self._literal or self._in_data or self._partial:
            return False
        match self._peer.dialect.name:
            case "imap":
                tag = b"UN%d" % self._visits
                command, end = tag + b" UNSELECT\r\n", tag + b" "
            case "lmtp" | "smtp":
                command, end = b"RSET\r\n", b"250"
            case _:
                return False
        self._visits += 1
        self._send(command)
        return any(self._peer.stream.readline(SIZE).startswith(end) for _ in range(MOST_LINES))


def _show(data: bytes) -> None:
    sys.stdout.flush()
    view = memoryview(data)
    while view:
        view = view[os.write(1, view) :]


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """SIGINT raises KeyboardInterrupt in here, whatever it did before."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
