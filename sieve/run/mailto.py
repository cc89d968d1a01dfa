"""Whom a mailto URI means (RFC 6068), as far as notifications need it (RFC 5436)."""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")


def address(rest: bytes) -> bytes:
    """The address in what follows ``mailto:``: the one in front, or without that the field ``to``.

    Other fields are left out; the sender of notifications says all of the header itself. What would be more
    than an address stays encoded, so that it cannot become a line of that header.
    """
    path, _, query = rest.partition(b"?")
    if not path:
        fields = (field.partition(b"=") for field in query.split(b"&"))
        path = next((value for name, _, value in fields if name.lower() == b"to"), b"")
    decoded = unquote_to_bytes(path)
    return path if _CONTROL.search(decoded) else decoded
