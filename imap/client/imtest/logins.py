"""The protocols' own login commands, which are no SASL mechanisms."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable

from libcyrus.backend.dialect import MOST_LINES, Refused
from libcyrus.backend.peer import Peer
from libcyrus.errors import ProtocolError

Password = Callable[[], str]


def imap_login(peer: Peer, name: str, password: Password) -> None:
    """LOGIN, with the password as a literal. Raises Refused."""
    secret = os.fsencode(password())
    peer.send(b"L01 LOGIN %s {%d}" % (os.fsencode(name), len(secret)))
    line = _answer(peer, b"+", b"L01 ")
    if line.startswith(b"+"):
        peer.send_hidden(secret, shown=b"<omitted>")
        line = _answer(peer, b"L01 ")
    if line[4:6].upper() != b"OK":
        raise Refused(line.decode("utf-8", "replace"))


def pop3_user(peer: Peer, name: str, password: Password) -> None:
    """USER and PASS. Raises Refused."""
    peer.send(b"USER " + os.fsencode(name))
    _expect(peer, b"+OK")
    peer.send_hidden(b"PASS " + os.fsencode(password()), shown=b"PASS <omitted>")
    _expect(peer, b"+OK")


def pop3_apop(peer: Peer, challenge: bytes, name: str, password: Password) -> None:
    """APOP (RFC 1939 section 7) with the timestamp of the greeting. Raises Refused."""
    digest = hashlib.md5(challenge + os.fsencode(password()), usedforsecurity=False).hexdigest()
    peer.send(b"APOP %s %s" % (os.fsencode(name), digest.encode("ascii")))
    _expect(peer, b"+OK")


def nntp_user(peer: Peer, name: str, password: Password) -> None:
    """AUTHINFO USER and PASS (RFC 4643 section 2.3). Raises Refused."""
    peer.send(b"AUTHINFO USER " + os.fsencode(name))
    line = peer.receive()
    if line.startswith(b"381"):
        hidden = b"AUTHINFO PASS "
        peer.send_hidden(hidden + os.fsencode(password()), shown=hidden + b"<omitted>")
        line = peer.receive()
    if not line.startswith(b"281"):
        raise Refused(line.decode("utf-8", "replace"))


def _expect(peer: Peer, begin: bytes) -> None:
    line = peer.receive()
    if not line.startswith(begin):
        raise Refused(line.decode("utf-8", "replace"))


def _answer(peer: Peer, *begins: bytes) -> bytes:
    """The first line that begins in one of these ways."""
    for _ in range(MOST_LINES):
        line = peer.receive()
        if line.startswith(begins):
            return line
    raise ProtocolError
