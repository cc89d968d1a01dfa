"""FETCH responses: what is asked of each message, spelt for the wire.

The order of the items in a response is the server's, whatever the client asked in; flags that changed
come along unasked. A message that cannot be read is told with an untagged OK and left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import chain

from imap.imapd import annotating, fetch_facts
from imap.imapd.fetch_facts import Message, Places
from imap.imapd.response import astring, nstring
from imap.imapd.session import Session
from libcyrus import options as opt
from libcyrus.annotations import Query, attributes_named
from libcyrus.base import times
from libcyrus.base.dataclasses import dataclass, field
from libcyrus.base.seqset import SeqSet
from libcyrus.errors import CyrusError, MailboxChecksum, UnknownCte
from libcyrus.index import contents
from libcyrus.index.contents import Fields, MessageFile
from libcyrus.index.resync import Known, vanished
from libcyrus.index.rows import Rows
from libcyrus.index.view import IndexView
from libcyrus.mailbox.index_record import CACHE_VERSION, OFFSET_INTERNALDATE, OFFSET_MODSEQ, OFFSET_SIZE
from libcyrus.message import cached_headers
from libcyrus.message.prune import FieldFilter
from libcyrus.message.section import Section as SectionEntry
from libcyrus.records.annotate import Annotation
from libcyrus.text.transfer import Buffer

_BLOCK = 512
"""Messages whose responses are made together."""

_FEW = 20
"""Messages whose annotations are looked up one by one."""

_CHUNK = 96 * 1024
"""Responses are handed to the stream in pieces of about this size, in octets."""

_MOST_AT_ONCE = 8 * 1024 * 1024
"""Octets that the responses for a block may come to; what may be more is made message by message."""


@dataclass(frozen=True, slots=True)
class Section:
    """``label`` is what stands before the value. ``kind`` is as in ``contents.place``, "" for content.

    ``start`` and ``count`` are those of a partial fetch, ``count`` 0 for none. Only HEADER.FIELDS has
    ``names``, ``inverted`` and ``trail``, what stands behind the list of names.
    """

    label: bytes
    path: tuple[int, ...]
    kind: str
    start: int = 0
    count: int = 0
    names: tuple[bytes, ...] = ()
    inverted: bool = False
    trail: bytes = b""


@dataclass(slots=True)
class FetchItems:
    """What to show of each message."""

    flags: bool = False
    uid: bool = False
    internaldate: bool = False
    modseq: bool = False
    size: bool = False
    annotation: bool = False
    envelope: bool = False
    bodystructure: bool = False
    body: bool = False
    rfc822: bool = False
    rfc822_header: bool = False
    rfc822_text: bool = False
    set_seen: bool = False
    facts: set[str] = field(default_factory=set)
    changedsince: int | None = None
    vanished: bool = False
    header_lines: list[bytes] = field(default_factory=list)
    header_lines_not: list[bytes] = field(default_factory=list)
    field_sections: list[Section] = field(default_factory=list)
    sections: list[Section] = field(default_factory=list)
    binaries: list[Section] = field(default_factory=list)
    binary_sizes: list[Section] = field(default_factory=list)
    entries: list[str] = field(default_factory=list)
    attributes: list[str] = field(default_factory=list)


def respond(session: Session, items: FetchItems, sequence: str, *, by_uid: bool, mark_seen: bool) -> bool:
    """Send the responses for a sequence set; whether it names any message.

    Raises an error of the library when the mailbox cannot be read, and UnknownCte behind the responses up to
    that for a message with a part that cannot be decoded.
    """
    view = session.selected()
    assert isinstance(view, IndexView)
    view.refresh()
    ranges = list(view.picture.numbers(sequence, by_uid=by_uid))
    matching = bool(ranges)
    gone = vanished(view, Known(items.changedsince or 0, sequence)) if items.vanished else None
    if mark_seen:
        view.mark_seen([number for low, high in ranges for number in range(low, high + 1)])
    if view.new_flag_names():
        session.out.flags(view)
    exists = view.new_exists()
    if exists is not None:
        session.out.exists(exists, view.recent)
    if gone is not None:
        session.out.vanished(gone, earlier=True)
    if items.changedsince is not None:
        changed = set(view.changed_since(items.changedsince, gone=True))
        numbers = (number for low, high in ranges for number in range(low, high + 1))
        ranges = list(SeqSet.of(number for number in numbers if number in changed).ranges())
    places: Places = {}
    if not items.facts.isdisjoint(fetch_facts.OF_PLACES):
        places = fetch_facts.find_places(
            session, view, chain.from_iterable(range(low, high + 1) for low, high in ranges)
        )
    writer = _Writer(session, view, items, places, by_uid=by_uid)
    writer.write(ranges)
    view.caught_up()
    if writer.stopped:
        raise UnknownCte
    return matching


_Part = Callable[[Fields, memoryview | None, MessageFile], bytes]
_CachedPart = Callable[[memoryview], bytes]


class _Writer:
    def __init__(
        self, session: Session, view: IndexView, items: FetchItems, places: Places, *, by_uid: bool
    ) -> None:
        self._session = session
        self._places = places
        self._view = view
        self._items = items
        self._by_uid = by_uid
        self._dates: dict[int, bytes] = {}
        self._chunk: list[bytes] = []
        self._chunk_size = 0
        # some of the response at hand has been handed over
        self._begun = False
        self._needs_file = bool(
            items.rfc822
            or items.rfc822_header
            or items.rfc822_text
            or items.sections
            or items.binaries
            or items.binary_sizes
        ) or not items.facts.isdisjoint(fetch_facts.OF_FILE)
        self._query: Query | None = None
        # a message with a part that cannot be decoded is the last one told of
        self.stopped = False
        # of all messages by uid, when many are asked for
        self._annotations: dict[int, list[Annotation]] | None = None
        self._max_lines = session.process.config[opt.maxheaderlines]
        self._parts: list[_Part] = []
        # the parts as functions of the cache record; None when any of them needs more
        self._cached_parts: list[_CachedPart] | None = []
        self._needs_cache = items.envelope or items.bodystructure or items.body
        self._plan()

    def write(self, ranges: list[tuple[int, int]]) -> None:
        picture = self._view.picture
        if self._items.annotation and sum(high - low for low, high in ranges) > _FEW:
            self._annotations = self._view.mailbox.annotations.by_uid()
        if picture.pending or picture.gone or self._cached_parts is None:
            self._write_each(chain.from_iterable(range(low, high + 1) for low, high in ranges))
            return
        write = self._session.out.write
        for low, high in ranges:
            for start in range(low, high + 1, _BLOCK):
                rows = Rows(picture, start, min(start + _BLOCK - 1, high))
                responses = self._block(rows, self._cached_parts)
                if responses is None:
                    self._write_each(range(start, start + rows.count))
                else:
                    write(responses)

    def _write_each(self, numbers: Iterable[int]) -> None:
        make: Callable[[int], bytes] = self._one
        if self._view.picture.pending:
            numbers, make = self._with_news(set(numbers))
        for number in numbers:
            self._put(make(number))
            if self.stopped:
                break
        self._hand_over()

    def _put(self, response: bytes) -> None:
        self._chunk.append(response)
        self._chunk_size += len(response)
        if self._chunk_size >= _CHUNK:
            self._hand_over()

    def _hand_over(self) -> None:
        self._session.out.write(b"".join(self._chunk))
        self._chunk.clear()
        self._chunk_size = 0

    # many messages, of which the index and the cache say everything

    def _block(self, rows: Rows, parts: list[_CachedPart]) -> bytes | None:
        """The responses for messages in a row; None when something is wrong with any of them."""
        if not rows.are_sound():
            return None
        items = self._items
        words: list[bytes] = []
        columns: list[Iterable[object]] = [range(rows.low, rows.low + rows.count)]
        if items.flags:
            words.append(b"FLAGS %b")
            columns.append(self._view.flag_lists(rows))
        if items.uid:
            words.append(b"UID %d")
            columns.append(rows.uids)
        if items.internaldate:
            words.append(b"%b")
            columns.append(map(self._internaldate, rows.words(OFFSET_INTERNALDATE)))
        if items.modseq:
            words.append(b"MODSEQ (%d)")
            columns.append(modseq for (modseq,) in rows.fields(f">{OFFSET_MODSEQ}xQ"))
        if items.size:
            words.append(b"RFC822.SIZE %d")
            columns.append(rows.words(OFFSET_SIZE))
        if parts:
            records: list[memoryview] = []
            for record in contents.cache_records(self._view, rows):
                if record is None:
                    return None
                records.append(record)
            if sum(map(len, records)) * len(parts) > _MOST_AT_ONCE:
                return None
            for part in parts:
                words.append(b"%b")
                columns.append(map(part, records))
        response = b"* %d FETCH (" + b" ".join(words) + b")\r\n"
        return b"".join([response % row for row in zip(*columns, strict=True)])

    # messages one by one

    def _with_news(self, wanted: set[int]) -> tuple[Iterable[int], Callable[[int], bytes]]:
        """The wanted messages and, in their places, those whose flags changed."""
        changed = self._view.picture.news()

        def make(number: int) -> bytes:
            return self._one(number) if number in wanted else self._news(number)

        return sorted(wanted.union(changed)), make

    def _news(self, number: int) -> bytes:
        view = self._view
        uid = view.picture.uids[number - 1]
        view.picture.pending.discard(uid)
        suffix = b" UID %d" % uid if self._by_uid or self._session.qresync else b""
        if self._session.condstore:
            suffix += b" MODSEQ (%d)" % view.modseq(number)
        return b"* %d FETCH (FLAGS %b%b)\r\n" % (number, view.flags(number), suffix)

    def _one(self, number: int) -> bytes:
        view = self._view
        try:
            found = contents.fields(view, number)
        except MailboxChecksum:
            return b"* OK Message %d no longer exists\r\n" % number
        except CyrusError:
            return b""
        file = MessageFile(view, number, found)
        self._begun = False
        try:
            if self._needs_file:
                file.open()
            return self._response(number, found, file)
        except CyrusError:
            end = b")\r\n" if self._begun else b""
            return b"%b* OK Message %d no longer exists\r\n" % (end, number)
        finally:
            file.close()

    def _response(self, number: int, found: Fields, file: MessageFile) -> bytes:
        view, items = self._view, self._items
        uid = found.uid
        words: list[bytes] = []
        changed = uid in view.picture.pending
        if items.flags or changed:
            words.append(b"FLAGS " + view.flags(number))
        if items.uid or (changed and self._session.qresync):
            words.append(b"UID %d" % uid)
        message = None
        if items.facts:
            message = fetch_facts.read(self._session, view, number, file, self._places)
        words += self._facts(message, fetch_facts.AFTER_UID)
        if items.internaldate:
            words.append(self._internaldate(found.internaldate))
        words += self._facts(message, fetch_facts.AFTER_INTERNALDATE)
        if items.modseq or (changed and self._session.condstore):
            words.append(b"MODSEQ (%d)" % view.modseq(number))
        if items.size:
            words.append(b"RFC822.SIZE %d" % found.size)
        if items.annotation:
            words.append(self._annotation(uid))
        words += self._facts(message, fetch_facts.AFTER_ANNOTATION)
        record = None
        if self._needs_cache:
            try:
                record = contents.cache_record(view, number, found)
            except CyrusError:
                record = None
        size = 0
        for part in self._parts:
            word = part(found, record, file)
            if word:
                words.append(word)
                size += len(word)
            if size >= _CHUNK:
                self._put(self._piece_of(number, words))
                words.clear()
                size = 0
        view.picture.pending.discard(uid)
        if words:
            return self._piece_of(number, words) + b")\r\n"
        return b")\r\n" if self._begun else b""

    def _piece_of(self, number: int, words: list[bytes]) -> bytes:
        """Some of a response's words; large ones do not wait for the others."""
        before = b" " if self._begun else b"* %d FETCH (" % number
        self._begun = True
        return before + b" ".join(words)

    def _facts(self, message: Message | None, known: Mapping[str, Callable[[Message], bytes]]) -> list[bytes]:
        if message is None:
            return []
        wanted = self._items.facts
        told = ((name, fact) for name, fact in known.items() if name in wanted)
        return [b"%b %b" % (name.encode("ascii"), fact(message)) for name, fact in told]

    def _annotation(self, uid: int) -> bytes:
        target = annotating.target(self._session, self._view.mailbox, uid)
        if self._query is None:
            self._query = Query(target.entries, self._items.entries, attributes_named(self._items.attributes))
        stored = self._annotations.get(uid, ()) if self._annotations is not None else None
        found = self._query.run(target, stored)
        return b"ANNOTATION (%b)" % b" ".join(
            b"%b (%b)"
            % (
                astring(one.entry),
                b" ".join(b"%b %b" % (astring(name), nstring(value)) for name, value in one.attributes),
            )
            for one in found
        )

    def _internaldate(self, when: int) -> bytes:
        known = self._dates.get(when)
        if known is None:
            known = b'INTERNALDATE "%b"' % times.to_rfc3501(when).encode("ascii")
            if len(self._dates) < 10000:
                self._dates[when] = known
        return known

    # the items that depend on the cache record or the message, made ready once a command

    def _plan(self) -> None:
        items, add = self._items, self._add
        if items.annotation or items.facts:
            self._cached_parts = None
        if items.envelope:
            self._add_cached(_item(b"ENVELOPE ", contents.ENVELOPE))
        if items.bodystructure:
            self._add_cached(_item(b"BODYSTRUCTURE ", contents.BODYSTRUCTURE))
        if items.body:
            self._add_cached(_item(b"BODY ", contents.BODY))
        if items.rfc822_header:
            add(lambda found, _record, file: b"RFC822.HEADER " + _piece(file, 0, found.header_size))
        elif items.header_lines or items.header_lines_not:
            self._plan_header_lines()
        if items.rfc822_text:
            add(
                lambda found, _record, file: (
                    b"RFC822.TEXT " + _piece(file, found.header_size, found.size - found.header_size)
                )
            )
        if items.rfc822:
            add(lambda found, _record, file: b"RFC822 " + _piece(file, 0, found.size))
        for section in items.field_sections:
            self._plan_fields(section)
        for section in items.sections:
            self._plan_section(section)
        for section in items.binaries:
            self._plan_binary(section)
        for section in items.binary_sizes:
            self._plan_binary_size(section)

    def _add(self, part: _Part) -> None:
        self._parts.append(part)
        self._cached_parts = None

    def _add_cached(self, part: _CachedPart, *, missing: bytes = b"") -> None:
        """A part that needs the cache record alone; ``missing`` is what it is without one."""
        self._needs_cache = True
        self._parts.append(lambda _found, record, _file: missing if record is None else part(record))
        if self._cached_parts is not None:
            self._cached_parts.append(part)

    def _plan_header_lines(self) -> None:
        items = self._items
        self._needs_file = True
        names, inverted = items.header_lines, bool(items.header_lines_not)
        if inverted:
            # asked for both, and together
            names = [name for name in items.header_lines_not if name not in items.header_lines]
        fields = FieldFilter(names, inverted=inverted, max_lines=self._max_lines)

        def lines(found: Fields, _record: memoryview | None, file: MessageFile) -> bytes:
            kept = fields.apply(file.read(0, found.header_size))
            return b"RFC822.HEADER {%d}\r\n%b\r\n" % (len(kept) + 2, kept)

        self._add(lines)

    def _plan_fields(self, section: Section) -> None:
        names = b" ".join(astring(name) for name in section.names)
        label = b"BODY[%b (%b)%b " % (section.label, names, section.trail)
        fields = FieldFilter(section.names, inverted=section.inverted, max_lines=self._max_lines)
        path = section.path

        def pruned(header: bytes) -> bytes:
            kept = fields.apply(header) + b"\r\n"
            if section.count:
                kept = kept[section.start : section.start + section.count]
            if not kept:
                return label + b'""'
            return b"%b{%d}\r\n%b" % (label, len(kept), kept)

        if not path and not section.inverted and _are_cached(section.names):

            def cached_value(record: memoryview) -> bytes:
                return pruned(bytes(contents.item(record, contents.HEADERS)))

            self._add_cached(cached_value, missing=label + b'""')
            return
        self._needs_cache = self._needs_cache or bool(path)
        self._needs_file = True

        def value(found: Fields, record: memoryview | None, file: MessageFile) -> bytes:
            where = (0, found.header_size) if not path else _place(record, path, "FIELDS")
            if where is None or not where[1]:
                return label + b"NIL"
            return pruned(file.read(*where))

        self._add(value)

    def _plan_section(self, section: Section) -> None:
        label, path, kind = section.label + b" ", section.path, section.kind
        start, count = section.start, section.count
        # the text of a multipart without parts is empty, so its size is in the cache only
        by_table = bool(path) or kind == "TEXT"
        if by_table:
            self._needs_cache = True

        def value(found: Fields, record: memoryview | None, file: MessageFile) -> bytes:
            where: tuple[int, int] | None
            if by_table:
                if record is None:
                    return b""
                where = _place(record, path, kind)
            elif kind == "HEADER":
                where = (0, found.header_size)
            else:
                where = (0, found.size)
            if where is None:
                return label + b"NIL"
            return label + _piece(file, where[0], where[1], start, count)

        self._add(value)


    # RFC 3516

    def _plan_binary(self, section: Section) -> None:
        label, path = section.label + b" ", section.path
        self._needs_cache = self._needs_cache or bool(path)

        def value(found: Fields, record: memoryview | None, file: MessageFile) -> bytes:
            if not path:
                return label + _piece(file, 0, found.size, section.start, section.count)
            if record is None:
                return b""
            part = _part(record, path)
            if part is None:
                return label + b"NIL"
            try:
                data = contents.decoded(file, part)
            except CyrusError:
                self.stopped = True
                return b""
            if section.count:
                data = data[section.start : section.start + section.count]
            return label + literal(data)

        self._add(value)

    def _plan_binary_size(self, section: Section) -> None:
        label, path = section.label + b" ", section.path
        self._needs_cache = self._needs_cache or bool(path)

        def value(found: Fields, record: memoryview | None, file: MessageFile) -> bytes:
            if not path:
                return label + b"%d" % found.size
            if record is None:
                return b""
            part = _part(record, path)
            if part is None:
                return label + b"0"
            try:
                return label + b"%d" % contents.decoded_size(file, part)
            except CyrusError:
                self.stopped = True
                return b""

        self._add(value)


def _part(record: memoryview, path: tuple[int, ...]) -> SectionEntry | None:
    try:
        return contents.part(record, path)
    except ValueError:
        return None


def _place(record: memoryview | None, path: tuple[int, ...], kind: str) -> tuple[int, int] | None:
    if record is None:
        return None
    try:
        return contents.place(record, path, kind)
    except ValueError:
        return None


def _are_cached(names: Iterable[bytes]) -> bool:
    return all(cached_headers.min_version(name) <= CACHE_VERSION for name in names)


def _item(label: bytes, wanted: int) -> _CachedPart:
    item = contents.item
    return lambda record: label + item(record, wanted)


def _piece(file: MessageFile, offset: int, size: int, start: int = 0, count: int = 0) -> bytes:
    """A literal with part of a message; its announced size holds even if the file is too short."""
    if count:
        size = min(max(size - start, 0), count)
    if not size:
        return b'""'
    data = file.read(offset + start, size)
    return literal(data.ljust(size, b" ")) if data else b'""'


def literal(data: Buffer) -> bytes:
    """Octets as a literal, one that says so if there are NULs; a quoted string if there are none at all."""
    octets = bytes(data)
    if not octets:
        return b'""'
    mark = b"~" if b"\0" in octets else b""
    return b"%b{%d}\r\n%b" % (mark, len(octets), octets)
