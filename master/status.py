"""What workers report about themselves on the status pipe of their service."""

from __future__ import annotations

import os
import syslog
import time

from libcyrus.base.master_protocol import NOTIFY
from libcyrus.base.systemlog import write
from master import policy
from master.policy import Level, State
from master.reap import GRACE
from master.table import Child, Service, Table

_PRIORITIES = {
    Level.TALK: syslog.LOG_DEBUG,
    Level.WARNING: syslog.LOG_WARNING,
    Level.ERROR: syslog.LOG_ERR,
    Level.CRITICAL: syslog.LOG_CRIT,
}


def read_messages(service: Service) -> list[tuple[int, int]]:
    """Everything that waits in the pipe: message and pid. A write below PIPE_BUF is never torn."""
    messages: list[tuple[int, int]] = []
    while True:
        try:
            data = os.read(service.status_read, 512 * NOTIFY.size)
        except BlockingIOError:
            return messages
        except OSError as error:
            write(
                syslog.LOG_ERR,
                f"error while receiving message from child {service.label}: {error.strerror}",
            )
            return messages
        whole = len(data) - len(data) % NOTIFY.size
        messages += NOTIFY.iter_unpack(data[:whole])
        if whole != len(data):
            write(syslog.LOG_ERR, f"got incorrectly sized response from child: {service.label}")
            return messages
        if len(data) < 512 * NOTIFY.size:
            return messages


def apply(table: Table, service: Service, message: int, pid: int, *, verbose: int) -> None:
    """Let one message change the child's state and the service's counters."""
    label = f"service {service.label} pid {pid}"
    child = table.children.get(pid)
    if child is None:
        write(syslog.LOG_WARNING, f"{label}: receiving messages from long dead children")
        child = Child(pid, "ZOMBIE", service=service, state=State.DEAD)
        child.forget_at = time.monotonic() + GRACE
        table.add(child)
    if child.service is not service:
        before = child.service.label if child.service is not None else "unknown/unknown"
        write(
            syslog.LOG_ERR, f"{label}: changing from service {before} due to received message"
        )
        child.service = service
    effect = policy.effect(child.state, message)
    child.state = effect.state
    service.workers.ready += effect.ready
    service.connections += effect.connections
    if effect.remark and (effect.level is not Level.TALK or verbose):
        write(_PRIORITIES[effect.level], f"{label}{effect.remark}")
    if verbose:
        write(syslog.LOG_DEBUG, f"service {service.label} now has {service.workers.ready} ready workers")
