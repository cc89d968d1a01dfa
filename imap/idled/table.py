"""Who idles where. Plain data: addresses are what ``recvfrom`` gave, times are seconds."""

from __future__ import annotations

MAX_IDLERS = 100_000
"""Beyond that the oldest are forgotten; they go on polling."""


class IdleTable:
    """Addresses by mailbox. One that has idled longer than ``timeout`` has probably died."""

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._mailboxes: dict[str, dict[str, float]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, mboxname: str, address: str, now: float) -> None:
        idlers = self._mailboxes.setdefault(mboxname, {})
        if idlers.pop(address, None) is None:
            self._count += 1
        idlers[address] = now
        if self._count > MAX_IDLERS:
            self._forget_oldest()

    def remove(self, mboxname: str, address: str) -> None:
        idlers = self._mailboxes.get(mboxname)
        if idlers is not None and idlers.pop(address, None) is not None:
            self._count -= 1
            if not idlers:
                del self._mailboxes[mboxname]

    def idling(self, mboxname: str, now: float) -> list[str]:
        """Who is to be told of a change; those who are there for too long are removed."""
        idlers = self._mailboxes.get(mboxname, {})
        for address in [one for one, since in idlers.items() if since + self._timeout < now]:
            self.remove(mboxname, address)
        return list(idlers)

    def everybody(self) -> set[str]:
        return {address for idlers in self._mailboxes.values() for address in idlers}

    def _forget_oldest(self) -> None:
        name = min(self._mailboxes, key=lambda name: next(iter(self._mailboxes[name].values())))
        self.remove(name, next(iter(self._mailboxes[name])))
