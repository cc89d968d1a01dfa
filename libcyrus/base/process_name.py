"""The short name of a process, which ps(1), top(1), pgrep(1) and killall(1) go by.

An interpreter's name would say nothing. The original's programs are found under their own.
"""

from __future__ import annotations

import os
import sys

_LONGEST = 15
"""What the kernel keeps."""


def take() -> None:
    """Call this process, and what it forks from now on, by the name of its program; no matter if it fails."""
    try:
        fd = os.open("/proc/self/comm", os.O_WRONLY | os.O_CLOEXEC)
    except OSError:
        return
    try:
        os.write(fd, os.fsencode(os.path.basename(sys.argv[0]))[:_LONGEST])
    except OSError:
        pass
    finally:
        os.close(fd)
