"""Counters of work that costs time, for administrators who look into a slow session (XSTATS).

They count what this process did since it began, as the system counts its CPU time, and never go down.
"""

from __future__ import annotations

import enum


class Metric(enum.IntEnum):
    """In the order of the response. Some work is not done any more, and stays at zero."""

    CONV_LOAD = 0
    CONV_SAVE = 1
    CONV_GET_MODSEQ = 2
    CONV_NEW = 3
    MSGDATA_LOAD = 4
    MESSAGE_MAP = 5
    SEARCH_EVALUATE = 6
    SEARCH_HEADER = 7
    SEARCH_CACHE_HEADER = 8
    SEARCH_BODY = 9
    SEARCH_TRIVIAL = 10
    SEARCH_RESULT = 11


_counts = [0] * len(Metric)


def count(metric: Metric, number: int = 1) -> None:
    _counts[metric] += number


def counts() -> list[tuple[str, int]]:
    """Names and values; 32 bits, as the original has them."""
    return [(metric.name, _counts[metric] & 0xFFFFFFFF) for metric in Metric]
