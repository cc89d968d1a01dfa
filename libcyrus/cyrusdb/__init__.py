"""Databases of keys and values, in the file formats of the original.

``open_db`` opens one with the backend that configuration names. A file made
by another backend is recognised where its format can be, and used as it is,
or converted first if the caller says so. (The original's flat backend takes
any file for its own, and shows nothing of it.)
"""

from __future__ import annotations

import logging
import os

from libcyrus.base import xlog
from libcyrus.errors import DatabaseCorrupt, Fatal, IoError

from .convert import BUILT, build_file, convert_file, dump_text, truncate, undump_text
from .flat import FlatDatabase
from .interface import Database, Records, Transaction
from .listfile import Sync
from .quotalegacy import QuotaLegacyDatabase
from .settings import Settings
from .skiplist import SkiplistDatabase
from .sql import SqlDatabase
from .sql import engines as sql_engines
from .twoskip import TwoskipDatabase

__all__ = [
    "BUILT",
    "Database",
    "Records",
    "Settings",
    "Sync",
    "Transaction",
    "build_file",
    "convert_file",
    "detect",
    "dump_text",
    "open_db",
    "truncate",
    "undump_text",
]

_MAGIC = {
    b"\xa1\x02\x8b\x0dskiplist fil": "skiplist",
    b"\xa1\x02\x8b\x0dtwoskip file": "twoskip",
}

log = logging.getLogger(__name__)


def open_db(
    backend: str,
    path: str | os.PathLike[str],
    *,
    create: bool = False,
    convert: bool = False,
    mboxsort: bool = False,
    sync: Sync = Sync.FULL,
    settings: Settings | None = None,
) -> Database:
    """Open the database at ``path``.

    ``create`` makes it when missing, with the directories above it; otherwise
    that raises ``NotFound``. A file of another known backend is opened with
    that one, or turned into ``backend`` with ``convert``. ``mboxsort`` selects
    mailbox order where the backend leaves a choice. ``sync`` is heeded by
    ``skiplist`` and ``twoskip``: less than full is for what can be made again.
    ``settings`` are what else the backends need of the configuration; every
    database of a server is opened with them.

    Raises ``Fatal`` (EX_CONFIG) for a backend that is unknown or not built,
    ``DatabaseCorrupt``, ``IoError``.
    """
    name = os.fspath(path)
    settings = settings or Settings()
    if backend not in BUILT:
        raise Fatal(f"cyrusdb backend {backend} not supported", os.EX_CONFIG)
    actual = backend
    if backend != "quotalegacy" and (backend != "sql" or sql_engines.is_own_file(settings)):
        found = detect(name)
        if found is not None and found != backend:
            actual = _other_backend(
                name, found, backend, convert=convert, mboxsort=mboxsort, settings=settings
            )
    if actual == "flat":
        return FlatDatabase(name, create=create)
    if actual == "quotalegacy":
        return QuotaLegacyDatabase(
            name,
            create=create,
            mboxsort=mboxsort,
            fulldirhash=settings.fulldirhash,
            virtdomains=settings.virtdomains,
        )
    if actual == "skiplist":
        return SkiplistDatabase(
            name,
            create=create,
            mboxsort=mboxsort,
            sync=Sync.NONE if settings.skiplist_unsafe else sync,
            always_checkpoint=settings.skiplist_always_checkpoint,
            recovered_since=settings.recovered_since(),
        )
    if actual == "sql":
        return SqlDatabase(name, settings, create=create)
    return TwoskipDatabase(name, create=create, mboxsort=mboxsort, sync=sync)


def detect(path: str | os.PathLike[str]) -> str | None:
    """The backend whose mark a file carries; None for flat files, which have none, and for no file."""
    try:
        with open(path, "rb") as stream:
            start = stream.read(32)
    except OSError:
        return None
    return _MAGIC.get(start[:16]) if len(start) == 32 else None


def _other_backend(
    path: str, found: str, wanted: str, *, convert: bool, mboxsort: bool, settings: Settings
) -> str:
    if not convert:
        log.log(
            xlog.NOTICE, "cyrusdb: opening %s with backend %s (requested %s)", path, found, wanted
        )
        return found
    try:
        with open_db(found, path, mboxsort=mboxsort, settings=settings) as source:
            if source.backend == wanted:
                return wanted  # somebody converted it since we looked
            convert_file(source, path, wanted, mboxsort=mboxsort, settings=settings)
    except (IoError, DatabaseCorrupt):
        if detect(path) != found:
            return wanted  # somebody did so while we waited for the lock
        xlog.xsyslog(
            log,
            logging.ERROR,
            "DBERROR: failed to convert, maybe someone beat us",
            fname=path,
            from_=found,
            to=wanted,
        )
        raise
    log.log(xlog.NOTICE, "cyrusdb: converted %s from %s to %s", path, found, wanted)
    return wanted
