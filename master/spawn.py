"""Starts processes: descriptors, environment, limits, exec.

A service's process finds the status pipe on descriptor 3 and its socket on 4
(``libcyrus.base.master_protocol``), and CYRUS_SERVICE and CYRUS_ID in its
environment; a daemon has CYRUS_ISDAEMON instead of the descriptors. Everything
else of master's environment passes through.
"""

from __future__ import annotations

import os
import resource
import signal
import socket
import stat
import sys
import syslog
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from libcyrus.base.master_protocol import LISTEN_FD, POOL_FD, POOL_VARIABLE, STATUS_FD
from libcyrus.base.signals import fork, unblock
from libcyrus.base.systemlog import write
from master.table import Child, Pooling, PoolParent, Service, Table

POOL_PATIENCE = 5.0
"""Seconds a script has to announce itself as pool parent before it is taken for an ordinary program."""

_RESET = (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP)

_OCCASIONS = {"START": "for startup", "EVENT": "on schedule"}

_PLACES = ("/usr/lib/cyrus/bin", "/usr/sbin")


def executable(command: tuple[str, ...]) -> str:
    """The path of a command: absolute, beside master, in the sbin next to it, or where the original's are."""
    if command[0].startswith("/"):
        return command[0]
    beside = os.path.dirname(os.path.realpath(sys.argv[0]))
    sbin = os.path.join(os.path.dirname(beside), "sbin")
    candidates = [os.path.join(place, command[0]) for place in (beside, sbin, *_PLACES)]
    return next((path for path in candidates if os.path.exists(path)), candidates[0])


def is_runnable(path: str) -> bool:
    """Whether its owner may run the file; if master may not, the log will say so."""
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return False
    return stat.S_ISREG(mode) and bool(mode & stat.S_IXUSR)


def may_pool(path: str) -> bool:
    """Whether the program could be one of ours: they are scripts, and a binary is surely not."""
    try:
        with open(path, "rb") as file:
            return file.read(2) == b"#!"
    except OSError:
        return False


def start_command(kind: str, name: str, command: tuple[str, ...]) -> Child:
    """Run a command of START or EVENTS. Raises OSError if there is no process for it."""
    path = executable(command)
    pid = fork()
    if not pid:
        with _child(f"can't exec {path} {_OCCASIONS[kind]}"):
            _execute(path, command, {})
    return Child(pid, kind, name, path)


def start_worker(service: Service) -> Child | None:
    """Start one process of a service or daemon, and count it; None, logged, if the system has none left.

    The first process of a script becomes its pool parent, if it says so later.
    """
    ours = theirs = None
    try:
        if service.pooling is Pooling.UNKNOWN:
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        pid = fork()
    except OSError as error:
        write(
            syslog.LOG_ERR, f"can't fork process to run service {service.label}: {error.strerror}"
        )
        service.suspended_until = time.monotonic() + 1
        return None
    if not pid:
        with _child(f"couldn't exec {service.path}"):
            _become(service, theirs)
    service.count_forks(1)
    child = Child(
        pid, "DAEMON" if service.spec.is_daemon else "SERVICE", service.spec.name, service.path, service
    )
    if ours is not None and theirs is not None:
        theirs.close()
        ours.setblocking(False)
        service.pooling = Pooling.STARTING
        service.pool = PoolParent(pid, ours, time.monotonic() + POOL_PATIENCE)
    return child


def start_waitdaemon(table: Table, service: Service, ready_fd: int | None = None) -> Child:
    """Start a daemon that others wait for, in the process group of those of its kind.

    With ``ready_fd`` it has that descriptor as its 3, to say ``ok`` there. Raises OSError.
    """
    group = table.waitdaemon_group
    if group and not _is_group(group):
        group = 0  # all have died, and nobody can join a group without members
    pid = fork()
    table.waitdaemon_group = group or pid
    if not pid:
        with _child(f"couldn't exec {service.path}"):
            os.setpgid(0, group)
            if ready_fd is not None:
                os.dup2(ready_fd, STATUS_FD)
            _become(service, None)
    try:
        os.setpgid(pid, group)
    except OSError:
        pass  # it did so itself, and runs already
    service.count_forks(1)
    return Child(pid, "DAEMON", service.spec.name, service.path, service)


def _is_group(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def _become(service: Service, channel: socket.socket | None) -> None:
    environment = {"CYRUS_SERVICE": service.spec.name, "CYRUS_ID": str(service.address)}
    if service.spec.is_daemon:
        environment["CYRUS_ISDAEMON"] = "1"
    elif service.listener is not None:
        os.dup2(service.status_write, STATUS_FD)
        os.dup2(service.listener.fileno(), LISTEN_FD)
    if channel is not None:
        os.dup2(channel.fileno(), POOL_FD)
        environment[POOL_VARIABLE] = str(POOL_FD)
    if service.spec.maxfds:
        _limit_descriptors(service.spec.maxfds)
    _execute(service.path, service.spec.command, environment)


@contextmanager
def _child(complaint: str) -> Iterator[None]:
    """The life of a new process until ``exec``: it leaves by that, or by exit, whatever happens."""
    try:
        signal.set_wakeup_fd(-1)
        # ignored signals stay ignored across exec, and the interpreter ignores some
        for number in _RESET:
            signal.signal(number, signal.SIG_DFL)
        unblock()
        yield
    except OSError as error:
        write(syslog.LOG_ERR, f"{complaint}: {error.strerror}")
    except Exception as error:
        write(syslog.LOG_ERR, f"{complaint}: {error!r}")
    finally:
        os._exit(os.EX_OSERR)


def _execute(path: str, command: tuple[str, ...], more: Mapping[str, str]) -> None:
    write(syslog.LOG_DEBUG, f"about to exec {path}")
    os.execve(path, command, {**os.environ, **more})


def _limit_descriptors(wanted: int) -> None:
    """Set the soft limit; a negative one is taken for a very large number, -1 for as many as may be."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    soft = wanted
    if hard != resource.RLIM_INFINITY and not 0 <= wanted <= hard:
        if wanted != resource.RLIM_INFINITY:
            write(syslog.LOG_WARNING, f"limit_fds: requested {wanted % 2**64}, but capped to {hard}")
        soft = hard
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    except (OSError, ValueError) as error:
        write(
            syslog.LOG_ERR, f"setrlimit: Unable to set file descriptors limit to {soft}: {error}"
        )
