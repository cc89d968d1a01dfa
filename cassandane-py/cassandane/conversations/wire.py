"""One session on one server: exchanges sent as they say, replies cut into responses."""

from __future__ import annotations

import socket

from cassandane.clients import DeflatedSocket, ImapClient
from cassandane.conversations.stream import MARK, Exchange, Part

SILENCE = 20.0
"""Seconds after which a server that says nothing is taken to hang."""

_GIVES_UP = (b"* BAD ", b"* BYE ")


class Session(ImapClient):
    """A client that does not judge; ``over`` once the server has closed, or was ``silent`` for too long."""

    def __init__(self, address: tuple[str, int], user: str | None) -> None:
        super().__init__(address)
        self.socket.settimeout(SILENCE)
        self.over = self.silent = False
        self._marks = 0
        self._refused = False
        if user is not None:
            self.ok(f"LOGIN {user} secret")

    def _fill(self) -> None:
        # the original writes a reply in several pieces and waits for each to be acknowledged
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        super()._fill()

    def begin(self) -> None:
        """Before the parts of an exchange."""
        self._refused = False

    def send_part(self, part: Part) -> None:
        if self.over or self._refused:
            return
        try:
            for piece in part.pieces:
                self.send(piece)
        except OSError:
            # what the server said before it closed is still to be read
            pass

    def hear_part(self, exchange: Exchange, part: Part) -> list[bytes]:
        """The replies up to the one that the part waits for, or that says it will not come."""
        heard: list[bytes] = []
        while part.wait is not None and not (self.over or self._refused):
            line = self._next(heard)
            if exchange.then and line.startswith(exchange.tag + b" OK "):
                self._begin_layer(exchange.then)
            if part.wait.match(line) or (not part.pieces and part.wait.search(line)):
                break
            if line.startswith((exchange.tag + b" ", *_GIVES_UP)) and part.pieces:
                self._refused = True
        return heard

    def _begin_layer(self, kind: str) -> None:
        if kind == "tls":
            self.start_tls()
        else:
            DeflatedSocket(self)

    def send_end(self, exchange: Exchange) -> None:
        if self.over:
            return
        try:
            if exchange.end == "mark":
                self._marks += 1
                self.send(b"m%d %b\r\n" % (self._marks, MARK))
            elif exchange.end == "close":
                self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def hear_end(self, exchange: Exchange) -> list[bytes]:
        """The replies up to the end of the exchange, without that to the mark."""
        heard: list[bytes] = []
        mark = b"m%d " % self._marks
        while exchange.end != "wait" and not self.over:
            if self._next(heard).startswith(mark) and exchange.end == "mark":
                heard.pop()
                break
        return heard

    def _next(self, heard: list[bytes]) -> bytes:
        try:
            line = self.response()
        except TimeoutError:
            line, self.over, self.silent = b"<silence>", True, True
        except (EOFError, ConnectionError):
            line, self.over = b"<closed>", True
        heard.append(line)
        return line
