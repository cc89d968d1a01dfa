"""The skiplist backend. ``layout`` draws the file, ``stage`` explains a commit, ``recovery`` a crash."""

from __future__ import annotations

import os

from ..listfile import ListDatabase, Sync
from .checkpoint import build
from .file import SkiplistFile
from .layout import Record, signed_order

__all__ = ["SkiplistDatabase", "build", "signed_order"]


class SkiplistDatabase(ListDatabase[Record]):
    """An append-only skiplist file with a log. For the arguments see ``file.SkiplistFile``."""

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        create: bool = False,
        mboxsort: bool = False,
        sync: Sync = Sync.FULL,
        always_checkpoint: bool = True,
        recovered_since: int = 0,
    ) -> None:
        file = SkiplistFile(
            os.fspath(path),
            mboxsort=mboxsort,
            sync=sync,
            always_checkpoint=always_checkpoint,
            recovered_since=recovered_since,
        )
        super().__init__(file, create=create)
