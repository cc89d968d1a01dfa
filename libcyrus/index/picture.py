"""The client's picture of a mailbox: which message number is which record (RFC 3501 section 5.5).

A pure object: it is shown the records of ``cyrus.index`` (``Mailbox.region``) whenever they changed and
works out the difference, without reading a file or keeping an object per message. Message numbers run over
all messages the client was told of and those it will be told of next; one that was expunged keeps
its number until ``tell_expunged``.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from itertools import compress
from struct import Struct

from libcyrus.base.dataclasses import dataclass, field
from libcyrus.base.seqset import SeqSet
from libcyrus.mailbox import columns
from libcyrus.mailbox.index_record import EXPUNGED, OFFSET_FLAGS, OFFSET_MODSEQ, UNLINKED

_CHANGEABLE = Struct(">I28xI44xQ").unpack_from
"""A record's uid, flags and modseq."""

_NUMBERS = array("I", range(1 << 16))
"""Made once and before workers are forked, since making it takes longer than copying."""

_BLOCK = 64
"""Records compared at once when looking for changed ones."""


@dataclass(slots=True)
class Picture:
    """See the module. ``data`` is a copy of the records as last shown, ``size`` bytes each.

    ``recnos`` and ``uids`` have one element a message; record ``r`` is ``data[(r - 1) * size : r * size]``,
    and 0 stands for a record that is there no more. ``told`` messages are known to the client. ``pending``
    are UIDs whose flags changed since they were told, ``gone`` those of expunged messages that still have a
    number. ``sound`` has a byte for each record, 1 if it was found to agree with its CRC.

    With ``with_expunged`` expunged messages have numbers like the others, as long as they have files: they
    are ``gone``, and nobody is ever told so.
    """

    data: bytearray = field(default_factory=bytearray)
    size: int = 112
    generation: int = -1
    recnos: array[int] = field(default_factory=lambda: array("I"))
    uids: array[int] = field(default_factory=lambda: array("I"))
    told: int = 0
    pending: set[int] = field(default_factory=set)
    gone: set[int] = field(default_factory=set)
    sound: bytearray = field(default_factory=bytearray)
    with_expunged: bool = False

    def __len__(self) -> int:
        """Messages with a number, told or not."""
        return len(self.uids)

    # taking in what is on disk

    def absorb(self, region: memoryview, size: int, generation: int) -> int:
        """Look at the records as they are now; the number of new messages."""
        new = bytearray(region)
        if not self.uids:
            self.size, self.generation = size, generation
            self.sound = bytearray()
            first = 0
        elif generation != self.generation or size != self.size or len(new) < len(self.data):
            self._renumber(new, size)
            self.generation = generation
            self.sound = bytearray()
            first = bisect_left(columns.uids(memoryview(new), size), self.uids[-1] + 1)
        else:
            first = len(self.data) // size
            old, self.data = self.data, new
            self._note_changes(_changed(old, new, size), old)
        self.data = new
        self.sound.extend(bytes(len(new) // size - len(self.sound)))
        return self._add(first)

    def absorb_own(self, region: memoryview, recnos: Iterable[int]) -> None:
        """Look at records that this session changed in place; all others are as they were last shown."""
        size, data, uids, sound = self.size, self.data, self.uids, self.sound
        count = len(uids)
        for recno in recnos:
            end = recno * size
            at = end - size
            before = _CHANGEABLE(data, at)[2]
            data[at:end] = region[at:end]
            sound[recno - 1] = 0
            uid, flags, modseq = _CHANGEABLE(data, at)
            place = bisect_left(uids, uid)
            if place == count or uids[place] != uid:
                continue
            if flags & EXPUNGED:
                self.gone.add(uid)
            if modseq > before or not modseq:
                self.pending.add(uid)

    def _add(self, first: int) -> int:
        """Give numbers to the living records from index ``first`` on."""
        region = memoryview(self.data)[first * self.size :]
        if not region:
            return 0
        before = len(self.uids)
        if self.with_expunged:
            living = columns.linked(region, self.size)
            self._note_expunged(region)
        else:
            living = columns.living(region, self.size)
        count = len(living)
        if 0 in living:
            self.uids.extend(compress(columns.uids(region, self.size), living))
            self.recnos.extend(compress(range(first + 1, first + 1 + count), living))
        else:
            self.recnos += _counted(first + 1, count)
            low, high = (int.from_bytes(region[at : at + 4], "big") for at in (0, (count - 1) * self.size))
            if high - low == count - 1:
                # UIDs rise, so there is no gap
                self.uids += _counted(low, count)
            else:
                self.uids.frombytes(columns.uids(region, self.size).tobytes())
        return len(self.uids) - before

    def _note_expunged(self, region: memoryview) -> None:
        """New messages that are expunged already are told with their flags all the same."""
        for uid, flags in columns.fields(region, self.size, ">I28xI"):
            if flags & EXPUNGED and not flags & UNLINKED:
                self.gone.add(uid)
                self.pending.add(uid)

    def _note_changes(self, indexes: Iterable[int], old: bytearray) -> None:
        """Records changed in place."""
        size, new, uids, sound = self.size, self.data, self.uids, self.sound
        count = len(uids)
        for index in indexes:
            sound[index] = 0
            at = index * size
            uid, flags, modseq = _CHANGEABLE(new, at)
            place = bisect_left(uids, uid)
            if place == count or uids[place] != uid:
                continue
            if flags & EXPUNGED:
                self.gone.add(uid)
            if modseq > _CHANGEABLE(old, at)[2] or not modseq:
                self.pending.add(uid)

    def _renumber(self, new: bytearray, size: int) -> None:
        """The index was repacked: records have other numbers, and some are there no more."""
        old, old_size, old_recnos = self.data, self.size, self.recnos
        self.data, self.size = new, size
        uids = columns.uids(memoryview(new), size)
        modseqs = columns.modseqs(memoryview(new), size)
        flags = columns.words(memoryview(new), size, OFFSET_FLAGS)
        self.recnos = array("I", bytes(4 * len(old_recnos)))
        for place, (uid, recno) in enumerate(zip(self.uids, old_recnos, strict=True)):
            index = bisect_left(uids, uid)
            if index == len(uids) or uids[index] != uid:
                self.gone.add(uid)
                continue
            self.recnos[place] = index + 1
            if flags[index] & EXPUNGED:
                self.gone.add(uid)
            at = (recno - 1) * old_size + OFFSET_MODSEQ
            if not recno or modseqs[index] > int.from_bytes(old[at : at + 8], "big"):
                self.pending.add(uid)

    # numbers

    def msgno(self, uid: int) -> int | None:
        """The number of the message with this UID, None if it has none."""
        place = bisect_left(self.uids, uid)
        return place + 1 if place < len(self.uids) and self.uids[place] == uid else None

    def numbers(self, sequence: str, *, by_uid: bool) -> Iterator[tuple[int, int]]:
        """Ranges (low, high) of message numbers, rising and disjoint, that a sequence set names.

        ``*`` is the last message or its UID. Numbers and UIDs that do not exist are left out.
        Raises ValueError for what is no sequence set.
        """
        count = len(self.uids)
        if not by_uid:
            yield from SeqSet.parse(sequence, maxval=count).within(1, count) if count else ()
            return
        last = self.uids[-1] if count else 0
        start = 0
        for low, high in SeqSet.parse(sequence, maxval=last).ranges():
            start = bisect_left(self.uids, low, start)
            end = bisect_left(self.uids, high + 1, start)
            if end > start:
                yield start + 1, end
            start = end

    # telling

    def news(self) -> list[int]:
        """The numbers of messages whose flags changed since they were told.

        Expunged ones that still have a number are among them, unless their files may be gone already.
        """
        found = []
        for place in sorted(bisect_left(self.uids, uid) for uid in self.pending):
            recno = self.recnos[place]
            if recno and not _CHANGEABLE(self.data, (recno - 1) * self.size)[1] & UNLINKED:
                found.append(place + 1)
        return found

    def told_gone(self) -> SeqSet:
        """The UIDs of what ``tell_expunged`` is about to say."""
        last = self.uids[self.told - 1] if self.told and not self.with_expunged else 0
        return SeqSet.of(sorted(uid for uid in self.gone if uid <= last))

    def tell_expunged(self) -> list[int]:
        """Take expunged messages out of the numbering; what EXPUNGE responses must say, in order."""
        if not self.gone or self.with_expunged:
            return []
        said: list[int] = []
        places = sorted(bisect_left(self.uids, uid) for uid in self.gone)
        told = self.told
        for count, place in enumerate(places):
            if place < told:
                said.append(place + 1 - count)
        self.told -= len(said)
        selectors = bytearray(b"\1") * len(self.uids)
        for place in places:
            selectors[place] = 0
        self.uids = array("I", compress(self.uids, selectors))
        self.recnos = array("I", compress(self.recnos, selectors))
        self.pending -= self.gone
        self.gone.clear()
        return said

    def empty(self) -> list[int]:
        """The mailbox is gone: take all messages out; what EXPUNGE responses must say."""
        said = [1] * self.told
        self.uids, self.recnos = array("I"), array("I")
        self.told = 0
        self.pending.clear()
        self.gone.clear()
        self.data = bytearray()
        self.sound.clear()
        return said


def _counted(start: int, count: int) -> array[int]:
    """The numbers from ``start`` on."""
    if start + count <= len(_NUMBERS):
        return _NUMBERS[start : start + count]
    return array("I", range(start, start + count))


def _changed(old: bytearray, new: bytearray, size: int) -> Iterator[int]:
    """Indexes of the records of ``old`` that differ in ``new``."""
    if new.startswith(old):
        return
    step = _BLOCK * size
    for start in range(0, len(old), step):
        end = min(start + step, len(old))
        if old[start:end] != new[start:end]:
            for at in range(start, end, size):
                if old[at : at + size] != new[at : at + size]:
                    yield at // size
