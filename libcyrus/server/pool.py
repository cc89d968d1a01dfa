"""The pool parent: has everything loaded, and forks a worker whenever master asks for one.

It decides nothing. Master says how many, each worker announces its own birth,
the parent reports its death. Before it forks more than a few it holds a
rehearsal, see ``rehearsal``. When the pair to master ends, by reload or because
master died, the parent exits at once; its workers finish what they are doing
and are reaped by master (their reaper, see ``master.main``) or, without one,
by the system.
"""

from __future__ import annotations

import gc
import logging
import os
import select
import signal
import socket
from typing import NoReturn

from libcyrus.base import signals
from libcyrus.base.master_protocol import POOL, Pool
from libcyrus.base.signals import ShutdownRequested, Signals
from libcyrus.server import packing, rehearsal
from libcyrus.server.program import App
from libcyrus.server.worker import Worker

log = logging.getLogger(__name__)

# So many workers are born as they are, without a rehearsal: a small service greets sooner, and saves the
# parent the memory that they would not share with it.
_FIRST = 3


def run(worker: Worker[App], channel: socket.socket) -> NoReturn:
    """Serve as pool parent until told to stop. Neither it nor its children return from here."""
    code = os.EX_SOFTWARE
    try:
        code = _serve(worker, channel)
    except Exception:
        log.exception("the pool parent of %s died of a bug", worker.service.name)
    finally:
        # nothing is left to be done that taking the interpreter apart would do, at the price of a pause
        os._exit(code)


def _serve(worker: Worker[App], channel: socket.socket) -> int:
    channel.set_inheritable(False)
    noted = worker.service.signals
    noted.install()
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    poll = select.poll()
    poll.register(channel, select.POLLIN)
    poll.register(noted.wakeup_fd, select.POLLIN)
    workers: set[int] = set()
    forks, rehearsed = 0, False
    gc.collect()
    gc.freeze()
    try:
        _send(channel, Pool.READY, os.getpid(), 0)
        while not noted.poll():
            _bury(channel, workers)
            if not dict(poll.poll()).get(channel.fileno()):
                _drain(noted)
                continue
            record = channel.recv(POOL.size)
            if len(record) < POOL.size:
                break
            letter, count, _ = POOL.unpack(record)
            if letter != Pool.FORK:
                log.error("master sent an unknown order: %r", letter)
                continue
            if worker.file_has_changed():
                break
            _follow(worker)
            if not rehearsed and forks + count > _FIRST:
                rehearsed = True
                rehearsal.rehearse(worker.program, worker.service)
                gc.freeze()
                packing.fill_gaps()
            forks += count
            for _ in range(count):
                pid = _fork(worker, channel)
                if pid:
                    workers.add(pid)
    except ShutdownRequested:
        return os.EX_TEMPFAIL
    except (BrokenPipeError, ConnectionResetError):
        return 0
    _bury(channel, workers)
    return 0


def _fork(worker: Worker[App], channel: socket.socket) -> int:
    """The pid of a new worker; 0, reported, if the system has none left."""
    try:
        pid = signals.fork()
    except OSError as error:
        log.error("can't fork process to run service %s: %s", worker.service.name, error.strerror)
        _send(channel, Pool.FAILED, error.errno or 0, 0)
        return 0
    if pid:
        return pid
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        worker.service.signals.renew()
        signals.unblock()
        _send(channel, Pool.BORN, os.getpid(), 0)
        channel.close()
    except (BrokenPipeError, ConnectionResetError):
        # master ended while it waited for this worker
        os._exit(0)
    except BaseException:
        log.exception("a new worker of %s died", worker.service.name)
        os._exit(os.EX_SOFTWARE)
    return worker.run()


def _bury(channel: socket.socket, workers: set[int]) -> None:
    """Report every worker that has ended; whatever else the program started is just collected."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            return
        if pid in workers:
            workers.remove(pid)
            _send(channel, Pool.DIED, pid, status)


def _follow(worker: Worker[App]) -> None:
    """Load what a client of a worker turned out to want, for the workers to come."""
    followed = [demand.follow() for demand in worker.service.demands]
    if any(followed):
        gc.collect()
        gc.freeze()
        packing.fill_gaps()


def _drain(noted: Signals) -> None:
    """SIGCHLD is not among the noted signals, but it writes to the wakeup descriptor all the same."""
    try:
        os.read(noted.wakeup_fd, 512)
    except BlockingIOError:
        pass


def _send(channel: socket.socket, letter: bytes, first: int, second: int) -> None:
    channel.send(POOL.pack(letter, first, second))
