"""One client connection as a daemon's ``serve`` receives it."""

from __future__ import annotations

import socket
from typing import Any

UNIX_HOST = "[unix socket]"


class Connection:
    """A connected socket and who is at the other end.

    For a datagram service it is the service's own socket with a datagram
    waiting in it. ``sock`` belongs to the service, which closes it afterwards.
    """

    __slots__ = ("_client_host", "sock")

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._client_host: str | None = None

    @property
    def is_internet(self) -> bool:
        """Whether the client came over TCP or UDP rather than a UNIX socket or a pipe."""
        return self.sock.family in (socket.AF_INET, socket.AF_INET6)

    @property
    def client_host(self) -> str:
        """``name [address]``, ``[address]`` without a reverse name, or ``[unix socket]``.

        Asks the resolver, which may take its time; the answer is kept.
        """
        if self._client_host is None:
            self._client_host = self._look_up()
        return self._client_host

    @property
    def local_ip(self) -> str | None:
        """``address;port``, as SASL wants it; None unless the client came over the internet."""
        return self._ip(self.sock.getsockname())

    @property
    def remote_ip(self) -> str | None:
        """Like ``local_ip``, of the client; None also when it is gone already."""
        try:
            return self._ip(self.sock.getpeername())
        except OSError:
            return None

    def _look_up(self) -> str:
        if not self.is_internet:
            return UNIX_HOST
        try:
            peer = self.sock.getpeername()
        except OSError:
            return UNIX_HOST
        address = socket.getnameinfo(peer, socket.NI_NUMERICHOST | socket.NI_NUMERICSERV)[0]
        try:
            name = socket.getnameinfo(peer, socket.NI_NAMEREQD)[0]
        except OSError:
            return f"[{address}]"
        return f"{name} [{address}]"

    def _ip(self, address: Any) -> str | None:
        if not self.is_internet:
            return None
        host, port = socket.getnameinfo(address, socket.NI_NUMERICHOST | socket.NI_NUMERICSERV)
        return f"{host};{port}"
