"""The clock of EVENTS: what runs when. Times are passed in; nothing is started here.

Periodic events run first at once and then by the monotonic clock, a period
after they last began; a period of 0 is once. Daily events follow the wall
clock of the machine's time zone, through changes of daylight saving time.
"""

from __future__ import annotations

import time

from master.conf import EventSpec


class _Timer:
    def __init__(self, spec: EventSpec, due: float) -> None:
        self.spec = spec
        self.due = due  # monotonic seconds, or wall seconds of a daily event


class Schedule:
    def __init__(self) -> None:
        self._timers: list[_Timer] = []

    def replace(self, specs: list[EventSpec], *, now: float, wall: float) -> None:
        """Start anew with these events."""
        self._timers = [
            _Timer(spec, now if spec.at is None else next_daily(wall, *spec.at)) for spec in specs
        ]

    def take_due(self, *, now: float, wall: float) -> list[EventSpec]:
        """The events to run now, the last in the file first; each is set for its next time, or dropped."""
        due = [timer for timer in self._timers if timer.due <= (now if timer.spec.at is None else wall)]
        due.reverse()
        for timer in due:
            if timer.spec.at is not None:
                timer.due = next_daily(wall, *timer.spec.at)
            elif timer.spec.period:
                timer.due = now + timer.spec.period
            else:
                self._timers.remove(timer)
        return [timer.spec for timer in due]

    def delay(self, *, now: float, wall: float) -> float | None:
        """Seconds until the next event; None if there is none."""
        delays = [timer.due - (now if timer.spec.at is None else wall) for timer in self._timers]
        return max(0.0, min(delays)) if delays else None


def next_daily(wall: float, hour: int, minute: int) -> float:
    """The next time after ``wall`` that a clock on the wall shows hour and minute."""
    today = time.localtime(wall)
    for day in (today.tm_mday, today.tm_mday + 1, today.tm_mday + 2):
        mark = time.mktime((today.tm_year, today.tm_mon, day, hour, minute, 0, 0, 0, -1))
        if mark > wall:
            return mark
    return wall + 86400
