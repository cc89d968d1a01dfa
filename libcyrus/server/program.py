"""What a daemon tells the service about itself, and what it is told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from libcyrus.base.dataclasses import dataclass, field
from libcyrus.base.signals import Signals
from libcyrus.config import Config
from libcyrus.server.connection import Connection
from libcyrus.server.on_demand import OnDemand
from libcyrus.server.proc import ProcFile

App = TypeVar("App")
T = TypeVar("T")


@dataclass(slots=True)
class Service:
    """The surroundings of a daemon; ``name`` is its service's, from cyrus.conf, not the program's.

    ``options`` are the program's own, in their order: letter and argument (empty
    if the letter takes none); ``arguments`` are its operands. ``signals`` is of
    the current process: give ``signals.check`` and ``signals.wakeup_fd`` to every
    stream that waits. Register in ``proc`` what the process is doing.
    """

    name: str
    config: Config
    options: list[tuple[str, str]]
    arguments: list[str]
    signals: Signals
    proc: ProcFile
    demands: list[OnDemand[Any]] = field(default_factory=list)

    def on_demand(
        self,
        make: Callable[[], T],
        *,
        now: bool = False,
        renew: Callable[[T], T | None] | None = None,
        shared: bool = False,
    ) -> OnDemand[T]:
        """What ``make`` returns, made when a client first wants it or ``now``. For ``init`` only."""
        demand = OnDemand(make, now=now, renew=renew, shared=shared)
        self.demands.append(demand)
        return demand


@dataclass(frozen=True, slots=True)
class ServiceProgram(Generic[App]):
    """A daemon.

    ``init`` runs once, before the workers are forked: it imports, opens and
    builds what all connections need, and returns it. Descriptors it opens are
    shared by all workers; locks and databases are therefore opened in
    ``started``, which each worker runs before its first connection.

    ``serve`` talks to one client and returns when the conversation is over.
    ``ShutdownRequested`` may pass through it; say goodbye to the client in a
    ``finally`` or by catching and raising it again. A ``Fatal`` ends the
    process with its code, any other exception with EX_SOFTWARE and a traceback
    in the log. ``close`` runs once before a worker ends, whatever the reason.
    """

    name: str
    options: str
    """getopt letters of the program, without the service's own C, U, T, D and X."""
    init: Callable[[Service], App]
    serve: Callable[[App, Connection], None]
    started: Callable[[App], None] | None = None
    close: Callable[[App], None] | None = None
    need_partitions: bool = True
    """Whether it serves mailboxes, and so refuses a configuration without a partition for them."""
    rehearsal: bytes = b""
    """What a client of an empty server might say, for ``server.rehearsal``; its user is ``rehearsal``."""
