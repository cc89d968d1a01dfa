"""What master knows: its services, one for each address they listen on, and its children."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from enum import Enum

from master.conf import ServiceSpec
from master.policy import ForkRate, ReadyFails, State, Workers


class Pooling(Enum):
    """Whether a service's program can fork its own workers; found out by running it once."""

    NEVER = 0
    UNKNOWN = 1
    STARTING = 2
    READY = 3


class PoolParent:
    """The process that forks a service's workers, and our end of the pair to it.

    While it is starting it counts as a ready worker, which it is if it turns
    out to be an ordinary program. ``expected`` are workers that were asked
    for, and counted, but have not announced themselves yet; ``heard`` is when
    the first of them was asked for, or when it last said something.
    """

    def __init__(self, pid: int, channel: socket.socket, deadline: float) -> None:
        self.pid = pid
        self.channel = channel
        self.deadline = deadline
        self.announced = False
        self.retired = False
        self.expected = 0
        self.heard = 0.0


class Service:
    """An entry of SERVICES on one address, or a DAEMON. ``address`` counts the addresses of a name from 0."""

    def __init__(self, spec: ServiceSpec, path: str = "", *, family: str = "", address: int = 0) -> None:
        self.spec = spec
        self.path = path
        self.family = family
        self.address = address
        self.enabled = True
        self.listener: socket.socket | None = None
        self.status_read = -1
        self.status_write = -1
        self.workers = Workers()
        self.rate = ForkRate(since=time.monotonic())
        self.fails = ReadyFails()
        self.suspended_until = 0.0
        self.forks = 0
        self.connections = 0
        self.pooling = Pooling.NEVER
        self.pool: PoolParent | None = None

    @property
    def label(self) -> str:
        """As log lines name it."""
        return f"{self.spec.name}/{self.family or 'unknown'}"

    def configure(self, spec: ServiceSpec, path: str, pooling: Pooling) -> None:
        """Take over an entry as it is now in the file, keeping all counts."""
        self.spec, self.path, self.pooling, self.enabled = spec, path, pooling, True
        self.workers.prefork = spec.prefork
        self.workers.maxchild = spec.maxchild
        self.workers.babysit = spec.babysit
        self.rate.limit = spec.maxforkrate

    def count_forks(self, number: int) -> None:
        """Account for workers that were just started."""
        self.workers.ready += number
        self.workers.active += number
        self.rate.forks += number
        self.forks += number


class Child:
    """A process that master, or a pool parent for it, has started."""

    def __init__(
        self,
        pid: int,
        kind: str,
        name: str = "",
        path: str = "",
        service: Service | None = None,
        *,
        pool: PoolParent | None = None,
        state: State = State.READY,
        hup_at: float | None = None,
    ) -> None:
        self.pid = pid
        self.kind = kind
        self.name = name
        self.path = path
        self.service = service
        self.pool = pool
        self.is_pool_parent = False
        self.state = state
        self.born = time.monotonic()
        self.hup_at = hup_at
        self.forget_at = 0.0

    def describe(self) -> str:
        text = f"type:{self.kind}"
        if self.name and self.path:
            text += f" name:{self.name} path:{self.path}"
        return f"process {text} age:{time.monotonic() - self.born:.3f}s pid:{self.pid}"


class Table:
    """All of them. ``waitdaemon_group`` is the process group of daemons that are waited for, 0 before."""

    def __init__(self) -> None:
        self.services: list[Service] = []
        self.waitdaemons: list[Service] = []
        self.children: dict[int, Child] = {}
        self.waitdaemon_group = 0
        self._most = (0, 0)

    def most(self) -> tuple[int, int]:
        """The most services and waited-for daemons that this has been asked about."""
        self._most = max(self._most[0], len(self.services)), max(self._most[1], len(self.waitdaemons))
        return self._most

    def everything(self) -> Iterator[Service]:
        yield from self.services
        yield from self.waitdaemons

    def add(self, child: Child) -> None:
        self.children[child.pid] = child

    def living(self) -> Iterator[Child]:
        return (child for child in list(self.children.values()) if child.state is not State.DEAD)

    def living_of(self, service: Service) -> Iterator[Child]:
        return (child for child in self.living() if child.service is service)
