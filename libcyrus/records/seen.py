"""seen.db: which messages a user has seen in mailboxes of others.

(The owner's own state is in cyrus.index, and everybody's with the ``sharedseen`` option of a mailbox.) One
file a user, keyed by the unique id of the mailbox; the value is ``1 lastread lastuid lastchange uids`` with
times in seconds, ``lastuid`` the highest UID that is not recent any more, and a message set without ``*``.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from types import TracebackType
from typing import Self

from libcyrus import cyrusdb
from libcyrus import options as opt
from libcyrus.base.dataclasses import dataclass
from libcyrus.config import Config
from libcyrus.cyrusdb import Transaction
from libcyrus.errors import MailboxBadFormat, NotFound

from .userstate import SEEN, UserState

log = logging.getLogger(__name__)

_VERSION = 1
_RECORD = re.compile(rb"\s*(\d+)\s*(-?\d+)\s*(-?\d+)\s*(-?\d+)\s*(.*)", re.DOTALL)
_SEQUENCE = re.compile(r"\d+(?::\d+)?(?:,\d+(?::\d+)?)*")


@dataclass(frozen=True, slots=True)
class SeenData:
    lastread: int = 0
    lastuid: int = 0
    lastchange: int = 0
    uids: str = ""

    @classmethod
    def unpack(cls, data: bytes) -> SeenData:
        """Raises MailboxBadFormat."""
        found = _RECORD.fullmatch(data)
        if found is None or int(found[1]) != _VERSION:
            raise MailboxBadFormat
        return cls(int(found[2]), int(found[3]), int(found[4]), found[5].decode("ascii", "replace"))

    def pack(self) -> bytes:
        return f"{_VERSION} {self.lastread} {self.lastuid} {self.lastchange} {self.uids}".encode()


class SeenDb:
    """A user's open seen database. Writes become durable together when it is closed.

    ``create`` makes a missing file; without, that raises NotFound.
    """

    def __init__(self, config: Config, state: UserState, userid: str, *, create: bool = False) -> None:
        self.userid = userid
        path = state.user_path(userid, SEEN)
        self._db = cyrusdb.open_db(
            config[opt.seenstate_db],
            path,
            create=create,
            convert=True,
            settings=cyrusdb.Settings.from_config(config),
        )
        self._txn: Transaction | None = None

    def read(self, uniqueid: str) -> SeenData:
        """The state in a mailbox; zeros where nothing is recorded."""
        data = (self._txn or self._db).fetch(uniqueid.encode())
        if data is None:
            return SeenData()
        seen = SeenData.unpack(data)
        if seen.uids and not _SEQUENCE.fullmatch(seen.uids):
            log.error("DBERROR: invalid sequence <%s> for %s %s - nuking", seen.uids, self.userid, uniqueid)
            return SeenData(seen.lastread, seen.lastuid, seen.lastchange)
        return seen

    def lock_read(self, uniqueid: str) -> SeenData:
        """read(), keeping everybody else from writing until ``close``."""
        if self._txn is None:
            self._txn = self._db.transaction()
        return self.read(uniqueid)

    def write(self, uniqueid: str, seen: SeenData) -> None:
        if self._txn is None:
            self._txn = self._db.transaction()
        self._txn.store(uniqueid.encode(), seen.pack())

    def delete(self, uniqueid: str) -> None:
        if self._txn is None:
            self._txn = self._db.transaction()
        self._txn.delete(uniqueid.encode())

    def all(self) -> Iterator[tuple[str, SeenData]]:
        for key, data in (self._txn or self._db).foreach():
            yield key.decode(), SeenData.unpack(data)

    def commit(self) -> None:
        """Make what was written durable now and let others write."""
        txn, self._txn = self._txn, None
        if txn is not None:
            txn.commit()

    def abort(self) -> None:
        txn, self._txn = self._txn, None
        if txn is not None:
            txn.abort()

    def close(self) -> None:
        try:
            self.commit()
        finally:
            self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self.abort()
        self.close()


def open_existing(config: Config, state: UserState, userid: str) -> SeenDb | None:
    """The user's seen database if there is one."""
    try:
        return SeenDb(config, state, userid)
    except NotFound:
        return None
