"""Mailboxes that hold no mail for mail clients: calendars, address books, files, scripts, queues.

They are known by their type, or (where only the name is known) by the first part below the owner.
"""

from __future__ import annotations

from libcyrus import options as opt
from libcyrus.config import Config
from libcyrus.mboxname import NameRules

from . import mbtype as mbtypes

_KINDS = mbtypes.DAV_KINDS | {mbtypes.JMAPSUBMIT, mbtypes.JMAPPUSHSUB, mbtypes.SIEVE}


class HiddenNames:
    def __init__(self, config: Config, rules: NameRules) -> None:
        self._rules = rules
        self._notes = config[opt.notesmailbox]
        self._prefixes = frozenset(
            prefix
            for prefix in (
                config[opt.calendarprefix],
                config[opt.addressbookprefix],
                config[opt.davdriveprefix],
                config[opt.davnotificationsprefix],
                config[opt.jmapsubmissionfolder],
                config[opt.jmappushsubscriptionfolder],
                config[opt.sieve_folder],
            )
            if prefix
        )

    def contains(self, name: str, mbtype: int = mbtypes.EMAIL) -> bool:
        """Whether the internal ``name`` is such a mailbox: IMAP hides it."""
        if mbtypes.kind(mbtype) in _KINDS:
            return True
        boxes = self._rules.from_internal(name).boxes
        return bool(boxes) and boxes[0] in self._prefixes

    def refuses_delivery(self, name: str, mbtype: int = mbtypes.EMAIL) -> bool:
        """Whether mail may not be delivered to it: such a mailbox, the notes, or a deleted one."""
        parsed = self._rules.from_internal(name)
        if parsed.deleted or (self._notes and parsed.boxes[:1] == (self._notes,)):
            return True
        return self.contains(name, mbtype)
