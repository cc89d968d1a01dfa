"""Which messages a client that was here before does not know to be gone (RFC 7162 section 3.2).

An expunged message stays in the index for a while, so those with a higher modseq than the client has seen
are known exactly. Once records have been removed that the client may not know of (``deletedmodseq``), every
UID without a message counts as gone.
"""

from __future__ import annotations

import logging
from itertools import compress

from libcyrus.base import xlog
from libcyrus.base.dataclasses import dataclass
from libcyrus.base.seqset import MAXIMUM, SeqSet
from libcyrus.index.view import IndexView
from libcyrus.mailbox import columns
from libcyrus.mailbox.index_record import EXPUNGED, OFFSET_FLAGS
from libcyrus.mailbox.mailbox import Mailbox

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Known:
    """What the client knows: everything up to ``modseq``. ``uids`` limits the question to some UIDs.

    ``numbers`` and ``their_uids`` say, as two sets in step, which UIDs some message numbers had.
    """

    modseq: int
    uids: str | None = None
    numbers: str | None = None
    their_uids: str | None = None


def vanished(view: IndexView, known: Known) -> SeqSet:
    """The UIDs of messages that are gone; empty if nothing happened since.

    Locks the mailbox. Raises what ``IndexView.locked`` raises, ValueError for a bad set.
    """
    with view.locked(write=False) as mailbox:
        if known.modseq >= mailbox.i.highestmodseq:
            return SeqSet()
        last = mailbox.i.last_uid
        wanted = None if known.uids is None else SeqSet.parse(known.uids, maxval=last)
        if known.modseq >= mailbox.i.deletedmodseq:
            return _expunged_since(mailbox, known.modseq, wanted)
        log.log(
            xlog.NOTICE,
            "inefficient qresync (%d > %d) %s",
            mailbox.i.deletedmodseq, known.modseq, mailbox.name,
        )  # fmt: skip
        return _missing(view, _agreed(view, known), last, wanted)


def _expunged_since(mailbox: Mailbox, modseq: int, wanted: SeqSet | None) -> SeqSet:
    region, size = mailbox.region, mailbox.i.record_size
    flags = columns.words(region, size, OFFSET_FLAGS)
    changed = map(modseq.__lt__, columns.modseqs(region, size))
    selectors = [one and bool(word & EXPUNGED) for one, word in zip(changed, flags, strict=True)]
    found = compress(columns.uids(region, size), selectors)
    return SeqSet.of(found if wanted is None else [uid for uid in found if uid in wanted])


def _agreed(view: IndexView, known: Known) -> int:
    """The last UID up to which client and server have the same messages, as far as the client showed."""
    if known.numbers is None or known.their_uids is None:
        return 0
    uids = view.picture.uids
    agreed = 0
    numbers = SeqSet.parse(known.numbers, maxval=len(uids))
    theirs = SeqSet.parse(known.their_uids, maxval=view.uidnext - 1)
    for number, uid in zip(numbers, theirs, strict=False):
        if number > len(uids) or uids[number - 1] != uid:
            break
        agreed = uid
    return agreed


def _missing(view: IndexView, after: int, last: int, wanted: SeqSet | None) -> SeqSet:
    """The UIDs above ``after`` that no message has."""
    gone = view.picture.gone
    ranges = []
    previous = after
    for uid in view.picture.uids:
        if uid <= after or uid in gone:
            continue
        if uid > previous + 1:
            ranges.append((previous + 1, uid - 1))
        previous = uid
    if last > previous:
        ranges.append((previous + 1, last))
    if wanted is None:
        return SeqSet.from_ranges(ranges)
    cut = [pair for low, high in ranges for pair in wanted.within(low, high)]
    return SeqSet.from_ranges([(low, high) for low, high in cut if low <= MAXIMUM])
