"""What the index record keeps of the Date field (RFC 5322 section 3.3).

Lenient exactly as far as the original is, since both sort by it.
"""

from __future__ import annotations

import re
import time
from typing import Final

# "[Fri, ]6 Nov 2020": a single byte of any kind may separate day, month and year, then blanks.
_DAY: Final = re.compile(
    rb"[ \t\r\n]*(?:[A-Za-z][A-Za-z0-9]{2},[ \t\r\n]*)?"
    rb"([0-9]{1,2})(?![A-Za-z0-9\x80-\xff])[^A-Za-z0-9]?[ \t\r\n]*"
    rb"([A-Za-z]{3})(?![A-Za-z0-9\x80-\xff])[^A-Za-z0-9]?[ \t\r\n]*"
    rb"([0-9]++)(?![A-Za-z\x80-\xff])"
)
_TIME: Final = re.compile(
    rb"[ \t\r\n]*([0-9]{1,2})(?![A-Za-z0-9\x80-\xff])[:.]([0-9]{1,2})(?![A-Za-z0-9\x80-\xff])"
    rb"(?:[:.]([0-9]{1,2})(?![A-Za-z0-9\x80-\xff])|(?![:.]))"
    rb"[ \t\r\n]*([+-]?)([A-Za-z0-9]*)"
)
_MONTHS: Final = {
    name: number
    for number, name in enumerate(
        (b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec"), 1
    )
}
# Hours of the zones called ?ST and ?DT by their first letter.
_ZONES: Final = dict(zip(b"AECMPYHB", range(-4, -12, -1), strict=True))
_LONGEST_YEAR: Final = 9


def sent_day(date: bytes | None) -> int:
    """Midnight, local time, of the day ``date`` names, in seconds; 0 when it names none."""
    day = _DAY.match(date) if date else None
    fields = None if day is None else _day(day)
    if fields is None:
        return 0
    year, month, mday = fields
    try:
        seconds = int(time.mktime((year, month, mday, 0, 0, 0, 0, 0, -1)))
    except (OverflowError, ValueError):
        return 0
    return max(seconds, 0)


def sent_time(date: bytes | None) -> int:
    """The moment ``date`` names, in seconds since 1970; 0 when it names none.

    Its zone may make it negative.
    """
    day = _DAY.match(date) if date else None
    fields = None if day is None or date is None else _day(day)
    clock = None if day is None or fields is None or date is None else _TIME.match(date, day.end())
    if fields is None or clock is None:
        return 0
    year, month, mday = fields
    hour, minute, second, sign, zone = clock.groups()
    days = _days(year, month) + mday - 1
    seconds = days * 86400 + int(hour) * 3600 + int(minute) * 60 + int(second or b"0")
    return 0 if seconds < 0 else seconds - _zone_offset(zone, sign) * 60


def _day(day: re.Match[bytes]) -> tuple[int, int, int] | None:
    mday, name, digits = day.groups()
    month = _MONTHS.get(name.lower())
    year = int(digits) if len(digits) <= _LONGEST_YEAR else 0
    if len(digits) == 2:
        year += 2000 if year < 70 else 1900
    if month is None or year < 1900:
        return None
    return year, month, int(mday)


def _days(year: int, month: int) -> int:
    """Days from 1 January 1970 to the first of the month, in years of any length."""
    years = year - (month < 3)
    before = years * 365 + years // 4 - years // 100 + years // 400
    # the year begins in March, and the days before the epoch are 719468
    return before + (153 * ((month + 9) % 12) + 2) // 5 - 719468


def _zone_offset(zone: bytes, sign: bytes) -> int:
    """Minutes east of Greenwich, by a number, a North American name or a military letter; 0 for any other."""
    upper = zone.upper()
    if len(zone) == 1:
        letter = upper[0]
        if letter < 0x4A:
            return (zone[0] - 0x41 + 1) * 60
        if letter == 0x4A:
            return 0
        if letter <= 0x4D:
            return (zone[0] - 0x41) * 60
        return (0x4D - zone[0]) * 60 if letter < 0x5A else 0
    if len(zone) == 3 and upper[2:] == b"T" and upper[0] in _ZONES:
        minutes = _ZONES[upper[0]] * 60
        if upper[1:2] == b"D":
            return minutes + 60
        return minutes if upper[1:2] == b"S" else 0
    if len(zone) == 4 and zone.isdigit():
        minutes = int(zone[:2]) * 60 + int(zone[2:])
        return minutes if sign == b"+" else -minutes
    return 0
