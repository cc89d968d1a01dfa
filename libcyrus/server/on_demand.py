"""What costs much to load and may never be wanted, such as OpenSSL where no client asks for TLS.

The first client who wants it waits until its worker has made it. The worker
leaves a note for the pool parent, which then makes it too, before its next
worker: those inherit it, and share what belongs to it (a TLS context's ticket
keys). A worker that had to make such a thing itself ends after that client, so
that soon all share one. A server that never needs it neither waits for it at
start nor spends memory on it.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class OnDemand(Generic[T]):
    """Call it to have what ``make`` returns, made once in each process; with ``now`` it is made at once.

    ``renew`` is given what was made, and returns what should take its place, None if nothing should; the
    pool parent asks it before each worker. Of what is ``shared`` all workers should have the same one.
    """

    def __init__(
        self,
        make: Callable[[], T],
        *,
        now: bool = False,
        renew: Callable[[T], T | None] | None = None,
        shared: bool = False,
    ) -> None:
        self._make = make
        self._renew = renew
        self._home = os.getpid()
        self._shared = shared
        self._made: list[T] = []
        self.is_apart = False
        """Whether this worker had to do without, or has one of its own, of what it should share."""
        # memory that parent and workers share, so that a worker can be heard
        self._note = mmap.mmap(-1, 1)
        if now:
            self()

    def __call__(self) -> T:
        is_own = not self._made
        if is_own:
            self._note[0] = 1
            self._made.append(self._make())
        made = self._made[0]
        if self._shared and (is_own or made is None) and os.getpid() != self._home:
            self.is_apart = True
        return made

    def follow(self) -> bool:
        """In the pool parent: make it if a worker had to, renew it if it is time. Whether it did either."""
        if self._made:
            fresh = None if self._renew is None else self._renew(self._made[0])
            if fresh is None:
                return False
            self._made[0] = fresh
            return True
        if not self._note[0]:
            return False
        self()
        return True
