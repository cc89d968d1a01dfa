"""What master and its services say to each other.

**The service protocol**, the original's. A service finds its listening socket
on descriptor 4 and the write end of a pipe on descriptor 3. On the pipe it
sends fixed records of two native ints: a ``Message`` and its own pid.

**The pool protocol**, ours. The first process of a service also inherits one
end of a SOCK_SEQPACKET pair, named by ``CYRUS_POOL_FD``. A program of ours
announces itself there as a pool parent; a program that knows nothing of it
is an ordinary worker. Records are a ``Pool`` letter and two native ints:

========== ================ ==========================================================
READY      pid, 0           to master: I am a pool parent, tell me when to fork
BORN       pid, 0           to master, by the worker itself, before its first message on 3
DIED       pid, status      to master: that worker ended; status as ``waitpid`` gives it
FAILED     errno, 0         to master: one of the forks asked for was impossible
FORK       count, 0         to the pool parent
end        -                to the pool parent: fork no more and exit; the workers stay
========== ================ ==========================================================
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import Final

STATUS_FD: Final = 3
LISTEN_FD: Final = 4
POOL_FD: Final = 5

NOTIFY: Final = struct.Struct("=ii")
POOL: Final = struct.Struct("=cii")

POOL_VARIABLE: Final = "CYRUS_POOL_FD"


class Message(IntEnum):
    """What a worker reports about itself."""

    AVAILABLE = 1
    UNAVAILABLE = 2
    CONNECTION = 3
    CONNECTION_MULTI = 4


class Pool:
    """The first byte of a record between master and a pool parent."""

    READY: Final = b"R"
    BORN: Final = b"B"
    DIED: Final = b"D"
    FAILED: Final = b"E"
    FORK: Final = b"F"
