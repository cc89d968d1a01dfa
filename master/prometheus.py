"""The statistics of master, in Prometheus' text form, for promstatsd to collect.

Written to ``prometheus_stats_dir``, else ``configdirectory/stats``, as
``master.txt``, in place and under its lock. A report that would have to wait
for the lock is skipped.
"""

from __future__ import annotations

import os
import syslog
import time
from collections.abc import Callable

from libcyrus import options as opt
from libcyrus.base import lock
from libcyrus.base.systemlog import write
from libcyrus.config import Config
from master import conf
from master.table import Service, Table

_METRICS: tuple[tuple[str, str, str, Callable[[Service], str]], ...] = (
    ("ready_workers", "gauge", "The number of ready workers", lambda s: str(s.workers.ready)),
    ("forks_total", "counter", "The number of children spawned", lambda s: str(s.forks)),
    (
        "active_children", "gauge", "The number of children servicing clients",
        lambda s: str(s.workers.active),
    ),
    (
        "max_children", "gauge", "The maximum number of child processes",
        lambda s: str(conf.UNLIMITED if s.workers.maxchild is None else s.workers.maxchild),
    ),
    (
        "forks_per_second", "gauge", "The rate at which we're spawning children",
        lambda s: f"{s.rate.rate:g}",
    ),
    (
        "max_forks_per_second", "gauge", "The maximum rate at which we will spawn children",
        lambda s: str(s.rate.limit),
    ),
    ("ready_fails_total", "counter", "The number of failures in READY state", lambda s: str(s.fails.count)),
)  # fmt: skip


class Report:
    """Where and how often to report; nothing happens unless ``prometheus_enabled``."""

    def __init__(self, config: Config) -> None:
        self.period = config[opt.prometheus_update_freq]
        self._enabled = config[opt.prometheus_enabled] and self.period >= 1
        self._next = 0.0
        directory = config[opt.prometheus_stats_dir]
        if directory is None or not directory.startswith("/") or directory == "/":
            directory = os.path.join(config.directory, "stats")
        self._path = os.path.join(directory, "master.txt")

    def delay(self, now: float) -> float | None:
        """Seconds until the next report; None if there will be none."""
        return max(0.0, self._next - now) if self._enabled else None

    def update(self, table: Table, now: float) -> None:
        """Write a report if one is due. The first mistake ends reporting until the next reload."""
        if not self._enabled or now < self._next:
            return
        self._next = now + self.period
        try:
            os.makedirs(os.path.dirname(self._path), 0o755, exist_ok=True)
            fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                if lock.try_exclusive(fd):
                    content = render(table, int(time.time() * 1000)).encode()
                    os.write(fd, content)
                    os.ftruncate(fd, len(content))
            finally:
                os.close(fd)
        except OSError as error:
            self._enabled = False
            write(
                syslog.LOG_ERR,
                f"open({self._path}): {error.strerror} - "
                "disabling master prometheus report until next reload",
            )


def render(table: Table, stamp: int) -> str:
    """The text of a report; ``stamp`` is in milliseconds."""
    lines = []
    for name, kind, help_text, value in _METRICS:
        metric = f"cyrus_master_{name}"
        lines.append(f"# HELP {metric} {help_text}\n# TYPE {metric} {kind}\n")
        lines += [
            f'{metric}{{service="{service.spec.name}",family="{service.family}"}} {value(service)} {stamp}\n'
            for service in table.everything()
        ]
    return "".join(lines)
