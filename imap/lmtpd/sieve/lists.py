"""External lists of scripts (RFC 6134): the address books of the script's owner.

``urn:ietf:params:sieve:addrbook:NAME``, or ``:addrbook:NAME`` for short, is the book of that name, with
percent signs as in all URIs; ``default`` is found in any case.
"""

from __future__ import annotations

import os
from urllib.parse import unquote_to_bytes

from libcyrus import options as opt
from libcyrus.config import Config
from libcyrus.mailbox.mailstore import MailStore
from libcyrus.records.address_books import AddressBooks
from libcyrus.records.dav_db import DavDb
from libcyrus.records.userstate import DAV

_PREFIXES = (b"urn:ietf:params:sieve:addrbook:", b":addrbook:")
_DEFAULT = "Default"


class Lists:
    """The lists of one user, of nobody for None. Close it after use."""

    def __init__(self, config: Config, store: MailStore, userid: str | None) -> None:
        self._config = config
        self._store = store
        self._userid = userid
        self._db: DavDb | None = None

    def close(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None

    def known(self, name: bytes) -> bool:
        return self._book(name) is not None

    def has(self, name: bytes, address: bytes) -> bool:
        """Whether the address is in the list. Raises IoError."""
        book = self._book(name)
        books = None if book is None else self._books()
        if book is None or books is None:
            return False
        try:
            return books.has(book, address.decode())
        except UnicodeDecodeError:
            # the database holds UTF-8 only
            return False

    def members(self, name: bytes, most: int) -> list[str]:
        """The addresses in the list, at most so many; none of a list that is not known. Raises IoError."""
        book = self._book(name)
        books = None if book is None else self._books()
        return [] if book is None or books is None else books.emails(book, most)

    def _book(self, name: bytes) -> str | None:
        """The unique id of an address book."""
        uri = unquote_to_bytes(name)
        for prefix in _PREFIXES:
            if uri.startswith(prefix) and self._userid is not None:
                book = os.fsdecode(uri[len(prefix) :]).partition("/")[0]
                if book.lower() == _DEFAULT.lower():
                    book = _DEFAULT
                inbox = self._store.rules.inbox(self._userid)
                entry = self._store.mboxlist.get(f"{inbox}.{self._config[opt.addressbookprefix]}.{book}")
                return None if entry is None else entry.uniqueid
        return None

    def _books(self) -> AddressBooks | None:
        """None without a database: reading makes none."""
        assert self._userid is not None
        if self._db is None:
            state = self._store.userstate
            if not os.path.exists(state.user_path(self._userid, DAV)):
                return None
            self._db = DavDb.of_user(self._config, state, self._userid)
        return AddressBooks(self._db)
