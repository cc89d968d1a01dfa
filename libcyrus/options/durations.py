"""Durations as imapd.conf writes them: ``1d12h``, ``90m``, ``-1``, ``30``.

A duration is an optional ``-`` and then numbers, each followed by ``d``, ``h``,
``m`` or ``s``; they are added up. A number at the very end may lack its unit
and takes the one the option (or command) assumes.
"""

from __future__ import annotations

_SECONDS = {"d": 86400, "h": 3600, "m": 60, "s": 1}

# The original adds up in 32 bits, with nonsense past this; what was meant is "very long".
_MAXIMUM = 2**31 - 1


def parse_duration(text: str, unit: str = "s") -> int:
    """Seconds in ``text``, where a last bare number counts ``unit``.

    The empty text and a lone ``-`` are 0, as in the original; what exceeds 32
    bits becomes their largest value. Raises ``ValueError``.
    """
    total = 0
    digits = ""
    for char in text.removeprefix("-"):
        if char.isascii() and char.isdigit():
            digits += char
        elif not digits or char not in _SECONDS:
            raise ValueError(f"unparsable duration {text!r}")
        else:
            total += _bounded(digits) * _SECONDS[char]
            digits = ""
    if digits:
        total += _bounded(digits) * _SECONDS[unit]
    total = min(total, _MAXIMUM)
    return -total if text.startswith("-") else total


def _bounded(digits: str) -> int:
    # int() refuses very long texts; eleven digits are past the maximum already
    return int(digits.lstrip("0")[:11] or "0")
