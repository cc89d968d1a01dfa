"""statuscache.db: answers to STATUS that are known without opening the mailbox.

Two records a mailbox: ``NAME%`` for what everybody sees, ``NAME%%USERID`` for one user's recent and unseen::

    I 8 (messages uidnext uidvalidity options size createdmodseq highestmodseq)
    S 8 (recent unseen highestmodseq)

The second is good only while its highestmodseq equals the first one's. Both are caches: whoever changes a
mailbox replaces or removes the first. Nothing is kept unless ``statuscache`` is on.
"""

from __future__ import annotations

import logging
import re

from libcyrus import cyrusdb
from libcyrus import options as opt
from libcyrus.base.dataclasses import dataclass
from libcyrus.config import Config
from libcyrus.cyrusdb import Database
from libcyrus.errors import CyrusError

log = logging.getLogger(__name__)

FILENAME = "statuscache.db"
VERSION = 8
_INDEX = re.compile(rb"I (\d+) \((\d+) (\d+) (\d+) (\d+) (\d+) (\d+) (\d+)\)")
_SEEN = re.compile(rb"S (\d+) \((\d+) (\d+) (\d+)\)")


@dataclass(frozen=True, slots=True)
class IndexStatus:
    """``options`` is the bit mask of cyrus.index, ``size`` in bytes."""

    messages: int
    uidnext: int
    uidvalidity: int
    options: int
    size: int
    createdmodseq: int
    highestmodseq: int


@dataclass(frozen=True, slots=True)
class SeenStatus:
    recent: int
    unseen: int


class StatusCache:
    """Trouble with the file is logged and costs the cache, never the answer."""

    def __init__(self, config: Config, path: str | None = None) -> None:
        self.enabled = config[opt.statuscache]
        self._backend = config[opt.statuscache_db]
        self._settings = cyrusdb.Settings.from_config(config)
        self._path = path or config[opt.statuscache_db_path] or f"{config.directory}/{FILENAME}"
        self._db: Database | None = None

    def close(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None

    def index(self, name: str) -> IndexStatus | None:
        """What the internal mailbox ``name`` looks like to everybody, if known."""
        data = self._fetch(_index_key(name))
        found = _INDEX.fullmatch(data) if data is not None else None
        if found is None or int(found[1]) != VERSION:
            return None
        status = IndexStatus(*map(int, found.groups()[1:]))
        return status if status.highestmodseq else None

    def seen(self, name: str, userid: str, index: IndexStatus) -> SeenStatus | None:
        """What it looks like to ``userid``, if known for the state ``index``."""
        if not index.messages:
            return SeenStatus(0, 0)
        data = self._fetch(_seen_key(name, userid))
        found = _SEEN.fullmatch(data) if data is not None else None
        if found is None or int(found[1]) != VERSION or int(found[4]) != index.highestmodseq:
            return None
        return SeenStatus(int(found[2]), int(found[3]))

    def store(
        self, name: str, index: IndexStatus, userid: str | None = None, seen: SeenStatus | None = None
    ) -> None:
        records = {
            _index_key(name): f"I {VERSION} ({index.messages} {index.uidnext} {index.uidvalidity} "
            f"{index.options} {index.size} {index.createdmodseq} {index.highestmodseq})".encode()
        }
        if userid is not None and seen is not None:
            records[_seen_key(name, userid)] = (
                f"S {VERSION} ({seen.recent} {seen.unseen} {index.highestmodseq})".encode()
            )
        self._write(name, records)

    def invalidate(self, name: str) -> None:
        """Forget what is known of a mailbox that changed."""
        self._write(name, {_index_key(name): None})

    def _open(self) -> Database | None:
        if self._db is None and self.enabled:
            try:
                self._db = cyrusdb.open_db(
                    self._backend, self._path, create=True, settings=self._settings
                )
            except CyrusError as error:
                log.error("DBERROR: opening %s: %s", self._path, error)
                log.error("statuscache in degraded mode")
                self.enabled = False
        return self._db

    def _fetch(self, key: bytes) -> bytes | None:
        db = self._open()
        if db is None:
            return None
        try:
            return db.fetch(key)
        except CyrusError as error:
            log.error("DBERROR: error fetching statuscache: %s", error)
            return None

    def _write(self, name: str, records: dict[bytes, bytes] | dict[bytes, None]) -> None:
        db = self._open()
        if db is None:
            return
        try:
            with db.transaction() as txn:
                for key, data in records.items():
                    if data is None:
                        txn.delete(key)
                    else:
                        txn.store(key, data)
        except CyrusError as error:
            log.error("DBERROR: failed to store statuscache data for %s: %s", name, error)


def _index_key(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape") + b"%"


def _seen_key(name: str, userid: str) -> bytes:
    return f"{name}%%{userid}".encode("utf-8", "surrogateescape")
