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
from libcyrus.message import search
from libcyrus.message.section import Searchable, searchable
from libcyrus.search.records import RecordTest

# Parts such as message/delivery-status are not searched, although the section item has a charset for them.
_OTHER_MESSAGE: Final = re.compile(rb'\("MESSAGE" "(?!RFC822")')


class Candidate:
    """A message by its number in the view. A context manager, which closes the message's file."""

    def __init__(self, view: IndexView, number: int, flags: int) -> None:
        self.number = number
        self._view = view
        self._flags = flags
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

    def record_matches(self, test: RecordTest) -> bool:
        try:
            return test(self._cache)
        except CyrusError:
            return False

    def header_matches(self, test: Callable[[bytes], bool]) -> bool:
        try:
            return test(self._read(self._fields.header_size))
        except CyrusError:
            return False

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
