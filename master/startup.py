"""What happens once, in order, before services run: START commands, and daemons that are waited for."""

from __future__ import annotations

import os
import signal
import syslog

from libcyrus.base.systemlog import write
from libcyrus.errors import Fatal
from master import reap, spawn
from master.conf import StartSpec
from master.table import Table

_READY = b"ok\r\n"


def run_start(specs: list[StartSpec]) -> None:
    """Run each command to its end. One that fails ends master: Fatal with code 1."""
    for spec in specs:
        try:
            child = spawn.start_command("START", spec.name, spec.command)
        except OSError as error:
            raise Fatal(f"can't fork process to run startup: {error.strerror}", 1) from error
        _, status = os.waitpid(child.pid, 0)
        end = reap.ending(status)
        write(end.priority, f"{child.describe()} {end.text}")
        if end.failed:
            raise Fatal("can't run startup", 1)


def start_waitdaemons(table: Table) -> None:
    """Start each DAEMON with ``wait=y`` and wait until it writes ``ok`` to its descriptor 3.

    They are in a process group of their own, so that the signal that ends
    services spares them. If one does not come up, those before it are ended
    and Fatal is raised.
    """
    for service in table.waitdaemons:
        read_fd, write_fd = os.pipe2(os.O_CLOEXEC)
        try:
            child = spawn.start_waitdaemon(table, service, write_fd)
        except OSError as error:
            write(
                syslog.LOG_ERR,
                f"ERROR: unable to spawn waitdaemon {service.label}: fork failed: {error.strerror}",
            )
            raise _failed(table, service.label, os.EX_OSERR) from error
        os.close(write_fd)
        said = _read_all(read_fd, len(_READY))
        os.close(read_fd)
        table.add(child)
        if said != _READY:
            write(
                syslog.LOG_ERR,
                f'ERROR: waitdaemon {service.label} did not write "ok\\r\\n" to fd 3',
            )
            raise _failed(table, service.label, os.EX_CONFIG)


def stop_waitdaemons(table: Table) -> None:
    """End them one by one, the last first, and wait for each."""
    for service in reversed(table.waitdaemons):
        for child in table.living_of(service):
            label = f"child {child.pid} of {service.label}"
            try:
                os.kill(child.pid, signal.SIGTERM)
            except ProcessLookupError:
                continue
            except OSError as error:
                write(syslog.LOG_ERR, f"kill {label}: {error.strerror}")
                continue
            write(syslog.LOG_NOTICE, f"waiting for {label} to exit...")
            try:
                _, status = os.waitpid(child.pid, 0)
            except ChildProcessError as error:
                write(syslog.LOG_ERR, f"waitpid {child.pid}: {error.strerror}")
                continue
            if os.WIFSIGNALED(status):
                core = " (core dumped)" if os.WCOREDUMP(status) else ""
                text = f"killed with signal {os.WTERMSIG(status)}{core}"
            else:
                text = f"exited with status {os.WEXITSTATUS(status)}"
            write(syslog.LOG_NOTICE, f"{label} {text}")


def _read_all(fd: int, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = os.read(fd, size - len(data))
        if not piece:
            break
        data += piece
    return data


def _failed(table: Table, label: str, code: int) -> Fatal:
    if table.waitdaemon_group:
        try:
            os.killpg(table.waitdaemon_group, signal.SIGTERM)
        except ProcessLookupError:
            pass
    return Fatal(f"unable to spawn waitdaemon {label}", code)
