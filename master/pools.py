"""The talk between master and its pool parents (``libcyrus.base.master_protocol``).

A pool parent is a worker until it announces itself. After that it is not
counted; the workers it is asked for are counted at once, and take their places
in the table as they announce their births. When a pool parent dies, or is
retired by a reload, its workers live on: master is their reaper then.
"""

from __future__ import annotations

import os
import signal
import socket
import syslog
import time
from collections.abc import Callable

from libcyrus.base.master_protocol import POOL, Pool
from libcyrus.base.systemlog import write
from master.policy import State
from master.table import Child, Pooling, PoolParent, Service, Table

_FORK_PAUSE = 1.0
"""Seconds to wait after the system had no process for us."""

_FORK_PATIENCE = 20.0
"""Seconds after which a pool parent that answers nothing is taken to hang."""

_PR_SET_CHILD_SUBREAPER = 36


def hang_up(child: Child) -> None:
    """Have a child end when it is idle, since what it runs is out of date."""
    try:
        os.kill(child.pid, signal.SIGHUP)
        child.hup_at = time.monotonic()
    except ProcessLookupError:
        pass  # SIGCHLD tells the rest


class Pools:
    """Every pair that may still bring news, also those of parents that are retired or dead.

    ``buried`` is called with pid and status for a death that a pool parent reports.
    """

    def __init__(self, table: Table, buried: Callable[[int, int], None]) -> None:
        self.table = table
        self.buried = buried
        self.channels: list[tuple[PoolParent, Service]] = []
        self._is_reaper = False

    def watch(self, service: Service) -> None:
        """Listen to the process that was just started for ``service`` and may be a pool parent."""
        if service.pool is not None:
            self.channels.append((service.pool, service))

    def fork(self, service: Service, number: int) -> None:
        """Ask for ``number`` workers and count them."""
        pool = service.pool
        if pool is None or number <= 0:
            return
        try:
            pool.channel.send(POOL.pack(Pool.FORK, number, 0))
        except OSError:
            return  # it is dying; SIGCHLD tells the rest
        if not pool.expected:
            pool.heard = time.monotonic()
        pool.expected += number
        service.count_forks(number)

    def read(self, pool: PoolParent, service: Service) -> None:
        """Take in everything that one pair has to say."""
        while True:
            try:
                record = pool.channel.recv(POOL.size)
            except BlockingIOError:
                return
            except OSError:
                record = b""
            if len(record) < POOL.size:
                self._end(pool, service)
                return
            letter, first, second = POOL.unpack(record)
            pool.heard = time.monotonic()
            if letter == Pool.READY:
                self._announced(pool, service)
            elif letter == Pool.BORN:
                self._born(pool, service, first)
            elif letter == Pool.DIED and first in self.table.children:
                self.buried(first, second)
            elif letter == Pool.DIED:
                self._unborn(pool, service)
            elif letter == Pool.FAILED:
                self._unborn(pool, service)
                service.suspended_until = time.monotonic() + _FORK_PAUSE

    def patience(self, service: Service, now: float) -> float | None:
        """Seconds until the pool parent should have done what it was asked for; it is killed at 0."""
        pool = service.pool
        if pool is None or not pool.expected:
            return None
        left = pool.heard + _FORK_PATIENCE - now
        if left <= 0:
            text = f"service {service.label} pool parent pid {pool.pid} does not fork, killing it"
            write(syslog.LOG_ERR, text)
            os.kill(pool.pid, signal.SIGKILL)  # nobody but us collects it, so it is there
            pool.heard = now
        return max(left, 0.0)

    def read_of(self, service: Service) -> None:
        """Catch up with a service's pool parents before judging a worker unknown."""
        for pool, owner in list(self.channels):
            if owner is service:
                self.read(pool, owner)

    def not_a_pool(self, service: Service) -> None:
        """The first process serves clients itself, or kept silent too long: an ordinary program."""
        service.pooling, service.pool = Pooling.NEVER, None

    def retire(self, service: Service) -> None:
        """Send the pool parent away; its workers stay. The service may start another."""
        pool = service.pool
        if pool is None:
            return
        service.pool, service.pooling = None, Pooling.UNKNOWN
        pool.retired = True
        try:
            pool.channel.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def last_words(self, pid: int) -> None:
        """Take in what a process said before it died, and before its death is accounted for."""
        for pool, service in list(self.channels):
            if pool.pid == pid:
                self.read(pool, service)

    def parent_died(self, pid: int) -> None:
        """Settle the accounts if the dead process was a pool parent, or might have become one."""
        for service in self.table.services:
            pool = service.pool
            if pool is not None and pool.pid == pid:
                service.pool, service.pooling = None, Pooling.UNKNOWN
        for pool in [child.pool for child in self.table.living() if child.pool is not None]:
            if pool.pid == pid:
                self._find_lost(pool)
                break

    def _announced(self, pool: PoolParent, service: Service) -> None:
        if pool.announced:
            return
        pool.announced = True
        child = self.table.children.get(pool.pid)
        if child is None or child.state is State.DEAD:
            return
        if child.state is State.READY:
            service.workers.ready -= 1
        service.workers.active -= 1
        child.is_pool_parent = True
        self._become_reaper()
        if pool.retired:
            return
        if service.pool is None:  # it took its time, and was taken for an ordinary program
            service.pool = pool
        service.pooling = Pooling.READY

    def _born(self, pool: PoolParent, service: Service, pid: int) -> None:
        if pool.expected:
            pool.expected -= 1
        else:
            service.workers.ready += 1
            service.workers.active += 1
        child = Child(pid, "SERVICE", service.spec.name, service.path, service, pool=pool)
        self.table.add(child)
        if pool.retired:
            # asked for before a reload, and born too late to be told of it
            hang_up(child)

    @staticmethod
    def _unborn(pool: PoolParent, service: Service) -> None:
        """One that was asked for and counted will not come."""
        if pool.expected:
            pool.expected -= 1
            service.workers.ready -= 1
            service.workers.active -= 1

    def _end(self, pool: PoolParent, service: Service) -> None:
        """Nobody holds the other end: the parent is gone, and so is every worker not born yet."""
        service.workers.ready -= pool.expected
        service.workers.active -= pool.expected
        pool.expected = 0
        pool.channel.close()
        self.channels.remove((pool, service))

    def _find_lost(self, pool: PoolParent) -> None:
        """Bury workers whose death the parent saw and could not report any more."""
        for child in self.table.living():
            if child.pool is not pool:
                continue
            try:
                os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                if self._is_reaper:
                    self.buried(child.pid, 0)

    def _become_reaper(self) -> None:
        """Orphans of pool parents become children of master, not of the system's first process."""
        if self._is_reaper:
            return
        import ctypes

        prctl = ctypes.CDLL(None, use_errno=True).prctl
        self._is_reaper = prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0
        if not self._is_reaper:
            write(syslog.LOG_ERR, "cannot become the reaper of pool workers")
