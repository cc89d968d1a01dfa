"""The twoskip backend. ``layout`` draws the file, ``stage`` explains a commit, ``recovery`` a crash."""

from __future__ import annotations

import os

from ..listfile import ListDatabase, Sync
from .file import TwoskipFile
from .layout import Record
from .repack import build

__all__ = ["TwoskipDatabase", "build"]


class TwoskipDatabase(ListDatabase[Record]):
    """An append-only skiplist file with checksums. ``sync`` says how durable commits are."""

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        create: bool = False,
        mboxsort: bool = False,
        sync: Sync = Sync.FULL,
    ) -> None:
        super().__init__(TwoskipFile(os.fspath(path), mboxsort=mboxsort, sync=sync), create=create)
