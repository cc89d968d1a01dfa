"""One conversation over stdin and stdout (option -X): for tests and for inetd-like use.

A daemon serves a socket. When stdin is one, that is it; otherwise a helper
process carries bytes between a socket pair and the two descriptors.
"""

from __future__ import annotations

import os
import select
import socket
import stat
import sys

from libcyrus.server.connection import Connection
from libcyrus.server.program import App, Service, ServiceProgram


def serve(program: ServiceProgram[App], service: Service) -> int:
    """Run one conversation to its end; always 0, since what goes wrong is raised."""
    if stat.S_ISSOCK(os.fstat(0).st_mode):
        _converse(program, service, socket.socket(fileno=os.dup(0)))
        return 0
    ours, theirs = socket.socketpair()
    sys.stdout.flush()
    relay = os.fork()
    if not relay:
        ours.close()
        code = 1
        try:
            _relay(theirs)
            code = 0
        finally:
            os._exit(code)
    theirs.close()
    try:
        _converse(program, service, ours)
    finally:
        os.waitpid(relay, 0)
    return 0


def _converse(program: ServiceProgram[App], service: Service, sock: socket.socket) -> None:
    try:
        app = program.init(service)
        try:
            if program.started is not None:
                program.started(app)
            program.serve(app, Connection(sock))
        finally:
            service.proc.cleanup()
            if program.close is not None:
                program.close(app)
    finally:
        # also after a failed init: it is what the relay waits for
        sock.close()


def _relay(sock: socket.socket) -> None:
    """Copy both ways until the daemon closes its side; the end of stdin is passed on."""
    poll = select.poll()
    poll.register(0, select.POLLIN)
    poll.register(sock, select.POLLIN)
    while True:
        for fd, _ in poll.poll():
            if fd == 0:
                data = os.read(0, 65536)
                if not data:
                    poll.unregister(0)
                    sock.shutdown(socket.SHUT_WR)
                else:
                    sock.sendall(data)
                continue
            data = sock.recv(65536)
            if not data:
                return
            view = memoryview(data)
            while view:
                view = view[os.write(1, view) :]
