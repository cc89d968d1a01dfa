"""user_deny.db: users who may not use some services.

Key is the userid, value ``2 TAB wildmats TAB message``. The first of the comma-separated wildmats that fits
the service's name decides; one that begins with ``!`` lets the user in. Version 1 has no message.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator

from libcyrus import cyrusdb
from libcyrus import options as opt
from libcyrus.base import wildmat
from libcyrus.base.dataclasses import dataclass
from libcyrus.config import Config
from libcyrus.cyrusdb import Database
from libcyrus.errors import CyrusError, InvalidIdentifier, MailboxBadFormat, NotFound

log = logging.getLogger(__name__)

FILENAME = "user_deny.db"
DEFAULT_MESSAGE = "Access to this service has been blocked"
_VERSION = 2


@dataclass(frozen=True, slots=True)
class Denial:
    patterns: str
    message: str = DEFAULT_MESSAGE

    @classmethod
    def unpack(cls, data: bytes) -> Denial:
        """Raises MailboxBadFormat."""
        version, mark, rest = data.decode("utf-8", "surrogateescape").partition("\t")
        if not mark or version not in ("1", "2"):
            raise MailboxBadFormat
        if version == "1":
            return cls(rest)
        patterns, mark, message = rest.partition("\t")
        return cls(patterns, message if mark else DEFAULT_MESSAGE)

    def pack(self) -> bytes:
        return f"{_VERSION}\t{self.patterns}\t{self.message}".encode("utf-8", "surrogateescape")

    def applies_to(self, service: str) -> bool:
        for pattern in self.patterns.split(","):
            if pattern and wildmat.matches(service, pattern.removeprefix("!")):
                return not pattern.startswith("!")
        return False


class UserDeny:
    """No file means that nobody is denied; a broken one too, with a log line."""

    def __init__(self, config: Config, path: str | None = None) -> None:
        self._backend = config[opt.userdeny_db]
        self._settings = cyrusdb.Settings.from_config(config)
        self._path = path or config[opt.userdeny_db_path] or f"{config.directory}/{FILENAME}"
        self._db: Database | None = None

    @property
    def path(self) -> str:
        """The file, which need not exist; its time stamp tells who remembers answers when to ask again."""
        return self._path

    def close(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None

    def open(self, *, create: bool = False) -> None:
        """Open the file now, to learn whether it can be. Raises ``NotFound``, and what databases raise."""
        if self._open(create=create) is None:
            raise NotFound

    def message(self, userid: str, service: str) -> str | None:
        """What to tell a user who may not use ``service``; None for one who may."""
        try:
            db = self._open()
            data = db.fetch(_key(userid)) if db is not None else None
        except CyrusError as error:
            log.warning("DENYDB_ERROR: error reading entry '%s': %s", userid, error)
            return None
        if not data:
            return None
        try:
            denial = Denial.unpack(data)
        except MailboxBadFormat:
            log.warning("DENYDB_ERROR: invalid entry for '%s'", userid)
            return None
        return denial.message if denial.applies_to(service) else None

    def set(self, userid: str, patterns: str = "*", message: str = DEFAULT_MESSAGE) -> None:
        """Deny the services that ``patterns`` name; makes a missing file."""
        if not userid or "\t" in patterns:
            raise InvalidIdentifier
        db = self._open(create=True)
        assert db is not None
        db.store(_key(userid), Denial(patterns, message).pack())

    def delete(self, userid: str) -> None:
        """Allow everything again; no error for a user who was not denied anything."""
        db = self._open()
        if db is not None:
            db.delete(_key(userid))

    def all(self) -> Iterator[tuple[str, Denial]]:
        db = self._open()
        for key, data in db.foreach() if db is not None else ():
            userid = key.decode("utf-8", "surrogateescape")
            try:
                yield userid, Denial.unpack(data)
            except MailboxBadFormat:
                log.warning("DENYDB_ERROR: invalid entry for '%s'", userid)

    def _open(self, *, create: bool = False) -> Database | None:
        if self._db is None:
            if not create and self._backend != "sql" and not os.path.exists(self._path):
                return None
            try:
                self._db = cyrusdb.open_db(
                    self._backend, self._path, create=create, settings=self._settings
                )
            except NotFound:
                return None
        return self._db


def _key(userid: str) -> bytes:
    return userid.encode("utf-8", "surrogateescape")
