"""notifyd(8): a service of master(8) that takes notifications from a datagram socket and carries them out."""

from __future__ import annotations

import logging
import os
import socket

from imap.notifyd.methods import METHODS, Method
from libcyrus.base.dataclasses import dataclass
from libcyrus.errors import Fatal
from libcyrus.events.notify import LARGEST, Notification
from libcyrus.server import service
from libcyrus.server.connection import Connection
from libcyrus.server.program import Service, ServiceProgram

log = logging.getLogger(__name__)

_BURST = 1000
"""How many notifications count as one use of the process."""


@dataclass(frozen=True, slots=True)
class Notifyd:
    """``default`` is the method for notifications that name none."""

    surroundings: Service
    default: Method


def init(surroundings: Service) -> Notifyd:
    name = dict(surroundings.options).get("m", "null")
    default = METHODS.get(name.lower())
    if default is None:
        raise Fatal(f"unknown notification method {name}", os.EX_USAGE)
    return Notifyd(surroundings, default)


def serve(app: Notifyd, connection: Connection) -> None:
    """Carry out the notifications that wait in the socket."""
    for _ in range(_BURST):
        if app.surroundings.signals.poll():
            return
        try:
            data = connection.sock.recv(LARGEST, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        notify(app, data)


def notify(app: Notifyd, data: bytes) -> None:
    """Carry out one notification. What makes no sense is logged."""
    try:
        what = Notification.unpack(data)
    except ValueError:
        log.error("malformed notify request")
        return
    method = METHODS.get(what.method.lower()) if what.method else app.default
    log.debug("do_notify using method '%s'", what.method if method is not None else "unknown")
    if method is not None:
        method(app.surroundings.config, what)


PROGRAM: ServiceProgram[Notifyd] = ServiceProgram(
    name="notifyd", options="m:", init=init, serve=serve, need_partitions=False
)


def main() -> int:
    return service.main(PROGRAM)
