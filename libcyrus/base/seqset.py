"""Sets of message numbers or UIDs, in the text form of IMAP (RFC 3501, ``sequence-set``).

The same text is kept on disk: ``1:5,7`` in the seen database, ``*`` for a
number without end. Numbers are 32 bits wide; larger ones in a text are taken
as the largest, which prints as ``*``.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator

MAXIMUM = 0xFFFFFFFF

_ITEM = re.compile(r"(\d+|\*)(?::(\d+|\*))?,?", re.ASCII)
_SEQUENCE = re.compile(r"(?:\d+|\*)(?::(?:\d+|\*))?(?:,(?:\d+|\*)(?::(?:\d+|\*))?)*", re.ASCII)


class SeqSet:
    """Ranges of numbers. ``in`` takes O(log ranges); ``str`` gives the compressed text.

    Built by ``parse``, or by ``add`` in rising order. A *sparse* set (the
    default) holds exactly the members it was given. A *merging* set
    (``sparse=False``) joins two members when no non-member was added between
    them: numbers that do not exist at all, such as expunged UIDs, may be
    covered by a range, which keeps the text of a seen state short.
    """

    __slots__ = ("_highs", "_lows", "_ordered", "_previous", "_sparse")

    def __init__(self, *, sparse: bool = True) -> None:
        self._lows: list[int] = []
        self._highs: list[int] = []
        self._sparse = sparse
        self._previous = 0
        self._ordered = True

    @classmethod
    def parse(cls, text: str | bytes, *, maxval: int = 0) -> SeqSet:
        """Read a sequence-set; ``*`` is ``maxval``, or no limit when that is 0.

        Ranges may be backwards, overlapping and in any order, as clients write
        them. The empty text is the empty set. Raises ValueError.
        """
        if isinstance(text, bytes):
            text = text.decode("latin-1")
        star = maxval or MAXIMUM
        ranges: list[tuple[int, int]] = []
        position = 0
        for match in _ITEM.finditer(text):
            if match.start() != position:
                break
            position = match.end()
            start = _number(match[1], star)
            end = start if match[2] is None else _number(match[2], star)
            ranges.append((start, end) if start <= end else (end, start))
        if position != len(text):
            raise ValueError("invalid sequence")
        return cls.from_ranges(ranges)

    @classmethod
    def from_ranges(cls, ranges: Iterable[tuple[int, int]]) -> SeqSet:
        """From (low, high) pairs in any order, both ends included."""
        new = cls()
        new._merge(list(ranges))
        return new

    @classmethod
    def of(cls, numbers: Iterable[int]) -> SeqSet:
        """From single numbers; rising order is fastest."""
        new = cls()
        lows, highs = new._lows, new._highs
        last = -2
        for number in numbers:
            if number == last + 1:
                highs[-1] = number
            elif number > last:
                lows.append(number)
                highs.append(number)
            elif number != last:
                return cls.from_ranges([*new.ranges(), (number, number), *((n, n) for n in numbers)])
            last = number
        new._previous = max(last, 0)
        return new

    def add(self, number: int, member: bool = True) -> None:
        """Say of the next number whether it belongs to the set.

        Numbers should rise. A member that does not is kept as a range of its
        own, and ``str`` then shows the order in which they came.
        """
        if number > self._previous:
            if not member:
                self._previous = number
                return
            if self._sparse:
                self._previous = number - 1
        elif not member or (self._highs and number == self._previous == self._highs[-1]):
            return
        if not self._highs or self._highs[-1] < self._previous or number <= self._previous:
            if self._highs and number <= self._highs[-1]:
                self._ordered = False
            self._lows.append(number)
            self._highs.append(number)
        else:
            self._highs[-1] = number
        self._previous = number

    def join(self, other: SeqSet) -> None:
        """Take in all members of another set."""
        self._merge([*self.ranges(), *other.ranges()])

    def copy(self) -> SeqSet:
        new = SeqSet(sparse=self._sparse)
        new._lows, new._highs = self._lows[:], self._highs[:]
        new._previous, new._ordered = self._previous, self._ordered
        return new

    def ranges(self) -> Iterator[tuple[int, int]]:
        """(low, high) pairs, both ends included."""
        return zip(self._lows, self._highs, strict=True)

    def within(self, low: int, high: int) -> Iterator[tuple[int, int]]:
        """The ranges cut to ``low..high``: the way to walk a set that may end in ``*``."""
        self._order()
        for index in range(bisect_left(self._highs, low), bisect_right(self._lows, high)):
            yield max(self._lows[index], low), min(self._highs[index], high)

    def select(self, numbers: list[int]) -> list[int]:
        """The members among ``numbers``, which must rise (the UIDs of a mailbox)."""
        self._order()
        found: list[int] = []
        start = 0
        for low, high in zip(self._lows, self._highs, strict=True):
            start = bisect_left(numbers, low, start)
            if start == len(numbers):
                break
            end = bisect_right(numbers, high, start)
            found += numbers[start:end]
            start = end
        return found

    @property
    def first(self) -> int:
        """The lowest member, 0 when empty."""
        self._order()
        return self._lows[0] if self._lows else 0

    @property
    def last(self) -> int:
        """The highest member, 0 when empty."""
        self._order()
        return self._highs[-1] if self._highs else 0

    @property
    def first_nonmember(self) -> int:
        """The lowest number from 1 up that is missing."""
        self._order()
        if not self._lows or self._lows[0] > 1:
            return 1
        return self._highs[0] + 1

    def __contains__(self, number: int) -> bool:
        if not self._ordered:
            self._order()
        index = bisect_right(self._lows, number) - 1
        return index >= 0 and number <= self._highs[index]

    def __iter__(self) -> Iterator[int]:
        """Every member. A set that ends in ``*`` has billions: see ``within``."""
        self._order()
        for low, high in self.ranges():
            yield from range(low, high + 1)

    def __len__(self) -> int:
        """The number of members."""
        self._order()
        return sum(self._highs) - sum(self._lows) + len(self._lows)

    def __bool__(self) -> bool:
        return bool(self._lows)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SeqSet):
            return NotImplemented
        self._order()
        other._order()
        return self._lows == other._lows and self._highs == other._highs

    __hash__ = None  # type: ignore[assignment]

    def __str__(self) -> str:
        return ",".join(
            [
                _text(low) if low == high else f"{_text(low)}:{_text(high)}"
                for low, high in zip(self._lows, self._highs, strict=True)
            ]
        )

    def __repr__(self) -> str:
        return f"SeqSet({str(self)!r})"

    def _order(self) -> None:
        if not self._ordered:
            previous = self._previous
            self._merge(list(self.ranges()))
            self._previous = previous

    def _merge(self, ranges: list[tuple[int, int]]) -> None:
        """Replace the content by sorted, disjoint, non-adjacent ranges."""
        ranges.sort()
        lows: list[int] = []
        highs: list[int] = []
        for low, high in ranges:
            if highs and low <= highs[-1] + 1:
                if high > highs[-1]:
                    highs[-1] = high
            else:
                lows.append(low)
                highs.append(high)
        self._lows, self._highs = lows, highs
        self._ordered = True
        self._previous = highs[-1] if highs else 0


def is_sequence(text: str) -> bool:
    """Whether a client's word is a well-formed sequence-set (zero included, which callers judge)."""
    return _SEQUENCE.fullmatch(text) is not None


def last_number(text: str) -> int:
    """The number that a stored set ends in, without reading the rest; 0 for none."""
    start = len(text)
    while start and "0" <= text[start - 1] <= "9":
        start -= 1
    return _number(text[start:], 0) if start < len(text) else 0


def _number(digits: str, star: int) -> int:
    if digits == "*":
        return star
    digits = digits.lstrip("0")
    return min(int(digits or "0"), MAXIMUM) if len(digits) <= 10 else MAXIMUM


def _text(number: int) -> str:
    return "*" if number == MAXIMUM else str(number)
