"""What a session remembers of its LIST commands, and when it must not."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from imap.imapd.listed import Listed, Repeated, state_of


@pytest.fixture
def store(tmp_path: Path) -> Any:
    """The two files that a listing depends on, unchanged for an hour."""
    made = SimpleNamespace()
    for name in ("mboxlist", "annotations"):
        path = tmp_path / name
        path.write_bytes(b"content")
        age(path, 3600)
        setattr(made, name, SimpleNamespace(path=str(path)))
    return made


def age(path: Path | str, seconds: float) -> None:
    then = os.stat(path).st_ctime - seconds
    os.utime(path, (then, then))


def test_an_answer_is_good_while_the_files_stay(store: Any) -> None:
    repeated, listed = Repeated(), Listed(b"* LIST\r\n", 1)
    repeated.put(state_of(store), "*", listed)
    assert repeated.get(state_of(store), "*") == listed
    assert repeated.get(state_of(store), "%") is None


@pytest.mark.parametrize("name", ["mboxlist", "annotations"])
def test_a_change_of_either_file_makes_it_bad(store: Any, name: str) -> None:
    repeated = Repeated()
    repeated.put(state_of(store), "*", Listed(b"", 0))
    age(getattr(store, name).path, 1800)
    assert repeated.get(state_of(store), "*") is None


def test_a_file_that_changed_just_now_is_not_trusted(store: Any) -> None:
    repeated = Repeated()
    os.utime(store.mboxlist.path)
    assert state_of(store) is None
    repeated.put(None, "*", Listed(b"", 0))
    assert repeated.get(None, "*") is None


def test_no_annotations_are_a_state_too(store: Any) -> None:
    with_them = state_of(store)
    os.unlink(store.annotations.path)
    without = state_of(store)
    assert without is not None
    assert without != with_them


def test_memory_is_bounded(store: Any) -> None:
    repeated, state = Repeated(), state_of(store)
    repeated.put(state, "long", Listed(b"x" * 40000, 1))
    assert repeated.get(state, "long") is None
    for number in range(100):
        repeated.put(state, str(number), Listed(b"", 0))
    assert sum(repeated.get(state, str(number)) is not None for number in range(100)) <= 4
