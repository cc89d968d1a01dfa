"""How a failed system call of a backend is reported: one log line, one error of ours."""

from __future__ import annotations

import errno
import logging
from collections.abc import Iterator
from contextlib import contextmanager

from libcyrus.base import xlog
from libcyrus.errors import IoError, NoSpace


@contextmanager
def reported(log: logging.Logger, path: str) -> Iterator[None]:
    """Turn ``OSError`` inside the block into ``NoSpace`` or ``IoError``, logging it."""
    try:
        yield
    except OSError as error:
        raise failed(log, path, error) from error


def failed(log: logging.Logger, path: str, error: OSError) -> IoError | NoSpace:
    """Log ``error`` and give the exception to raise for it."""
    xlog.ioerror(log, "database operation failed", error, fname=path)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return NoSpace()
    return IoError()
