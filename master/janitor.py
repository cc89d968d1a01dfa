"""Forgets the dead after a while, and names children that do not react to SIGHUP."""

from __future__ import annotations

import syslog

from libcyrus.base.systemlog import write
from master.policy import State
from master.table import Table

_SIGHUP_PATIENCE = 30


class Janitor:
    """Sweeps the table ``frequency`` times a second, when there is something to do at all."""

    def __init__(self, frequency: int) -> None:
        self._pause = 1 / frequency
        self._next = 0.0

    def sweep(self, table: Table, now: float) -> None:
        if now < self._next:
            return
        self._next = now + self._pause
        for child in list(table.children.values()):
            if child.state is State.DEAD:
                if child.forget_at < now:
                    del table.children[child.pid]
            elif child.hup_at is not None and now - child.hup_at >= _SIGHUP_PATIENCE:
                service = child.service
                word = "waitdaemon" if service is not None and service.spec.waits else "service"
                label = service.label if service is not None else "unknown/unknown"
                write(
                    syslog.LOG_INFO,
                    f"{word} {label} pid {child.pid} in state {child.state.value} has not yet been "
                    f"recycled since SIGHUP was sent ({int(now - child.hup_at)}s ago)",
                )
                child.hup_at = None
