"""JSON text as jansson writes it, byte for byte: no spaces, no escapes but those that must be."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

Json = str | bytes | int | None | Sequence["Json"] | Mapping[str, "Json"]
"""Text may be bytes in UTF-8. What is no UTF-8 cannot be written and is left out of its list or object."""

_SHORT: Final = {
    '"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t",
}  # fmt: skip
_ESCAPED: Final = re.compile(r'[\x00-\x1f"\\]')


def dump(value: Json) -> str:
    """The text of a value. Raises ValueError if it is text that is no UTF-8."""
    if value is None:
        return "null"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, (str, bytes)):
        return _string(value)
    if isinstance(value, Mapping):
        members = ((key, dump_or_none(member)) for key, member in value.items())
        return "{" + ",".join(f"{_string(key)}:{text}" for key, text in members if text is not None) + "}"
    texts = (dump_or_none(member) for member in value)
    return "[" + ",".join(text for text in texts if text is not None) + "]"


def dump_or_none(value: Json) -> str | None:
    """``dump``, or None for what cannot be written."""
    try:
        return dump(value)
    except ValueError:
        return None


def _string(value: str | bytes) -> str:
    text = value.decode("utf-8") if isinstance(value, bytes) else value
    # undecodable bytes of a name or a flag are surrogates
    text.encode("utf-8")
    # C's strings end there
    text = text.partition("\0")[0]
    return '"' + _ESCAPED.sub(_escape, text) + '"'


def _escape(found: re.Match[str]) -> str:
    return _SHORT.get(found[0]) or f"\\u{ord(found[0]):04X}"
