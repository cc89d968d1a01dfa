"""Which messages ipurge(8) wants, and expunging them."""

from __future__ import annotations

from libcyrus.base.dataclasses import dataclass
from libcyrus.events.mboxevent.kinds import EventType
from libcyrus.mailbox import columns, expunge
from libcyrus.mailbox.index_record import DELETED, EXPUNGED, FLAGGED
from libcyrus.mailbox.mailbox import Mailbox

_DAY = 86400


@dataclass(frozen=True, slots=True)
class Criteria:
    """``age`` is in seconds, ``size`` in bytes; negative ones ask for nothing.

    ``exact`` wants this age (in whole days) or else this size, otherwise the older or larger messages go;
    ``invert`` turns each of these round. ``by_arrival`` counts age from the internaldate, not from the Date.
    """

    age: int = -1
    size: int = -1
    exact: bool = False
    invert: bool = False
    skip_flagged: bool = False
    only_deleted: bool = False
    by_arrival: bool = False

    def wants(self, now: int, *, sentdate: int, internaldate: int, size: int, flags: int) -> bool:
        """Whether a message with these fields of its record is to go."""
        if self.skip_flagged and flags & FLAGGED or self.only_deleted and not flags & DELETED:
            return False
        age = now - (internaldate if self.by_arrival else sentdate)
        if self.exact:
            if self.age >= 0:
                # towards zero, also for what is dated tomorrow
                return (int(age / _DAY) == self.age // _DAY) is not self.invert
            return self.size >= 0 and (size == self.size) is not self.invert
        if self.age >= 0 and (age < self.age if self.invert else age > self.age):
            return True
        return self.size >= 0 and (size < self.size if self.invert else size > self.size)


@dataclass(slots=True)
class Purged:
    """What a mailbox had, and what of it was to go; ``recnos`` are the record numbers of that."""

    total: int
    total_bytes: int
    deleted: int
    deleted_bytes: int
    recnos: list[int]


def find(mailbox: Mailbox, criteria: Criteria, now: int) -> Purged:
    """Count, without changing anything."""
    result = Purged(0, 0, 0, 0, [])
    scan = columns.fields(mailbox.region, mailbox.i.record_size, ">4I16xI")
    for recno, (uid, internaldate, sentdate, size, flags) in enumerate(scan, 1):
        if flags & EXPUNGED or not uid:
            continue
        result.total += 1
        result.total_bytes += size
        if criteria.wants(now, sentdate=sentdate, internaldate=internaldate, size=size, flags=flags):
            result.deleted += 1
            result.deleted_bytes += size
            result.recnos.append(recno)
    return result


def purge(mailbox: Mailbox, criteria: Criteria, now: int) -> Purged:
    """Expunge, and commit. Needs the exclusive index lock. Raises IoError, NoSpace."""
    result = find(mailbox, criteria, now)
    expunge.expunge_records(mailbox, result.recnos, event=EventType.MESSAGE_EXPUNGE)
    mailbox.commit()
    return result
