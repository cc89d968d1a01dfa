"""Sets of message numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libcyrus.base.seqset import MAXIMUM, SeqSet, is_sequence, last_number

NUMBERS = st.sets(st.integers(1, 200), max_size=60)


@pytest.mark.parametrize(
    ("text", "maxval", "expected"),
    [
        ("", 0, ""),
        ("1", 0, "1"),
        ("1:1", 0, "1"),
        ("1,2,3", 0, "1:3"),
        ("3,1,2", 0, "1:3"),
        ("5:2", 0, "2:5"),
        ("1:5,3:9,20", 0, "1:9,20"),
        ("1:*", 0, "1:*"),
        ("*", 0, "*"),
        ("*", 17, "17"),
        ("1:*", 17, "1:17"),
        ("20:*", 17, "17:20"),
        ("*:3", 17, "3:17"),
        ("4294967295", 0, "*"),
        ("99999999999999999999", 0, "*"),
        ("007", 0, "7"),
        ("0", 0, "0"),
        ("1,", 0, "1"),
    ],
)
def test_parse(text: str, maxval: int, expected: str) -> None:
    assert str(SeqSet.parse(text, maxval=maxval)) == expected
    assert str(SeqSet.parse(text.encode(), maxval=maxval)) == expected


@pytest.mark.parametrize("text", ["x", ",1", "1,,2", "1:", ":1", "1:2:3", "1 2", "-1", "1:x", "١"])
def test_what_is_no_sequence(text: str) -> None:
    with pytest.raises(ValueError, match="invalid sequence"):
        SeqSet.parse(text)
    assert not is_sequence(text)


@pytest.mark.parametrize(
    ("text", "expected"), [("1", True), ("*:1,4", True), ("", False), ("1,", False), ("**", False)]
)
def test_is_sequence(text: str, expected: bool) -> None:
    assert is_sequence(text) is expected


@given(NUMBERS)
def test_members_text_and_back(numbers: set[int]) -> None:
    made = SeqSet.of(numbers)
    assert list(made) == sorted(numbers)
    assert len(made) == len(numbers)
    assert bool(made) is bool(numbers)
    assert SeqSet.parse(str(made)) == made
    assert [n for n in range(202) if n in made] == sorted(numbers)
    assert (made.first, made.last) == (min(numbers, default=0), max(numbers, default=0))
    assert made.first_nonmember == next(n for n in range(1, 300) if n not in numbers)
    assert last_number(str(made)) == max(numbers, default=0)


@given(NUMBERS, NUMBERS)
def test_join_is_union(one: set[int], two: set[int]) -> None:
    joined = SeqSet.of(one)
    joined.join(SeqSet.of(two))
    assert list(joined) == sorted(one | two)


@given(NUMBERS, st.integers(0, 210), st.integers(0, 210))
def test_within_and_select(numbers: set[int], low: int, high: int) -> None:
    made = SeqSet.of(numbers)
    inside = [n for first, last in made.within(low, high) for n in range(first, last + 1)]
    assert inside == [n for n in sorted(numbers) if low <= n <= high]
    some = list(range(3, 200, 7))
    assert made.select(some) == [n for n in some if n in numbers]


def test_a_set_without_end_is_walked_within_bounds() -> None:
    everything = SeqSet.parse("5:*")
    assert list(everything.within(1, 7)) == [(5, 7)]
    assert everything.select([1, 5, 4000000000]) == [5, 4000000000]
    assert everything.last == MAXIMUM
    assert len(everything) == MAXIMUM - 4


def test_a_sparse_set_holds_just_its_members() -> None:
    made = SeqSet()
    for number, member in ((1, True), (3, True), (4, True), (6, False), (7, True)):
        made.add(number, member)
    assert str(made) == "1,3:4,7"


def test_a_merging_set_reaches_over_what_does_not_exist() -> None:
    """Seen: 1, 3, 9, 12; not seen: 4. Nothing is known of the others."""
    made = SeqSet(sparse=False)
    for number, member in ((1, True), (3, True), (4, False), (9, True), (12, True)):
        made.add(number, member)
    assert str(made) == "1:3,9:12"
    made.add(12)
    assert str(made) == "1:3,9:12"


def test_members_out_of_order_keep_their_order_in_the_text() -> None:
    made = SeqSet()
    for number in (5, 6, 2, 9):
        made.add(number)
    assert str(made) == "5:6,2,9"
    assert 2 in made
    assert 7 not in made
    assert list(made) == [2, 5, 6, 9]


def test_copies_are_apart() -> None:
    one = SeqSet.parse("1:3")
    two = one.copy()
    two.add(9)
    assert (str(one), str(two)) == ("1:3", "1:3,9")
    assert one != two
    assert one != "1:3"


def test_a_hostile_set_stays_cheap() -> None:
    text = ",".join(str(n) for n in range(200001, 1, -2))
    made = SeqSet.parse(text)
    assert len(made) == 100000
    assert 100001 in made
    assert 100000 not in made


def test_last_number() -> None:
    assert [last_number(text) for text in ("", "1:7", "3,12", "1:*")] == [0, 7, 12, 0]
