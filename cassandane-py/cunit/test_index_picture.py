"""Message numbers while the mailbox changes under the client (RFC 3501 sections 2.3.1.2, 5.5 and 7.4.1)."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from libcyrus.index.picture import Picture
from libcyrus.index.rows import Rows
from libcyrus.mailbox import index_record
from libcyrus.mailbox.index_record import EXPUNGED, OFFSET_SIZE, SEEN, IndexRecord

SIZE = 112


@dataclass
class Stored:
    """A message of the naive model."""

    uid: int
    modseq: int
    expunged: bool = False

    def pack(self) -> bytes:
        flags = EXPUNGED if self.expunged else 0
        return index_record.pack(
            IndexRecord(uid=self.uid, modseq=self.modseq, internal_flags=flags, size=self.uid * 3)
        )


def region(records: list[Stored]) -> memoryview:
    return memoryview(b"".join(record.pack() for record in records))


def shown(*uids: int) -> Picture:
    picture = Picture()
    picture.absorb(region([Stored(uid, uid) for uid in uids]), SIZE, 1)
    picture.told = len(picture)
    return picture


class Session(RuleBasedStateMachine):
    """A client that keeps a list of UIDs by what it was told, beside a mailbox that others change."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[Stored] = []
        self.generation = 1
        self.modseq = 1
        self.next_uid = 1
        self.picture = Picture()
        self.client: list[int] = []
        self.changed: set[int] = set()

    def look(self) -> None:
        self.picture.absorb(region(self.records), SIZE, self.generation)

    # what others do to the mailbox

    @rule(count=st.integers(1, 5), gap=st.integers(1, 3))
    def append(self, count: int, gap: int) -> None:
        for _ in range(count):
            self.next_uid += gap
            self.modseq += 1
            self.records.append(Stored(self.next_uid, self.modseq))

    @precondition(lambda self: self.records)
    @rule(data=st.data())
    def expunge(self, data: st.DataObject) -> None:
        record = data.draw(st.sampled_from(self.records))
        self.modseq += 1
        record.expunged, record.modseq = True, self.modseq

    @precondition(lambda self: self.records)
    @rule(data=st.data())
    def change_flags_itself(self, data: st.DataObject) -> None:
        """This session knows what it changed, if it looked just before."""
        self.look()
        record = data.draw(st.sampled_from(self.records))
        if not record.expunged:
            self.modseq += 1
            record.modseq = self.modseq
            changed = self.records.index(record) + 1
            self.picture.absorb_own(region(self.records), [changed])
            assert bytes(self.picture.data) == bytes(region(self.records))
            number = self.picture.msgno(record.uid)
            assert number is None or number in self.picture.news()

    @precondition(lambda self: self.records)
    @rule(data=st.data())
    def change_flags(self, data: st.DataObject) -> None:
        record = data.draw(st.sampled_from(self.records))
        if not record.expunged:
            self.modseq += 1
            record.modseq = self.modseq

    @rule()
    def repack(self) -> None:
        self.records = [record for record in self.records if not record.expunged]
        self.generation += 1

    # what the client sees

    @rule()
    def news_without_expunges(self) -> None:
        self.look()
        self.exists()

    @rule()
    def news(self) -> None:
        self.look()
        for number in self.picture.tell_expunged():
            del self.client[number - 1]
        self.exists()
        assert self.client == [record.uid for record in self.records if not record.expunged]

    def exists(self) -> None:
        added = len(self.picture) - self.picture.told
        assert added >= 0
        self.client += list(self.picture.uids[self.picture.told :])
        self.picture.told = len(self.picture)

    @rule()
    def fetch_flags(self) -> None:
        self.look()
        stored = {record.uid for record in self.records}
        news = self.picture.news()
        assert news == sorted(news)
        assert {self.picture.uids[number - 1] for number in news} <= stored
        self.picture.pending.clear()

    @invariant()
    def numbers_are_the_clients(self) -> None:
        told = self.picture.told
        assert list(self.picture.uids[:told]) == self.client
        assert sorted(self.picture.uids) == list(self.picture.uids)
        for number, uid in enumerate(self.picture.uids, 1):
            assert self.picture.msgno(uid) == number

    @invariant()
    def a_number_leads_to_its_record(self) -> None:
        for uid, recno in zip(self.picture.uids, self.picture.recnos, strict=True):
            if recno:
                at = (recno - 1) * self.picture.size
                assert int.from_bytes(self.picture.data[at : at + 4], "big") == uid
            else:
                assert uid in self.picture.gone

    @invariant()
    def rows_show_the_same(self) -> None:
        count = len(self.picture)
        if not count:
            return
        for low, high in {(1, count), (1, 1), (count, count), ((count + 1) // 2, count)}:
            rows = Rows(self.picture, low, high)
            assert rows.are_sound()
            assert list(rows.uids) == list(self.picture.uids[low - 1 : high])
            for uid, size in zip(rows.uids, rows.words(OFFSET_SIZE), strict=True):
                assert size == uid * 3 or uid in self.picture.gone


TestSession = Session.TestCase
TestSession.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def test_expunges_are_told_one_by_one_each_by_the_number_it_has_then() -> None:
    picture = shown(3, 5, 7, 9)
    records = [Stored(3, 3), Stored(5, 20, True), Stored(7, 21, True), Stored(9, 9)]
    picture.absorb(region(records), SIZE, 1)
    assert picture.tell_expunged() == [2, 2]
    assert list(picture.uids) == [3, 9]
    assert picture.tell_expunged() == []


def test_a_message_that_came_and_went_unseen_is_never_told() -> None:
    picture = shown(1)
    picture.absorb(region([Stored(1, 1), Stored(2, 2)]), SIZE, 1)
    picture.absorb(region([Stored(1, 1), Stored(2, 3, True)]), SIZE, 1)
    assert picture.tell_expunged() == []
    assert (picture.told, list(picture.uids)) == (1, [1])


def test_a_changed_flag_is_pending_until_it_is_told() -> None:
    picture = shown(1, 2)
    assert picture.pending == set()
    picture.absorb(region([Stored(1, 1), Stored(2, 8)]), SIZE, 1)
    assert picture.pending == {2}
    picture.absorb(region([Stored(2, 9)]), SIZE, 2)
    assert picture.pending == {2} and picture.gone == {1}


def test_a_mailbox_that_is_gone_has_no_messages() -> None:
    picture = shown(1, 2, 3)
    assert picture.empty() == [1, 1, 1]
    assert (len(picture), picture.told, list(picture.numbers("1:*", by_uid=False))) == (0, 0, [])


@pytest.mark.parametrize(
    ("text", "by_uid", "ranges"),
    [
        ("1:*", False, [(1, 4)]),
        ("*", False, [(4, 4)]),
        ("2,4,9", False, [(2, 2), (4, 4)]),
        ("9:3", False, [(3, 4)]),
        ("9:12", False, []),
        ("3,7", True, [(1, 1), (3, 3)]),
        ("4:8", True, [(2, 3)]),
        ("4", True, []),
        ("9:*", True, [(4, 4)]),
        ("100:*", True, [(4, 4)]),
        ("*:6", True, [(3, 4)]),
    ],
)
def test_sequence_sets_name_what_exists(text: str, by_uid: bool, ranges: list[tuple[int, int]]) -> None:
    assert list(shown(3, 5, 7, 9).numbers(text, by_uid=by_uid)) == ranges


def test_a_damaged_record_is_found_and_a_repaired_one_is_looked_at_again() -> None:
    good = b"".join(Stored(uid, uid).pack() for uid in (1, 2, 3))
    bad = bytearray(good)
    bad[SIZE + OFFSET_SIZE] ^= SEEN
    picture = Picture()
    picture.absorb(memoryview(bytes(bad)), SIZE, 1)
    assert not Rows(picture, 1, 3).are_sound()
    assert Rows(picture, 1, 1).are_sound() and Rows(picture, 3, 3).are_sound()
    picture.absorb(memoryview(good), SIZE, 1)
    assert Rows(picture, 1, 3).are_sound()


def test_a_record_that_changes_is_checked_again() -> None:
    picture = shown(1, 2)
    assert Rows(picture, 1, 2).are_sound()
    damaged = bytearray(picture.data)
    damaged[-1] ^= 1
    picture.absorb(memoryview(bytes(damaged)), SIZE, 1)
    assert not Rows(picture, 1, 2).are_sound()
