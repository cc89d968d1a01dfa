"""The end: everybody is told, those who stay are told again, and in the end they are killed."""

from __future__ import annotations

import os
import signal
import syslog

from libcyrus.base.systemlog import write
from master.table import Child, Table

_INSIST = 2.0
"""Seconds after which a child that has not ended is told again."""

_LAST_PATIENCE = 20.0
"""Seconds after which a child that still has not ended is killed."""


class Ending:
    """Daemons that are waited for are left out here: their turn comes when all others are gone."""

    def __init__(self) -> None:
        self._since: float | None = None
        self._insist_at = 0.0

    @property
    def has_begun(self) -> bool:
        return self._since is not None

    def begin(self, now: float) -> None:
        """Tell everybody, if that has not been done."""
        self._since = now
        write(syslog.LOG_INFO, "attempting clean shutdown on signal")
        if os.getpgrp() == os.getpid():
            # as the leader, this reaches what the children have started too; and ourselves, once more
            os.kill(0, signal.SIGTERM)
            self._insist_at = now + _INSIST

    def is_over(self, table: Table, now: float) -> bool:
        """Whether all are gone; tells those who are not again, now and then."""
        left = [child for child in table.living() if not _is_waitdaemon(child)]
        if not left or self._since is None:
            return not left
        if now >= self._insist_at:
            self._insist_at = now + _INSIST
            number = signal.SIGKILL if now - self._since >= _LAST_PATIENCE else signal.SIGTERM
            for child in left:
                _tell(child, number)
        return False

    def delay(self, now: float) -> float:
        """Seconds until somebody must be told again."""
        return max(0.0, min(self._insist_at - now, _INSIST))


def _is_waitdaemon(child: Child) -> bool:
    return child.service is not None and child.service.spec.waits


def _tell(child: Child, number: int) -> None:
    if number == signal.SIGKILL:
        write(syslog.LOG_WARNING, f"{child.describe()} does not end, killing it")
    try:
        os.kill(child.pid, number)
    except ProcessLookupError:
        pass  # a pool parent has collected it, and will say so
