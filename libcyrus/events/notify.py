"""Notifications to notifyd(8): one datagram each to its UNIX socket.

A datagram is text fields, each ended by NUL: method, class, priority, user, mailbox, the number of
options, that many options, the message, and a file name if there is one. Whoever sends one does not wait
and is not told of failures; those are logged.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Sequence

from libcyrus import options as opt
from libcyrus.config import Config

log = logging.getLogger(__name__)

LARGEST = 65536
_STREAM_PREFIX = "dlist:"


class Notifier:
    """Sends to the socket of the option ``notifysocket``."""

    def __init__(self, config: Config) -> None:
        self._path = config[opt.notifysocket] or f"{config.directory}/socket/notify"

    def notify(
        self,
        method: str,
        kind: str,
        *,
        priority: str = "",
        user: str = "",
        mailbox: str = "",
        options: Sequence[str] = (),
        message: str = "",
        filename: str | None = None,
    ) -> None:
        """Send one; ``kind`` is its class (MAIL, EVENT, SIEVE)."""
        what = ", ".join([kind, user, mailbox] if user and mailbox else [kind, user] if user else [kind])
        if self._path.startswith(_STREAM_PREFIX):
            log.error("NOTIFY(%s): a notifysocket of the form dlist:PATH is not supported", what)
            return
        data = pack(method, kind, priority, user, mailbox, options, message, filename)
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
                room = sock.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) // 10 - 32
                if len(data) > min(room, LARGEST):
                    log.error("NOTIFY(%s): datagram too large", what)
                    return
                sock.setblocking(False)
                sock.sendto(data, self._path)
        except OSError as error:
            log.error("NOTIFY(%s): unable to sendto() socket: %s", what, error.strerror or error)


def pack(
    method: str,
    kind: str,
    priority: str,
    user: str,
    mailbox: str,
    options: Sequence[str],
    message: str,
    filename: str | None,
) -> bytes:
    """The datagram; a NUL inside a field, which would end it, is left out."""
    fields = [method, kind, priority, user, mailbox, str(len(options)), *options, message]
    if filename is not None:
        fields.append(filename)
    text = "".join(field.replace("\0", "") + "\0" for field in fields)
    return text.encode("utf-8", "surrogateescape")
