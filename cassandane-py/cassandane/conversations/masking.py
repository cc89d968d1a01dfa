"""What differs between two servers whatever they do: times, and values each makes by chance.

A chance value (UIDVALIDITY and MAILBOXID of a new mailbox, a URL's token) is replaced by its number in the
order of first appearance in the stream, so that a value which is wrong later still shows.
"""

from __future__ import annotations

import re
import time
from email.utils import parsedate_to_datetime

_NEAR = 1800.0
"""Seconds around now within which a date is the time of the exchange."""

_SECONDS = re.compile(rb"\b\d+\.\d+ (secs?)\b")
_CHANCE = (
    ("V", re.compile(rb"(?<=UIDVALIDITY )\d+")),
    ("V", re.compile(rb"(?<=APPENDUID )\d+")),
    ("V", re.compile(rb"(?<=COPYUID )\d+")),
    ("I", re.compile(rb"(?<=MAILBOXID \()[^)]*")),
    ("I", re.compile(rb"(?<=MAILBOXIDS \()[^)]*")),
    ("U", re.compile(rb"(?<=:INTERNAL:)[0-9A-Fa-f]+")),
    ("U", re.compile(rb"(?<=:internal:)[0-9A-Fa-f]+")),
    ("I", re.compile(rb'(?<=uniqueid" ")[^"]*')),
    ("I", re.compile(rb'(?<=uniqueid" \("value.shared" ")[^"]*')),
    # when a mailbox was deleted, as its name then ends
    ("D", re.compile(rb"(?<=[./])6[0-9A-F]{7}(?=[\s\"/.]|$)")),
)
_SESSION = re.compile(rb"SESSIONID=<[^>]*>")
_ABOUT = re.compile(rb'("(?:version|environment)" )"[^"]*"')
_DATE = re.compile(rb'"([ \d]\d-[A-Z][a-z][a-z]-\d{4} \d\d:\d\d:\d\d [+-]\d{4})"')


class Mask:
    """For the replies of one server in one stream."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, bytes], bytes] = {}

    def __call__(self, line: bytes) -> bytes:
        line = _SECONDS.sub(rb"T \1", line)
        line = _ABOUT.sub(rb'\1"A"', line)
        line = _SESSION.sub(b"SESSIONID=<S>", line)
        for kind, pattern in _CHANCE:
            line = pattern.sub(lambda found, kind=kind: self._number(kind, found[0]), line)  # type: ignore[misc]
        return _DATE.sub(_now_or_not, line)

    def _number(self, kind: str, value: bytes) -> bytes:
        return self._known.setdefault((kind, value), f"{kind}{len(self._known)}".encode())


def _now_or_not(found: re.Match[bytes]) -> bytes:
    text = found[1].decode().replace("-", " ", 2)
    try:
        when = parsedate_to_datetime(text).timestamp()
    except ValueError:
        return found[0]
    return b'"NOW"' if abs(when - time.time()) < _NEAR else found[0]
