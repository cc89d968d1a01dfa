"""A conversation that a pool parent has with itself, so that its workers begin as if they had served before.

The interpreter fits code to what it meets while it runs: it specialises
instructions, numbers types, remembers where attributes were found. Each worker
that does so for itself is slow with its first client, and every page it writes
to is a page less that it shares with its parent: about a megabyte of six in an
imapd. What the parent has done before it forks, all workers inherit.

The conversation is held with an empty server of its own: a configuration of
defaults in a new directory, in memory, and removed afterwards. Nothing is
written to the log, no file of the real server is opened, and no descriptor
remains. Where the system has no such place, or the rehearsal cannot be held for
another reason, that changes nothing for the service.
"""

from __future__ import annotations

import gc
import logging
import os
import socket
from contextlib import ExitStack
from types import CodeType

from libcyrus.base import systemlog
from libcyrus.config import Config
from libcyrus.errors import CyrusError, Fatal
from libcyrus.server import packing
from libcyrus.server.proc import ProcFile
from libcyrus.server.program import App, Service, ServiceProgram
from libcyrus.server.worker import Limits, Worker

log = logging.getLogger(__name__)

ROUNDS = 10
"""The interpreter looks at code eight times before it fits it."""

_IN_MEMORY = "/dev/shm"
"""On a disk, its many syncs would keep clients waiting."""


def rehearse(program: ServiceProgram[App], service: Service) -> None:
    """Hold the program's rehearsal, if it has one; leaves its garbage collected.

    For a process without threads that serves nobody. ``ShutdownRequested`` passes through.
    """
    if not program.rehearsal or not os.access(_IN_MEMORY, os.W_OK | os.X_OK):
        return
    # nothing else needs it
    from tempfile import TemporaryDirectory

    try:
        with TemporaryDirectory(prefix="cyrus-", dir=_IN_MEMORY) as directory, systemlog.silence():
            _play(program, service, directory)
    except (OSError, CyrusError, Fatal) as error:
        log.debug("%s: no rehearsal: %s", service.name, error)
    except Exception:
        # a service that can serve does
        log.exception("%s: the rehearsal failed", service.name)
    gc.collect()


def _play(program: ServiceProgram[App], service: Service, directory: str) -> None:
    proc = ProcFile(os.path.join(directory, "proc"), titled=False)
    surroundings = Service(
        service.name, _config(service.config.ident, directory), [], [], service.signals, proc
    )
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket(socket.AF_UNIX))
        listener.bind(os.path.join(directory, "clients"))
        listener.listen(ROUNDS)
        listener.setblocking(False)
        told, status = os.pipe()
        stack.callback(os.close, told)
        stack.callback(os.close, status)

        def serve(rounds: int) -> None:
            for _ in range(rounds):
                stack.enter_context(_client(listener.getsockname(), program.rehearsal))
            app = program.init(surroundings)
            limits = Limits(rounds, 0)
            worker = Worker(program, surroundings, app, listener, limits, verbose=False, status_fd=status)
            try:
                worker.work()
            finally:
                if program.close is not None:
                    program.close(app)

        code: dict[int, CodeType] = {}
        with packing.noting(code):
            serve(1)
        packing.pack(code)
        serve(ROUNDS)


def _client(address: str, said: bytes) -> socket.socket:
    """One who says everything at once and never reads the answers: there is room for them."""
    client = socket.socket(socket.AF_UNIX)
    client.connect(address)
    client.sendall(said)
    client.shutdown(socket.SHUT_WR)
    return client


def _config(ident: str, directory: str) -> Config:
    spool = os.path.join(directory, "spool")
    os.mkdir(spool)
    os.mkdir(os.path.join(directory, "socket"))
    chosen = {
        "configdirectory": directory,
        "defaultpartition": "default",
        "partition-default": spool,
        "sasl_pwcheck_method": "alwaystrue",
        "allowplaintext": "yes",
        "autocreate_quota": "0",
        "autocreate_post": "yes",
    }
    return Config("rehearsal", ident, [(name, text, 0) for name, text in chosen.items()])
