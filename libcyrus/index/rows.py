"""Messages in a row, a field of all of them at a time (see ``mailbox.columns``).

A set of these messages is an int with one byte for each of them, 1 for a member, the lowest byte for the
first: sets are combined by ``&``, ``|`` and ``^``.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from itertools import compress
from operator import itemgetter
from struct import Struct
from typing import Any
from zlib import crc32

from libcyrus.index.picture import Picture
from libcyrus.mailbox import columns

Members = int


class Rows:
    """The messages from number ``low`` to ``high`` of a picture, as it is now.

    What is said of a message whose record is there no more is arbitrary.
    """

    __slots__ = ("_pick", "_places", "_picture", "_region", "_size", "count", "low")

    def __init__(self, picture: Picture, low: int, high: int) -> None:
        self._picture = picture
        self._size = size = picture.size
        self.low = low
        self.count = high - low + 1
        self._pick: Any = None
        recnos = picture.recnos
        first, last = recnos[low - 1], recnos[high - 1]
        # a message without record makes room for one that was never told of
        whole = not picture.gone or 0 not in recnos[low - 1 : high]
        if last - first == high - low and whole:
            self._places: Sequence[int] = range(first - 1, last)
            self._region = memoryview(picture.data)[(first - 1) * size : last * size]
        else:
            self._places = [max(recno - 1, 0) for recno in recnos[low - 1 : high]]
            # there may be no record left at all
            self._region = memoryview(picture.data or bytes(size))
            self._pick = itemgetter(*self._places, 0)

    # fields

    @property
    def record_size(self) -> int:
        return self._size

    def octets(self, offset: int) -> bytes:
        """One byte of every record."""
        column = columns.octets(self._region, self._size, offset)
        return column if self._pick is None else bytes(self._pick(column)[:-1])

    def words(self, offset: int) -> Sequence[int]:
        """A 32-bit number of every record."""
        column = columns.words(self._region, self._size, offset)
        return column if self._pick is None else self._pick(column)[:-1]

    def fields(self, layout: str) -> Iterator[tuple[Any, ...]]:
        """Several fields of every record: ``layout`` is a struct format, what follows it is skipped."""
        struct = Struct(f"{layout}{self._size - Struct(layout).size}x")
        if self._pick is None:
            return struct.iter_unpack(self._region)
        return (struct.unpack_from(self._region, place * self._size) for place in self._places)

    @property
    def uids(self) -> Sequence[int]:
        return self._picture.uids[self.low - 1 : self.low - 1 + self.count]

    @property
    def recnos(self) -> Sequence[int]:
        return self._picture.recnos[self.low - 1 : self.low - 1 + self.count]

    def after(self, offset: int) -> list[int]:
        """A 32-bit number of the record behind every one in the index, 0 for the last."""
        column = columns.words(memoryview(self._picture.data or bytes(self._size)), self._size, offset)
        places = self._places
        if isinstance(places, range):
            found = column[places.start + 1 : places.stop + 1].tolist()
            return found if len(found) == self.count else [*found, 0]
        last = len(column) - 1
        return [column[place + 1] if place < last else 0 for place in places]

    # damage

    def are_sound(self) -> bool:
        """Whether all records agree with their own CRCs; those found so are not computed again."""
        sound = self._picture.sound
        if not sound:
            return True
        places = self._places
        if isinstance(places, range):
            if 0 not in sound[places.start : places.stop]:
                return True
            unknown: Iterable[int] = compress(places, map((1).__sub__, sound[places.start : places.stop]))
        else:
            unknown = [place for place in places if not sound[place]]
        size, data = self._size, memoryview(self._picture.data)
        for place in unknown:
            end = (place + 1) * size
            if crc32(data[end - size : end - 4]) != int.from_bytes(data[end - 4 : end], "big"):
                return False
            sound[place] = 1
        return True

    # sets

    @property
    def all(self) -> Members:
        return int.from_bytes(b"\1" * self.count, "little")

    def with_uids(self, ranges: Iterable[tuple[int, int]]) -> Members:
        """Those with UIDs in rising ranges (low, high)."""
        uids = self._picture.uids
        members = bytearray(self.count)
        start = self.low - 1
        stop = start + self.count
        end = start
        for low, high in ranges:
            begin = bisect_left(uids, low, end, stop)
            if begin == stop:
                break
            end = bisect_left(uids, high + 1, begin, stop)
            members[begin - start : end - start] = b"\1" * (end - begin)
        return int.from_bytes(members, "little")

    def with_numbers(self, ranges: Iterable[tuple[int, int]]) -> Members:
        """Those with message numbers in rising ranges (low, high)."""
        members = bytearray(self.count)
        for low, high in ranges:
            begin, end = max(low - self.low, 0), min(high - self.low + 1, self.count)
            if begin < end:
                members[begin:end] = b"\1" * (end - begin)
        return int.from_bytes(members, "little")

    def numbers(self, members: Members) -> Iterator[int]:
        """The message numbers of a set, rising."""
        selectors = members.to_bytes(self.count, "little")
        return compress(range(self.low, self.low + self.count), selectors)
