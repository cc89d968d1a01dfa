"""mboxkey.db: the secrets with which a user's URLAUTH URLs are signed (RFC 4467 section 9).

The key is the internal mailbox name, the value a 16-bit version, 1, and the mailbox's secret.
"""

from __future__ import annotations

import os
from types import TracebackType
from typing import Self

from libcyrus import cyrusdb
from libcyrus import options as opt
from libcyrus.base import files
from libcyrus.config import Config
from libcyrus.cyrusdb import Transaction
from libcyrus.errors import IoError, MailboxBadFormat, NotFound

from .userstate import MBOXKEY, UserState

_VERSION = (1).to_bytes(2)


def pack(secret: bytes) -> bytes:
    return _VERSION + secret


def unpack(data: bytes) -> bytes:
    """Raises MailboxBadFormat."""
    if not data.startswith(_VERSION):
        raise MailboxBadFormat
    return data[len(_VERSION) :]


class MboxkeyDb:
    """A user's open keys. Writes become durable together when it is closed.

    ``create`` makes a missing file; without, that raises NotFound.
    """

    def __init__(self, config: Config, state: UserState, userid: str, *, create: bool = False) -> None:
        self._db = cyrusdb.open_db(
            config[opt.mboxkey_db],
            state.user_path(userid, MBOXKEY),
            create=create,
            settings=cyrusdb.Settings.from_config(config),
        )
        self._txn: Transaction | None = None

    def read(self, mailbox: str) -> bytes | None:
        """The mailbox's secret, None if it has none. Raises MailboxBadFormat."""
        data = (self._txn or self._db).fetch(os.fsencode(mailbox))
        return None if data is None else unpack(data)

    def lock_read(self, mailbox: str) -> bytes | None:
        """read(), keeping everybody else from writing until ``close``."""
        self._begin()
        return self.read(mailbox)

    def write(self, mailbox: str, secret: bytes | None) -> None:
        """Give a mailbox a secret; None takes it away, and with it the worth of all URLs signed so far."""
        changes = self._begin()
        if secret is None:
            changes.delete(os.fsencode(mailbox))
        else:
            changes.store(os.fsencode(mailbox), pack(secret))

    def abort(self) -> None:
        txn, self._txn = self._txn, None
        if txn is not None:
            txn.abort()

    def close(self) -> None:
        """Raises IoError or NoSpace when the writes are lost."""
        txn, self._txn = self._txn, None
        try:
            if txn is not None:
                txn.commit()
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

    def _begin(self) -> Transaction:
        if self._txn is None:
            self._txn = self._db.transaction()
        return self._txn


def open_existing(config: Config, state: UserState, userid: str) -> MboxkeyDb | None:
    """The user's keys if there are any."""
    try:
        return MboxkeyDb(config, state, userid)
    except NotFound:
        return None


def delete_all(state: UserState, userid: str) -> None:
    """Take away all of a user's secrets (RESETKEY without a mailbox). Raises IoError."""
    path = state.user_path(userid, MBOXKEY)
    try:
        if files.remove(path):
            files.fsync_dir(os.path.dirname(path))
    except OSError as error:
        raise IoError() from error
