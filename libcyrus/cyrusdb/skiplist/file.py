"""The open skiplist file: what ``listfile.file`` leaves to the backend."""

from __future__ import annotations

from collections.abc import Iterator

from libcyrus.base import files

from ..listfile import ListFile, Sync
from ..order import mailbox_order
from . import checkpoint, describe, recovery, search
from .layout import HEADER_SIZE, Header, Record, ends_whole, fresh_file, signed_order
from .stage import Stage

_MINREWRITE = 16834


class SkiplistFile(ListFile[Record]):
    """Methods that read records are in ``search``, ``stage``, ``recovery`` and ``checkpoint``.

    ``recovered_since`` is a time: a file that was not made or recovered since
    then is recovered first, because the machine may have failed. With
    ``always_checkpoint`` what is recovered is rewritten, too.
    """

    backend = "skiplist"

    def __init__(
        self,
        path: str,
        *,
        mboxsort: bool = False,
        sync: Sync = Sync.FULL,
        always_checkpoint: bool = True,
        recovered_since: int = 0,
    ) -> None:
        super().__init__(path, mboxsort=mboxsort, sync=sync)
        self.rank = mailbox_order if mboxsort else signed_order
        self.always_checkpoint = always_checkpoint
        self.recovered_since = recovered_since
        self.header = Header()
        self.nodes: search.Nodes = {}
        self._raw_header = b""

    @property
    def end(self) -> int:
        return self.size

    def read_header(self) -> None:
        raw = self.map[:HEADER_SIZE]
        if raw != self._raw_header or not raw:
            self.header = Header.unpack(self.map)
            self._raw_header = raw
            self.nodes.clear()

    def is_clean(self) -> bool:
        header = self.header
        return header.last_recovery >= self.recovered_since and ends_whole(
            self.map, self.size, header.logstart
        )

    def state(self) -> object:
        return self._inode, self.size, self._raw_header

    def fetch(self, key: bytes) -> bytes | None:
        return search.fetch(self.map, self.size, self.header.curlevel, self.rank, key, self.nodes)

    def locate(self, key: bytes) -> tuple[int, int]:
        return search.locate(self.map, self.size, self.header.curlevel, self.rank, key, self.nodes)

    def collect(
        self, offset: int, prefix: bytes, limit: int, room: int
    ) -> tuple[list[tuple[bytes, bytes]], int]:
        return search.collect(self.map, self.size, offset, self.rank, prefix, limit, room)

    def check(self) -> None:
        checkpoint.check(self)

    def outgrown(self) -> bool:
        return self.size > 2 * self.header.logstart + _MINREWRITE

    def describe(self, detail: int) -> Iterator[str]:
        return describe.describe(self)

    def fresh(self) -> bytes:
        return fresh_file()[1]

    def recover(self) -> None:
        recovery.recover(self)

    def repack(self) -> None:
        checkpoint.repack(self)

    def stage(self) -> Stage:
        return Stage(self)

    def write_header(self, header: Header) -> None:
        raw = header.pack()
        files.pwrite_all(self.fd, raw, 0)
        self.header = header
        self._raw_header = raw

    def _forget(self) -> None:
        self._raw_header = b""
        self.nodes.clear()
