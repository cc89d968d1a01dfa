"""A security layer (RFC 4422 section 3.7): what a mechanism protects after it has succeeded.

The mechanism protects buffers, one at a time (:class:`Sealer`). Here they get their frame: each stands behind
its length, four bytes in network order. A stream that is given a :class:`SecurityLayer` passes everything
through it, above TLS and below compression.
"""

from __future__ import annotations

from typing import Protocol

from libcyrus.base.dataclasses import dataclass
from libcyrus.errors import LayerBroken
from libcyrus.sasl.codes import SaslCode

MAX_BUFFER = 0xFFFFFF
"""The largest buffer that the length may announce (RFC 4752 section 3.1, RFC 2831 section 2.1.1)."""

RECEIVE_BUFFER = 4096
"""The largest that we take, and tell the peer that we take."""

LARGEST_PIECE = 64 * 1024
"""More than this is not sent in one buffer, whatever the peer takes: it is all held in memory at once."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How strong a layer has to be and may be, in bits (SSF): 0 is none, 1 is integrity alone."""

    least: int = 0
    most: int = 0

    @classmethod
    def beside(cls, outside: int, *, minimum: int, maximum: int) -> Limits:
        """What is left of ``sasl_minimum_layer`` and ``sasl_maximum_layer`` where something else, as TLS,
        protects with ``outside`` bits already."""
        return cls(max(0, minimum - outside), max(0, maximum - outside))

    def allow(self, strength: int) -> bool:
        return self.least <= strength <= self.most


NO_LAYER = Limits()


class Sealer(Protocol):
    """What a mechanism does to one buffer. ``open`` raises LayerBroken, worded by :func:`broken`."""

    def seal(self, data: bytes) -> bytes: ...

    def open(self, sealed: bytes) -> bytes: ...


class SecurityLayer:
    """Both directions of one connection.

    ``strength`` is in bits (SSF): 1 stands for integrity alone. ``send_limit`` is the most bytes of clear
    text that may be sealed at once, ``receive_limit`` the longest sealed buffer that is taken.
    """

    def __init__(
        self, sealer: Sealer, *, strength: int, send_limit: int, receive_limit: int = RECEIVE_BUFFER
    ) -> None:
        self._sealer = sealer
        self.strength = strength
        self._piece = max(1, min(send_limit, LARGEST_PIECE))
        self._receive_limit = receive_limit
        self._input = b""

    def encode(self, data: bytes) -> bytes:
        """What to send for ``data``, which may be of any length."""
        pieces = []
        for start in range(0, len(data), self._piece):
            sealed = self._sealer.seal(data[start : start + self._piece])
            pieces += [len(sealed).to_bytes(4, "big"), sealed]
        return b"".join(pieces)

    def decode(self, data: bytes) -> bytes:
        """The clear text of all buffers that are whole now; what is left waits for more.

        Never longer than what was received. Raises LayerBroken for what the peer cannot have sent, after
        which the connection is of no further use.
        """
        data = self._input + data
        clear, position = [], 0
        while len(data) - position >= 4:
            size = int.from_bytes(data[position : position + 4], "big")
            if size > self._receive_limit:
                raise broken(f"encoded packet size too big ({size} > {self._receive_limit})")
            end = position + 4 + size
            if end > len(data):
                break
            clear.append(self._sealer.open(data[position + 4 : end]))
            position = end
        self._input = data[position:]
        return b"".join(clear)


def broken(detail: str) -> LayerBroken:
    """The error, in the words that the original logs and says."""
    code = SaslCode.FAIL
    return LayerBroken(f"decoding error: {code.text}; SASL({int(code)}): {code.text}: {detail}")
