"""SORT: which of the messages found come first (RFC 5256, RFC 5957, Cyrus's own keys).

Keys are computed for all messages at once: numbers from the columns of the index, texts from the cache.
The sort is stable and begins with messages in rising order, so their number is the last key. What cannot be
read is empty.
"""

from __future__ import annotations

import enum
import os
from collections.abc import Iterator, Sequence
from struct import error as StructError
from typing import Any, Final

from libcyrus.base import xstats
from libcyrus.base.dataclasses import dataclass
from libcyrus.base.xstats import Metric
from libcyrus.errors import CyrusError
from libcyrus.index import contents
from libcyrus.index.contents import MessageFile
from libcyrus.index.rows import Rows
from libcyrus.index.view import IndexView
from libcyrus.mailbox.index_record import (
    OFFSET_CACHE_VERSION,
    OFFSET_CID,
    OFFSET_FLAGS,
    OFFSET_INTERNALDATE,
    OFFSET_MODSEQ,
    OFFSET_SIZE,
    OFFSET_USER_FLAGS,
    SMALLEST_WITH_CID,
)
from libcyrus.message import nstring
from libcyrus.message.cached_headers import min_version
from libcyrus.records.annotate import OWNER
from libcyrus.records.conversations.conversation import Summary
from libcyrus.search import conversations
from libcyrus.search.base_subject import BaseSubject, base_subject
from libcyrus.search.conversations import KnownConversations
from libcyrus.search.records import SCORE_FIELD, spam_score
from libcyrus.text import addresses
from libcyrus.text.mimeheader import parse_mimeheader
from libcyrus.text.searchform import MIME_UTF8, searchable


class Key(enum.Enum):
    """What messages are ordered by; the value is the word that IMAP has for it."""

    ARRIVAL = "arrival"
    CC = "cc"
    DATE = "date"
    DISPLAYFROM = "displayfrom"
    DISPLAYTO = "displayto"
    FROM = "from"
    SIZE = "size"
    SUBJECT = "subject"
    TO = "to"
    MODSEQ = "modseq"
    UID = "uid"
    HASFLAG = "hasflag"
    ANNOTATION = "annotation"
    FOLDER = "folder"
    RELEVANCY = "relevancy"
    SPAMSCORE = "spamscore"
    CONVMODSEQ = "convmodseq"
    CONVEXISTS = "convexists"
    CONVSIZE = "convsize"
    HASCONVFLAG = "hasconvflag"


@dataclass(frozen=True, slots=True)
class Criterion:
    """One key, the greater first if ``reverse``.

    ``argument`` is the name of a flag for HASFLAG and HASCONVFLAG, and the entry for ANNOTATION, of which
    ``shared`` chooses the shared or the user's own value.
    """

    key: Key
    reverse: bool = False
    argument: str = ""
    shared: bool = False


OFFSET_GMTIME: Final = 20
ENVELOPE: Final = 0
HEADERS: Final = 4
SUBJECT: Final = 9
_ITEMS: Final = {
    Key.FROM: 5,
    Key.DISPLAYFROM: 5,
    Key.TO: 6,
    Key.DISPLAYTO: 6,
    Key.CC: 7,
}
_OF_CONVERSATIONS: Final = (Key.CONVMODSEQ, Key.CONVEXISTS, Key.CONVSIZE, Key.HASCONVFLAG)
# all messages are in one mailbox, and equally relevant
_EQUAL: Final = (Key.FOLDER, Key.RELEVANCY)
_SYSTEM_FLAGS: Final = {"\\answered": 1, "\\flagged": 2, "\\deleted": 4, "\\draft": 8, "\\seen": 16}


def sort(view: IndexView, numbers: Sequence[int], criteria: Sequence[Criterion], *, utf8: bool) -> list[int]:
    """These message numbers, rising, in the order of the criteria. ``utf8``: headers may be raw UTF-8.

    Raises what ``IndexView.locked`` raises for criteria of conversations.
    """
    if not any(criterion.key in _OF_CONVERSATIONS for criterion in criteria):
        return _sorted(MessageFacts(view, numbers, utf8=utf8), numbers, criteria)
    with conversations.reading(view) as known:
        return _sorted(MessageFacts(view, numbers, utf8=utf8, known=known), numbers, criteria)


def _sorted(facts: MessageFacts, numbers: Sequence[int], criteria: Sequence[Criterion]) -> list[int]:
    xstats.count(Metric.MSGDATA_LOAD, len(numbers))
    places = list(range(len(numbers)))
    distinct: dict[tuple[Key, str, bool], Criterion] = {}
    for criterion in criteria:
        # what is equal by a key is equal by the same key again
        distinct.setdefault((criterion.key, criterion.argument, criterion.shared), criterion)
    for criterion in reversed(distinct.values()):
        if criterion.key not in _EQUAL:
            keys = facts.keys(criterion)
            places.sort(key=keys.__getitem__, reverse=criterion.reverse)
    return [numbers[place] for place in places]


class MessageFacts:
    """What SORT and THREAD compare, of some messages of a view; lists go by the messages' places."""

    def __init__(
        self,
        view: IndexView,
        numbers: Sequence[int],
        *,
        utf8: bool,
        known: KnownConversations | None = None,
    ) -> None:
        self.numbers = numbers
        self._conversations = known or KnownConversations(None)
        self._view = view
        self._utf8 = utf8
        self._subjects: dict[bytes, BaseSubject] = {}
        self._rows = Rows(view.picture, 1, max(len(view.picture), 1)) if numbers else None

    def keys(self, criterion: Criterion) -> Sequence[Any]:
        """A key for each message."""
        key = criterion.key
        if key in _ITEMS:
            address = _display_name if key in (Key.DISPLAYFROM, Key.DISPLAYTO) else _local_part
            return [address(item) for item in self.items(_ITEMS[key])]
        match key:
            case Key.ARRIVAL:
                return self.words(OFFSET_INTERNALDATE)
            case Key.DATE:
                return self.dates()
            case Key.SIZE:
                return self.words(OFFSET_SIZE)
            case Key.SUBJECT:
                return [subject.text for subject in self.subjects()]
            case Key.UID:
                return [self._view.picture.uids[number - 1] for number in self.numbers]
            case Key.MODSEQ:
                high, low = self.words(OFFSET_MODSEQ), self.words(OFFSET_MODSEQ + 4)
                return [top << 32 | bottom for top, bottom in zip(high, low, strict=True)]
            case Key.HASFLAG:
                return self._have_flag(criterion.argument)
            case Key.ANNOTATION:
                return self._annotations(criterion)
            case Key.SPAMSCORE:
                return self._spam_scores()
            case Key.HASCONVFLAG:
                place = self._conversations.counter(criterion.argument)
                return [place >= 0 and bool(found.count(place)) for found in self._summaries()]
            case Key.CONVMODSEQ:
                return [found.modseq for found in self._summaries()]
            case Key.CONVEXISTS:
                return [found.exists for found in self._summaries()]
            case Key.CONVSIZE:
                return [found.size for found in self._summaries()]
        raise AssertionError(key)

    def dates(self) -> list[int]:
        """When a message was sent, or came if its header does not say."""
        sent, came = self.words(OFFSET_GMTIME), self.words(OFFSET_INTERNALDATE)
        return sent if all(sent) else [one or other for one, other in zip(sent, came, strict=True)]

    def subjects(self) -> list[BaseSubject]:
        return [self.subject_of(item) for item in self.items(SUBJECT)]

    def subject_of(self, item: bytes) -> BaseSubject:
        """What the item SUBJECT says. Messages of one thread have the same."""
        subject = self._subjects.get(item)
        if subject is None:
            text = parse_mimeheader(_nstring(item), utf8=self._utf8)
            subject = self._subjects[item] = base_subject(text)
        return subject

    def words(self, offset: int) -> list[int]:
        """A number of the index record of each message."""
        if self._rows is None:
            return []
        column = self._rows.words(offset)
        if len(self.numbers) == self._rows.count:
            return list(column)
        return [column[number - 1] for number in self.numbers]

    def items(self, wanted: int) -> Iterator[bytes]:
        """An item of the cache record of each message, empty if there is none."""
        for record in self._records():
            try:
                yield b"" if record is None else bytes(contents.item(record, wanted))
            except IndexError:
                yield b""

    def several_items(self, *wanted: int) -> Iterator[list[bytes]]:
        """Several items of each record, in rising order; all empty if there is none."""
        for record in self._records():
            try:
                if record is not None:
                    yield contents.items(record, wanted)
                    continue
            except StructError:
                pass
            yield [b""] * len(wanted)

    def _records(self) -> Iterator[memoryview | None]:
        if self._rows is None:
            return
        selectors = bytearray(self._rows.count)
        for number in self.numbers:
            selectors[number - 1] = 1
        found = contents.cache_records(self._view, self._rows, bytes(selectors))
        for number, record in zip(self.numbers, found, strict=True):
            if record is not None:
                yield record
                continue
            try:
                yield contents.cache_record(self._view, number, contents.fields(self._view, number))
            except CyrusError:
                yield None

    def _have_flag(self, name: str) -> list[bool]:
        bit = _SYSTEM_FLAGS.get(name.lower())
        if name.lower() == "\\seen" and not self._view.seen.internal:
            uids, seen = self._view.picture.uids, self._view.seen.uids
            return [uids[number - 1] in seen for number in self.numbers]
        if bit is not None:
            return [bool(flags & bit) for flags in self.words(OFFSET_FLAGS)]
        slot = self._view.mailbox.flag_number(name)
        if slot is None:
            return [False] * len(self.numbers)
        return [bool(flags >> slot % 32 & 1) for flags in self.words(OFFSET_USER_FLAGS + slot // 32 * 4)]

    def _annotations(self, criterion: Criterion) -> list[bytes]:
        mailbox = self._view.mailbox
        userid = "" if criterion.shared else mailbox.annotation_user(self._view.userid)
        wanted = {"" if criterion.shared else self._view.userid, userid}
        if mailbox.userid == self._view.userid and not criterion.shared:
            wanted.add(OWNER)
        values = {
            uid: annotation.value
            for uid, annotation in mailbox.annotations.all()
            if annotation.entry == criterion.argument and annotation.userid in wanted
        }
        uids = self._view.picture.uids
        return [values.get(uids[number - 1], b"") for number in self.numbers]

    def _summaries(self) -> Iterator[Summary]:
        if self._rows is None or self._rows.record_size < SMALLEST_WITH_CID:
            return (self._conversations.get(0) for _ in self.numbers)
        high, low = self.words(OFFSET_CID), self.words(OFFSET_CID + 4)
        cids = (top << 32 | bottom for top, bottom in zip(high, low, strict=True))
        return map(self._conversations.get, cids)

    def _spam_scores(self) -> list[int]:
        """From the cache; from the files of messages whose cache records are too old to have the field."""
        needed = min_version(SCORE_FIELD)
        scores = []
        versions = self.words(OFFSET_CACHE_VERSION)
        for number, version, fields in zip(self.numbers, versions, self.items(HEADERS), strict=True):
            header = fields if version & 0xFFFF >= needed else self._header(number)
            scores.append(spam_score(header))
        return scores

    def _header(self, number: int) -> bytes:
        """A message's whole header; empty if it cannot be read."""
        try:
            fields = contents.fields(self._view, number)
            file = MessageFile(self._view, number, fields)
            try:
                return file.read(0, fields.header_size)
            finally:
                file.close()
        except CyrusError:
            return b""


def _nstring(item: bytes) -> bytes:
    try:
        return nstring.parse_nstring(item) or b""
    except ValueError:
        return b""


def _first_address(item: bytes) -> addresses.Address | None:
    found = addresses.parse_list(item) if item != b"NIL" else []
    return found[0] if found else None


def _local_part(item: bytes) -> bytes:
    address = _first_address(item)
    return (address.mailbox or b"") if address is not None else b""


def _display_name(item: bytes) -> bytes:
    """RFC 5957 section 3: the name of the first address, or else the address in capitals."""
    address = _first_address(item)
    if address is None:
        return b""
    if address.name:
        return searchable(os.fsdecode(address.name), MIME_UTF8)
    if address.mailbox is None:
        return b""
    domain = address.domain
    whole = b"%b@%b" % (address.mailbox, domain) if domain is not None else address.mailbox
    return whole.upper()
