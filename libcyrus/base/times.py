"""Dates as text: message headers (RFC 5322), IMAP (RFC 3501) and ISO 8601.

What is written into an index record must be what the original computes, down
to its treatment of odd dates; where this module looks lax or wrong, it agrees
with ``lib/times.c`` (a lone lower-case zone letter is off by 32 hours, a zone
without sign counts as west, day 99 runs into later months). Seconds since 1970,
zone offsets in seconds east.
"""

from __future__ import annotations

import re
import time

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")

_MONTH_NUMBER = {name.lower().encode(): number for number, name in enumerate(MONTHS, 1)}

# A token ends where no letter or digit follows; 0xff there counts as the end of the text, too early.
_DATE = re.compile(
    rb"[ \t\r\n]*(?:[A-Za-z][A-Za-z0-9]{2},[ \t\r\n]*)?"
    rb"([0-9]{1,2})(?![A-Za-z0-9\xff])[^\0][ \t\r\n]*"
    rb"([A-Za-z]{3})(?![A-Za-z0-9\xff])[^\0][ \t\r\n]*"
    rb"([0-9]{32}|[0-9]{1,31}(?![A-Za-z0-9\xff]))"
)
_TIME = re.compile(
    rb"[ \t\r\n]*([0-9]{1,2})(?![A-Za-z0-9\xff])[:.]([0-9]{1,2})(?![A-Za-z0-9\xff])"
    rb"(?:[:.]([0-9]{1,2})(?![A-Za-z0-9\xff])|(?![:.]))"
    rb"[ \t\r\n]*([+-]?)([A-Za-z0-9]{0,32})(\xff?)"
)
_ISO8601 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.\d*)?(?:Z|([+-])(\d\d):(\d\d))", re.ASCII
)
_AMERICAN_ZONES = b"AECMPYHB"


def from_rfc5322(text: bytes | str) -> int | None:
    """The moment that a ``Date`` header or an IMAP date-time means; None for what is no date.

    A missing or unknown zone is taken as UTC.
    """
    parsed = _parse(text)
    if parsed is None:
        return None
    seconds, offset = parsed
    return seconds - offset if seconds >= 0 else None


def offset_from_rfc5322(text: bytes | str) -> tuple[int, int] | None:
    """The moment, and the zone's offset as it was written; None for no date or an impossible one."""
    content = _content(text)
    date = _DATE.match(content)
    clock = _TIME.match(content, date.end()) if date else None
    if date is None or clock is None:
        return None
    fields = _fields(date)
    if fields is None:
        return None
    year, month, day = fields
    hour, minute, second = int(clock[1]), int(clock[2]), int(clock[3] or 0)
    if not 1 <= day <= _days_in(year, month) or hour > 23 or minute > 59 or second > 60:
        return None
    offset = _zone(clock)
    return _utc(year, month, day, hour, minute, second) - offset, offset


def day_from_rfc5322(text: bytes | str) -> int | None:
    """Midnight, in this server's zone, of the day a date names; its time and zone are ignored."""
    match = _DATE.match(_content(text))
    fields = _fields(match) if match else None
    if fields is None:
        return None
    year, month, day = fields
    try:
        seconds = int(time.mktime((year, month, day, 0, 0, 0, 0, 0, -1)))
    except (OverflowError, ValueError):
        return None
    return seconds if seconds >= 0 else None


def from_iso8601(text: str) -> int | None:
    """The moment of an RFC 3339 timestamp, fractions dropped; None for anything else."""
    parsed = offset_from_iso8601(text)
    return None if parsed is None else parsed[0]


def offset_from_iso8601(text: str) -> tuple[int, int] | None:
    """The moment of an RFC 3339 timestamp and its zone's offset; None for anything else."""
    match = _ISO8601.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(match[group]) for group in range(1, 7))
    if not (1 <= month <= 12 and 1 <= day <= _days_in(year, month)):
        return None
    if hour > 23 or minute > 59 or second > 60:
        return None
    offset = 0
    if match[7]:
        offset = (int(match[8]) * 60 + int(match[9])) * 60
        if match[7] == "-":
            offset = -offset
    return _utc(year, month, day, hour, minute, second) - offset, offset


def to_rfc5322(seconds: int, offset: int | None = None) -> str:
    """``Sun, 22 Nov 2026 19:15:34 +0000``, in local time or at ``offset``."""
    at = time.localtime(seconds) if offset is None else time.gmtime(seconds + offset)
    zone = _signed(at.tm_gmtoff if offset is None else offset)
    return (
        f"{WEEKDAYS[at.tm_wday]}, {at.tm_mday:02d} {MONTHS[at.tm_mon - 1]} {at.tm_year:04d} "
        f"{at.tm_hour:02d}:{at.tm_min:02d}:{at.tm_sec:02d} {zone}"
    )


def to_rfc3501(seconds: int) -> str:
    """`` 2-Nov-2026 19:15:34 +0000``, local time: an INTERNALDATE without its quotes."""
    at = time.localtime(seconds)
    return (
        f"{at.tm_mday:2d}-{MONTHS[at.tm_mon - 1]}-{at.tm_year} "
        f"{at.tm_hour:02d}:{at.tm_min:02d}:{at.tm_sec:02d} {_signed(at.tm_gmtoff)}"
    )


def to_iso8601(seconds: int, *, separators: bool = True) -> str:
    """``2026-11-22T19:15:34Z``, or ``20261122T191534Z``."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ" if separators else "%Y%m%dT%H%M%SZ", time.gmtime(seconds))


def to_iso8601_local(seconds: float, *, digits: int = 3) -> str:
    """Local time with ``digits`` digits of fraction (0, 3 or 6) and its offset, ``Z`` for UTC."""
    whole = int(seconds // 1)
    at = time.localtime(whole)
    fraction = f".{int((seconds - whole) * 10**digits):0{digits}d}" if digits else ""
    minutes = abs(at.tm_gmtoff) // 60
    zone = f"{'-' if at.tm_gmtoff < 0 else '+'}{minutes // 60:02d}:{minutes % 60:02d}" if minutes else "Z"
    return time.strftime("%Y-%m-%dT%H:%M:%S", at) + fraction + zone


def _parse(text: bytes | str) -> tuple[int, int] | None:
    content = _content(text)
    date = _DATE.match(content)
    clock = _TIME.match(content, date.end()) if date else None
    fields = _fields(date) if date and clock else None
    if fields is None or clock is None:
        return None
    return _utc(*fields, int(clock[1]), int(clock[2]), int(clock[3] or 0)), _zone(clock)


def _content(text: bytes | str) -> bytes:
    if isinstance(text, str):
        text = text.encode("utf-8", "surrogateescape")
    return text.partition(b"\0")[0]


def _fields(match: re.Match[bytes]) -> tuple[int, int, int] | None:
    month = _MONTH_NUMBER.get(match[2].lower())
    digits = match[3]
    year = int(digits)
    if len(digits) > 9:
        year = (year + (1 << 31)) % (1 << 32) - (1 << 31)
    if len(digits) == 2:
        year += 2000 if year < 70 else 1900
    elif year < 1900:
        return None
    return None if month is None else (year, month, int(match[1]))


def _zone(match: re.Match[bytes]) -> int:
    sign, zone = match[4], match[5]
    if match[6]:
        return 0
    if len(zone) == 1:
        letter = zone.upper()
        if letter < b"J":
            return (zone[0] - 64) * 3600
        if letter == b"J" or letter >= b"Z":
            return 0
        return (zone[0] - 65) * 3600 if letter <= b"M" else (77 - zone[0]) * 3600
    if len(zone) == 3:
        region, kind, last = zone.upper()
        place = _AMERICAN_ZONES.find(region)
        if last != ord("T") or place < 0 or kind not in b"DS":
            return 0
        return (-4 - place + (kind == ord("D"))) * 3600
    if len(zone) == 4 and zone.isdigit():
        offset = (int(zone[:2]) * 60 + int(zone[2:])) * 60
        return offset if sign == b"+" else -offset
    return 0


def _signed(offset: int) -> str:
    minutes = abs(offset) // 60
    return f"{'-' if offset < 0 else '+'}{minutes // 60:02d}{minutes % 60:02d}"


def _days_in(year: int, month: int) -> int:
    if month == 2:
        return 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    return 30 if month in (4, 6, 9, 11) else 31


def _utc(year: int, month: int, day: int, hour: int, minute: int, second: int) -> int:
    """Seconds since 1970 in the Gregorian calendar; too large a day, hour... carries on."""
    shifted = year - (month <= 2)
    era, of_era = divmod(shifted, 400)
    of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    days = era * 146097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719468
    return ((days * 24 + hour) * 60 + minute) * 60 + second
