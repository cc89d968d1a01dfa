"""The database of a user's DAV resources and Sieve scripts: ``dav.db`` beside the user's other state.

SQLite; ``user_version`` 14. Readers and writers of the original share it; both wait ``dav_lock_timeout`` for
each other. A transaction that is committed is on disk (SQLite's ``synchronous`` is FULL).

Versions 10 and 11 lack only the table of scripts and are brought to 14 when opened. Older ones, and 12 and 13
of no release, are for the original's dav_reconstruct(8).
"""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from libcyrus import options as opt
from libcyrus.base import files, xlog
from libcyrus.config import Config
from libcyrus.errors import IoError
from libcyrus.records.userstate import DAV, UserState

log = logging.getLogger(__name__)

VERSION = 14
_WITHOUT_SCRIPTS = (10, 11)

_RESOURCE = """rowid INTEGER PRIMARY KEY, creationdate INTEGER, mailbox TEXT NOT NULL, resource TEXT NOT NULL,
    imap_uid INTEGER, modseq INTEGER, createdmodseq INTEGER, lock_token TEXT, lock_owner TEXT,
    lock_ownerid TEXT, lock_expire INTEGER"""
_UNIQUE = "alive INTEGER, UNIQUE( mailbox, imap_uid ), UNIQUE( mailbox, resource )"
_SCRIPTS = """
CREATE TABLE IF NOT EXISTS sieve_scripts (
    rowid INTEGER PRIMARY KEY, creationdate INTEGER, lastupdated INTEGER, mailbox TEXT NOT NULL,
    imap_uid INTEGER, modseq INTEGER, createdmodseq INTEGER, id TEXT NOT NULL, name TEXT NOT NULL,
    contentid TEXT NOT NULL, isactive INTEGER, alive INTEGER, UNIQUE( mailbox, imap_uid ), UNIQUE( id ) );
CREATE INDEX IF NOT EXISTS idx_sieve_name ON sieve_scripts ( name );
"""
_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS ical_objs (
    {_RESOURCE}, comp_type INTEGER, ical_uid TEXT, organizer TEXT, dtstart TEXT, dtend TEXT,
    comp_flags INTEGER, sched_tag TEXT, {_UNIQUE} );
CREATE INDEX IF NOT EXISTS idx_ical_uid ON ical_objs ( ical_uid );
CREATE TABLE IF NOT EXISTS vcard_objs (
    {_RESOURCE}, version INTEGER, vcard_uid TEXT, kind INTEGER, fullname TEXT, name TEXT, nickname TEXT,
    {_UNIQUE} );
CREATE INDEX IF NOT EXISTS idx_vcard_fn ON vcard_objs ( fullname );
CREATE INDEX IF NOT EXISTS idx_vcard_uid ON vcard_objs ( vcard_uid );
CREATE TABLE IF NOT EXISTS vcard_emails (
    rowid INTEGER PRIMARY KEY, objid INTEGER, pos INTEGER NOT NULL, email TEXT NOT NULL COLLATE NOCASE,
    ispref INTEGER NOT NULL DEFAULT 0, ispinned INTEGER NOT NULL DEFAULT 0,
    FOREIGN KEY (objid) REFERENCES vcard_objs (rowid) ON DELETE CASCADE );
CREATE INDEX IF NOT EXISTS idx_vcard_email ON vcard_emails ( email COLLATE NOCASE );
CREATE TABLE IF NOT EXISTS vcard_groups (
    rowid INTEGER PRIMARY KEY, objid INTEGER, pos INTEGER NOT NULL, member_uid TEXT NOT NULL,
    otheruser TEXT NOT NULL DEFAULT '',
    FOREIGN KEY (objid) REFERENCES vcard_objs (rowid) ON DELETE CASCADE );
CREATE TABLE IF NOT EXISTS dav_objs (
    {_RESOURCE}, filename TEXT, type TEXT, subtype TEXT, res_uid TEXT, ref_count INTEGER, {_UNIQUE} );
CREATE TABLE IF NOT EXISTS ical_jmapcache (
    rowid INTEGER NOT NULL, userid TEXT NOT NULL, jmapversion INTEGER NOT NULL, jmapdata TEXT NOT NULL,
    PRIMARY KEY (rowid, userid),
    FOREIGN KEY (rowid) REFERENCES ical_objs (rowid) ON DELETE CASCADE );
CREATE TABLE IF NOT EXISTS vcard_jmapcache (
    rowid INTEGER NOT NULL PRIMARY KEY, jmapversion INTEGER NOT NULL, jmapdata TEXT NOT NULL,
    FOREIGN KEY (rowid) REFERENCES vcard_objs (rowid) ON DELETE CASCADE );
{_SCRIPTS}"""


class DavDb:
    """One user's database, open. All methods raise IoError, with a line in the log."""

    def __init__(self, path: str, timeout: float) -> None:
        """Open the file, make it if it is missing; ``timeout`` is how long to wait for others, in seconds."""
        self.path = path
        with self._complaining():
            directory = os.path.dirname(path)
            if not os.path.isdir(directory):
                files.mkdirs_lasting(directory)
            self._connection = sqlite3.connect(path, timeout=timeout, isolation_level=None)
        try:
            with self._complaining():
                self._connection.execute("PRAGMA foreign_keys = ON")
                self._connection.execute("PRAGMA secure_delete = OFF")
                self._connection.execute("PRAGMA temp_store = MEMORY")
                if self._version() != VERSION:
                    self._prepare()
        except BaseException:
            self._connection.close()
            raise

    @classmethod
    def of_user(cls, config: Config, state: UserState, userid: str) -> DavDb:
        return cls(state.user_path(userid, DAV), float(config[opt.dav_lock_timeout]))

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> DavDb:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; waits for other writers first."""
        self.execute("BEGIN IMMEDIATE")
        try:
            yield
            self.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self.execute("ROLLBACK")
            raise

    def execute(self, command: str, values: dict[str, Any] | tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        with self._complaining():
            return self._connection.execute(command, values).fetchall()

    def _version(self) -> int:
        [[version]] = self._connection.execute("PRAGMA user_version").fetchall()
        return int(version)

    def _prepare(self) -> None:
        self._connection.execute("BEGIN EXCLUSIVE")
        try:
            # another one may have been faster
            version = self._version()
            if version == 0:
                self._run(_SCHEMA)
            elif version in _WITHOUT_SCRIPTS:
                self._run(_SCRIPTS)
            elif version != VERSION:
                xlog.xsyslog(
                    log, logging.ERROR, "DBERROR: database needs upgrade",
                    fname=self.path, have=version, want=VERSION,
                )  # fmt: skip
                raise IoError
            self._connection.execute(f"PRAGMA user_version = {VERSION}")
            self._connection.execute("COMMIT")
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise

    def _run(self, commands: str) -> None:
        # one at a time: executescript() would end the transaction
        for command in commands.split(";"):
            self._connection.execute(command)

    @contextmanager
    def _complaining(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            xlog.xsyslog(log, logging.ERROR, "DBERROR: SQL failed", fname=self.path, reason=error)
            raise IoError from error
