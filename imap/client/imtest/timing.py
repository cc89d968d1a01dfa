"""The timing test of ``imtest -z``: ten times a mailbox and five messages in it, of 200 bytes to 2 MB."""

from __future__ import annotations

import time

from imap.client.imtest.session import show
from libcyrus.backend.dialect import MOST_LINES
from libcyrus.backend.peer import Peer
from libcyrus.errors import ProtocolError

ROUNDS = 10
SIZES = (200, 2000, 20_000, 200_000, 2_000_000)
MAILBOX = b"INBOX.imtest"
_HEADER = (
    b"Date: Mon, 7 Feb 1994 21:52:25 -0800 (PST)\r\nFrom: Test <test@example.org>\r\nSubject: timing\r\n"
    b"To: test@example.org\r\nMessage-Id: <timing@example.org>\r\nMIME-Version: 1.0\r\n"
    b"Content-Type: TEXT/PLAIN; CHARSET=US-ASCII\r\n\r\n"
)


def run(peer: Peer) -> None:
    """Raises ProtError when the connection breaks."""
    started = time.time()
    for _ in range(ROUNDS):
        _command(peer, b"C01", b"CREATE " + MAILBOX)
        for size in SIZES:
            message = _HEADER + b"0123456789" * (size // 10) + b"\r\n"
            _command(peer, b"A003", b"APPEND %s (\\Seen) {%d+}" % (MAILBOX, len(message)), message)
        _command(peer, b"D01", b"DELETE " + MAILBOX)
    show(f"took {int(time.time() - started)} seconds\n")


def _command(peer: Peer, tag: bytes, command: bytes, literal: bytes | None = None) -> None:
    peer.stream.write(tag + b" " + command + b"\r\n")
    if literal is not None:
        peer.stream.write(literal + b"\r\n")
    peer.stream.flush()
    if not any(peer.receive().startswith(tag) for _ in range(MOST_LINES)):
        raise ProtocolError
