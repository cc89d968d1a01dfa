"""How a conversation fails. The texts are what the original prints."""

from __future__ import annotations


class ProtError(Exception):
    """The conversation cannot go on; the text is what the original prints for it."""


class ConnectionClosed(ProtError):
    """The peer ended the connection, or the network did."""


class IdleTooLong(ProtError):
    """Nothing moved for the stream's timeout."""


class LineTooLong(ProtError):
    """A line exceeded the caller's limit; the rest of it is still unread."""


class Undecodable(ProtError):
    """What came in is not what a peer with the keys of the security layer would have sent."""


class TlsError(Exception):
    """A certificate cannot be used, or a handshake or record failed."""
