"""``:matches``: ``*`` and ``?`` (RFC 5228 section 2.7.1), and what they stood for (RFC 5229 section 3.2).

Each ``*`` takes as little as it can. That makes the first place where the text between two stars fits
the right one, so that matching takes one pass and no search back. Many ``?`` before a byte that is not there
cost their number at every place of the text, which is why the time is bounded too.
"""

from __future__ import annotations

import functools
import re
import time

from libcyrus.base.dataclasses import dataclass

MOST_VARIABLES = 9
LARGEST_PATTERN = 16 * 1024
"""Bytes of a pattern that matches anything: a variable can hold millions of stars."""
LONGEST = 0.5
"""Seconds that one match may take; after that there is none."""
_LARGEST_KEPT = 1024
_STEP = 1 << 22
"""Bytes that are compared at most before the clock is looked at."""
_STAR, _QUESTION, _BACKSLASH = b"*?\\"


@dataclass(frozen=True, slots=True)
class _Piece:
    """What stands between two stars: ``size`` bytes, one group for each ``?``."""

    size: int
    pattern: re.Pattern[bytes]


def match(text: bytes, pattern: bytes, ignore_case: bool) -> list[bytes] | None:
    """The match variables: the whole text, then what each wildcard took, at most nine. None: no match."""
    if len(pattern) > LARGEST_PATTERN:
        return None
    compared = text.upper() if ignore_case else text
    cut = _pieces if len(pattern) > _LARGEST_KEPT else _kept_pieces
    pieces = cut(pattern.upper() if ignore_case else pattern)
    if pieces is None:
        return None
    places = _places(compared, pieces)
    if places is None:
        return None
    values = [text]
    end = 0
    for number, (piece, found) in enumerate(zip(pieces, places, strict=True)):
        if number:
            values.append(text[end : found.start()])
        values += [text[slice(*found.span(group))] for group in range(1, piece.pattern.groups + 1)]
        end = found.end()
        if len(values) > MOST_VARIABLES:
            break
    return values[: MOST_VARIABLES + 1]


def _places(text: bytes, pieces: tuple[_Piece, ...]) -> list[re.Match[bytes]] | None:
    """Where each piece lies."""
    first, last = pieces[0], pieces[-1]
    found = first.pattern.match(text)
    if found is None:
        return None
    if len(pieces) == 1:
        return [found] if found.end() == len(text) else None
    places = [found]
    end = len(text) - last.size
    deadline = time.monotonic() + LONGEST
    for piece in pieces[1:-1]:
        found = _search(piece, text, found.end(), max(end, 0), deadline)
        if found is None:
            return None
        places.append(found)
    if end < found.end():
        return None
    found = last.pattern.match(text, end)
    return None if found is None else [*places, found]


def _search(piece: _Piece, text: bytes, start: int, end: int, deadline: float) -> re.Match[bytes] | None:
    """The first place of a piece; None too when it is too late."""
    step = _STEP // max(piece.size, 1)
    while True:
        stop = min(end, start + step + piece.size - 1) if piece.size else end
        found = piece.pattern.search(text, start, stop)
        if found is not None or stop >= end or time.monotonic() > deadline:
            return found
        start += step


def _pieces(pattern: bytes) -> tuple[_Piece, ...] | None:
    """The pattern cut at its stars; None if it ends in a backslash that quotes nothing."""
    pieces: list[_Piece] = []
    expression = bytearray()
    size = 0

    def finish() -> None:
        # one position, one way to match: no search back
        pieces.append(_Piece(size, re.compile(bytes(expression), re.DOTALL)))

    chars = iter(pattern)
    for char in chars:
        if char == _STAR:
            finish()
            expression.clear()
            size = 0
            continue
        size += 1
        if char == _QUESTION:
            expression += b"(.)"
            continue
        if char == _BACKSLASH:
            quoted = next(chars, None)
            if quoted is None:
                return None
            char = quoted
        expression += re.escape(bytes((char,)))
    finish()
    return tuple(pieces)


_kept_pieces = functools.lru_cache(maxsize=256)(_pieces)
