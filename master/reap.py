"""Accounts for the dead: what the log says, what the counters become, when a service is given up."""

from __future__ import annotations

import os
import signal
import syslog
import time
from typing import NamedTuple

from libcyrus.base.systemlog import write
from master.policy import State
from master.table import Child, Service, Table

GRACE = 2.0
"""Seconds a dead child is remembered, for messages that were under way."""

_INFANCY = 0.5
"""Seconds; a worker that is not busy has no reason to end in them."""


class Ending(NamedTuple):
    """How a process ended: the words of the log, how loud, and whether that counts as failure."""

    text: str
    priority: int
    failed: bool


def ending(status: int) -> Ending:
    """Read a status as ``waitpid`` gives it. EX_TEMPFAIL is how a process says that it was told to go."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        core = ", core dumped" if os.WCOREDUMP(status) else ""
        name = signal.strsignal(number) or "unknown signal"
        return Ending(f"signaled to death by signal {number} ({name}{core})", syslog.LOG_ERR, True)
    code = os.WEXITSTATUS(status)
    if code == 0:
        return Ending("exited normally", syslog.LOG_DEBUG, False)
    if code == os.EX_TEMPFAIL:
        return Ending("was killed", syslog.LOG_DEBUG, False)
    return Ending(f"exited, status {code}", syslog.LOG_ERR, True)


def children(table: Table) -> list[tuple[int, int]]:
    """Pid and status of every child that has ended, collected now.

    Pool parents come last. When their turn comes, it is known who of their
    workers died with them, and of the rest what they did not live to report.
    """
    dead: list[tuple[int, int]] = []
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            break
        if not pid:
            break
        dead.append((pid, status))

    def is_pool_parent(one: tuple[int, int]) -> bool:
        child = table.children.get(one[0])
        return child is not None and child.is_pool_parent

    return sorted(dead, key=is_pool_parent)


def account(table: Table, pid: int, status: int, *, in_shutdown: bool, verbose: int) -> Service | None:
    """Record one death; the service that must be given up because of it, if so."""
    end = ending(status)
    child = table.children.get(pid)
    if child is None:
        # Not ours by birth: an orphan of some child, left to us as the reaper of all descendants.
        write(syslog.LOG_DEBUG, f"unknown process pid:{pid} {end.text}")
        return None
    if _was_told(child, status, in_shutdown=in_shutdown):
        end = Ending("was killed", syslog.LOG_DEBUG, False)
    write(end.priority, f"{child.describe()} {end.text}")
    given_up = None
    if child.service is not None and not child.is_pool_parent:
        given_up = _account_service(child, child.service, end, in_shutdown=in_shutdown)
    elif child.service is not None and not in_shutdown and end.failed:
        given_up = _count_failure(child.service, f"service {child.service.label} pid {pid}")
    child.state = State.DEAD
    child.forget_at = time.monotonic() + GRACE
    if verbose and child.service is not None:
        kind = "waitdaemon" if child.service.spec.waits else "service"
        write(
            syslog.LOG_DEBUG,
            f"{kind} {child.service.label} now has {child.service.workers.ready} ready workers",
        )
    return given_up


def _was_told(child: Child, status: int, *, in_shutdown: bool) -> bool:
    """Whether our own signal caught a process so young that it had no handlers yet."""
    if not os.WIFSIGNALED(status):
        return False
    number = os.WTERMSIG(status)
    return (number == signal.SIGHUP and child.hup_at is not None) or (
        number == signal.SIGTERM and in_shutdown
    )


def _account_service(
    child: Child, service: Service, end: Ending, *, in_shutdown: bool
) -> Service | None:
    word = "daemon" if service.spec.waits else "service"
    label = f"{word} {service.label} pid {child.pid}"
    if child.state is State.DEAD:
        write(syslog.LOG_WARNING, f"{label} in DEAD state: receiving duplicate signals")
        return None
    service.workers.active -= 1
    if child.state is State.BUSY:
        if end.failed and not in_shutdown:
            write(syslog.LOG_DEBUG, f"{label} in BUSY state: terminated abnormally")
        return None
    service.workers.ready -= 1
    if in_shutdown:
        return None
    if end.failed:
        return _count_failure(service, label)
    now = time.monotonic()
    if now - child.born < _INFANCY and child.hup_at is None:
        # whatever ends so soon and calls it success would be started again without pause
        service.suspended_until = now + _INFANCY
    return None


def _count_failure(service: Service, label: str) -> Service | None:
    write(syslog.LOG_WARNING, f"{label} in READY state: terminated abnormally")
    if not service.fails.add(time.monotonic()) or not service.enabled:
        return None
    if service.spec.waits:
        write(syslog.LOG_ERR, f"daemon {service.label} is repeatedly failing")
        return None
    write(
        syslog.LOG_ERR, f"too many failures for service {service.label}, disabling until next SIGHUP"
    )
    return service
