"""From names found to LIST and LSUB responses: attributes, and which names are not worth a line.

Names come in an order in which children follow their parents, so that a name's response is written when the
next name has shown whether the first has children (RFC 3348).
"""

from __future__ import annotations

import enum
import os
from collections.abc import Iterable

from imap.imapd.session import Session
from libcyrus import options as opt
from libcyrus.config import Config
from libcyrus.mboxname import Category
from libcyrus.records import mbtype as mbtypes
from libcyrus.records.annotate import SPECIALUSE
from libcyrus.records.find import Found
from libcyrus.records.mbentry import MboxEntry


class Attribute(enum.IntFlag):
    """Those with a name in `_WORDS` are shown, in that order."""

    NOINFERIORS = enum.auto()
    NOSELECT = enum.auto()
    HASCHILDREN = enum.auto()
    HASNOCHILDREN = enum.auto()
    SUBSCRIBED = enum.auto()
    CHILD_SUBSCRIBED = enum.auto()
    NONEXISTENT = enum.auto()


_WORDS = (
    (Attribute.NOINFERIORS, "\\Noinferiors"),
    (Attribute.NOSELECT, "\\Noselect"),
    (Attribute.HASCHILDREN, "\\HasChildren"),
    (Attribute.HASNOCHILDREN, "\\HasNoChildren"),
)
_NONE = Attribute(0)


class Hidden:
    """Which mailboxes are no mail folders, by their kind or by the top level of their path."""

    def __init__(self, config: Config) -> None:
        self._tops = frozenset(
            config[option]
            for option in (
                opt.calendarprefix,
                opt.addressbookprefix,
                opt.davdriveprefix,
                opt.davnotificationsprefix,
                opt.jmapuploadfolder,
                opt.jmapsubmissionfolder,
                opt.jmappushsubscriptionfolder,
                opt.sieve_folder,
            )
        )

    def hides(self, found: Found, entry: MboxEntry | None) -> bool:
        if entry is not None and (mbtypes.kind(entry.mbtype) != mbtypes.EMAIL or entry.intermediate):
            return True
        boxes = found.name.boxes
        return bool(boxes) and boxes[0] in self._tops


class Listing:
    """Writes the responses of one command; ``calls`` counts the names looked at."""

    def __init__(self, session: Session, kind: bytes) -> None:
        self._session = session
        self._kind = kind
        self._is_lsub = kind == b"LSUB"
        self._separator = session.namespace.separator
        self._special_uses = session.process.config[opt.specialusealways]
        self._inbox = session.namespace.rules.inbox(session.user())
        self._name: str | None = None
        self._entry: MboxEntry | None = None
        self._attributes = _NONE
        self.calls = 0

    def list(self, names: Iterable[Found | None]) -> None:
        """The names that exist, for LIST."""
        admin = self._session.is_admin
        hidden = self._session.process.hidden
        for found in names:
            if found is None:
                if not self._attributes & Attribute.HASCHILDREN:
                    self._attributes |= Attribute.HASNOCHILDREN
                self._flush()
                continue
            self.calls += 1
            if self._is_below(found.extname) or (not found.exact and found.extname == self._name):
                self._attributes |= Attribute.HASCHILDREN
            elif not self._attributes & Attribute.HASCHILDREN:
                self._attributes |= Attribute.HASNOCHILDREN
            if not admin and hidden.hides(found, found.entry):
                continue
            if not self._next(found.extname, found.entry):
                continue
            if not found.exact:
                self._attributes |= Attribute.HASCHILDREN | Attribute.NONEXISTENT
            elif found.category is Category.ALTINBOX:
                self._attributes |= Attribute.NOINFERIORS

    def list_subscribed(self, names: Iterable[Found | None]) -> None:
        """Subscribed names, for LSUB."""
        admin = self._session.is_admin
        process = self._session.process
        for found in names:
            if found is None:
                self._flush()
                continue
            self.calls += 1
            if self._is_below(found.extname) or (not found.exact and found.extname == self._name):
                self._attributes |= Attribute.HASCHILDREN
            if not found.exact and not self._is_lsub:
                continue
            entry = process.store.mboxlist.get(found.name.internal) if found.exact else None
            if not admin and process.hidden.hides(found, entry):
                continue
            self._next(found.extname, entry)
            if not found.exact:
                self._attributes |= Attribute.CHILD_SUBSCRIBED
                continue
            self._attributes |= Attribute.SUBSCRIBED
            if entry is None:
                self._attributes |= Attribute.NONEXISTENT
            if found.category is Category.ALTINBOX:
                self._attributes |= Attribute.NOINFERIORS

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
            self._respond(self._name, self._entry, self._attributes)
        self._name, self._entry, self._attributes = None, None, _NONE

    def _respond(self, extname: str, entry: MboxEntry | None, attributes: Attribute) -> None:
        if attributes & Attribute.NONEXISTENT or (entry is not None and entry.intermediate):
            attributes |= Attribute.NOSELECT
        child_subscribed = attributes & Attribute.CHILD_SUBSCRIBED
        if attributes & Attribute.NOSELECT and not (
            child_subscribed if self._is_lsub else attributes & Attribute.HASCHILDREN
        ):
            return
        if self._is_lsub and child_subscribed and not attributes & Attribute.SUBSCRIBED:
            # for LSUB, \Noselect says that only something below is subscribed
            attributes |= Attribute.NOSELECT | Attribute.HASCHILDREN
        if attributes & Attribute.NOINFERIORS:
            attributes &= ~Attribute.HASCHILDREN
        if attributes & Attribute.HASCHILDREN:
            attributes &= ~Attribute.HASNOCHILDREN
        words = [word for attribute, word in _WORDS if attributes & attribute]
        special_use = self._special_use(entry)
        if special_use:
            words.append(special_use)
        self._session.out.list(self._kind, " ".join(words), self._separator, extname)

    def _special_use(self, entry: MboxEntry | None) -> str:
        """The special uses that the user gave to one of their own mailboxes."""
        if not self._special_uses or entry is None or not entry.name.startswith(self._inbox + "."):
            return ""
        annotations = self._session.process.store.annotations
        value = annotations.lookup_mailbox(entry.uniqueid or "", entry.name, SPECIALUSE, self._session.user())
        return os.fsdecode(value)
