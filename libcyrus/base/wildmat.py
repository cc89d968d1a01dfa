r"""Shell-like patterns as news servers use them (RFC 3977 section 4), and lists of them.

``*`` any text, ``?`` one character, ``[a-z]`` one of a set, ``[^a-z]`` one not
of it, ``\x`` the character x. In a set, ``]`` and ``-`` stand for themselves in
the first place. A pattern that ends within a set or after ``\`` matches nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from libcyrus.base.dataclasses import dataclass


def matches(text: str, pattern: str) -> bool:
    """Whether the pattern covers the whole text."""
    compiled = _compile(pattern)
    return compiled is not None and compiled.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class Wildmat:
    """One pattern of a list. ``negated`` is ``!``, or ``@`` for an absolute no, or empty."""

    pattern: str
    negated: str = ""


def split(text: str, prefix: str = "") -> list[Wildmat]:
    """The patterns of a comma-separated list, last first: the last one that matches decides.

    ``prefix`` and a dot are put before each.
    """
    lead = prefix + "." if prefix else ""
    found = []
    for word in reversed(text.split(",")):
        mark = word[:1] if word[:1] in ("!", "@") else ""
        found.append(Wildmat(lead + word[len(mark) :], mark))
    return found


def chosen(text: str, wildmats: list[Wildmat]) -> Wildmat | None:
    """The pattern that decides over ``text``, None when none matches."""
    return next((wildmat for wildmat in wildmats if matches(text, wildmat.pattern)), None)


@lru_cache(maxsize=256)
def _compile(pattern: str) -> re.Pattern[str] | None:
    """Every star but the last searches once only for what follows it: a later star makes up for it."""
    segments: list[list[str]] = [[]]
    try:
        for token in _tokens(pattern):
            if token == "*":
                segments.append([])
            else:
                segments[-1].append(token)
    except ValueError:
        return None
    first, *rest = ["".join(segment) for segment in segments]
    if not rest:
        return re.compile(first, re.DOTALL)
    middle = "".join(f"(?>.*?{segment})" for segment in rest[:-1])
    return re.compile(f"{first}{middle}.*{rest[-1]}", re.DOTALL)


def _tokens(pattern: str) -> Iterator[str]:
    """``*``, or a regular expression for one character; ValueError for an unfinished one."""
    place = 0
    while place < len(pattern):
        character = pattern[place]
        place += 1
        if character == "*":
            yield "*"
        elif character == "?":
            yield "."
        elif character == "[":
            token, place = _set(pattern, place)
            yield token
        else:
            if character == "\\":
                if place == len(pattern):
                    raise ValueError("nothing after the backslash")
                character = pattern[place]
                place += 1
            yield re.escape(character)


def _set(pattern: str, place: int) -> tuple[str, int]:
    negated = pattern[place : place + 1] == "^"
    if negated:
        place += 1
    members: list[str] = []
    previous = "["
    if pattern[place : place + 1] in ("]", "-"):
        previous = pattern[place]
        members.append(re.escape(previous))
        place += 1
    while True:
        if place >= len(pattern):
            raise ValueError("unfinished set")
        character = pattern[place]
        place += 1
        if character == "]":
            break
        if character == "-" and pattern[place : place + 1] not in ("", "]"):
            high = pattern[place]
            place += 1
            if previous <= high:
                members.append(f"{re.escape(previous)}-{re.escape(high)}")
            previous = high
        else:
            members.append(re.escape(character))
            previous = character
    if not members:
        return ("." if negated else "(?!)"), place
    return f"[{'^' if negated else ''}{''.join(members)}]", place
