"""Notifications to notifyd(8), through the UNIX socket of the option ``notifysocket``.

To a datagram socket each goes as text fields, each ended by NUL: method, class, priority, user, mailbox, the
number of options, that many options, the message, and a file name if there is one.

A socket ``dlist:PATH`` is a stream: one connection for each notification, on which a dlist goes out and
another comes back, ``OK`` or what went wrong::

    NOTIFY %(METHOD log CLASS EVENT PRIORITY NIL USER joe MAILBOX NIL OPTIONS () MESSAGE text FILEPATH NIL)

Whoever sends one is not told of failures, which are logged, and is not held up: for a notifyd that does not
keep up it waits a moment, and then not again for a while (where the original waits for as long as it takes).
"""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Sequence

from libcyrus import dlist
from libcyrus import options as opt
from libcyrus.base.dataclasses import dataclass, replace
from libcyrus.base.xlog import NOTICE
from libcyrus.config import Config

log = logging.getLogger(__name__)

LARGEST = 65536
_STREAM_PREFIX = "dlist:"
_PATIENCE = 0.25
"""Seconds to wait for notifyd."""
_IMPATIENCE = 10.0
"""Seconds without waiting after that was not enough."""
_LONGEST_ANSWER = 4096


@dataclass(frozen=True, slots=True)
class Notification:
    """The fields; ``kind`` is the class (MAIL, EVENT, SIEVE)."""

    method: str
    kind: str
    priority: str | None
    user: str | None
    mailbox: str | None
    options: Sequence[str]
    message: str
    filename: str | None

    def pack(self) -> bytes:
        """The datagram; a NUL inside a field, which would end it, is left out."""
        fields = [
            self.method, self.kind, self.priority or "", self.user or "", self.mailbox or "",
            str(len(self.options)), *self.options, self.message,
        ]  # fmt: skip
        if self.filename is not None:
            fields.append(self.filename)
        text = "".join(field.replace("\0", "") + "\0" for field in fields)
        return text.encode("utf-8", "surrogateescape")

    @classmethod
    def unpack(cls, data: bytes) -> Notification:
        """Read a datagram. Raises ValueError for what is none."""
        *fields, rest = data.decode("utf-8", "surrogateescape").split("\0")
        if rest:
            # the last NUL may be missing
            fields.append(rest)
        method, kind, priority, user, mailbox, number, *more = fields
        count = int(number)
        if not 0 <= count < len(more):
            raise ValueError("options or message missing")
        options, (message, *filename) = more[:count], more[count:]
        return cls(method, kind, priority, user, mailbox, options, message, filename[0] if filename else None)

    def to_dlist(self) -> bytes:
        fields = {
            "METHOD": self.method,
            "CLASS": self.kind,
            "PRIORITY": self.priority,
            "USER": self.user,
            "MAILBOX": self.mailbox,
            "OPTIONS": self.options,
            "MESSAGE": self.message,
            "FILEPATH": self.filename,
        }
        return b"NOTIFY %b\r\n" % dlist.dump(fields)

    def __str__(self) -> str:
        words = [self.kind, self.user, self.mailbox] if self.user else [self.kind]
        return ", ".join(word for word in words if word)


class Notifier:
    """Sends to notifyd. Opens its socket when first used; for one process, to be made after it was forked."""

    def __init__(self, config: Config) -> None:
        path = config[opt.notifysocket] or f"{config.directory}/socket/notify"
        self._stream = path.startswith(_STREAM_PREFIX)
        self._path = path.removeprefix(_STREAM_PREFIX)
        self._socket: socket.socket | None = None
        self._patient_again = 0.0

    def notify(
        self,
        method: str,
        kind: str,
        *,
        priority: str | None = None,
        user: str | None = None,
        mailbox: str | None = None,
        options: Sequence[str] = (),
        message: str = "",
        shorter: str | None = None,
        filename: str | None = None,
    ) -> None:
        """Send one; see ``Notification``. ``shorter`` is the message where the other is too large."""
        what = Notification(method, kind, priority, user, mailbox, options, message, filename)
        if shorter is not None and not self._stream and not self._has_room(what.pack()):
            what = replace(what, message=shorter)
        try:
            if self._stream:
                self._converse(what)
            else:
                self._send(what)
        except TimeoutError:
            self._patient_again = time.monotonic() + _IMPATIENCE
            log.error("NOTIFY(%s): no answer from %s", what, self._path)
        except OSError as error:
            problem = f"failed to connect to {self._path}" if self._stream else "unable to sendto() socket"
            log.error("NOTIFY(%s): %s: %s", what, problem, error.strerror or error)

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    @property
    def _timeout(self) -> float:
        return _PATIENCE if time.monotonic() >= self._patient_again else 0.0

    def _send(self, what: Notification) -> None:
        data = what.pack()
        if not self._has_room(data):
            log.error("NOTIFY(%s): datagram too large", what)
            return
        sock = self._open()
        sock.settimeout(self._timeout)
        sock.sendto(data, self._path)

    def _open(self) -> socket.socket:
        if self._socket is None:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        return self._socket

    def _has_room(self, data: bytes) -> bool:
        """Whether notifyd, which looks at its own buffer, would take in as much."""
        room = self._open().getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) // 10 - 32
        return len(data) <= min(room, LARGEST)

    def _converse(self, what: Notification) -> None:
        deadline = time.monotonic() + self._timeout
        with socket.socket(socket.AF_UNIX) as stream:
            stream.settimeout(self._timeout)
            stream.connect(self._path)
            stream.sendall(what.to_dlist())
            answer = b""
            while not answer.endswith(b"\n") and len(answer) < _LONGEST_ANSWER:
                stream.settimeout(max(deadline - time.monotonic(), 0.0))
                data = stream.recv(_LONGEST_ANSWER)
                if not data:
                    break
                answer += data
        word = answer.partition(b" ")[0].strip().decode("ascii", "replace")
        if not answer.endswith(b"\n") or not word:
            log.error("NOTIFY(%s): error sending %s to %s", what, what.method, self._path)
        elif word != "OK":
            log.log(NOTICE, "NOTIFY(%s): response %s to method %s", what, word, what.method)
