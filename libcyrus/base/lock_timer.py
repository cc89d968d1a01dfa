"""The option ``lock_debugtime``: say which locks a process had to wait for longer than that."""

from __future__ import annotations

import logging
import re
import time

from libcyrus.base import lock
from libcyrus.base.xlog import NOTICE

log = logging.getLogger(__name__)

_NUMBER = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)")


def install(limit: str) -> None:
    """Log, at NOTICE, each wait of this process that takes longer than ``limit`` seconds.

    The number is what the text begins with; without one, or with zero, nothing is timed.
    """
    match = _NUMBER.match(limit)
    seconds = float(match[1]) if match else 0.0
    if not seconds:
        return

    def around(lock_file: lock.Locker) -> lock.Locker:
        def timed(fd: int, command: int, request: bytes) -> object:
            started = time.monotonic()
            result = lock_file(fd, command, request)
            waited = time.monotonic() - started
            if waited > seconds:
                log.log(NOTICE, "locktimer: reopen %s (%0.2fs)", lock.path_of(fd), waited)
            return result

        return timed

    lock.intercept(around)
