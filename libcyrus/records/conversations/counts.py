"""How many copies of one message there are, in all folders and in one of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from libcyrus.base.dataclasses import dataclass

_GONE_SYSTEM: Final = 1 << 2
_GONE_INTERNAL: Final = 1 << 31
_SEEN_OR_DRAFT: Final = 1 << 4 | 1 << 3


class Place(NamedTuple):
    """What a G record says of one copy; of version 0 its flags are not known."""

    version: int
    system_flags: int
    internal_flags: int


@dataclass(slots=True)
class Counts:
    """Records with the same GUID.

    ``exists`` are those that are neither deleted nor expunged, ``unseen`` of them those outside Trash that
    are not seen nor drafts. The ``folder`` counts are of one folder, whose unseen count even if it is Trash.
    """

    foldernumrecords: int = 0
    folderexists: int = 0
    folderunseen: int = 0
    numrecords: int = 0
    exists: int = 0
    unseen: int = 0
    folders: frozenset[int] = frozenset()


@dataclass(slots=True)
class EmailCounts:
    """The copies before and after a change in ``folder``."""

    folder: int
    before: Counts
    after: Counts


def count(places: Mapping[tuple[int, int], Place], folder: int, trash: int) -> Counts:
    """Count the copies at ``places`` (folder number and UID)."""
    counts = Counts()
    folders = set()
    for (number, _), place in places.items():
        here = number == folder
        counts.numrecords += 1
        counts.foldernumrecords += here
        known = place.version > 0
        if known and (place.system_flags & _GONE_SYSTEM or place.internal_flags & _GONE_INTERNAL):
            continue
        counts.exists += 1
        counts.folderexists += here
        folders.add(number)
        if not known or not place.system_flags & _SEEN_OR_DRAFT:
            counts.unseen += number != trash
            counts.folderunseen += here
    counts.folders = frozenset(folders)
    return counts
