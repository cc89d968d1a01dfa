"""Streams of the line protocols: buffering, timeouts, TLS and telemetry over one socket.

``stream`` holds :class:`ProtStream`, which every daemon talks through; ``tls`` is the only module of
the suite that touches OpenSSL. Neither reads configuration: limits, timeouts and certificates arrive
as parameters.
"""

from libcyrus.prot.stream import (
    ConnectionClosed,
    IdleTooLong,
    LineTooLong,
    ProtError,
    ProtStream,
)

__all__ = ["ConnectionClosed", "IdleTooLong", "LineTooLong", "ProtError", "ProtStream"]
