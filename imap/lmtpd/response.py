"""Writes replies; nothing else of lmtpd knows how a line ends."""

from __future__ import annotations

from collections.abc import Iterable

from libcyrus.prot import ProtStream


class Response:
    def __init__(self, stream: ProtStream) -> None:
        self._stream = stream

    def line(self, text: str) -> None:
        """One line of a reply. Line breaks inside it cannot become lines of their own."""
        data = text.encode("utf-8", "surrogateescape")
        if b"\r" in data or b"\n" in data:
            data = data.replace(b"\r", b" ").replace(b"\n", b" ")
        self._stream.write(data + b"\r\n")

    def lines(self, texts: Iterable[str]) -> None:
        for text in texts:
            self.line(text)

    def flush(self) -> None:
        self._stream.flush()
