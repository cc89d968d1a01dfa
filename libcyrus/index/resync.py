"""Which messages a client that was here before does not know to be gone (RFC 7162 section 3.2).

An expunged message stays in the index for a while, so those with a higher modseq than the client has seen
are known exactly. Once records have been removed that the client may not know of (``deletedmodseq``), every
UID without a message counts as gone. A message that still has a number in this session is not among them:
that it is gone is told without EARLIER, where numbers may change.
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

    Answers from what the view last read, so that it agrees with the numbers told; it has to be fresh. Raises
    ValueError for a bad set.
    """
    header = view.mailbox.i
    if known.modseq >= view.highestmodseq:
        return SeqSet()
    last = view.uidnext - 1
    wanted = None if known.uids is None else SeqSet.parse(known.uids, maxval=last)
    if known.modseq >= header.deletedmodseq:
        return _expunged_since(view, known.modseq, wanted)
    log.log(
        xlog.NOTICE,
        "inefficient qresync (%d > %d) %s",
        header.deletedmodseq, known.modseq, view.mboxname,
    )  # fmt: skip
    return _missing(view, _agreed(view, known), last, wanted)


def _expunged_since(view: IndexView, modseq: int, wanted: SeqSet | None) -> SeqSet:
    numbered = view.picture.gone
    region, size = memoryview(view.picture.data), view.picture.size
    flags = columns.words(region, size, OFFSET_FLAGS)
    changed = map(modseq.__lt__, columns.modseqs(region, size))
    selectors = [one and bool(word & EXPUNGED) for one, word in zip(changed, flags, strict=True)]
    return SeqSet.of(
        uid
        for uid in compress(columns.uids(region, size), selectors)
        if uid not in numbered and (wanted is None or uid in wanted)
    )


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
    ranges = []
    previous = after
    for uid in view.picture.uids:
        if uid <= after:
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
