"""Flag lists as FETCH shows them. Messages have few different ones, so each is made once."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Final

from libcyrus.base.seqset import MAXIMUM
from libcyrus.index.rows import Rows
from libcyrus.index.seenstate import SeenState
from libcyrus.mailbox.index_record import (
    ANSWERED,
    DELETED,
    DRAFT,
    EXPUNGED,
    FLAGGED,
    OFFSET_FLAGS,
    OFFSET_USER_FLAGS,
    SEEN,
    SYSTEM_FLAGS,
)

RECENT: Final = 1 << 7
"""\\Recent in an octet of system flags, where the index has no flag."""

_SHOWN_EXPUNGED: Final = 1 << 6
"""\\Expunged in the same octet, for sessions that see what is expunged."""

_TO_EXPUNGED: Final = bytes(_SHOWN_EXPUNGED if value & EXPUNGED >> 24 else 0 for value in range(256))

_SYSTEM: Final = (
    (RECENT, b"\\Recent"),
    (ANSWERED, b"\\Answered"),
    (FLAGGED, b"\\Flagged"),
    (DRAFT, b"\\Draft"),
    (DELETED, b"\\Deleted"),
    (_SHOWN_EXPUNGED, b"\\Expunged"),
    (SEEN, b"\\Seen"),
)
_MOST: Final = 5000
"""Lists remembered."""

Key = tuple[int, ...]


class FlagLists:
    """For a mailbox with these user flags; a slot without a flag is None.

    ``with_expunged``: what is expunged shows that, too.
    """

    def __init__(self, slots: Sequence[str | None], *, with_expunged: bool = False) -> None:
        self._with_expunged = with_expunged
        self._names: list[tuple[int, int, bytes]] = []
        # the octets of the records that hold user flags; a word's lowest flags are in its last octet
        self._offsets: list[int] = []
        for slot, name in enumerate(slots):
            if name is not None:
                offset = OFFSET_USER_FLAGS + slot // 32 * 4 + 3 - slot % 32 // 8
                if offset not in self._offsets:
                    self._offsets.append(offset)
                self._names.append((self._offsets.index(offset), 1 << slot % 8, os.fsencode(name)))
        self._lists: dict[Key, bytes] = {}

    def each(self, rows: Rows, seen: SeenState) -> list[bytes]:
        """The lists of messages, parentheses included."""
        system = int.from_bytes(rows.octets(OFFSET_FLAGS + 3), "little") & rows.all * SYSTEM_FLAGS
        if not seen.internal:
            system = system & ~(rows.all * SEEN) | rows.with_uids(seen.uids.within(1, MAXIMUM)) * SEEN
        if seen.recent:
            system |= rows.with_uids(seen.recent.within(1, MAXIMUM)) * RECENT
        if self._with_expunged:
            system |= int.from_bytes(rows.octets(OFFSET_FLAGS).translate(_TO_EXPUNGED), "little")
        octets = system.to_bytes(rows.count, "little")
        columns: list[Iterable[int]] = [rows.octets(offset) for offset in self._offsets]
        known = self._lists
        keys = zip(octets, *columns, strict=True)
        try:
            return [known[key] for key in keys]
        except KeyError:
            return [known.get(key) or self._make(key) for key in zip(octets, *columns, strict=True)]

    def _make(self, key: Key) -> bytes:
        words = [name for flag, name in _SYSTEM if key[0] & flag]
        words += [name for place, bit, name in self._names if key[place + 1] & bit]
        if len(self._lists) >= _MOST:
            self._lists.clear()
        made = b"(" + b" ".join(words) + b")"
        self._lists[key] = made
        return made
