"""Log lines in the form that administrators search for.

``description: key=<value> key=<value> syserror=<text> func=<name>``. The
description is fixed text, so that lines can be counted by it; whatever varies
is a pair. ``syserror`` and ``func`` are given at WARNING and above and at
DEBUG, not at NOTICE and INFO.
"""

from __future__ import annotations

import logging
import os
import sys

NOTICE = 25
"""Between INFO and WARNING, as in syslog. ``log.log(NOTICE, ...)``."""

logging.addLevelName(NOTICE, "NOTICE")


def xsyslog(
    log: logging.Logger,
    level: int,
    description: str,
    error: OSError | None = None,
    **pairs: object,
) -> None:
    """Write one line. A trailing underscore in a keyword is dropped (``from_``), ``None`` is empty."""
    if log.isEnabledFor(level):
        log.log(level, "%s", line(description, level, error, sys._getframe(1).f_code.co_name, pairs))


def ioerror(log: logging.Logger, description: str, error: OSError, **pairs: object) -> None:
    """The one ``IOERROR:`` line of a failed file operation."""
    if log.isEnabledFor(logging.ERROR):
        text = line("IOERROR: " + description, logging.ERROR, error, sys._getframe(1).f_code.co_name, pairs)
        log.error("%s", text)


def line(
    description: str, level: int, error: OSError | None, function: str, pairs: dict[str, object]
) -> str:
    """The text of the line."""
    words = [
        f"{key.rstrip('_')}=<{'' if value is None else value}>"
        for key, value in pairs.items()
    ]
    if level not in (NOTICE, logging.INFO):
        if error is not None:
            reason = os.strerror(error.errno) if error.errno else str(error)
            words.append(f"syserror=<{reason}>")
        words.append(f"func=<{function}>")
    return f"{description}: {' '.join(words)}".rstrip() if words else f"{description}:"
