"""Databases of every backend, for tests that must hold for all of them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from libcyrus import cyrusdb
from libcyrus.cyrusdb import Database, Settings

ALL = ("flat", "quotalegacy", "skiplist", "sql", "twoskip")
FILES = ("flat", "skiplist", "sql", "twoskip")
"""Backends that hold any bytes."""

Open = Callable[..., Database]

open_db = functools.partial(cyrusdb.open_db, settings=Settings(sql_engine="sqlite"))


@contextmanager
def opener(backend: str, directory: Path) -> Iterator[Open]:
    """A function that opens databases of this backend; all are closed at the end."""
    opened: list[Database] = []

    def open_one(name: str = "test.db", *, create: bool = True, mboxsort: bool = False) -> Database:
        path = directory / backend / name
        opened.append(open_db(backend, path, create=create, mboxsort=mboxsort))
        return opened[-1]

    yield open_one
    for database in opened:
        database.close()
