"""The patterns of IMAP LIST (RFC 3501 section 6.3.8): ``*`` matches anything, ``%`` all but the separator.

A pattern comes from a client, so matching may not explode: it is turned into a
regular expression in which no wildcard is tried again once a later one can
make up for it. The time is at most quadratic in the length of the name.
"""

from __future__ import annotations

import re

_STARS = re.compile(r"%*\*[*%]*")
_PERCENTS = re.compile(r"%+")


class Glob:
    """A pattern, to be tried on many names."""

    __slots__ = ("_match", "_separator")

    def __init__(self, pattern: str, separator: str, *, ignore_case: bool = False) -> None:
        """``separator`` is one character: ``.`` or ``/``."""
        self._separator = separator
        flags = re.DOTALL | (re.IGNORECASE if ignore_case else 0)
        self._match = re.compile(_expression(pattern, separator), flags).fullmatch

    def matches(self, name: str) -> bool:
        """Whether the pattern covers the whole name."""
        return self._match(name) is not None

    def test(self, name: str) -> int:
        """How much of ``name`` matches: its length, or the length of a parent's name, or -1.

        A parent ends before a separator; the longest that matches is given.
        """
        match, separator = self._match, self._separator
        end = len(name)
        while end >= 0:
            if match(name, 0, end):
                return end
            end = name.rfind(separator, 0, end)
        return -1


def _expression(pattern: str, separator: str) -> str:
    """Between two stars lies a segment, between two percent signs a piece of one.

    A piece behind ``%`` is best found as early as possible when more wildcards
    follow, so that search is atomic; so is that for a segment before a star.
    The pieces of the last segment must end with the name.
    """
    some = f"[^{re.escape(separator)}]*"
    segments = _STARS.split(pattern)
    parts = [
        f"(?>{'.*?' if index else ''}{_early(segment, some)})"
        for index, segment in enumerate(segments[:-1])
    ]
    pieces = _PERCENTS.split(segments[-1])
    lead = ".*?" if parts else ""
    if len(pieces) == 1:
        last = (".*" if parts else "") + re.escape(pieces[0])
    else:
        last = lead + _early("%".join(pieces[:-1]), some) + some + re.escape(pieces[-1])
    return "".join(parts) + last


def _early(segment: str, some: str) -> str:
    first, *rest = _PERCENTS.split(segment)
    return re.escape(first) + "".join(f"(?>{some}?{re.escape(piece)})" for piece in rest)
