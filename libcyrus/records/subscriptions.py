"""sub.db: the mailboxes a user subscribed to.

Keys are ``N`` and the database name, with the user's own INBOX spelt ``INBOX`` at its start; values are
empty. The key ``<1F>VER<1F>`` holds the version, ``2``. Files without it are from before 3.6 (internal names
as keys); they are rewritten when first opened.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

from libcyrus import cyrusdb
from libcyrus import options as opt
from libcyrus.base import files, lock
from libcyrus.base.xlog import NOTICE
from libcyrus.config import Config
from libcyrus.cyrusdb import Database
from libcyrus.errors import NotFound
from libcyrus.mboxname import lock_path

from .userstate import SUBSCRIPTIONS, UserState

log = logging.getLogger(__name__)

_VERSION_KEY = b"\x1fVER\x1f"
_VERSION = b"2"


class Subscriptions:
    """Subscriptions of any user; mailbox names are internal."""

    def __init__(self, config: Config, state: UserState) -> None:
        self._config = config
        self._state = state
        self._rules = state.mailboxes.rules

    def list(self, userid: str) -> list[str]:
        """All subscribed names, in key order; they need not exist."""
        db = self.open(userid)
        if db is None:
            return []
        with db:
            return [self._rules.from_db(self.dbname(userid, key)).internal for key, _ in db.foreach(b"N")]

    def contains(self, userid: str, name: str) -> bool:
        db = self.open(userid)
        if db is None:
            return False
        with db:
            return db.fetch(self.key(userid, self._rules.from_internal(name).dbname)) is not None

    def add(self, userid: str, *names: str) -> None:
        """Subscribe, whether or not the mailboxes exist or may be seen: that is the caller's to check."""
        if not names:
            return
        db = self.open(userid, create=True)
        assert db is not None
        with db, db.transaction() as change:
            for name in names:
                change.store(self.key(userid, self._rules.from_internal(name).dbname), b"")

    def remove(self, userid: str, *names: str) -> bool:
        """Unsubscribe; harmless when not subscribed. False if the user never subscribed to anything."""
        db = self.open(userid) if names else None
        if db is None:
            return False
        with db, db.transaction() as change:
            for name in names:
                change.delete(self.key(userid, self._rules.from_internal(name).dbname))
        return True

    def open(self, userid: str, *, create: bool = False) -> Database | None:
        """The user's file, to be closed by the caller; None if there is none."""
        path = self._state.user_path(userid, SUBSCRIPTIONS)
        try:
            db = self._open_db(path)
        except NotFound:
            if not create:
                return None
            db = self._open_db(path, create=True)
            db.store(_VERSION_KEY, _VERSION)
            return db
        if db.fetch(_VERSION_KEY) is None:
            db.close()
            self._upgrade(userid, path)
            db = self._open_db(path)
        return db

    def key(self, userid: str | None, dbname: str) -> bytes:
        """The key under which ``userid`` subscribes to a database name (or its beginning)."""
        if userid is not None:
            inbox = self._rules.from_userid(userid).dbname
            if dbname.startswith(inbox):
                dbname = "INBOX" + dbname[len(inbox) :]
        return b"N" + dbname.encode("utf-8", "surrogateescape")

    def dbname(self, userid: str, key: bytes) -> str:
        """The database name that a key stands for."""
        text = key[1:].decode("utf-8", "surrogateescape")
        if text.startswith("INBOX"):
            return self._rules.from_userid(userid).dbname + text[5:]
        return text

    def _upgrade(self, userid: str, path: str) -> None:
        with self._upgrade_lock(userid):
            with self._open_db(path) as old:
                if old.fetch(_VERSION_KEY) is not None:
                    return
                log.log(NOTICE, "mboxlist_upgrade_subs(): %s", userid)
                records = list(old.foreach())
            files.remove(path + ".NEW")
            with self._open_db(path + ".NEW", create=True) as new, new.transaction() as txn:
                txn.store(_VERSION_KEY, _VERSION)
                for key, data in records:
                    name = self._rules.from_internal(key.decode("utf-8", "surrogateescape"))
                    txn.store(self.key(userid, name.dbname), data)
            os.rename(path + ".NEW", path)
            files.fsync_dir(os.path.dirname(path))

    def _open_db(self, path: str, *, create: bool = False) -> Database:
        config = self._config
        settings = cyrusdb.Settings.from_config(config)
        return cyrusdb.open_db(config[opt.subscription_db], path, create=create, settings=settings)

    @contextmanager
    def _upgrade_lock(self, userid: str) -> Iterator[None]:
        root = self._config[opt.mboxname_lockpath] or f"{self._config.directory}/lock"
        path = lock_path(root, f"$SUBS_UPGRADE${userid}", self._rules)
        files.mkdirs_for(path)
        with lock.exclusive_file(path):
            yield
