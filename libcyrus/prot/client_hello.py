"""What a TLS client says first (RFC 8446 section 4.1.2): which server it wants, which session to go on with.

It is read from the socket before OpenSSL sees it, and stays there for it. OpenSSL would call back when it
has come to either, but a callback into the interpreter needs memory that is writable and executable,
which a hardened host denies its services; and both have to be at hand before the answer.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable

from libcyrus.base.dataclasses import dataclass

_HANDSHAKE = 22
_CLIENT_HELLO = 1
_RECORD_HEADER = 5
_LONGEST_RECORD = 16 * 1024
_SERVER_NAME = 0
_SESSION_TICKET = 35
_SUPPORTED_VERSIONS = 43
_HOST_NAME = 0
_LONGEST_NAME = 255
# how often waiting may end without news: by a signal, by the client's end of file
_MOST_FALSE_ALARMS = 3


@dataclass(slots=True)
class ClientHello:
    """What matters here. ``server_name`` is in lower case, None if the client names no server.

    ``session_id`` is empty unless the client means it: who can speak TLS 1.3, or has a ticket, sends one that
    means nothing.
    """

    server_name: str | None = None
    session_id: bytes = b""


def peek(sock: socket.socket, wait: Callable[[bool], None]) -> ClientHello:
    """What the client on ``sock`` says first.

    ``wait(False)`` blocks until there is something to read, or raises. Whatever the client sends instead of
    a ClientHello, and a ClientHello that does not end with its first record, counts as one that says
    nothing: OpenSSL deals with it.
    """
    data, wanted, alarms, raised = b"", _RECORD_HEADER, 0, False
    try:
        while True:
            before = len(data)
            try:
                data = sock.recv(_RECORD_HEADER + _LONGEST_RECORD, socket.MSG_PEEK)
            except BlockingIOError:
                wait(False)
                continue
            except OSError:
                return ClientHello()
            if data[:1] != bytes([_HANDSHAKE]):
                return ClientHello()
            if len(data) >= _RECORD_HEADER:
                wanted = _RECORD_HEADER + min(int.from_bytes(data[3:5], "big"), _LONGEST_RECORD)
            alarms += len(data) == before
            if len(data) >= wanted or alarms > _MOST_FALSE_ALARMS:
                return parse(data[_RECORD_HEADER:])
            # sleep until all of it is there, or waiting would end at once for what we left in the socket
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, wanted)
                raised = True
            wait(False)
    finally:
        if raised:
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)


def parse(message: bytes) -> ClientHello:
    """A handshake message; one that is no ClientHello, or ends too early, says nothing."""
    try:
        return _parse(memoryview(message))
    except (_TooShort, UnicodeDecodeError):
        return ClientHello()


class _TooShort(Exception):
    """A length reaches beyond what was sent."""


def _parse(message: memoryview) -> ClientHello:
    if message[:1] != bytes([_CLIENT_HELLO]):
        return ClientHello()
    found = ClientHello()
    hello = message[4:]
    session_id, rest = _vector(hello[2 + 32 :], 1)  # behind version and random
    _, rest = _vector(rest, 2)  # cipher suites
    _, rest = _vector(rest, 1)  # compression methods
    is_meant = True
    extensions, _ = _vector(rest, 2) if rest else (rest, rest)
    while extensions:
        kind = int.from_bytes(extensions[:2], "big")
        body, extensions = _vector(extensions[2:], 2)
        if kind == _SERVER_NAME:
            found.server_name = _host_name(body)
        elif kind == _SUPPORTED_VERSIONS or (kind == _SESSION_TICKET and body):
            is_meant = False
    if is_meant:
        found.session_id = bytes(session_id)
    return found


def _host_name(extension: memoryview) -> str | None:
    """RFC 6066 section 3."""
    names, _ = _vector(extension, 2)
    while names:
        is_host = names[0] == _HOST_NAME
        name, names = _vector(names[1:], 2)
        if is_host and 0 < len(name) <= _LONGEST_NAME:
            return bytes(name).decode("ascii").lower()
    return None


def _vector(data: memoryview, width: int) -> tuple[memoryview, memoryview]:
    """A vector whose length stands before it in ``width`` bytes, and what follows."""
    if len(data) < width:
        raise _TooShort
    end = width + int.from_bytes(data[:width], "big")
    if len(data) < end:
        raise _TooShort
    return data[width:end], data[end:]
