"""Streams of the line protocols: buffering, timeouts, TLS and telemetry over one socket.

``stream`` holds :class:`ProtStream`, which every daemon talks through; ``tls`` is the only module of
the suite that touches OpenSSL, imported where TLS is configured and nowhere else. Neither reads
configuration: limits, timeouts and certificates arrive as parameters.
"""

from libcyrus.prot.errors import ConnectionClosed, IdleTooLong, LineTooLong, ProtError, TlsError
from libcyrus.prot.stream import ProtStream

__all__ = ["ConnectionClosed", "IdleTooLong", "LineTooLong", "ProtError", "ProtStream", "TlsError"]
