"""A user's Sieve scripts: the table ``sieve_scripts`` of ``dav.db``.

A row is one script, kept under the same ``id`` while its name and content change. ``imap_uid`` is the
message that holds it in the user's mailbox ``#sieve``. Scripts that were deleted stay, not ``alive``, for
replication, as long as their message has a record that is not unlinked.
"""

from __future__ import annotations

from typing import Any

from libcyrus.base.dataclasses import dataclass
from libcyrus.records.dav_db import DavDb

_COLUMNS = (
    "rowid, creationdate, lastupdated, mailbox, imap_uid, modseq, createdmodseq, id, name, contentid, "
    "isactive, alive"
)
_SELECT = f"SELECT {_COLUMNS} FROM sieve_scripts WHERE"
_INSERT = (
    f"INSERT INTO sieve_scripts ({_COLUMNS}) VALUES (:rowid, :creationdate, :lastupdated, :mailbox, "
    ":imap_uid, :modseq, :createdmodseq, :id, :name, :contentid, :isactive, :alive)"
)
_UPDATE = (
    "UPDATE sieve_scripts SET lastupdated = :lastupdated, mailbox = :mailbox, imap_uid = :imap_uid, "
    "modseq = :modseq, name = :name, contentid = :contentid, isactive = :isactive, alive = :alive "
    "WHERE rowid = :rowid"
)


@dataclass(slots=True)
class ScriptRecord:
    """Times in seconds; ``mailbox`` is the unique id of ``#sieve``; ``contentid`` the SHA1 of the script."""

    rowid: int | None
    creationdate: int
    lastupdated: int
    mailbox: str
    imap_uid: int
    modseq: int
    createdmodseq: int
    id: str
    name: str
    contentid: str
    isactive: bool
    alive: bool = True


class SieveDb:
    """The scripts in an open database. Changes belong into its ``transaction``. All raise IoError."""

    def __init__(self, db: DavDb) -> None:
        self._db = db

    def all(self) -> list[ScriptRecord]:
        return self._find("alive = 1 ORDER BY rowid")

    def by_name(self, name: str) -> ScriptRecord | None:
        found = self._find("alive = 1 AND name = ?", name)
        return found[0] if found else None

    def deleted(self) -> list[ScriptRecord]:
        return self._find("alive = 0")

    def forget_others(self, mailbox: str) -> None:
        """Drop what is not in the mailbox with this unique id: that was of one that is gone."""
        if self._db.execute("SELECT 1 FROM sieve_scripts WHERE mailbox != ? LIMIT 1", (mailbox,)):
            with self._db.transaction():
                self._db.execute("DELETE FROM sieve_scripts WHERE mailbox != ?", (mailbox,))

    def is_empty(self) -> bool:
        """Whether there never was a script."""
        return not self._db.execute("SELECT 1 FROM sieve_scripts LIMIT 1")

    def count(self) -> int:
        [[count]] = self._db.execute("SELECT count(*) FROM sieve_scripts WHERE alive = 1")
        return int(count)

    def write(self, record: ScriptRecord) -> None:
        """Add a record, or replace the one with the same rowid."""
        values = {name: getattr(record, name) for name in _COLUMNS.split(", ")}
        self._db.execute(_INSERT if record.rowid is None else _UPDATE, values)

    def remove(self, record: ScriptRecord) -> None:
        """Forget a deleted script."""
        self._db.execute("DELETE FROM sieve_scripts WHERE rowid = ?", (record.rowid,))

    def _find(self, where: str, *values: str) -> list[ScriptRecord]:
        rows = self._db.execute(f"{_SELECT} {where}", values)
        return [_record(*row) for row in rows]


def _record(*columns: Any) -> ScriptRecord:
    record = ScriptRecord(*columns)
    # SQLite has numbers for them
    record.isactive, record.alive = bool(record.isactive), bool(record.alive)
    return record
