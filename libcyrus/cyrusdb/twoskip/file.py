"""The open twoskip file: what ``listfile.file`` leaves to the backend."""

from __future__ import annotations

import os
from collections.abc import Iterator

from libcyrus.base import files

from ..listfile import ListFile, Sync
from . import describe, recovery, repack, search
from .layout import DIRTY, HEADER_SIZE, Header, Record, fresh_file
from .stage import Stage

_MOST_KNOWN = 256
_LONGEST_KNOWN = 4096


class TwoskipFile(ListFile[Record]):
    """Methods that read records are in ``search``, ``stage``, ``recovery`` and ``repack``.

    What was fetched is remembered with the header it was fetched under. Every commit changes the header
    before it changes anything else that was committed, and a repack puts another file in place: while
    both are the same, so is the value.
    """

    backend = "twoskip"

    def __init__(self, path: str, *, mboxsort: bool = False, sync: Sync = Sync.FULL) -> None:
        super().__init__(path, mboxsort=mboxsort, sync=sync)
        self.header = Header()
        self.nodes: search.Nodes = {}
        self._raw_header = b""
        self._known: dict[bytes, tuple[bytes | None]] = {}

    @property
    def end(self) -> int:
        return self.header.current_size

    def read_header(self) -> None:
        raw = self.map[:HEADER_SIZE]
        if raw != self._raw_header or not raw:
            self.header = Header.unpack(raw)
            self._raw_header = raw
            self._forget_records()

    def is_clean(self) -> bool:
        return self.header.current_size == self.size and not self.header.flags & DIRTY

    def state(self) -> object:
        return self.header.generation, self.header.current_size

    def fetch(self, key: bytes) -> bytes | None:
        value = search.fetch(self.map, self.size, self.rank, not self.mboxsort, key, self.nodes)
        if value is None or len(value) <= _LONGEST_KNOWN:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known[key] = (value,)
        return value

    def recall(self, key: bytes) -> tuple[bytes | None] | None:
        known = self._known.get(key)
        if known is None or self.map[:HEADER_SIZE] != self._raw_header:
            return None
        try:
            return known if os.stat(self.path).st_ino == self._inode else None
        except OSError:
            return None

    def locate(self, key: bytes) -> tuple[int, int]:
        return search.locate(self.map, self.size, self.rank, not self.mboxsort, key, self.nodes)

    def collect(
        self, offset: int, prefix: bytes, limit: int, room: int
    ) -> tuple[list[tuple[bytes, bytes]], int]:
        return search.collect(self.map, self.size, offset, prefix, limit, room)

    def check(self) -> None:
        repack.check(self)

    def outgrown(self) -> bool:
        return repack.outgrown(self.header)

    def describe(self, detail: int) -> Iterator[str]:
        return describe.describe(self, detail)

    def fresh(self) -> bytes:
        return fresh_file()[1]

    def recover(self) -> None:
        recovery.recover(self)

    def repack(self) -> None:
        repack.repack(self)

    def stage(self) -> Stage:
        return Stage(self)

    def write_header(self, header: Header) -> None:
        """Write it, and believe it from then on; an interruption leaves what is on disk to be read again."""
        raw = header.pack()
        files.pwrite_all(self.fd, raw, 0)
        self.header = header
        self._raw_header = raw
        self._forget_records()

    def _forget(self) -> None:
        self._raw_header = b""
        self._forget_records()

    def _forget_records(self) -> None:
        self.nodes.clear()
        self._known.clear()
