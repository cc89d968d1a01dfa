"""Patterns of IMAP LIST: ``*`` stands for anything, ``%`` for anything within one level of the hierarchy.

A pattern also matches a name of which it describes only the upper levels (``a/%`` and ``a/b/c``); what a
match is asked for is how much of the name it covers. Matching takes time linear in the name whatever the
pattern.
"""

from __future__ import annotations

import re

_FEW_WILDCARDS = 2


class Glob:
    """A compiled pattern. ``separator`` is one character."""

    def __init__(self, pattern: str, separator: str) -> None:
        self._separator = separator
        tokens = _tokens(pattern)
        wild = sum(1 for token in tokens if token in ("*", "%"))
        self._regex: re.Pattern[str] | None = None
        self._literal = "".join(token[1:] for token in tokens) if not wild else None
        if 0 < wild <= _FEW_WILDCARDS:
            within = f"[^{re.escape(separator)}]*"
            parts = {"*": ".*", "%": within}
            text = "".join(parts.get(token) or re.escape(token[1:]) for token in tokens)
            self._regex = re.compile(text, re.DOTALL)
        elif wild:
            self._automaton = _Automaton(tokens, separator)

    def match(self, name: str) -> int:
        """How many characters of ``name`` the pattern covers: all of them, or up to a separator; -1 for none.
        """
        if self._literal is not None:
            end = len(self._literal)
            if name.startswith(self._literal) and name[end : end + 1] in ("", self._separator):
                return end
            return -1
        if self._regex is None:
            return self._automaton.match(name)
        end = len(name)
        while end >= 0:
            if self._regex.fullmatch(name, 0, end):
                return end
            end = name.rfind(self._separator, 0, end)
        return -1


def _tokens(pattern: str) -> list[str]:
    """Wildcards as ``*`` and ``%``, other characters with a dot before them; runs of wildcards made one.

    A ``%`` that ends the pattern stays one even behind a ``*``.
    """
    tokens: list[str] = []
    at = 0
    while at < len(pattern):
        if pattern[at] not in "*%":
            tokens.append("." + pattern[at])
            at += 1
            continue
        while at < len(pattern) and pattern[at] == "%":
            at += 1
        if at < len(pattern) and pattern[at] == "*":
            while at < len(pattern) and (pattern[at] == "*" or (pattern[at] == "%" and at + 1 < len(pattern))):
                at += 1
            tokens.append("*")
        else:
            tokens.append("%")
    return tokens


class _Automaton:
    """The pattern as a set of positions, one bit each, moved along the name together."""

    def __init__(self, tokens: list[str], separator: str) -> None:
        self._separator = separator
        self._end = 1 << len(tokens)
        self._star = self._within = 0
        self._characters: dict[str, int] = {}
        for position, token in enumerate(tokens):
            bit = 1 << position
            if token == "*":
                self._star |= bit
            elif token == "%":
                self._within |= bit
            else:
                self._characters[token[1:]] = self._characters.get(token[1:], 0) | bit

    def match(self, name: str) -> int:
        separator, end, star = self._separator, self._end, self._star
        wild = star | self._within
        positions = self._skip(1, wild)
        covered = -1
        for at, character in enumerate(name):
            if character == separator and positions & end:
                covered = at
            stay = star if character == separator else wild
            positions = (positions & self._characters.get(character, 0)) << 1 | positions & stay
            if not positions:
                return covered
            positions = self._skip(positions, wild)
        return len(name) if positions & end else covered

    @staticmethod
    def _skip(positions: int, wild: int) -> int:
        """A wildcard may stand for nothing; no more than two of them are neighbours."""
        positions |= (positions & wild) << 1
        return positions | (positions & wild) << 1
