"""The parts of a date that ``date`` and ``currentdate`` compare (RFC 5260 section 4.2)."""

from __future__ import annotations

import re
import time

from libcyrus.base import times
from sieve.bytecode.opcodes import Tag

_ZONE = re.compile(rb"(.)([0-9]{1,2})([0-9]{1,2})")
_DAY = 24 * 3600
_JULIAN_OF_EPOCH = 2440588
"""The Julian day number of its noon, as in the original; RFC 5260 means the modified one, 2,400,001 less."""
_LAST = 253402300799
"""The last second of the year 9999."""


def zone_offset(text: bytes) -> int | None:
    """Minutes east of UTC of ``+0200`` and the like, None if it is no zone."""
    found = _ZONE.match(text)
    if found is None:
        return None
    minutes = int(found[2]) * 60 + int(found[3])
    return -minutes if found[1] == b"-" else minutes


def local_offset() -> int:
    """Minutes east of UTC of this machine's clock."""
    return time.localtime().tm_gmtoff // 60


def of_header(value: bytes) -> int | None:
    """The moment in a header field, which is behind the last semicolon if there is one; None for no date."""
    return times.from_rfc5322(value.rpartition(b";")[2])


def original_offset(value: bytes) -> int | None:
    """The offset that stands at the end of a header field, None if there is none."""
    _, blank, zone = value.rpartition(b" ")
    return zone_offset(zone) if blank else None


def part(which: int, moment: int, offset: int) -> bytes:
    """``moment`` in seconds since the epoch, ``offset`` in minutes. Empty for a part that there is not."""
    shifted = min(max(moment + offset * 60, 0), _LAST)
    shown = time.gmtime(shifted)
    match which:
        case Tag.YEAR:
            text = f"{shown.tm_year:04}"
        case Tag.MONTH:
            text = f"{shown.tm_mon:02}"
        case Tag.DAY:
            text = f"{shown.tm_mday:02}"
        case Tag.DATE:
            text = time.strftime("%Y-%m-%d", shown)
        case Tag.JULIAN:
            text = str(shifted // _DAY + _JULIAN_OF_EPOCH)
        case Tag.HOUR:
            text = f"{shown.tm_hour:02}"
        case Tag.MINUTE:
            text = f"{shown.tm_min:02}"
        case Tag.SECOND:
            text = f"{shown.tm_sec:02}"
        case Tag.TIME:
            text = time.strftime("%H:%M:%S", shown)
        case Tag.ISO8601:
            text = times.to_iso8601(shifted)
        case Tag.STD11:
            text = times.to_rfc5322(shifted)
        case Tag.ZONE:
            text = f"{'-' if offset < 0 else '+'}{abs(offset) // 60:02}{abs(offset) % 60:02}"
        case Tag.WEEKDAY:
            text = str((shown.tm_wday + 1) % 7)
        case _:
            text = ""
    return text.encode()
