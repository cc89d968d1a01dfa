"""From names found to responses: which names are worth one, and what is known of each when its turn comes.

Names come in an order in which children follow their parents, so that a name's response is written when the
next name has shown whether the first has children (RFC 3348).
"""

from __future__ import annotations

import os
from bisect import bisect_left
from collections.abc import Callable, Iterable

from imap.imapd.list_options import ListArgs, Return, Select
from imap.imapd.list_response import (
    CHILD_SUBSCRIBED,
    HASCHILDREN,
    HASNOCHILDREN,
    NOINFERIORS,
    NONEXISTENT,
    SUBSCRIBED,
    NameResponse,
)
from imap.imapd.session import Session
from libcyrus.mboxname import Category
from libcyrus.records.find import Found
from libcyrus.records.mbentry import MboxEntry


class Listing:
    """Makes the responses of one command."""

    def __init__(self, session: Session, args: ListArgs, write: Callable[[bytes], object]) -> None:
        self._session = session
        self._args = args
        self._is_lsub = args.kind == b"LSUB"
        self._separator = session.namespace.separator
        self._response = NameResponse(session, args, write)
        self._subscriptions: list[str] | None = None
        if Return.SUBSCRIBED in args.returns and Select.SUBSCRIBED not in args.select:
            self._subscriptions = sorted(session.process.subscriptions.list(session.user()))
        self._name: str | None = None
        self._entry: MboxEntry | None = None
        self._attributes = 0
        self._calls = 0

    @property
    def calls(self) -> int:
        """How many names were looked at."""
        return self._calls + self._response.lookups

    @property
    def biggest_metadata(self) -> str | None:
        """The response code for values that were too large to be told."""
        return self._response.metadata_output.completed().code if self._args.metadata_entries else None

    def list(self, names: Iterable[Found | None]) -> None:
        """The names that exist."""
        admin, select = self._session.is_admin, self._args.select
        show_deleted = admin or Select.DELETED in select
        show_missing = Select.NONEXISTENT in select
        for found in names:
            if found is None:
                if not self._attributes & HASCHILDREN:
                    self._attributes |= HASNOCHILDREN
                self._flush()
                continue
            if found.name.deleted and not show_deleted:
                continue
            self._calls += 1
            if self._is_below(found.extname) or (not found.exact and found.extname == self._name):
                self._attributes |= HASCHILDREN
            elif not self._attributes & HASCHILDREN:
                self._attributes |= HASNOCHILDREN
            if not admin and self._skips(found, found.entry, show_missing=show_missing):
                continue
            if not self._next(found.extname, found.entry):
                continue
            if not found.exact:
                self._attributes |= HASCHILDREN | NONEXISTENT
            elif found.category is Category.ALTINBOX:
                self._attributes |= NOINFERIORS

    def list_subscribed(self, names: Iterable[Found | None]) -> None:
        """Subscribed names."""
        admin = self._session.is_admin
        process = self._session.process
        for found in names:
            if found is None:
                self._flush()
                continue
            self._calls += 1
            if self._is_below(found.extname) or (not found.exact and found.extname == self._name):
                self._attributes |= HASCHILDREN
            if not found.exact and not self._is_lsub:
                continue
            entry = process.store.mboxlist.get(found.name.internal) if found.exact else None
            if not admin and self._skips(found, entry, show_missing=Select.NONEXISTENT in self._args.select):
                continue
            self._next(found.extname, entry)
            if not found.exact:
                self._attributes |= CHILD_SUBSCRIBED
                continue
            self._attributes |= SUBSCRIBED
            if entry is None:
                self._attributes |= NONEXISTENT
            if found.category is Category.ALTINBOX:
                self._attributes |= NOINFERIORS

    def list_recursively(self, names: Iterable[Found | None]) -> None:
        """Subscribed names, and names that the pattern covers below which something is subscribed."""
        admin = self._session.is_admin or Select.DAV in self._args.select
        process = self._session.process
        known: dict[str, tuple[int, MboxEntry | None]] = {}
        for found in names:
            if found is None:
                continue
            self._calls += 1
            if not admin and process.hidden.hides(found, None):
                continue
            attributes, entry = known.get(found.extname, (NONEXISTENT, None))
            if found.exact:
                attributes |= SUBSCRIBED
                entry = process.store.mboxlist.get(found.name.internal)
                if entry is not None:
                    attributes &= ~NONEXISTENT
            else:
                attributes |= CHILD_SUBSCRIBED | HASCHILDREN
            known[found.extname] = attributes, entry
        for extname in sorted(known, key=os.fsencode):
            attributes, entry = known[extname]
            self._response.tell(extname, entry, attributes)

    def _skips(self, found: Found, entry: MboxEntry | None, *, show_missing: bool) -> bool:
        """Whether users are not shown this."""
        if entry is not None and entry.intermediate and not show_missing:
            return True
        return Select.DAV not in self._args.select and self._session.process.hidden.hides(found, entry)

    def _is_below(self, extname: str) -> bool:
        """Whether the name is below the one whose response is due."""
        due = self._name
        return (
            due is not None
            and extname.startswith(due)
            and extname[len(due) : len(due) + 1] == self._separator
        )

    def _next(self, extname: str, entry: MboxEntry | None) -> bool:
        """Make this the name whose response is due; False if it was told already, in whole or as a level."""
        due = self._name
        if due is not None and (
            due == extname or (due.startswith(extname) and due[len(extname)] == self._separator)
        ):
            return False
        self._flush()
        self._name, self._entry = extname, entry
        return True

    def _flush(self) -> None:
        if self._name is not None:
            attributes = self._attributes
            if self._subscriptions is not None and self._entry is not None:
                attributes |= self._subscribed(self._entry.name, attributes)
            if Select.SUBSCRIBED not in self._args.select or attributes & (SUBSCRIBED | CHILD_SUBSCRIBED):
                self._response.tell(self._name, self._entry, attributes)
        self._name, self._entry, self._attributes = None, None, 0

    def _subscribed(self, name: str, attributes: int) -> int:
        """What the user's subscriptions say of a mailbox."""
        found = 0
        known = self._subscriptions
        assert known is not None
        place = bisect_left(known, name)
        if place < len(known) and known[place] == name:
            found |= CHILD_SUBSCRIBED if attributes & NONEXISTENT else SUBSCRIBED
        below = bisect_left(known, name + ".")
        if below < len(known) and known[below].startswith(name + "."):
            found |= CHILD_SUBSCRIBED
        return found
