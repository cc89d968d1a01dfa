"""Telemetry: a copy of everything one user's sessions say, kept while ``log/USER`` exists.

The file is ``log/USER/IDENT-PID`` in the configuration directory, or ``IDENT-SESSIONID`` with
``telemetry_bysessionid``. A session appends a heading; the stream adds the traffic with its marks.
"""

from __future__ import annotations

import logging
import os
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager

from libcyrus import options as opt
from libcyrus.base.xlog import NOTICE
from libcyrus.config import Config
from libcyrus.config.session_id import SessionId

log = logging.getLogger(__name__)


def open_log(config: Config, userid: str, session_id: SessionId) -> int | None:
    """A descriptor for :meth:`ProtStream.telemetry`, which the caller closes; None if nobody wants one."""
    if "/" in userid or userid in ("", ".", ".."):
        return None
    name = str(session_id) if config[opt.telemetry_bysessionid] else str(os.getpid())
    path = os.path.join(config.directory, "log", userid, f"{config.ident}-{name}")
    try:
        fd = os.open(os.fsencode(path), os.O_CREAT | os.O_APPEND | os.O_WRONLY | os.O_CLOEXEC, 0o644)
    except (OSError, ValueError):
        return None
    try:
        os.write(fd, os.fsencode(f"---------- {userid} {time.ctime()}\n\n"))
    except OSError as error:
        log.error("IOERROR: unable to write to telemetry log %s: %s", path, error.strerror)
    return fd


@contextmanager
def io_logged(config: Config, protocol: str) -> Iterator[None]:
    """With the option ``iolog``: log how many bytes a session of this protocol made the disks move."""
    before = _bytes_moved() if config[opt.iolog] else None
    try:
        yield
    finally:
        after = _bytes_moved() if before is not None else None
        if before is not None and after is not None:
            log.info(
                "%s session stats : I/O read : %d bytes : I/O write : %d bytes",
                protocol,
                after[0] - before[0],
                after[1] - before[1],
            )


def _bytes_moved() -> tuple[int, int] | None:
    """What this process read from storage and wrote to it so far."""
    try:
        with open("/proc/self/io", encoding="ascii") as file:
            counts = dict(line.split(": ") for line in file)
        return int(counts["read_bytes"]), int(counts["write_bytes"])
    except (OSError, KeyError, ValueError):
        log.error("IOERROR: opening file /proc/self/io")
        return None


class Usage:
    """CPU time used since the last line, logged for the user after each delivery and at LOGOUT."""

    def __init__(self) -> None:
        self._user = 0.0
        self._system = 0.0

    def log(self, userid: str | None) -> None:
        if not userid:
            return
        now = resource.getrusage(resource.RUSAGE_SELF)
        user, system = now.ru_utime - self._user, now.ru_stime - self._system
        self._user, self._system = now.ru_utime, now.ru_stime
        log.log(NOTICE, "USAGE %s user: %.6f sys: %.6f", userid, user, system)
