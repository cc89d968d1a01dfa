"""Every decision of master, as functions of plain data. Nothing here calls a sibling or the system."""

# Plain classes and named tuples throughout this package: making a dataclass takes six times as long,
# and the start of master is waited for.

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from libcyrus.base.master_protocol import Message

FORKRATE_PAUSE = 0.4
"""Seconds after which a service that forked too fast is looked at again."""

MAX_READY_FAILS = 5
READY_FAIL_WINDOW = 10
"""Seconds; a failure later than this after the last one starts the count again."""


class Workers:
    """How one service stands. ``maxchild`` None is unlimited; ``ready`` are idle, ``active`` all."""

    __slots__ = ("active", "babysit", "maxchild", "prefork", "ready")

    def __init__(
        self,
        prefork: int = 0,
        maxchild: int | None = None,
        *,
        babysit: bool = False,
        ready: int = 0,
        active: int = 0,
    ) -> None:
        self.prefork = prefork
        self.maxchild = maxchild
        self.babysit = babysit
        self.ready = ready
        self.active = active


def has_room(workers: Workers) -> bool:
    return workers.maxchild is None or workers.active < workers.maxchild


def missing(workers: Workers) -> int:
    """How many workers to start so that ``prefork`` are ready, without exceeding ``maxchild``."""
    wanted = workers.prefork - workers.ready
    if workers.maxchild is not None:
        wanted = min(wanted, workers.maxchild - workers.active)
    return max(0, wanted)


def lost_all(workers: Workers) -> bool:
    """Whether a service that must never be without a worker is."""
    return workers.babysit and workers.active == 0


def wants_connection(workers: Workers) -> bool:
    """Whether a waiting client is master's business: nobody is ready to take it, and there is room."""
    return workers.ready == 0 and has_room(workers)


class ForkRate:
    """Forks per second, estimated so that what happened a second ago counts half."""

    __slots__ = ("forks", "limit", "rate", "since")

    def __init__(self, limit: int = 0, *, forks: int = 0, since: float = 0.0) -> None:
        self.limit = limit
        self.rate = 0.0
        self.forks = forks
        self.since = since

    def is_exceeded(self, now: float) -> bool:
        """Bring the estimate up to date and compare it with the limit (0: none)."""
        if not self.limit:
            return False
        interval = now - self.since
        if interval > 0:
            kept = 0.5**interval
            self.rate = kept * self.rate + (1 - kept) * (self.forks / interval)
        if interval:
            self.forks, self.since = 0, now
        return int(self.rate) >= self.limit


class ReadyFails:
    """Workers that died before they had anything to do: a sign that the service cannot run."""

    __slots__ = ("count", "last")

    def __init__(self) -> None:
        self.count = 0
        self.last = float("-inf")

    def add(self, now: float) -> bool:
        """Count one more; whether the service should be given up."""
        if now - self.last > READY_FAIL_WINDOW:
            self.count = 0
        self.last = now
        self.count += 1
        return self.count >= MAX_READY_FAILS


class State(Enum):
    """What master believes a child to be doing."""

    READY = 2
    BUSY = 3
    DEAD = 4


class Level(Enum):
    """How loud a remark about a message is; ``TALK`` only with ``-v``."""

    TALK = 0
    WARNING = 1
    ERROR = 2
    CRITICAL = 3


class Effect(NamedTuple):
    """What a message does: the child's new state, changes of the service's counters, and a remark.

    The remark follows directly on the name of the child.
    """

    state: State
    ready: int = 0
    connections: int = 0
    level: Level = Level.TALK
    remark: str = ""


_R, _B = State.READY, State.BUSY
_INT = 0xFFFFFFFF

# A worker that says something impossible is believed, and the counters follow it: to be short of
# workers because of a muddled child would refuse service.
_EFFECTS = {
    (_R, Message.AVAILABLE): Effect(
        _R, 0, 0, Level.WARNING, " in READY state: sent available message but it is already ready"
    ),
    (_B, Message.AVAILABLE): Effect(
        _R, +1, 0, Level.TALK, " in BUSY state: now available and in READY state"
    ),
    (_R, Message.UNAVAILABLE): Effect(
        _B, -1, 0, Level.TALK, " in READY state: now unavailable and in BUSY state"
    ),
    (_B, Message.UNAVAILABLE): Effect(
        _B, 0, 0, Level.WARNING, " in BUSY state: sent unavailable message but it is already busy"
    ),
    (_R, Message.CONNECTION): Effect(
        _B, -1, 1, Level.ERROR, " in READY state: reported new connection, forced to BUSY state"
    ),
    (_B, Message.CONNECTION): Effect(_B, 0, 1, Level.TALK, " in BUSY state: now serving connection"),
    (_R, Message.CONNECTION_MULTI): Effect(
        _R, 0, 1, Level.TALK, " in READY state: serving one more multi-threaded connection"
    ),
    (_B, Message.CONNECTION_MULTI): Effect(
        _R, +1, 1, Level.ERROR,
        " in BUSY state: serving one more multi-threaded connection, forced to READY state",
    ),
}

_FROM_THE_DEAD = {
    Message.CONNECTION: Effect(State.DEAD, connections=1),
    Message.CONNECTION_MULTI: Effect(State.DEAD, connections=1),
}


def effect(state: State, message: int) -> Effect:
    """The effect of a message from a child in that state; any number may come."""
    try:
        known = Message(message)
    except ValueError:
        remark = f": Software bug: unrecognized message {message & _INT:#x}"
        return Effect(state, level=Level.CRITICAL, remark=remark)
    if state is State.DEAD:
        return _FROM_THE_DEAD.get(known, Effect(State.DEAD))
    return _EFFECTS[state, known]
