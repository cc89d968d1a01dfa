"""When a snoozed message comes back, and the annotation that says so (vnd.cyrus.snooze)."""

from __future__ import annotations

import json
import zoneinfo
from collections.abc import Iterable
from datetime import datetime, timedelta

from libcyrus.base import times
from sieve.run.outcomes import Snooze

ANNOTATION = "/vendor/cmu/cyrus-imapd/snoozed"
FLAG = r"\snoozed"
_KEYWORDS = {rb"\seen": "$Seen", rb"\flagged": "$Flagged", rb"\answered": "$Answered", rb"\draft": "$Draft"}


def until(snooze: Snooze, now: int) -> int | None:
    """The first of the script's times on one of its days; None for a time zone that nobody knows.

    Today counts while one of its times is still to come. Without any day in the coming two weeks, or
    without times, the next midnight it is.
    """
    try:
        zone = None if snooze.tzid is None else zoneinfo.ZoneInfo(snooze.tzid.decode("ascii"))
    except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
        return None
    # without a zone a time is in that of this machine
    here = datetime.fromtimestamp(now, zone)
    weekday = here.isoweekday() % 7
    since_midnight = here.hour * 3600 + here.minute * 60 + here.second
    moments = snooze.times or (0,)
    if snooze.days & (1 << weekday):
        for moment in moments:
            if moment >= since_midnight:
                return _at(here, 0, moment)
    ahead = next((day for day in range(1, 14) if snooze.days & (1 << ((weekday + day) % 7))), 1)
    return _at(here, ahead, moments[0])


def details(snooze: Snooze, moment: int, awaken_in: str | None) -> bytes:
    """JMAP's SnoozeDetails in JSON: when, where to, and what flags the message is to have."""
    what: dict[str, object] = {"until": times.to_iso8601(moment)}
    if awaken_in is not None:
        what["moveToMailboxId"] = awaken_in
    if snooze.addflags or snooze.removeflags:
        what["setKeywords"] = {**_keywords(snooze.addflags, True), **_keywords(snooze.removeflags, False)}
    return json.dumps(what, separators=(",", ":"), sort_keys=True).encode()


def _keywords(flags: Iterable[bytes], on: bool) -> dict[str, bool]:
    return {_KEYWORDS.get(flag.lower()) or flag.decode("ascii", "replace"): on for flag in flags}


def _at(here: datetime, days: int, seconds: int) -> int:
    hour, minute = seconds // 3600 % 24, seconds // 60 % 60
    day = here + timedelta(days=days)
    return int(day.replace(hour=hour, minute=minute, second=seconds % 60, microsecond=0, fold=0).timestamp())
