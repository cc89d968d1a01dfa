"""The messages between idled(8) and those who change mailboxes or wait for changes.

A message is one datagram to a UNIX socket: a native ``unsigned long`` that says what it is, then the internal
name of a mailbox (``.`` for none) and a NUL. Whoever idles binds ``{configdirectory}/socket/idle.PID``, which
is where idled answers; a change is told without an address of one's own.
"""

from __future__ import annotations

import enum
import errno
import logging
import os
import socket
from contextlib import suppress
from struct import Struct

from libcyrus import options as opt
from libcyrus.config import Config

log = logging.getLogger(__name__)

MAX_NAME = 1024
_WHICH = Struct("@L")
LARGEST = _WHICH.size + MAX_NAME
NO_MAILBOX = "."


class Which(enum.IntEnum):
    INIT = 0
    """The sender idles in the mailbox from now on."""
    DONE = 1
    """And now no more."""
    NOTIFY = 2
    """The mailbox changed."""
    NOOP = 3
    ALERT = 4
    """The administrator may want service to end."""


def pack(which: Which, mboxname: str) -> bytes:
    return _WHICH.pack(which) + os.fsencode(mboxname)[: MAX_NAME - 1] + b"\0"


def unpack(data: bytes) -> tuple[Which, str]:
    """Raises ValueError for what is no message."""
    if len(data) <= _WHICH.size or data[-1]:
        raise ValueError(f"invalid message received: size={len(data)}")
    number = _WHICH.unpack_from(data)[0]
    try:
        which = Which(number)
    except ValueError:
        raise ValueError(f"unrecognized message: {number:x}") from None
    return which, os.fsdecode(data[_WHICH.size :].partition(b"\0")[0])


def server_path(config: Config) -> str:
    """Where idled listens."""
    return config[opt.idlesocket] or f"{config.directory}/socket/idle"


class ChangeTeller:
    """Tells idled of changed mailboxes; does not mind if there is no idled, and never waits."""

    def __init__(self, config: Config) -> None:
        self._path = server_path(config)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)

    def tell(self, mboxname: str) -> None:
        try:
            self._socket.sendto(pack(Which.NOTIFY, mboxname), self._path)
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ECONNREFUSED):
                text = "IDLE: error sending message NOTIFY to idled for mailbox %s: %s."
                log.error(text, mboxname, error.strerror)

    def close(self) -> None:
        self._socket.close()


class Idler:
    """One process's place to hear from idled. Make it after ``fork``; ``close`` removes its name.

    Raises OSError when the socket cannot be made.
    """

    def __init__(self, config: Config) -> None:
        self._server = server_path(config)
        self._own = f"{config.directory}/socket/idle.{os.getpid()}"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            with suppress(FileNotFoundError):
                os.unlink(self._own)
            self._socket.bind(self._own)
            os.chmod(self._own, 0o777)
        except OSError:
            self._socket.close()
            raise

    def fileno(self) -> int:
        return self._socket.fileno()

    def start(self, mboxname: str) -> bool:
        """Whether idled will tell of this mailbox."""
        return self._send(Which.INIT, mboxname)

    def stop(self, mboxname: str) -> None:
        self._send(Which.DONE, mboxname)
        self.drain()

    def drain(self) -> None:
        """Take what has come; all of it means the same: look at the mailbox and for the administrator."""
        with suppress(BlockingIOError):
            while True:
                self._socket.recv(LARGEST)

    def close(self) -> None:
        self._socket.close()
        with suppress(OSError):
            os.unlink(self._own)

    def _send(self, which: Which, mboxname: str) -> bool:
        try:
            self._socket.sendto(pack(which, mboxname), self._server)
        except OSError as error:
            log.debug("IDLE: error sending message %s to idled: %s", which.name, error.strerror)
            return False
        return True
