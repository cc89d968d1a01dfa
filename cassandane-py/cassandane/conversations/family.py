"""A family of streams, the differences it may show, and the check of one on two servers."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from cassandane.conversations import rows
from cassandane.conversations.servers import Heard, Servers
from cassandane.conversations.stream import Stream

_SHOWN = 12
"""Differences a failing check shows in full."""


@dataclass(frozen=True)
class Difference:
    """Why the original's replies to an exchange are not ours, and how such an exchange is known.

    It has to occur in each family that lists it, unless it occurs ``elsewhere``.
    """

    reason: str
    applies: Callable[[Heard], bool]
    elsewhere: bool = False


@dataclass(frozen=True)
class Family:
    name: str
    streams: Callable[[random.Random], Iterator[Stream]]
    differences: tuple[Difference, ...] = ()


@dataclass
class Report:
    """What a play of a family brought."""

    commands: int = 0
    heard: list[Heard] = field(default_factory=list)
    listed: Counter[str] = field(default_factory=Counter)
    unlisted: list[Heard] = field(default_factory=list)


def play(family: Family, servers: Servers, seed: int) -> Report:
    """Play all streams; one whose replies differ in a way that is not listed ends there."""
    report = Report()
    for stream in family.streams(random.Random(f"{family.name} {seed}")):
        for heard in servers.play(stream):
            report.heard.append(heard)
            report.commands += heard.exchange.commands
            if heard.ours != heard.original:
                why = next((one.reason for one in family.differences if one.applies(heard)), None)
                if why is None:
                    report.unlisted.append(heard)
                    break
                report.listed[why] += 1
    return report


def check(family: Family, servers: Servers, *, seed: int, all_rows: bool = True) -> Report:
    """Play the family; AssertionError with what differs unlisted, is listed in vain, or was not shown."""
    report = play(family, servers, seed)
    shown = "\n".join(map(str, report.unlisted[:_SHOWN]))
    assert not report.unlisted, f"{len(report.unlisted)} differences in {report.commands} commands\n{shown}"
    if all_rows:
        vain = [
            one.reason for one in family.differences if not one.elsewhere and one.reason not in report.listed
        ]
        assert not vain, f"listed, but equal: {vain}"
        unseen = rows.unseen(family.name, report.heard)
        assert not unseen, f"never shown: {unseen}"
    return report
