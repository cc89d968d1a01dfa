"""deliver.db: which message went where, so that it goes there once.

The key is three strings, each ended by NUL: the message id, the recipient (the unique id of a mailbox, or a
text that begins with a dot for what Sieve did), and the Date header. The value is the time of the delivery
and the UID it got, as two native 64-bit numbers; very old records lack the UID.

Nothing here is worth waiting for the disk: a mark is seen by every process at once and survives the death
of any of them, and after a power cut a lost mark only means that a duplicate gets through. Commits are
therefore not synced (three syncs of a delivery saved), and a file that a power cut did break is set aside
as ``deliver.db.corrupt`` and begun anew when its checksums show it.
"""

from __future__ import annotations

import logging
import os
import struct
import time
from collections.abc import Iterator, Mapping

from libcyrus import cyrusdb
from libcyrus import options as opt
from libcyrus.base.dataclasses import dataclass
from libcyrus.base.xlog import NOTICE
from libcyrus.config import Config
from libcyrus.cyrusdb import Database, Sync
from libcyrus.errors import CyrusError, DatabaseCorrupt

log = logging.getLogger(__name__)

FILENAME = "deliver.db"
_VALUE = struct.Struct("=qQ")


@dataclass(frozen=True, slots=True)
class DuplicateKey:
    """All three must be given, the date possibly empty; none may hold a NUL."""

    id: bytes
    to: bytes
    date: bytes = b""

    def pack(self) -> bytes:
        return b"%b\0%b\0%b\0" % (self.id, self.to, self.date)

    @classmethod
    def unpack(cls, key: bytes) -> DuplicateKey | None:
        """None for a key that is not one of ours."""
        parts = key.split(b"\0")
        return cls(parts[0], parts[1], parts[2]) if len(parts) == 4 and not parts[3] else None


class DuplicateDb:
    """Opened when first used. Trouble is logged and means "not seen before": better twice than never."""

    def __init__(self, config: Config, path: str | None = None) -> None:
        self._backend = config[opt.duplicate_db]
        self._settings = cyrusdb.Settings.from_config(config)
        self._path = path or config[opt.duplicate_db_path] or f"{config.directory}/{FILENAME}"
        self._auditlog = config[opt.auditlog]
        self._db: Database | None = None
        self._failed = False

    def close(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None

    @property
    def usable(self) -> bool:
        """Whether the file could be opened."""
        return self._open() is not None

    def opens(self) -> bool:
        """Whether the database can be used at all. A broken one was set aside then, and a new one begun."""
        return self._open() is not None

    def check(self, key: DuplicateKey) -> int:
        """When this was delivered (seconds); 0 if it was not."""
        db = self._open()
        try:
            data = db.fetch(key.pack()) if db is not None else None
        except CyrusError as error:
            log.error("duplicate_check: error looking up %r/%r/%r: %s", key.id, key.to, key.date, error)
            self._set_aside(error)
            return 0
        return _unpack(data)[0] if data is not None else 0

    def mark(self, key: DuplicateKey, when: int, uid: int = 0) -> None:
        """Remember a delivery."""
        self.mark_all([(key, when, uid)])

    def mark_all(self, deliveries: list[tuple[DuplicateKey, int, int]]) -> None:
        """Remember several (key, time, uid) at once."""
        db = self._open()
        if db is None or not deliveries:
            return
        try:
            with db.transaction() as txn:
                for key, when, uid in deliveries:
                    txn.store(key.pack(), _VALUE.pack(when, uid))
        except CyrusError as error:
            log.error("DBERROR: duplicate_mark: %s", error)
            self._set_aside(error)

    def log(self, key: DuplicateKey, action: str, sessionid: str = "") -> None:
        """Say that a message was kept from arriving twice."""
        to, id_, date = (text.decode("utf-8", "backslashreplace") for text in (key.to, key.id, key.date))
        log.info("dupelim: eliminated duplicate message to %s id %s date %s (%s)", to, id_, date, action)
        if self._auditlog:
            log.log(
                NOTICE,
                "auditlog: duplicate sessionid=<%s> action=<%s> message-id=%s user=<%s> date=<%s>",
                sessionid, action, id_, to, date,
            )  # fmt: skip

    def find(self, msgid: bytes = b"") -> Iterator[tuple[DuplicateKey, int, int]]:
        """Deliveries to mailboxes whose message id begins with ``msgid``, with time and UID."""
        for key, when, uid in self.all(msgid):
            if not key.to.startswith(b"."):
                yield key, when, uid

    def all(self, prefix: bytes = b"") -> Iterator[tuple[DuplicateKey, int, int]]:
        for key, when, uid in self.entries(prefix):
            if key is not None:
                yield key, when, uid

    def entries(self, prefix: bytes = b"") -> Iterator[tuple[DuplicateKey | None, int, int]]:
        """Every record, also those whose key nobody can read."""
        db = self._open()
        for raw, data in db.foreach(prefix) if db is not None else ():
            yield DuplicateKey.unpack(raw), *_unpack(data)

    def prune(self, seconds: int, expire_at: Mapping[bytes, int] | None = None) -> tuple[int, int]:
        """Forget what is older than ``seconds``, or than ``expire_at[to]`` (a time) for a mailbox with its
        own.

        Returns how many there were and how many went.
        """
        log.log(NOTICE, "duplicate_prune: pruning back %0.2f days", seconds / 86400)
        limit = int(time.time()) - seconds
        count = 0
        old = []
        db = self._open()
        for raw, data in db.foreach() if db is not None else ():
            count += 1
            key = DuplicateKey.unpack(raw)
            expire = limit
            if key is not None and expire_at and key.to and not key.to.startswith(b"."):
                expire = expire_at.get(key.to, limit)
            if key is None or _unpack(data)[0] < expire:
                old.append(raw)
        if db is not None:
            for start in range(0, len(old), 1000):
                # in portions, so that deliveries need not wait for the whole
                with db.transaction() as txn:
                    for raw in old[start : start + 1000]:
                        txn.delete(raw)
        log.log(NOTICE, "duplicate_prune: purged %d out of %d entries", len(old), count)
        return count, len(old)

    def _open(self) -> Database | None:
        if self._db is None and not self._failed:
            try:
                self._db = cyrusdb.open_db(
                    self._backend, self._path, create=True, sync=Sync.NONE, settings=self._settings
                )
            except CyrusError as error:
                log.error("DBERROR: opening %s: %s", self._path, error)
                if not self._set_aside(error):
                    self._failed = True
        return self._db

    def _set_aside(self, error: CyrusError) -> bool:
        """Take a broken file out of the way; the next use begins a new one. False for other errors."""
        if not isinstance(error, DatabaseCorrupt):
            return False
        self.close()
        try:
            os.rename(self._path, self._path + ".corrupt")
        except OSError:
            return False
        log.warning("DBERROR: %s was set aside as %s.corrupt", self._path, self._path)
        return True


def _unpack(data: bytes) -> tuple[int, int]:
    when, uid = _VALUE.unpack(data.ljust(16, b"\0")[:16])
    return when, uid
