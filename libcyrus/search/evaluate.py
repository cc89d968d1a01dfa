"""Which messages of a selected mailbox match a search expression.

What the index alone can answer is computed for all messages at once, a column of the index at a time: a set
of messages is an int with one byte for each message, 1 for a member, so that sets are combined by ``&``,
``|`` and ``^``. Only messages still in doubt are looked at one by one, cheap questions first; what
one of them needs (its cache record, its file) is read once.
"""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from itertools import compress
from typing import Final

from libcyrus import options as opt
from libcyrus.annotations import Query, Target, attributes_named
from libcyrus.base import xstats
from libcyrus.base.dataclasses import replace
from libcyrus.base.numbers import leading_float
from libcyrus.base.seqset import MAXIMUM, SeqSet
from libcyrus.base.xstats import Metric
from libcyrus.config import Config
from libcyrus.errors import Cancelled, SearchSlow
from libcyrus.index import contents
from libcyrus.index.rows import Members, Rows
from libcyrus.index.view import IndexView
from libcyrus.mailbox.index_record import (
    ANSWERED,
    DELETED,
    DRAFT,
    FLAGGED,
    OFFSET_CACHE_VERSION,
    OFFSET_CID,
    OFFSET_FLAGS,
    OFFSET_GUID,
    OFFSET_INTERNALDATE,
    OFFSET_MODSEQ,
    OFFSET_SENTDATE,
    OFFSET_SIZE,
    OFFSET_USER_FLAGS,
    SEEN,
    SMALLEST_WITH_CID,
)
from libcyrus.message.cached_headers import min_version
from libcyrus.records.annotate import Annotation
from libcyrus.search import conversations, records
from libcyrus.search.candidate import Candidate
from libcyrus.search.conversations import KnownConversations
from libcyrus.search.expr import (
    All,
    And,
    Annotated,
    Between,
    Contains,
    ConversationFlag,
    ConversationModseq,
    Expr,
    Flag,
    HasFlag,
    HasSavedate,
    Header,
    InFolder,
    Item,
    Keyword,
    Not,
    Number,
    ObjectId,
    Or,
    Sequence,
    SpamScore,
    Text,
    nodes,
    without_engine,
)
from libcyrus.search.records import HeaderTest, RecordTest
from libcyrus.text import searchform

Test = Callable[[Candidate], bool]

_BITS: Final = {
    Flag.ANSWERED: ANSWERED,
    Flag.FLAGGED: FLAGGED,
    Flag.DELETED: DELETED,
    Flag.DRAFT: DRAFT,
    Flag.SEEN: SEEN,
}
# what only newer versions of the index have (see mailbox.index_record)
_OFFSET_SAVEDATE: Final = 52
_SAVEDATE_VERSION: Final = 15
_OFFSETS: Final = {
    Number.INTERNALDATE: OFFSET_INTERNALDATE,
    Number.SENTDATE: OFFSET_SENTDATE,
    Number.SIZE: OFFSET_SIZE,
}
_HAS_BIT: Final = {1 << bit: bytes(value >> bit & 1 for value in range(256)) for bit in range(8)}

_IN_AN_ITEM: Final = frozenset((Item.FROM, Item.TO, Item.CC, Item.BCC, Item.SUBJECT))

_INDEX: Final = 0
_CACHE: Final = 1
_HEADER: Final = 2
_MESSAGE: Final = 3

_BLOCK: Final = 512
"""Messages whose cache records are read together."""

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
            max_seconds=leading_float(seconds) if seconds else 0.0,
        )


def find(
    view: IndexView,
    expr: Expr,
    rules: Rules,
    *,
    started: float | None = None,
    annotations: Target | None = None,
    internal_name: Callable[[str], str] = str,
    fuzzy: bool = False,
    cancelled: Callable[[], bool] | None = None,
) -> array[int]:
    """The numbers of the messages that match, rising; those expunged but not told of yet do not match.

    A message that cannot be read matches nothing that depends on it. ``started`` is when the command began,
    on the monotonic clock, ``annotations`` the mailbox as seen by who asks; without it none are found.
    ``internal_name`` makes the internal name of a mailbox of the one in the expression. ``fuzzy`` says that
    all of the expression is. ``cancelled`` is asked from time to time whether to give up. Raises SearchSlow,
    Cancelled, NoSearchEngine, and where conversations are asked for what ``IndexView.locked`` raises.
    """
    expr = without_engine(expr, fuzzy=fuzzy)
    if not view.exists:
        return array("I")
    reading: AbstractContextManager[KnownConversations] = nullcontext(KnownConversations(None))
    if any(isinstance(node, ConversationFlag | ConversationModseq) for node in nodes(expr)):
        reading = conversations.reading(view)
    with reading as known:
        search = _Search(
            view,
            rules,
            started=time.monotonic() if started is None else started,
            annotations=annotations,
            known=known,
            internal_name=internal_name,
            cancelled=cancelled,
        )
        numbers, test = search.prepare(expr)
    return numbers if test is None else search.filter(numbers, test)


class _Search:
    def __init__(
        self,
        view: IndexView,
        rules: Rules,
        *,
        started: float,
        annotations: Target | None,
        known: KnownConversations,
        internal_name: Callable[[str], str],
        cancelled: Callable[[], bool] | None,
    ) -> None:
        self._view = view
        self._annotations = annotations
        self._conversations = known
        self._internal_name = internal_name
        self._cancelled = cancelled
        self._rules = rules
        self._deadline = started + rules.max_seconds if rules.max_seconds else None
        picture = view.picture
        self._rows = rows = Rows(picture, 1, view.exists)
        self._all = rows.all
        if picture.gone:
            self._all &= ~rows.with_uids((uid, uid) for uid in sorted(picture.gone))

    def prepare(self, expr: Expr) -> tuple[array[int], Test | None]:
        """The messages that may match, and what is to be asked of each of them still."""
        candidates, rest = self._narrow(expr, self._all)
        numbers = array("I", self._rows.numbers(candidates))
        return numbers, None if rest is None else self._compile(rest)

    def filter(self, numbers: array[int], test: Test) -> array[int]:
        """Those that pass the test."""
        found = array("I")
        xstats.count(Metric.SEARCH_EVALUATE, len(numbers))
        for place, number in enumerate(numbers):
            if not place % _CHECK_INTERVAL:
                self._look_at_clock()
            with self._candidate(number) as candidate:
                if test(candidate):
                    found.append(number)
        return found

    def _look_at_clock(self) -> None:
        if self._cancelled is not None and self._cancelled():
            raise Cancelled
        if self._deadline is not None and time.monotonic() > self._deadline:
            raise SearchSlow

    def _candidate(self, number: int) -> Candidate:
        return Candidate(self._view, number, self._rules.flags)

    def _narrow(self, expr: Expr, candidates: Members) -> tuple[Members, Expr | None]:
        """What is left of candidates when index and cache are done, and what is still to be asked of them."""
        if self._cost(expr) <= _CACHE:
            return self._matches(expr, candidates), None
        if not isinstance(expr, And):
            return candidates, expr
        rest: list[Expr] = []
        for child in sorted(expr.children, key=self._cost):
            candidates, left = self._narrow(child, candidates)
            if left is not None:
                rest.append(left)
        return candidates, rest[0] if len(rest) == 1 else And(tuple(rest))

    # what index and cache answer

    def _matches(self, expr: Expr, candidates: Members) -> Members:
        """Those of the candidates that match an expression that needs no message files."""
        match expr:
            case All():
                return candidates
            case And(children):
                for child in sorted(children, key=self._cost):
                    candidates = self._matches(child, candidates)
                return candidates
            case Or(children):
                found = 0
                items = [child for child in children if _in_an_item(child)]
                if len(items) > 1:
                    # one look at the records for all of them
                    children = tuple(child for child in children if not _in_an_item(child))
                for child in sorted(children, key=self._cost):
                    found |= self._matches(child, candidates & ~found)
                if len(items) > 1:
                    found |= self._in_cache(self._items_test(items), candidates & ~found)
                return found
            case Not(child):
                return candidates & ~self._matches(child, candidates)
            case Contains() | Header() | SpamScore():
                return self._in_cache(self._record_test(expr), candidates)
            case Annotated():
                return self._annotated(expr, candidates)
            case ConversationFlag():
                return self._in_conversations(self._conversations.flag_test(expr), candidates)
            case ConversationModseq(low):
                return self._in_conversations(self._modseq_test(low), candidates)
        return candidates & self._from_index(expr)

    def _annotated(self, expr: Annotated, candidates: Members) -> Members:
        """Those with such an annotation. All that have none at all are alike."""
        target = self._annotations
        if target is None:
            return 0
        stored = self._stored_annotations
        query: Query | None = None

        def matches(uid: int) -> bool:
            nonlocal query
            place = replace(target, uid=uid)
            if query is None:
                query = Query(place.entries, [expr.entry], attributes_named([expr.attribute]))
            found = query.run(place, stored.get(uid, ()))
            return any(_holds(value, expr.value) for one in found for _, value in one.attributes)

        annotated = self._rows.with_uids((uid, uid) for uid in sorted(stored))
        uids = self._view.picture.uids
        rest = candidates & ~annotated
        if rest and (expr.value is not None or not matches(uids[next(iter(self._rows.numbers(rest))) - 1])):
            rest = 0
        members = bytearray(self._rows.count)
        for place, number in enumerate(self._rows.numbers(candidates & annotated)):
            if not place % _CHECK_INTERVAL:
                self._look_at_clock()
            members[number - 1] = matches(uids[number - 1])
        return rest | int.from_bytes(members, "little")

    @cached_property
    def _stored_annotations(self) -> dict[int, list[Annotation]]:
        return self._view.mailbox.annotations.by_uid()

    def _in_conversations(self, test: Callable[[int], bool], candidates: Members) -> Members:
        """Those in conversations whose ids pass the test."""
        rows = self._rows
        if rows.record_size < SMALLEST_WITH_CID:
            return 0
        selectors = candidates.to_bytes(rows.count, "little")
        cids = [cid for (cid,) in rows.fields(f">{OFFSET_CID}xQ")]
        passed = {cid for cid in set(compress(cids, selectors)) if test(cid)}
        return candidates & int.from_bytes(bytes([cid in passed for cid in cids]), "little")

    def _modseq_test(self, low: int) -> Callable[[int], bool]:
        def reaches(cid: int) -> bool:
            found = self._conversations.get(cid)
            return bool(found.exists) and found.modseq >= low

        return reaches

    def _record_test(self, expr: Expr) -> RecordTest:
        flags = self._rules.flags
        match expr:
            case Contains(Item.MESSAGE_ID, text):
                return records.message_id_test(self._pattern(text), flags)
            case Contains(Item.CONTENT_TYPE, text):
                return records.content_type_test(self._pattern(text), flags)
            case Contains(Item.ATTACHMENT_NAME, text):
                return records.attachment_name_test(self._pattern(text), flags)
            case Contains(item) if item in _IN_AN_ITEM:
                return self._items_test([expr])
            case Header(name, text):
                return records.header_test(name, self._pattern(text), flags, self._rules.max_header_lines)
        return records.on_headers(self._header_test(expr))

    def _header_test(self, expr: Expr) -> HeaderTest:
        flags, max_lines = self._rules.flags, self._rules.max_header_lines
        match expr:
            case Header(name, text):
                return records.in_header_test(name, self._pattern(text), flags, max_lines)
            case Contains(Item.LIST_ID, text):
                return records.list_id_in_header_test(self._pattern(text), flags, max_lines)
            case Contains(Item.DELIVERED_TO, text):
                return records.delivered_to_in_header_test(self._pattern(text), flags, max_lines)
            case SpamScore(low, high):
                return records.spam_score_in_header_test(low, high)
        raise AssertionError(expr)

    def _items_test(self, exprs: list[Expr]) -> RecordTest:
        wanted = [(expr.item, self._pattern(expr.text)) for expr in exprs if isinstance(expr, Contains)]
        return records.any_item_test(wanted, self._rules.flags)

    def _pattern(self, text: str) -> bytes:
        flags = self._rules.flags
        kept = searchform.to_form(text, flags | searchform.KEEPCASE)
        return searchform.searchable(kept, flags)

    def _from_index(self, expr: Expr) -> Members:
        rows, view = self._rows, self._view
        match expr:
            case Sequence(text, by_uid):
                last = view.uidnext - 1 if by_uid else rows.count
                ranges = SeqSet.parse(text, maxval=last).within(1, MAXIMUM)
                return rows.with_uids(ranges) if by_uid else rows.with_numbers(ranges)
            case HasFlag(flag):
                return self._flag(flag)
            case Keyword(name):
                slot = view.mailbox.flag_number(name)
                if slot is None:
                    return 0
                # the words are big-endian: their lowest flags are in the last byte
                offset = OFFSET_USER_FLAGS + slot // 32 * 4 + 3 - slot % 32 // 8
                return self._bit(offset, 1 << slot % 8)
            case InFolder(name):
                return rows.all if self._internal_name(name) == view.mboxname else 0
            case HasSavedate():
                return rows.all if view.mailbox.i.minor_version >= _SAVEDATE_VERSION else 0
            case ObjectId(of_message, value):
                layout = f">{OFFSET_GUID}x12s" if of_message else f">{OFFSET_CID}x8s"
                if rows.record_size < SMALLEST_WITH_CID:
                    return 0
                return int.from_bytes(bytes([found == value for (found,) in rows.fields(layout)]), "little")
            case Between(number, low, high):
                return self._between(number, low, high)
        raise AssertionError(expr)

    def _flag(self, flag: Flag) -> Members:
        seen = self._view.seen
        if flag is Flag.RECENT:
            return self._rows.with_uids(seen.recent.within(1, MAXIMUM))
        if flag is Flag.SEEN and not seen.internal:
            return self._rows.with_uids(seen.uids.within(1, MAXIMUM))
        return self._bit(OFFSET_FLAGS + 3, _BITS[flag])

    def _bit(self, offset: int, bit: int) -> Members:
        return int.from_bytes(self._rows.octets(offset).translate(_HAS_BIT[bit]), "little")

    def _between(self, number: Number, low: int | None, high: int | None) -> Members:
        column: Iterable[int]
        if number is Number.SAVEDATE and self._view.mailbox.i.minor_version < _SAVEDATE_VERSION:
            column = self._rows.words(OFFSET_INTERNALDATE)
        elif number is Number.SAVEDATE:
            pairs = zip(
                self._rows.words(_OFFSET_SAVEDATE), self._rows.words(OFFSET_INTERNALDATE), strict=True
            )
            column = [saved or came for saved, came in pairs]
        elif number is Number.MODSEQ:
            column = (modseq for (modseq,) in self._rows.fields(f">{OFFSET_MODSEQ}xQ"))
        else:
            column = self._rows.words(_OFFSETS[number])
        if low is None or low < 0:
            low = 0
        if high is None:
            return int.from_bytes(bytes(map(low.__le__, column)), "little")
        return int.from_bytes(bytes([low <= value < high for value in column]), "little")

    def _in_cache(self, test: RecordTest, candidates: Members) -> Members:
        """Those whose cache record passes the test."""
        selectors = candidates.to_bytes(self._rows.count, "little")
        members = bytearray(self._rows.count)
        for start in range(0, len(selectors), _BLOCK):
            some = selectors[start : start + _BLOCK]
            if 1 not in some:
                continue
            self._look_at_clock()
            rows = Rows(self._view.picture, start + 1, start + len(some))
            found = contents.cache_records(self._view, rows, some)
            for place, record in zip(compress(range(start, start + len(some)), some), found, strict=True):
                if record is not None:
                    members[place] = test(record)
                else:
                    with self._candidate(place + 1) as candidate:
                        members[place] = candidate.record_matches(test)
        return int.from_bytes(members, "little")

    # what takes a look at the message

    def _compile(self, expr: Expr) -> Test:
        if self._cost(expr) <= _CACHE:
            selectors = self._matches(expr, self._all).to_bytes(self._rows.count, "little")
            return lambda candidate: bool(selectors[candidate.number - 1])
        match expr:
            case And(children):
                tests = [self._compile(child) for child in sorted(children, key=self._cost)]
                return lambda candidate: all(test(candidate) for test in tests)
            case Or(children):
                tests = [self._compile(child) for child in sorted(children, key=self._cost)]
                return lambda candidate: any(test(candidate) for test in tests)
            case Not(child):
                inner = self._compile(child)
                return lambda candidate: not inner(candidate)
            case Header() | Contains() | SpamScore():
                test = self._header_test(expr)
                return lambda candidate: candidate.header_matches(test)
            case Text(text, body_only):
                wanted = self._pattern(text)
                return lambda candidate: candidate.text_contains(wanted, body_only=body_only)
        raise AssertionError(expr)

    def _cost(self, expr: Expr) -> int:
        """What answering takes at most."""
        match expr:
            case And(children) | Or(children):
                return max(map(self._cost, children))
            case Not(child):
                return self._cost(child)
            case Contains(Item.DELIVERED_TO):
                return _HEADER
            case Contains(Item.LIST_ID):
                return self._cost_of_fields(*records.LIST_FIELDS)
            case SpamScore():
                return self._cost_of_fields(records.SCORE_FIELD)
            case Header(name):
                return self._cost_of_fields(name)
            case Contains() | Annotated() | ConversationFlag() | ConversationModseq():
                return _CACHE
            case Text():
                return _MESSAGE
        return _INDEX

    def _cost_of_fields(self, *names: bytes) -> int:
        return _CACHE if max(map(min_version, names)) <= self._cache_version else _HEADER

    @cached_property
    def _cache_version(self) -> int:
        """The oldest version of cache records here; what a newer one would have is not in all of them."""
        return min(map((0xFFFF).__and__, self._rows.words(OFFSET_CACHE_VERSION)))


def _in_an_item(expr: Expr) -> bool:
    return isinstance(expr, Contains) and expr.item in _IN_AN_ITEM


def _holds(value: bytes | None, wanted: bytes | None) -> bool:
    """Nothing is what a value that is not there holds (RFC 5257 leaves that open)."""
    if wanted is None or value is None:
        return wanted is value
    return wanted in value
