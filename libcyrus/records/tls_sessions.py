"""tls_sessions.db: TLS sessions that clients may resume, whichever process they meet.

The key is the session's id, the value the time when it expires, a native 64-bit number, and the session in
ASN.1 as OpenSSL writes it. Losing one costs a full handshake, so commits are not synced.
"""

from __future__ import annotations

import logging
import struct
import time

from libcyrus import cyrusdb
from libcyrus import options as opt
from libcyrus.base.xlog import NOTICE
from libcyrus.config import Config
from libcyrus.cyrusdb import Database, Sync
from libcyrus.errors import CyrusError, NotFound

log = logging.getLogger(__name__)

FILENAME = "tls_sessions.db"
_EXPIRE = struct.Struct("=q")
_PORTION = 1000


class TlsSessions:
    """Opened when first used. Trouble is logged, and means that nothing is remembered."""

    def __init__(self, config: Config, path: str | None = None) -> None:
        self._backend = config[opt.tls_sessions_db]
        self._settings = cyrusdb.Settings.from_config(config)
        self.path = path or config[opt.tls_sessions_db_path] or f"{config.directory}/{FILENAME}"
        self._db: Database | None = None
        self._failed = False

    def close(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None

    def store(self, session_id: bytes, session: bytes, expire: int) -> bool:
        """Remember a session until ``expire`` (seconds since 1970); False if that failed."""
        db = self._open()
        if db is None or not session_id:
            return False
        try:
            db.store(session_id, _EXPIRE.pack(expire) + session)
        except CyrusError as error:
            log.error("DBERROR: storing a TLS session: %s", error)
            return False
        return True

    def fetch(self, session_id: bytes) -> bytes | None:
        """A session that has not expired; one that has is removed."""
        db = self._open()
        if db is None or not session_id:
            return None
        try:
            data = db.fetch(session_id)
            if data is None:
                return None
            if not _is_over(data, int(time.time())):
                return data[_EXPIRE.size :]
            db.delete(session_id)
        except CyrusError as error:
            log.error("DBERROR: fetching a TLS session: %s", error)
        return None

    def remove(self, session_id: bytes) -> None:
        db = self._open()
        if db is None or not session_id:
            return
        try:
            db.delete(session_id)
        except CyrusError as error:
            log.error("DBERROR: removing a TLS session: %s", error)

    def prune(self) -> tuple[int, int] | None:
        """Remove what has expired; returns how many sessions there were and how many went, None for no file.

        Raises what opening and reading a database raise.
        """
        try:
            db = self._open_db(create=False)
        except NotFound:
            log.log(NOTICE, "tls_prune: %s not found, nothing to do", self.path)
            return None
        now = int(time.time())
        count = 0
        old = []
        with db:
            for session_id, data in db.foreach():
                count += 1
                if _is_over(data, now):
                    old.append(session_id)
            for start in range(0, len(old), _PORTION):
                # in portions, so that handshakes need not wait for the whole
                with db.transaction() as changes:
                    for session_id in old[start : start + _PORTION]:
                        changes.delete(session_id)
        log.log(NOTICE, "tls_prune: purged %d out of %d entries", len(old), count)
        return count, len(old)

    def _open(self) -> Database | None:
        if self._db is None and not self._failed:
            try:
                self._db = self._open_db(create=True)
            except CyrusError as error:
                log.error("DBERROR: opening %s: %s", self.path, error)
                self._failed = True
        return self._db

    def _open_db(self, *, create: bool) -> Database:
        return cyrusdb.open_db(
            self._backend, self.path, create=create, sync=Sync.NONE, settings=self._settings
        )


def _is_over(data: bytes, now: int) -> bool:
    """Also for a record too short to hold a time."""
    return len(data) < _EXPIRE.size or _EXPIRE.unpack_from(data)[0] < now
