"""Who is in a user's address books: the tables ``vcard_objs`` and ``vcard_emails`` of ``dav.db``.

A book is a mailbox, known by its unique id; a contact is a row of it, with any number of addresses.
Contacts that were deleted stay, not ``alive``.
"""

from __future__ import annotations

from libcyrus.records.dav_db import DavDb

_WHERE = "FROM vcard_emails E JOIN vcard_objs C ON E.objid = C.rowid WHERE C.mailbox = ? AND C.alive = 1"
_FIND = f"SELECT 1 {_WHERE} AND E.email = ? LIMIT 1"
_EMAILS = f"SELECT E.email {_WHERE} GROUP BY E.email ORDER BY MIN(C.rowid), MIN(E.pos) LIMIT ?"


class AddressBooks:
    """The books in an open database. All methods raise IoError."""

    def __init__(self, db: DavDb) -> None:
        self._db = db

    def has(self, uniqueid: str, email: str) -> bool:
        """Whether a contact of the book has the address, in whichever case of ASCII."""
        return bool(self._db.execute(_FIND, (uniqueid, email)))

    def emails(self, uniqueid: str, most: int) -> list[str]:
        """Every address in the book once, at most so many, in the order in which they came."""
        return [email for (email,) in self._db.execute(_EMAILS, (uniqueid, most))]
