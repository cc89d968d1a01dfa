"""What master knows: its services, one for each address they listen on, and its children."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum

from master.conf import ServiceSpec
from master.policy import ForkRate, ReadyFails, State, Workers


class Pooling(Enum):
    """Whether a service's program can fork its own workers; found out by running it once."""

    NEVER = 0
    UNKNOWN = 1
    STARTING = 2
    READY = 3


@dataclass(eq=False, slots=True)
class PoolParent:
    """The process that forks a service's workers, and our end of the pair to it.

    While it is starting it counts as a ready worker, which it is if it turns
    out to be an ordinary program. ``expected`` are workers that were asked
    for, and counted, but have not announced themselves yet.
    """

    pid: int
    channel: socket.socket
    deadline: float
    announced: bool = False
    retired: bool = False
    expected: int = 0


@dataclass(eq=False, slots=True)
class Service:
    """An entry of SERVICES on one address, or a DAEMON. ``address`` counts the addresses of a name from 0."""

    spec: ServiceSpec
    path: str = ""
    family: str = ""
    address: int = 0
    enabled: bool = True
    listener: socket.socket | None = None
    status_read: int = -1
    status_write: int = -1
    workers: Workers = field(default_factory=Workers)
    rate: ForkRate = field(default_factory=ForkRate)
    fails: ReadyFails = field(default_factory=ReadyFails)
    suspended_until: float = 0.0
    forks: int = 0
    connections: int = 0
    pooling: Pooling = Pooling.NEVER
    pool: PoolParent | None = None

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


@dataclass(eq=False, slots=True)
class Child:
    """A process that master, or a pool parent for it, has started."""

    pid: int
    kind: str
    name: str = ""
    path: str = ""
    service: Service | None = None
    pool: PoolParent | None = None
    is_pool_parent: bool = False
    state: State = State.READY
    born: float = field(default_factory=time.monotonic)
    hup_at: float | None = None
    forget_at: float = 0.0

    def describe(self) -> str:
        text = f"type:{self.kind}"
        if self.name and self.path:
            text += f" name:{self.name} path:{self.path}"
        return f"process {text} age:{time.monotonic() - self.born:.3f}s pid:{self.pid}"


@dataclass(eq=False, slots=True)
class Table:
    services: list[Service] = field(default_factory=list)
    waitdaemons: list[Service] = field(default_factory=list)
    children: dict[int, Child] = field(default_factory=dict)
    waitdaemon_group: int = 0

    def everything(self) -> Iterator[Service]:
        yield from self.services
        yield from self.waitdaemons

    def add(self, child: Child) -> None:
        self.children[child.pid] = child

    def living(self) -> Iterator[Child]:
        return (child for child in list(self.children.values()) if child.state is not State.DEAD)

    def living_of(self, service: Service) -> Iterator[Child]:
        return (child for child in self.living() if child.service is service)
