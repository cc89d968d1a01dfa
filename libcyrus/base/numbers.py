"""Numbers as C reads them from text that may hold more."""

from __future__ import annotations

import re
from typing import Final

_FLOAT: Final = re.compile(r"[ \t\n\v\f\r]*([-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?)")
_INT_RANGE: Final = range(-(1 << 31), 1 << 31)


def leading_float(text: str) -> float:
    """The number at the start of the text, as ``atof`` finds it; 0 if there is none."""
    found = _FLOAT.match(text)
    return float(found[1]) if found is not None else 0.0


def hundredths(text: str) -> int:
    """The leading number in hundredths, rounded up from half one on; the least int if it is too large."""
    value = leading_float(text) * 100 + 0.5
    if not _INT_RANGE.start <= value < _INT_RANGE.stop:
        return _INT_RANGE.start
    return int(value)
