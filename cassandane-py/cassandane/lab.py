"""A small daemon for tests of master and of the service: it answers about itself and dies on demand.

``cassandane.labmaster`` writes a launcher for it. Each line of a client is one command::

    pid                 its pid
    parent              its parent's pid
    uses                connections it has served, this one included
    environment NAME    a variable of its environment, or ``-``
    limit               its limit of open descriptors
    option              its ``-o`` arguments
    setting             the value of the option of ``-c``
    generation          what the module ``generation`` said when the program was loaded
    host                who the client is
    socket              TCP_NODELAY, SO_KEEPALIVE, TCP_KEEPCNT, TCP_KEEPIDLE, TCP_KEEPINTVL
    exit CODE           end the process
    kill SIGNAL         raise a signal
    bug                 raise an exception
    fatal               raise Fatal
    tell MESSAGE [PID]  send a message to master, in the name of PID
    write HEX           write these bytes to master
    quit                end the conversation

On a datagram socket it returns each datagram to its sender, after its pid.
With ``-f CODE`` it refuses to start at all, with ``-w FILE`` it is not loaded until there is that file, with
``-x NUMBER`` the first forks of a pool parent fail. ``-c OPTION`` names an option whose value it tells.
"""

from __future__ import annotations

import errno
import os
import resource
import socket
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import import_module

from libcyrus import options as opt
from libcyrus.base import signals
from libcyrus.base.master_protocol import NOTIFY, STATUS_FD
from libcyrus.base.signals import ShutdownRequested
from libcyrus.errors import Fatal
from libcyrus.prot import ProtError, ProtStream
from libcyrus.server import service


@dataclass
class Lab:
    surroundings: service.Service
    uses: int = 0
    options: list[str] = field(default_factory=list)
    setting: str = "-"
    generation: str = "-"


def init(surroundings: service.Service) -> Lab:
    lab = Lab(surroundings)
    for letter, value in surroundings.options:
        if letter == "f":
            raise Fatal("asked to fail", int(value))
        if letter == "w":
            while not os.path.exists(value):
                time.sleep(0.01)
        elif letter == "x":
            fail_to_fork(int(value))
        elif letter == "c":
            lab.setting = str(surroundings.config[getattr(opt, value)])
        else:
            lab.options.append(value)
    with suppress(ModuleNotFoundError):
        lab.generation = import_module("generation").NAME
    return lab


def fail_to_fork(times: int) -> None:
    """Make the system have no process for us that often."""
    fork = signals.fork
    left = [times]

    def failing() -> int:
        left[0] -= 1
        if left[0] >= 0:
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        return fork()

    signals.fork = failing


def serve(lab: Lab, connection: service.Connection) -> None:
    if connection.sock.type == socket.SOCK_DGRAM:
        data, sender = connection.sock.recvfrom(1000)
        connection.sock.sendto(b"%d %s" % (os.getpid(), data), sender)
        return
    noted = lab.surroundings.signals
    stream = ProtStream(connection.sock, before_wait=noted.check, wakeup_fd=noted.wakeup_fd)
    lab.uses += 1
    lab.surroundings.proc.register(lab.surroundings.name, "client", "somebody", "INBOX", "Idle")
    stream.write(b"hello %d\r\n" % os.getpid())
    try:
        while True:
            words = stream.readline(1000).decode().split()
            if words == ["quit"]:
                break
            stream.write(answer(lab, connection, words).encode() + b"\r\n")
    except ShutdownRequested:
        stream.write(b"bye\r\n")
        raise
    except ProtError:
        return
    finally:
        stream.flush()


def answer(lab: Lab, connection: service.Connection, words: list[str]) -> str:
    match words:
        case ["pid"]:
            return str(os.getpid())
        case ["parent"]:
            return str(os.getppid())
        case ["uses"]:
            return str(lab.uses)
        case ["environment", name]:
            return os.environ.get(name, "-")
        case ["limit"]:
            return str(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
        case ["option"]:
            return " ".join(lab.options)
        case ["setting"]:
            return lab.setting
        case ["generation"]:
            return lab.generation
        case ["host"]:
            return connection.client.host
        case ["socket"]:
            asked = [(socket.IPPROTO_TCP, socket.TCP_NODELAY), (socket.SOL_SOCKET, socket.SO_KEEPALIVE)]
            asked += [
                (socket.IPPROTO_TCP, name)
                for name in (socket.TCP_KEEPCNT, socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL)
            ]
            return " ".join(str(connection.sock.getsockopt(*option)) for option in asked)
        case ["tell", message, *pid]:
            os.write(STATUS_FD, NOTIFY.pack(int(message), int(pid[0]) if pid else os.getpid()))
            return "done"
        case ["write", data]:
            os.write(STATUS_FD, bytes.fromhex(data))
            return "done"
        case ["exit", code]:
            sys.exit(int(code))
        case ["kill", number]:
            os.kill(os.getpid(), int(number))
        case ["bug"]:
            raise ZeroDivisionError("a bug for the log")
        case ["fatal"]:
            raise Fatal("told to", os.EX_DATAERR)
    return "what?"


PROGRAM = service.ServiceProgram("lab", "o:f:w:x:c:", init, serve)


def main() -> int:
    return service.main(PROGRAM)
