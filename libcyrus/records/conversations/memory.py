"""The records of a whole conversations database in memory, for changing most of them.

A list file is good at a few changes; what counts a user's mail anew makes ten of every message. About a
kilobyte of memory for each.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Final, Self

from libcyrus.errors import AlreadyExists, NotFound

_GUID_PREFIX: Final = 41


class MemoryRecords:
    """Records as a transaction gives them. G records are found by GUID, other kinds by going through all."""

    def __init__(self, records: Iterable[tuple[bytes, bytes]]) -> None:
        self._data: dict[bytes, bytes] = {}
        self._guids: dict[bytes, set[bytes]] = {}
        for key, data in records:
            self.store(key, data)

    def fetch(self, key: bytes) -> bytes | None:
        return self._data.get(key)

    def fetchnext(self, key: bytes) -> tuple[bytes, bytes] | None:
        keys = sorted(self._data)
        place = bisect_right(keys, key)
        return (keys[place], self._data[keys[place]]) if place < len(keys) else None

    def foreach(self, prefix: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        keys: Iterable[bytes]
        if len(prefix) == _GUID_PREFIX and prefix.startswith(b"G"):
            keys = self._guids.get(prefix, ())
        else:
            keys = [key for key in self._data if key.startswith(prefix)]
        for key in sorted(keys):
            data = self._data.get(key)
            if data is not None:
                yield key, data

    def store(self, key: bytes, data: bytes) -> None:
        self._data[key] = data
        if key.startswith(b"G"):
            known = self._guids.get(key[:_GUID_PREFIX])
            if known is None:
                self._guids[key[:_GUID_PREFIX]] = {key}
            else:
                known.add(key)

    def create(self, key: bytes, data: bytes) -> None:
        if key in self._data:
            raise AlreadyExists
        self.store(key, data)

    def delete(self, key: bytes, *, force: bool = True) -> None:
        if self._data.pop(key, None) is None:
            if not force:
                raise NotFound
            return
        if key.startswith(b"G"):
            known = self._guids[key[:_GUID_PREFIX]]
            known.discard(key)
            if not known:
                del self._guids[key[:_GUID_PREFIX]]

    def commit(self) -> None:
        """Nothing: ``Conversations.commit`` writes the records into a file."""

    def abort(self) -> None:
        """Forget them."""
        self._data.clear()
        self._guids.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass
