"""Ports for private servers, given out once.

The kernel gives any free port for port 0, also one that it gave a moment before and that nobody
has bound yet, and it takes ports of that range for outgoing connections. So ports of tests come from below
that range, and each process has a block of them that no other has.
"""

from __future__ import annotations

import errno
import itertools
import random
import socket
import threading
from collections.abc import Iterator

_FIRST, _BLOCKS, _SIZE = 10000, 44, 500
"""Up to 31,999; Linux takes ports for outgoing connections from 32,768 on."""

_lock = threading.Lock()
_reservations: list[socket.socket] = []
_numbers: Iterator[int] = iter(())


def free_port() -> int:
    """A TCP and UDP port of IPv4 and IPv6 where nobody listens, and that no other test has got lately."""
    with _lock:
        if not _reservations:
            _reserve()
        return next(number for number in itertools.islice(_numbers, _SIZE) if _is_free(number))


def _reserve() -> None:
    """Take a block for as long as this process lives: an abstract socket can be bound once."""
    global _numbers
    # at random, as servers that a killed run left may still listen in the first ones
    for block in random.sample(range(_BLOCKS), _BLOCKS):
        reservation = socket.socket(socket.AF_UNIX)
        try:
            reservation.bind(f"\0cyrus-test-ports-{block}")
        except OSError:
            reservation.close()
            continue
        _reservations.append(reservation)
        _numbers = itertools.cycle(range(_FIRST + block * _SIZE, _FIRST + (block + 1) * _SIZE))
        return
    raise AssertionError("every block of ports is taken")


def _is_free(port: int) -> bool:
    for family, address in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            try:
                with socket.socket(family, kind) as probe:
                    # connections that are ending do not count: servers bind with this option too
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, kind == socket.SOCK_STREAM)
                    if family == socket.AF_INET6:
                        probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                    probe.bind((address, port))
            except OSError as error:
                # a machine may have no IPv6 at all
                if error.errno == errno.EADDRINUSE:
                    return False
    return True
