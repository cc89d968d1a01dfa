"""Picking fields out of a message's header, for BODY[HEADER.FIELDS (...)] (RFC 3501 section 6.4.5).

A field is a line with a colon and the lines after it that begin with white space. The result has no
empty line at its end. Names match whatever their case. The header ends at a line that starts
with CR, at a NUL, or after ``max_lines`` fields.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_FIELD = re.compile(rb"[^\n]*\n?(?:(?<=\n)[ \t][^\n]*\n?)*")
_END = re.compile(rb"^\r|\0", re.MULTILINE)


def _field_end(header: bytes, at: int) -> int:
    """Where the field at ``at`` ends, with its last line end."""
    end = header.find(b"\n", at) + 1
    while end and header[end : end + 1] in (b" ", b"\t"):
        end = header.find(b"\n", end) + 1
    return end or len(header)


class FieldFilter:
    """Keeps the fields of these names, or with ``inverted`` all others."""

    def __init__(self, names: Iterable[bytes], *, inverted: bool = False, max_lines: int = 1000) -> None:
        wanted = [name.lower() for name in names]
        self._names = frozenset(wanted)
        self._inverted = inverted
        self._max_lines = max_lines
        self._starts = [(name + b":", b"\n" + name + b":") for name in dict.fromkeys(wanted)]

    def apply(self, header: bytes) -> bytes:
        """The kept fields, as they are in ``header``, which starts with a field."""
        if self._max_lines and header.count(b"\n") > self._max_lines or b"\0" in header:
            return self._one_by_one(header)
        if self._inverted:
            return self._one_by_one(header)
        end = header.find(b"\n\r")
        if end >= 0:
            header = header[: end + 1]
        elif header.startswith(b"\r"):
            return b""
        found: list[tuple[int, int]] = []
        lower = header.lower()
        for first, later in self._starts:
            at = 0
            if not lower.startswith(first):
                at = lower.find(later) + 1
                if not at:
                    continue
            while True:
                end = _field_end(header, at)
                found.append((at, end))
                at = lower.find(later, end - 1) + 1
                if not at:
                    break
        if len(self._starts) > 1:
            found.sort()
        return b"".join([header[at:end] for at, end in found])

    def _one_by_one(self, header: bytes) -> bytes:
        found = _END.search(header)
        if found is not None:
            header = header[: found.start()]
        kept = []
        last_colon = header.rfind(b":")
        for count, match in enumerate(_FIELD.finditer(header), 1):
            field = match[0]
            if not field:
                break
            named = field.partition(b":")[0].lower() in self._names and b":" in field
            # what has no colon in or after it is no field, whichever way the filter works
            if named != self._inverted and match.start() <= last_colon:
                kept.append(field)
            if self._max_lines and count > self._max_lines:
                break
        return b"".join(kept)
