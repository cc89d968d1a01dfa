"""One message that a search looks at; what was read of it once is kept while the search is at it.

A message or cache record that cannot be read, which is logged where it is found, contains nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cached_property
from types import TracebackType
from typing import Final, Self

from libcyrus.errors import CyrusError
from libcyrus.index import contents
from libcyrus.index.contents import Fields, MessageFile
from libcyrus.index.view import IndexView
from libcyrus.message import nstring, search
from libcyrus.message.cached_headers import min_version
from libcyrus.message.prune import FieldFilter
from libcyrus.message.section import Searchable, searchable
from libcyrus.search.expr import Item
from libcyrus.text.mimeheader import parse_mimeheader
from libcyrus.text.searchform import MIME_UTF8, searchable_ascii

# Parts such as message/delivery-status are not searched, although the section item has a charset for them.
_OTHER_MESSAGE: Final = re.compile(rb'\("MESSAGE" "(?!RFC822")')

ItemTest = Callable[[memoryview], bool]
"""Whether the cache record of a message has what is looked for."""

_ITEMS: Final = {Item.FROM: 5, Item.TO: 6, Item.CC: 7, Item.BCC: 8, Item.SUBJECT: 9}


def item_test(item: Item, wanted: bytes, flags: int) -> ItemTest:
    """A test for an item that contains a pattern in search form."""
    if item is Item.MESSAGE_ID:
        return _message_id_test(wanted, flags)
    place = _ITEMS[item]
    quoted = item is Item.SUBJECT
    # the same people write again and again, and all but ASCII takes time
    known: dict[bytes, bool] = {}

    def contains(record: memoryview) -> bool:
        value = bytes(contents.item(record, place))
        if value == b"NIL":
            return False
        if quoted:
            value = value[1:-1] if value.startswith(b'"') else _nstring(value)
        if value.isascii():
            return bool(value) and wanted in searchable_ascii(value, flags)
        found = known.get(value)
        if found is None:
            found = known[value] = search.item_contains(value, wanted, flags)
        return found

    return contains


def _message_id_test(wanted: bytes, flags: int) -> ItemTest:
    def contains(record: memoryview) -> bool:
        envelope = bytes(contents.item(record, contents.ENVELOPE))
        # what is nowhere in the envelope is not in its last item, which takes time to find
        if envelope.isascii() and wanted not in searchable_ascii(envelope, flags):
            return False
        try:
            value = nstring.parse_envelope(envelope).message_id
        except ValueError:
            return False
        return bool(value) and search.item_contains(value or b"", wanted, flags)

    return contains


def _nstring(value: bytes) -> bytes:
    try:
        return nstring.parse_nstring(value) or b""
    except ValueError:
        return b""


class Candidate:
    """A message by its number in the view. A context manager, which closes the message's file."""

    def __init__(self, view: IndexView, number: int, flags: int, max_header_lines: int) -> None:
        self.number = number
        self._view = view
        self._flags = flags
        self._max_lines = max_header_lines
        self._file: MessageFile | None = None
        self._data: bytes | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    @cached_property
    def _fields(self) -> Fields:
        return contents.fields(self._view, self.number)

    @cached_property
    def _cache(self) -> memoryview:
        return contents.cache_record(self._view, self.number, self._fields)

    def _read(self, size: int) -> bytes:
        if self._file is None:
            self._file = MessageFile(self._view, self.number, self._fields)
        return self._file.read(0, size)

    @property
    def _message(self) -> bytes:
        if self._data is None:
            self._data = self._read(self._fields.size)
        return self._data

    def item_matches(self, test: ItemTest) -> bool:
        try:
            return test(self._cache)
        except CyrusError:
            return False

    def header_contains(self, name: bytes, wanted: bytes) -> bool:
        try:
            if min_version(name) <= self._fields.cache_high & 0xFFFF:
                header = bytes(contents.item(self._cache, contents.HEADERS))
            else:
                header = self._read(self._fields.header_size)
        except CyrusError:
            return False
        _, colon, value = FieldFilter([name], max_lines=self._max_lines).apply(header).partition(b":")
        if not colon:
            return False
        text = parse_mimeheader(value, utf8=bool(self._flags & MIME_UTF8))
        # a field with nothing in it, not even a blank, is as good as none
        return search.item_contains(text, wanted, self._flags)

    def text_contains(self, wanted: bytes, *, body_only: bool) -> bool:
        try:
            data = self._message
            places = self._places
        except CyrusError:
            return False
        if places is None:
            return search.message_contains(data, wanted, self._flags, body_only=body_only)
        return search.stored_contains(data, places, wanted, self._flags, body_only=body_only)

    @cached_property
    def _places(self) -> Searchable | None:
        """Where the parts are; None if the cache does not say enough."""
        try:
            record = self._cache
            if _OTHER_MESSAGE.search(contents.item(record, contents.BODYSTRUCTURE)):
                return None
            return searchable(bytes(contents.item(record, contents.SECTION)))
        except (CyrusError, ValueError):
            return None
