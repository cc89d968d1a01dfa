"""libc's syslog(3): opening it under Cyrus's names, and writing text that may hold anything.

It goes through the C library on purpose: whatever redirects or intercepts the
original's log does the same to ours.
"""

from __future__ import annotations

import os
import syslog
from collections.abc import Iterator
from contextlib import contextmanager

FACILITIES = {
    name: getattr(syslog, f"LOG_{name}")
    for name in ("DAEMON", "MAIL", "NEWS", "USER", *(f"LOCAL{number}" for number in range(8)))
}
DEFAULT_FACILITY = syslog.LOG_MAIL

# Control characters would forge or break lines. They become what the C library's readers write for them.
_CONTROL = {code: f"#{code:03o}" for code in (*range(32), 127) if code != 9}

_silences: list[bool] = []


def open_log(ident: str, *, prefix: str | None = None, facility: int = DEFAULT_FACILITY) -> None:
    """Log as ``prefix/ident``; the variable CYRUS_SYSLOG_PREFIX beats ``prefix``."""
    prefix = os.environ.get("CYRUS_SYSLOG_PREFIX", prefix)
    syslog.openlog(f"{prefix}/{ident}" if prefix is not None else ident, syslog.LOG_PID, facility)


def drop_debug() -> None:
    """Keep LOG_DEBUG messages in the process, as the option ``debug: no`` asks."""
    syslog.setlogmask(syslog.LOG_UPTO(syslog.LOG_INFO))


@contextmanager
def silence() -> Iterator[None]:
    """Write nothing inside the block. Not the C library's mask: what intercepts the log does not know it."""
    _silences.append(True)
    try:
        yield
    finally:
        _silences.pop()


def write(priority: int, text: str) -> None:
    """Write one line of any text: undecodable bytes are escaped, control characters too."""
    if not text.isprintable():
        text = text.translate(_CONTROL)
        text = text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    if not _silences:
        syslog.syslog(priority, text)
