"""One client connection as a daemon's ``serve`` receives it."""

from __future__ import annotations

import socket

from libcyrus.server.clienthost import Client, identify


class Connection:
    """A connected socket and who is at the other end.

    For a datagram service it is the service's own socket with a datagram
    waiting in it. ``sock`` belongs to the service, which closes it afterwards.
    """

    __slots__ = ("_client", "sock")

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._client: Client | None = None

    @property
    def client(self) -> Client:
        """Who it is. The first look asks the resolver, which may take its time."""
        if self._client is None:
            self._client = identify(self.sock)
        return self._client
