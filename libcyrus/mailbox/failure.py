"""What a failed system call means to callers."""

from __future__ import annotations

import errno

from libcyrus.errors import IoError, NoSpace


def storage_error(error: OSError) -> NoSpace | IoError:
    """NoSpace for a full disk or an exceeded quota of the system, IoError for anything else."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return NoSpace()
    return IoError()
