"""Which messages of a selected mailbox match a search expression.

What the index alone can answer is computed for all messages at once, a column of the index at a time: a set
of messages is an int with one byte for each message, 1 for a member, so that sets are combined by ``&``,
``|`` and ``^``. Only messages still in doubt are looked at one by one, cheap questions first; what
one of them needs (its cache record, its file) is read once.
"""

from __future__ import annotations

import re
import time
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable
from itertools import compress
from typing import Final

from libcyrus import options as opt
from libcyrus.base.seqset import MAXIMUM, SeqSet
from libcyrus.config import Config
from libcyrus.errors import SearchSlow
from libcyrus.index.view import IndexView
from libcyrus.mailbox import columns
from libcyrus.mailbox.index_record import (
    ANSWERED,
    CACHE_VERSION,
    DELETED,
    DRAFT,
    FLAGGED,
    OFFSET_FLAGS,
    OFFSET_INTERNALDATE,
    OFFSET_SENTDATE,
    OFFSET_SIZE,
    OFFSET_USER_FLAGS,
    SEEN,
)
from libcyrus.message.cached_headers import min_version
from libcyrus.search.candidate import Candidate
from libcyrus.search.expr import (
    All,
    And,
    Between,
    Contains,
    Expr,
    Flag,
    HasFlag,
    Header,
    Keyword,
    Not,
    Number,
    Or,
    Sequence,
    Text,
)
from libcyrus.text import searchform

Members = int
Test = Callable[[Candidate], bool]

_BITS: Final = {Flag.ANSWERED: ANSWERED, Flag.FLAGGED: FLAGGED, Flag.DELETED: DELETED, Flag.DRAFT: DRAFT}
_OFFSETS: Final = {
    Number.INTERNALDATE: OFFSET_INTERNALDATE,
    Number.SENTDATE: OFFSET_SENTDATE,
    Number.SIZE: OFFSET_SIZE,
}
_HAS_BIT: Final = {1 << bit: bytes(value >> bit & 1 for value in range(256)) for bit in range(8)}

_FLOAT: Final = re.compile(r"\s*[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?", re.ASCII)

_CHECK_INTERVAL: Final = 128
"""Messages between two looks at the clock."""


class Rules:
    """How text is compared, and for how long: what the configuration says about searches.

    ``max_seconds`` 0 is no limit.
    """

    def __init__(self, flags: int = 0, *, max_header_lines: int = 1000, max_seconds: float = 0.0) -> None:
        self.flags = flags
        self.max_header_lines = max_header_lines
        self.max_seconds = max_seconds

    @classmethod
    def from_config(cls, config: Config) -> Rules:
        flags = 0
        if config[opt.search_skipdiacrit]:
            flags |= searchform.SKIPDIACRIT
        white_space = config[opt.search_whitespace]
        if white_space == "merge":
            flags |= searchform.MERGESPACE
        elif white_space == "skip":
            flags |= searchform.SKIPSPACE
        if config[opt.rfc2047_utf8]:
            flags |= searchform.MIME_UTF8
        seconds = config[opt.search_maxtime]
        return cls(
            flags,
            max_header_lines=config[opt.maxheaderlines],
            max_seconds=_seconds(seconds) if seconds else 0.0,
        )


def find(view: IndexView, expr: Expr, rules: Rules, *, started: float | None = None) -> array[int]:
    """The numbers of the messages that match, rising; those expunged but not told of yet do not match.

    A message that cannot be read matches nothing that depends on it. ``started`` is when the command began,
    on the monotonic clock. Raises SearchSlow.
    """
    return _Search(view, rules, time.monotonic() if started is None else started).run(expr)


class _Search:
    def __init__(self, view: IndexView, rules: Rules, started: float) -> None:
        self._view = view
        self._rules = rules
        self._deadline = started + rules.max_seconds if rules.max_seconds else None
        picture = view.picture
        self._region = memoryview(picture.data)
        self._size = picture.size
        self._count = len(picture.uids)
        self._all = int.from_bytes(b"\1" * self._count, "little")
        self._selectors: bytes | None = None
        self._places: list[int] | None = None
        living = columns.living(self._region, self._size)
        if picture.gone or living.count(1) != self._count:
            # numbers and records do not go together: look each one up, 0 standing for a record that is gone
            self._places = [recno - 1 if recno else 0 for recno in picture.recnos]
            for uid in picture.gone:
                number = picture.msgno(uid)
                if number is not None:
                    self._all ^= 1 << 8 * (number - 1)
        elif len(living) != self._count:
            self._selectors = living

    def run(self, expr: Expr) -> array[int]:
        if not self._count:
            return array("I")
        candidates, rest = self._split(expr)
        candidates &= self._all
        if rest is None or not candidates:
            return self._numbers(candidates)
        test = self._compile(rest)
        found = array("I")
        for place, number in enumerate(self._numbers(candidates)):
            if self._deadline is not None and not place % _CHECK_INTERVAL:
                self._look_at_clock(self._deadline)
            with Candidate(self._view, number, self._rules.flags, self._rules.max_header_lines) as candidate:
                if test(candidate):
                    found.append(number)
        return found

    def _look_at_clock(self, deadline: float) -> None:
        if time.monotonic() > deadline:
            raise SearchSlow

    def _numbers(self, members: Members) -> array[int]:
        selectors = members.to_bytes(self._count, "little")
        return array("I", compress(range(1, self._count + 1), selectors))

    # what the index answers

    def _split(self, expr: Expr) -> tuple[Members, Expr | None]:
        """A set that all matches are in, and what must still be asked of its members, if anything."""
        members = self._from_index(expr)
        if members is not None:
            return members, None
        if not isinstance(expr, And):
            return self._all, expr
        candidates = self._all
        rest: list[Expr] = []
        for child in expr.children:
            members = self._from_index(child)
            if members is None:
                rest.append(child)
            else:
                candidates &= members
        return candidates, rest[0] if len(rest) == 1 else And(tuple(rest))

    def _from_index(self, expr: Expr) -> Members | None:
        """The matches of an expression that needs nothing but the index; None for any other."""
        match expr:
            case All():
                return self._all
            case And(children):
                found = self._all
                for child in children:
                    members = self._from_index(child)
                    if members is None:
                        return None
                    found &= members
                return found
            case Or(children):
                found = 0
                for child in children:
                    members = self._from_index(child)
                    if members is None:
                        return None
                    found |= members
                return found
            case Not(child):
                members = self._from_index(child)
                return None if members is None else members & self._all ^ self._all
            case Sequence(text, by_uid):
                last = self._view.uidnext - 1 if by_uid else self._count
                ranges = SeqSet.parse(text, maxval=last).within(1, MAXIMUM)
                return self._by_uid(ranges) if by_uid else self._by_number(ranges)
            case HasFlag(flag):
                return self._flag(flag)
            case Keyword(name):
                return self._keyword(name)
            case Between(number, low, high):
                return self._between(number, low, high)
        return None

    def _flag(self, flag: Flag) -> Members:
        seen = self._view.seen
        if flag is Flag.RECENT:
            return self._by_uid(seen.recent.within(1, MAXIMUM)) if seen.recent else 0
        if flag is Flag.SEEN:
            if not seen.internal:
                return self._by_uid(seen.uids.within(1, MAXIMUM))
            return self._bit(OFFSET_FLAGS + 3, SEEN)
        return self._bit(OFFSET_FLAGS + 3, _BITS[flag])

    def _keyword(self, name: str) -> Members:
        slot = self._view.mailbox.flag_number(name)
        if slot is None:
            return 0
        # the words are big-endian: their lowest flags are in the last byte
        offset = OFFSET_USER_FLAGS + slot // 32 * 4 + 3 - slot % 32 // 8
        return self._bit(offset, 1 << slot % 8)

    def _by_number(self, ranges: Iterable[tuple[int, int]]) -> Members:
        members = bytearray(self._count)
        for low, high in ranges:
            high = min(high, self._count)
            if low <= high:
                members[low - 1 : high] = b"\1" * (high - low + 1)
        return int.from_bytes(members, "little")

    def _by_uid(self, ranges: Iterable[tuple[int, int]]) -> Members:
        uids = self._view.picture.uids
        members = bytearray(self._count)
        end = 0
        for low, high in ranges:
            start = bisect_left(uids, low, end)
            if start == self._count:
                break
            end = bisect_left(uids, high + 1, start)
            members[start:end] = b"\1" * (end - start)
        return int.from_bytes(members, "little")

    def _bit(self, offset: int, bit: int) -> Members:
        column = columns.octets(self._region, self._size, offset).translate(_HAS_BIT[bit])
        if self._selectors is not None:
            column = bytes(compress(column, self._selectors))
        elif self._places is not None:
            column = bytes(map(column.__getitem__, self._places))
        return int.from_bytes(column, "little")

    def _between(self, number: Number, low: int | None, high: int | None) -> Members:
        column: Iterable[int] = columns.words(self._region, self._size, _OFFSETS[number])
        if self._selectors is not None:
            column = compress(column, self._selectors)
        elif self._places is not None:
            words = columns.words(self._region, self._size, _OFFSETS[number])
            column = [words[place] for place in self._places]
        if low is None:
            low = 0
        if high is None:
            return int.from_bytes(bytes([low <= value for value in column]), "little")
        return int.from_bytes(bytes([low <= value < high for value in column]), "little")

    # what takes a look at the message

    def _compile(self, expr: Expr) -> Test:
        members = self._from_index(expr)
        if members is not None:
            selectors = members.to_bytes(self._count, "little")
            return lambda candidate: bool(selectors[candidate.number - 1])
        flags = self._rules.flags
        match expr:
            case And(children):
                tests = [self._compile(child) for child in sorted(children, key=_cost)]
                return lambda candidate: all(test(candidate) for test in tests)
            case Or(children):
                tests = [self._compile(child) for child in sorted(children, key=_cost)]
                return lambda candidate: any(test(candidate) for test in tests)
            case Not(child):
                inner = self._compile(child)
                return lambda candidate: not inner(candidate)
            case Contains(item, text):
                wanted = _pattern(text, flags)
                return lambda candidate: candidate.item_contains(item, wanted)
            case Header(name, text):
                wanted = _pattern(text, flags)
                return lambda candidate: candidate.header_contains(name, wanted)
            case Text(text, body_only):
                wanted = _pattern(text, flags)
                return lambda candidate: candidate.text_contains(wanted, body_only=body_only)
        raise AssertionError(expr)


def _cost(expr: Expr) -> int:
    """The order in which to ask: 0 for the index, 1 for the cache, 2 for a header, 3 for the message."""
    match expr:
        case And(children) | Or(children):
            return max(map(_cost, children))
        case Not(child):
            return _cost(child)
        case Contains():
            return 1
        case Header(name):
            return 1 if min_version(name) <= CACHE_VERSION else 2
        case Text():
            return 3
    return 0


def _pattern(text: str, flags: int) -> bytes:
    kept = searchform.to_form(text, flags | searchform.KEEPCASE)
    return searchform.searchable(kept, flags)


def _seconds(text: str) -> float:
    found = _FLOAT.match(text)
    return float(found[0]) if found is not None else 0.0
