"""The loop: wait for signals, clients, workers' reports and the clock, and do what policy says."""

from __future__ import annotations

import os
import select
import syslog
import time
from collections.abc import Callable
from typing import NamedTuple

from libcyrus.base.systemlog import write
from libcyrus.config import Config
from libcyrus.errors import Fatal
from master import policy, reap, services, spawn, startup, status
from master.ending import Ending
from master.janitor import Janitor
from master.listen import How
from master.policy import State
from master.pools import Pools, hang_up
from master.proc_files import ProcFiles
from master.prometheus import Report
from master.schedule import Schedule
from master.services import Wanted
from master.signals import MasterSignals
from master.systemd import Notifier
from master.table import Pooling, Service, Table

_LOADING = 1.0
"""Seconds for which a program is expected to load before it serves."""

_MOST_SERVICES = 2**31 - 11
"""The original's limit, which a line of the log names."""


class Settings(NamedTuple):
    """What the command line and imapd.conf say."""

    config: Config
    conf_path: str
    how: How
    verbose: int
    janitor_frequency: int
    notifier: Notifier


class Master:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._verbose = settings.verbose
        self._table = Table()
        self._pools = Pools(self._table, self._bury)
        self._schedule = Schedule()
        self._signals = MasterSignals()
        self._janitor = Janitor(settings.janitor_frequency)
        self._report = Report(settings.config)
        self._proc_files = ProcFiles(settings.config)
        self._ending = Ending()
        self._processors = os.cpu_count() or 1

    def boot(self, wanted: Wanted, drop_privileges: Callable[[], None]) -> None:
        """From START commands and open sockets, with the privileges that we have, to waited-for daemons.

        Raises Fatal.
        """
        startup.run_start(wanted.start)
        services.merge(self._table, wanted, strict=True, verbose=self._verbose)
        self._schedule.replace(wanted.events, now=time.monotonic(), wall=time.time())
        self._signals.install()
        self._open_sockets(self._settings.how)
        drop_privileges()
        self._proc_files.sweep()
        startup.start_waitdaemons(self._table)
        self._table.most()

    def run(self) -> None:
        """Until told to end and everything has ended."""
        write(syslog.LOG_DEBUG, "ready for work")
        self._settings.notifier.ready(self._status())
        while True:
            self._signals.drain()
            if self._signals.quit:
                self._signals.quit = False
                self._begin_shutdown()
            if self._signals.child:
                self._signals.child = False
                for pid, code in reap.children(self._table):
                    self._bury(pid, code)
            now = time.monotonic()
            if not self._ending.has_begun:
                self._work(now)
            elif self._ending.is_over(self._table, now):
                break
            self._wait(self._delay(now))
            now = time.monotonic()
            self._janitor.sweep(self._table, now)
            self._report.update(self._table, now)
        startup.stop_waitdaemons(self._table)
        write(syslog.LOG_NOTICE, "All children have exited, closing down")

    def _status(self) -> str:
        number = sum(1 for service in self._table.services if service.enabled)
        return f"{number} services"

    # what is to be done

    def _work(self, now: float) -> None:
        for spec in self._schedule.take_due(now=now, wall=time.time()):
            try:
                self._table.add(spawn.start_command("EVENT", spec.name, spec.command))
            except OSError as error:
                write(syslog.LOG_CRIT, f"can't fork process to run event {spec.name}: {error.strerror}")
        if self._signals.hangup:
            self._signals.hangup = False
            write(syslog.LOG_NOTICE, "got SIGHUP")
            self._settings.notifier.reloading()
            self._reload()
            self._settings.notifier.ready(self._status())
        for service in list(self._table.everything()):
            self._check(service, now)

    def _check(self, service: Service, now: float) -> None:
        """Enough workers? None left? Nothing left to do?"""
        workers = service.workers
        if not service.enabled:
            if workers.active == 0 and service.pool is None:
                services.remove(self._table, service)
            return
        pool = service.pool
        if service.pooling is Pooling.STARTING and pool is not None and now >= pool.deadline:
            self._pools.not_a_pool(service)
        needed = policy.missing(workers)
        if needed and service.pooling is Pooling.UNKNOWN and self._is_crowded(now):
            return
        if needed:
            if self._verbose:
                write(
                    syslog.LOG_DEBUG, f"service {service.label} needs {needed} more ready workers"
                )
            self._start(service, needed)
        elif policy.lost_all(workers):
            write(
                syslog.LOG_ERR,
                f"lost all children for service: {service.label}.  Applying babysitter.",
            )
            self._start(service, 1)

    def _is_crowded(self, now: float) -> bool:
        """Whether as many programs are loading as there are processors: another would delay them all.

        The services that stand first in the file are ready first. A service
        that a client waits for does not ask.
        """
        loading = [
            service
            for service in self._table.services
            if service.pooling is Pooling.STARTING
            and service.pool is not None
            and now < service.pool.deadline - spawn.POOL_PATIENCE + _LOADING
        ]
        return len(loading) >= self._processors

    def _start(self, service: Service, number: int) -> None:
        """Start up to ``number`` workers, as fast as the service may fork."""
        for _ in range(number):
            if self._is_limited(service, time.monotonic()):
                return
            if service.pooling is Pooling.STARTING:
                return  # who it is decides how the others are started
            if service.pooling is Pooling.READY:
                if service.rate.limit:
                    self._pools.fork(service, 1)
                    continue
                self._pools.fork(service, number)
                return
            child = self._start_process(service)
            if child:
                return

    def _start_process(self, service: Service) -> bool:
        """Start one by exec; whether to stop here, because it failed or may turn out to be a pool parent."""
        if service.spec.waits:
            try:
                child = spawn.start_waitdaemon(self._table, service)
            except OSError as error:
                write(
                    syslog.LOG_ERR,
                    f"ERROR: unable to respawn waitdaemon {service.label}: {error.strerror}",
                )
                service.suspended_until = time.monotonic() + 1
                return True
            self._table.add(child)
            return False
        started = spawn.start_worker(service)
        if started is None:
            return True
        self._table.add(started)
        if service.pooling is Pooling.STARTING:
            self._pools.watch(service)
            return True
        return False

    def _is_limited(self, service: Service, now: float) -> bool:
        """Whether the service may not fork now; then the loop will look again soon."""
        if now < service.suspended_until:
            return True
        if service.rate.is_exceeded(now):
            service.suspended_until = now + policy.FORKRATE_PAUSE
            return True
        return False

    # waiting

    def _delay(self, now: float) -> float | None:
        """The longest time until something must be looked at."""
        watchdog = self._settings.notifier.alive(now)
        if self._ending.has_begun:
            delay = self._ending.delay(now)
            return delay if watchdog is None else min(delay, watchdog)
        delays = [watchdog, self._schedule.delay(now=now, wall=time.time()), self._report.delay(now)]
        for service in self._table.everything():
            if now < service.suspended_until:
                delays.append(service.suspended_until - now)
            delays.append(self._pools.patience(service, now))
            if service.pooling is Pooling.STARTING and service.pool is not None:
                delays.append(min(max(0.0, service.pool.deadline - now), _LOADING))
        if any(child.state is State.DEAD or child.hup_at for child in self._table.children.values()):
            delays.append(10.0)
        known = [delay for delay in delays if delay is not None]
        return min(known) if known else None

    def _wait(self, delay: float | None) -> None:
        """Sleep until something happens, and take it in."""
        poll = select.poll()
        poll.register(self._signals.wakeup_fd, select.POLLIN)
        for pool, _ in self._pools.channels:
            poll.register(pool.channel, select.POLLIN)
        now = time.monotonic()
        waiting: dict[int, Service] = {}
        for service in self._table.services:
            if service.workers.ready < 0:
                write(syslog.LOG_ERR, f"{service.label} has {service.workers.ready} workers?!?")
            if service.status_read >= 0:
                poll.register(service.status_read, select.POLLIN)
            if (
                service.enabled
                and not self._ending.has_begun
                and service.listener is not None
                and policy.wants_connection(service.workers)
                and not self._is_limited(service, now)
            ):
                waiting[service.listener.fileno()] = service
                poll.register(service.listener, select.POLLIN)
        events = dict(poll.poll(None if delay is None else delay * 1000 + 1))
        if not events:
            return
        for pool, service in list(self._pools.channels):
            if pool.channel.fileno() in events:
                self._pools.read(pool, service)
        for service in self._table.services:
            if service.status_read in events:
                self._take_messages(service)
        for fd, service in waiting.items():
            # what was read above may have brought a worker for it
            if fd in events and service.enabled and policy.wants_connection(service.workers):
                self._start(service, 1)

    def _take_messages(self, service: Service) -> None:
        for message, pid in status.read_messages(service):
            pool = service.pool
            if pool is not None and pool.pid == pid and not pool.announced:
                self._pools.not_a_pool(service)
            elif pid not in self._table.children:
                self._pools.read_of(service)
            status.apply(self._table, service, message, pid, verbose=self._verbose)

    # deaths and endings

    def _bury(self, pid: int, code: int) -> None:
        self._pools.last_words(pid)
        hopeless = reap.account(
            self._table, pid, code, in_shutdown=self._ending.has_begun, verbose=self._verbose
        )
        self._pools.parent_died(pid)
        self._proc_files.forget(pid)
        if hopeless is not None:
            self._disable(hopeless)

    def _disable(self, service: Service) -> None:
        """Start no more of its workers. Those that live may go on; with the last, the socket is closed."""
        service.enabled = False
        self._pools.retire(service)

    def _begin_shutdown(self) -> None:
        if self._ending.has_begun:
            return
        self._settings.notifier.stopping()
        for service in self._table.services:
            self._pools.retire(service)
        self._ending.begin(time.monotonic())

    # configuration

    def _open_sockets(self, how: How) -> None:
        for service in list(self._table.services):
            if service.enabled and not service.spec.is_daemon and service.listener is None:
                services.open_listeners(self._table, service, how)

    def _reload(self) -> None:
        """Read cyrus.conf again. A file that cannot be understood changes nothing."""
        settings = self._settings
        try:
            wanted = services.read(settings.conf_path, strict=False)
        except Fatal as fatal:
            write(syslog.LOG_ERR, f"{fatal}; configuration not changed")
            return
        for service in self._table.services:
            self._pools.retire(service)
        services.merge(self._table, wanted, strict=False, verbose=self._verbose)
        for child in self._table.living():
            if child.service is not None and not child.is_pool_parent:
                hang_up(child)
        for service in self._table.services:
            service.suspended_until = 0.0
            if not service.enabled and service.listener is not None:
                services.stop_listening(service, settings.how)
        gentle = settings.how._replace(errors_are_fatal=False)
        self._open_sockets(gentle)
        self._schedule.replace(wanted.events, now=time.monotonic(), wall=time.time())
        self._report = Report(settings.config)
        used, waited = map(_structures, self._table.most())
        write(
            syslog.LOG_NOTICE,
            f"Services reconfigured. {used} services structures and {waited} waitdaemon structures "
            "are now in use",
        )


def _structures(number: int) -> str:
    """A number as the original says it, which makes room for five more when it needs to."""
    return f"{number} out of {-(-number // 5) * 5} (max {_MOST_SERVICES})"
