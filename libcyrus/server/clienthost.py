"""Who is at the other end of a connection, in the words of log lines and Received headers."""

from __future__ import annotations

import socket

from libcyrus.base.dataclasses import dataclass

UNIX_SOCKET = "[unix socket]"

_INTERNET = (socket.AF_INET, socket.AF_INET6)


@dataclass(frozen=True, slots=True)
class Client:
    """``host`` is ``NAME [ADDRESS]``, ``[ADDRESS]`` or ``[unix socket]``; the others are ``ADDRESS;PORT``."""

    host: str
    local: str | None = None
    remote: str | None = None

    @property
    def name_and_address(self) -> tuple[str, str]:
        """The name before its address, empty if there is none, and the address alone."""
        return self.host.partition(" [")[0].partition("[")[0], (self.remote or "").partition(";")[0]

    @property
    def is_local(self) -> bool:
        """Whether the peer came through a UNIX socket (or is no socket at all)."""
        return self.host == UNIX_SOCKET


def identify(sock: socket.socket) -> Client:
    """Ask the system, and the resolver for a name. A peer that is gone already counts as local."""
    try:
        if sock.family not in _INTERNET:
            return Client(UNIX_SOCKET)
        remote, local = sock.getpeername(), sock.getsockname()
    except OSError:
        return Client(UNIX_SOCKET)
    address = _address(remote)
    name = ""
    try:
        name = socket.getnameinfo(remote, socket.NI_NAMEREQD | socket.NI_NUMERICSERV)[0] + " "
    except OSError:
        pass
    return Client(f"{name}[{address}]", f"{_address(local)};{local[1]}", f"{address};{remote[1]}")


def domain_of(sock: socket.socket) -> str | None:
    """The domain of the name of the address the client connected to, for ``virtdomains: on``."""
    try:
        if sock.family not in _INTERNET:
            return None
        host = socket.getnameinfo(sock.getsockname(), socket.NI_NAMEREQD | socket.NI_NUMERICSERV)[0]
    except OSError:
        return None
    return host.partition(".")[2] or None


def _address(pair: tuple[str, int] | tuple[str, int, int, int]) -> str:
    try:
        return socket.getnameinfo(pair, socket.NI_NUMERICHOST | socket.NI_NUMERICSERV)[0]
    except OSError:
        return "unknown"
