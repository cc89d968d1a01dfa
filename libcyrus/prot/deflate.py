"""DEFLATE on a connection (RFC 4978, RFC 1951): what is read is inflated, what is written deflated."""

from __future__ import annotations

import zlib

from libcyrus.prot.errors import ConnectionClosed

_WINDOW = -zlib.MAX_WBITS
"""Raw DEFLATE: no zlib header or checksum."""


class Deflate:
    """Both directions of one connection. Inflated output is handed out in bounded pieces."""

    def __init__(self) -> None:
        self._deflater = zlib.compressobj(zlib.Z_DEFAULT_COMPRESSION, zlib.DEFLATED, _WINDOW)
        self._inflater = zlib.decompressobj(_WINDOW)
        self._input = b""

    def deflate(self, data: bytes | memoryview) -> bytes:
        """What to send so that the peer can read all of ``data`` at once."""
        return self._deflater.compress(data) + self._deflater.flush(zlib.Z_SYNC_FLUSH)

    def feed(self, data: bytes) -> None:
        """Take what was received."""
        self._input += data

    def read(self, size: int) -> bytes:
        """At most ``size`` bytes, empty when more must be received first.

        Raises ConnectionClosed for what is not DEFLATE, and at its end.
        """
        if not self._input:
            return b""
        try:
            data = self._inflater.decompress(self._input, size)
        except zlib.error as error:
            raise ConnectionClosed(f"inflating failed: {error}") from error
        self._input = self._inflater.unconsumed_tail
        if not data and self._inflater.eof:
            raise ConnectionClosed("end of file reached")
        return data

    def rest(self) -> bytes:
        """What was received and not inflated yet, as it came."""
        rest, self._input = self._input, b""
        return rest

    @property
    def pending(self) -> bool:
        """Whether something received is not inflated yet."""
        return bool(self._input)
