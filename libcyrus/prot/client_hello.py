"""What a TLS client says first (RFC 8446 section 4.1.2): the name of the server that it wants.

It is read from the socket before OpenSSL sees it, and stays there for it. OpenSSL would call back when it
has come to the name, but a callback into the interpreter needs memory that is writable and executable,
which a hardened host denies its services; and the certificate has to be chosen before the answer.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable

_HANDSHAKE = 22
_CLIENT_HELLO = 1
_RECORD_HEADER = 5
_LONGEST_RECORD = 16 * 1024
_SERVER_NAME = 0
_HOST_NAME = 0
_LONGEST_NAME = 255
# how often waiting may end without news: by a signal, by the client's end of file
_MOST_FALSE_ALARMS = 3


def peek_server_name(sock: socket.socket, wait: Callable[[bool], None]) -> str | None:
    """The name that the client on ``sock`` asks for, in lower case; None if it names no server.

    ``wait(False)`` blocks until there is something to read, or raises. Whatever the client sends instead of
    a ClientHello, and a ClientHello that does not end with its first record, counts as one without a name:
    OpenSSL deals with it.
    """
    data, wanted, alarms = b"", _RECORD_HEADER, 0
    try:
        while True:
            before = len(data)
            try:
                data = sock.recv(_RECORD_HEADER + _LONGEST_RECORD, socket.MSG_PEEK)
            except BlockingIOError:
                wait(False)
                continue
            except OSError:
                return None
            if data[:1] != bytes([_HANDSHAKE]):
                return None
            if len(data) >= _RECORD_HEADER:
                wanted = _RECORD_HEADER + min(int.from_bytes(data[3:5], "big"), _LONGEST_RECORD)
            alarms += len(data) == before
            if len(data) >= wanted or alarms > _MOST_FALSE_ALARMS:
                return server_name(data[_RECORD_HEADER:])
            # sleep until all of it is there, or waiting would end at once for what we left in the socket
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, wanted)
            wait(False)
    finally:
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)


def server_name(message: bytes) -> str | None:
    """The host name in the server_name extension (RFC 6066 section 3) of a handshake message."""
    try:
        return _server_name(memoryview(message))
    except (_TooShort, UnicodeDecodeError):
        return None


class _TooShort(Exception):
    """A length reaches beyond what was sent."""


def _server_name(message: memoryview) -> str | None:
    if message[:1] != bytes([_CLIENT_HELLO]):
        return None
    hello = message[4:]
    rest = hello[2 + 32 :]  # version, random
    for width in (1, 2, 1):  # session id, cipher suites, compression methods
        _, rest = _vector(rest, width)
    extensions, _ = _vector(rest, 2)
    while extensions:
        kind = int.from_bytes(extensions[:2], "big")
        body, extensions = _vector(extensions[2:], 2)
        if kind != _SERVER_NAME:
            continue
        names, _ = _vector(body, 2)
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
