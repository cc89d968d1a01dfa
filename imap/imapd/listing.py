"""From names found to LIST and LSUB responses: attributes, and which names are not worth a line.

Names come in an order in which children follow their parents, so that a name's response is written when the
next name has shown whether the first has children (RFC 3348).
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from imap.imapd.listed import Listed
from imap.imapd.response import list_line
from imap.imapd.session import Session
from libcyrus import options as opt
from libcyrus.base import files
from libcyrus.config import Config
from libcyrus.mboxname import Category
from libcyrus.records import mbtype as mbtypes
from libcyrus.records.annotate import SPECIALUSE, AnnotationDb
from libcyrus.records.find import Found
from libcyrus.records.mbentry import MboxEntry

# attributes of a name; those with a word are shown, in the order of _WORDS
NOINFERIORS = 1
NOSELECT = 2
HASCHILDREN = 4
HASNOCHILDREN = 8
SUBSCRIBED = 16
CHILD_SUBSCRIBED = 32
NONEXISTENT = 64

_WORDS = (
    (NOINFERIORS, "\\Noinferiors"),
    (NOSELECT, "\\Noselect"),
    (HASCHILDREN, "\\HasChildren"),
    (HASNOCHILDREN, "\\HasNoChildren"),
)
_MAX_KNOWN = 20000


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


class SpecialUses:
    """What special uses users gave to their mailboxes, remembered while the annotations stay as they are."""

    def __init__(self) -> None:
        self._state: tuple[int, int, int] | None = None
        self._known: dict[tuple[str, str], str] = {}
        self._exists = False

    def refresh(self, annotations: AnnotationDb) -> None:
        """Forget what may have changed. To be called before the lookups of a command."""
        try:
            state = files.settled_state(annotations.path)
        except OSError:
            self._exists = False
            return
        if state is None or state != self._state or len(self._known) > _MAX_KNOWN:
            self._known = {}
        self._state = state
        self._exists = True

    def lookup(self, annotations: AnnotationDb, entry: MboxEntry, userid: str) -> str:
        """The attributes, separated by spaces."""
        if not self._exists or not entry.uniqueid:
            return ""
        key = (entry.uniqueid, userid)
        value = self._known.get(key)
        if value is None:
            value = os.fsdecode(annotations.lookup_mailbox(entry.uniqueid, entry.name, SPECIALUSE, userid))
            self._known[key] = value
        return value


class Listing:
    """Makes the responses of one command."""

    def __init__(self, session: Session, kind: bytes) -> None:
        self._session = session
        self._lines: list[bytes] = []
        self._kind = kind
        self._is_lsub = kind == b"LSUB"
        self._separator = session.namespace.separator
        self._special_uses = session.process.config[opt.specialusealways]
        self._user = session.user()
        self._below_inbox = session.namespace.rules.inbox(self._user) + "."
        self._annotations = session.process.store.annotations
        session.process.special_uses.refresh(self._annotations)
        self._name: str | None = None
        self._entry: MboxEntry | None = None
        self._attributes = 0
        self._calls = 0

    def list(self, names: Iterable[Found | None]) -> None:
        """The names that exist, for LIST."""
        admin = self._session.is_admin
        hidden = self._session.process.hidden
        for found in names:
            if found is None:
                if not self._attributes & HASCHILDREN:
                    self._attributes |= HASNOCHILDREN
                self._flush()
                continue
            if found.name.deleted and not admin:
                continue
            self._calls += 1
            if self._is_below(found.extname) or (not found.exact and found.extname == self._name):
                self._attributes |= HASCHILDREN
            elif not self._attributes & HASCHILDREN:
                self._attributes |= HASNOCHILDREN
            if not admin and hidden.hides(found, found.entry):
                continue
            if not self._next(found.extname, found.entry):
                continue
            if not found.exact:
                self._attributes |= HASCHILDREN | NONEXISTENT
            elif found.category is Category.ALTINBOX:
                self._attributes |= NOINFERIORS

    def list_subscribed(self, names: Iterable[Found | None]) -> None:
        """Subscribed names, for LSUB."""
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
            if not admin and process.hidden.hides(found, entry):
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

    def result(self) -> Listed:
        return Listed(b"".join(self._lines), self._calls)

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
        self._name, self._entry, self._attributes = None, None, 0

    def _respond(self, extname: str, entry: MboxEntry | None, attributes: int) -> None:
        if attributes & NONEXISTENT or (entry is not None and entry.intermediate):
            attributes |= NOSELECT
        child_subscribed = attributes & CHILD_SUBSCRIBED
        if attributes & NOSELECT and not (child_subscribed if self._is_lsub else attributes & HASCHILDREN):
            return
        if self._is_lsub and child_subscribed and not attributes & SUBSCRIBED:
            # for LSUB, \Noselect says that only something below is subscribed
            attributes |= NOSELECT | HASCHILDREN
        if attributes & NOINFERIORS:
            attributes &= ~HASCHILDREN
        if attributes & HASCHILDREN:
            attributes &= ~HASNOCHILDREN
        words = [word for attribute, word in _WORDS if attributes & attribute]
        special_use = self._special_use(entry)
        if special_use:
            words.append(special_use)
        self._lines.append(list_line(self._kind, " ".join(words), self._separator, extname))

    def _special_use(self, entry: MboxEntry | None) -> str:
        """The special uses that the user gave to one of their own mailboxes."""
        if not self._special_uses or entry is None or not entry.name.startswith(self._below_inbox):
            return ""
        return self._session.process.special_uses.lookup(self._annotations, entry, self._user)
