"""Wildmat patterns of news servers and user_deny.db: ``*``, ``?``, ``[a-z]``, ``[^a-z]``, backslash."""

from __future__ import annotations

import re
from functools import lru_cache


def match(text: str, pattern: str) -> bool:
    """Whether the whole of ``text`` fits the pattern."""
    compiled = _compile(pattern)
    return compiled is not None and compiled.fullmatch(text) is not None


@lru_cache(maxsize=256)
def _compile(pattern: str) -> re.Pattern[str] | None:
    """None for a pattern that cannot fit anything: a class that is not closed or a range that is empty."""
    parts: list[str] = []
    at = 0
    while at < len(pattern):
        character = pattern[at]
        at += 1
        if character == "*":
            if parts[-1:] != [".*"]:
                parts.append(".*")
        elif character == "?":
            parts.append(".")
        elif character == "\\" and at < len(pattern):
            parts.append(re.escape(pattern[at]))
            at += 1
        elif character == "[":
            inverted = pattern[at : at + 1] == "^"
            at += inverted
            # a bracket or dash that comes first is one of the class
            close = pattern.find("]", at + 1)
            if close < 0:
                return None
            parts.append(_class(pattern[at:close], inverted=inverted))
            at = close + 1
        else:
            parts.append(re.escape(character))
    try:
        return re.compile("".join(parts), re.DOTALL)
    except re.error:
        return None


def _class(members: str, *, inverted: bool) -> str:
    inside = []
    at = 0
    while at < len(members):
        if members[at + 1 : at + 2] == "-" and at + 2 < len(members):
            inside.append(f"{re.escape(members[at])}-{re.escape(members[at + 2])}")
            at += 3
        else:
            inside.append(re.escape(members[at]))
            at += 1
    return f"[{'^' if inverted else ''}{''.join(inside)}]"
