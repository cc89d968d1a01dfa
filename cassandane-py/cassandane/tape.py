"""Power cuts in the middle of a commit, played from a record of its writes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import combinations

import pytest

from libcyrus.base import files


class Tape:
    """Every write and sync of a commit, so that each crash in between can be played."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.epochs: list[list[tuple[int, bytes]]] = [[]]
        real_write, real_sync = files.pwrite_all, os.fdatasync

        def write(fd: int, data: bytes, offset: int) -> None:
            self.epochs[-1].append((offset, bytes(data)))
            real_write(fd, data, offset)

        def sync(fd: int) -> None:
            self.epochs.append([])
            real_sync(fd)

        monkeypatch.setattr(files, "pwrite_all", write)
        monkeypatch.setattr(os, "fdatasync", sync)

    def crashes(self, before: bytes) -> Iterator[bytes]:
        """Files that a power cut may leave: all epochs so far, and any of the next one's writes, or parts."""
        content = before
        for epoch in self.epochs:
            for size in range(len(epoch) + 1):
                for some in combinations(epoch, size):
                    yield _played(content, some)
            for offset, data in epoch:
                if len(data) > 512 or offset >= len(content):
                    for cut in range(8, len(data), 8):
                        yield _played(content, [(offset, data[:cut])])
            content = _played(content, epoch)


def _played(content: bytes, writes: list[tuple[int, bytes]] | tuple[tuple[int, bytes], ...]) -> bytes:
    image = bytearray(content)
    for offset, data in writes:
        image.extend(bytes(max(0, offset + len(data) - len(image))))
        image[offset : offset + len(data)] = data
    return bytes(image)
