"""What costs much to load and may never be wanted, such as OpenSSL where no client asks for TLS.

The first client who wants it waits until its worker has made it. The worker
leaves a note for the pool parent, which then makes it too, before its next
worker: those inherit it, and share what belongs to it (a TLS context's ticket
keys). A server that never needs it neither waits for it at start nor spends
memory on it.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class OnDemand(Generic[T]):
    """Call it to have what ``make`` returns, made once in each process; with ``now`` it is made at once."""

    def __init__(self, make: Callable[[], T], *, now: bool = False) -> None:
        self._make = make
        self._made: list[T] = []
        # memory that parent and workers share, so that a worker can be heard
        self._note = mmap.mmap(-1, 1)
        if now:
            self()

    def __call__(self) -> T:
        if not self._made:
            self._note[0] = 1
            self._made.append(self._make())
        return self._made[0]

    def follow(self) -> bool:
        """In the pool parent: make it if a worker had to. Whether anything was made."""
        if self._made or not self._note[0]:
            return False
        self()
        return True
