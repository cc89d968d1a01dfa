"""Which mailboxes are mail folders, and what users use them for."""

from __future__ import annotations

import os

from libcyrus import options as opt
from libcyrus.base import files
from libcyrus.config import Config
from libcyrus.records import mbtype as mbtypes
from libcyrus.records.annotate import SPECIALUSE, AnnotationDb
from libcyrus.records.find import Found
from libcyrus.records.mbentry import MboxEntry

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
        if entry is not None and mbtypes.kind(entry.mbtype) != mbtypes.EMAIL:
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
