"""What master and a supervising systemd tell each other (sd_notify(3), sd_listen_fds(3)).

Nothing happens here unless the environment names a socket to notify or descriptors that were handed over.
What is meant for master is taken out of the environment: no program that it starts shall believe itself
addressed.
"""

from __future__ import annotations

import fcntl
import os
import socket
import time

FIRST_DESCRIPTOR = 3
_ABOVE = 10
"""Descriptors are moved here and higher, out of the way of those that services are promised."""


class Notifier:
    """Tells the service manager how master is; without one it tells nobody."""

    def __init__(self, address: str | None, watchdog_seconds: float | None = None) -> None:
        self._address = address
        self._interval = None if watchdog_seconds is None else watchdog_seconds / 2
        self._next = time.monotonic()

    @classmethod
    def from_environment(cls) -> Notifier:
        """Takes ``NOTIFY_SOCKET``, ``WATCHDOG_USEC`` and ``WATCHDOG_PID``."""
        address = os.environ.pop("NOTIFY_SOCKET", None)
        period = os.environ.pop("WATCHDOG_USEC", "")
        whose = os.environ.pop("WATCHDOG_PID", str(os.getpid()))
        if address is None or not address.startswith(("/", "@")):
            return cls(None)
        watched = period.isdecimal() and int(period) > 0 and whose == str(os.getpid())
        return cls(address, int(period) / 1_000_000 if watched else None)

    def ready(self, status: str) -> None:
        # the process may have gone into the background since it was started
        self._send(f"READY=1\nMAINPID={os.getpid()}\nSTATUS={status}")

    def reloading(self) -> None:
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}\nSTATUS=reading cyrus.conf")

    def stopping(self) -> None:
        self._send("STOPPING=1\nSTATUS=waiting for services to end")

    def alive(self, now: float) -> float | None:
        """Feed the watchdog when it is time; the seconds until it is time again, None without one."""
        if self._interval is None:
            return None
        if now >= self._next:
            self._send("WATCHDOG=1")
            self._next = now + self._interval
        return self._next - now

    def _send(self, text: str) -> None:
        if self._address is None:
            return
        address = self._address
        if address.startswith("@"):
            address = "\0" + address[1:]
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
                sock.setblocking(False)
                sock.sendto(text.encode("utf-8", "replace"), address)
        except OSError:
            pass  # a manager that does not listen changes nothing for those whom we serve


def take_sockets() -> list[socket.socket]:
    """The listening sockets that were handed over (``LISTEN_FDS``), for :func:`master.listen.open_all`."""
    whose = os.environ.pop("LISTEN_PID", "")
    number = os.environ.pop("LISTEN_FDS", "")
    os.environ.pop("LISTEN_FDNAMES", None)
    if whose != str(os.getpid()) or not number.isdecimal():
        return []
    taken = []
    for fd in range(FIRST_DESCRIPTOR, FIRST_DESCRIPTOR + int(number)):
        try:
            moved = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _ABOVE)
            os.close(fd)
            taken.append(socket.socket(fileno=moved))
        except OSError:
            continue  # not open, or no socket
    return taken
