"""Fixtures for tests of the mailbox library."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cassandane.worlds import World
from libcyrus.base import lock_order


@pytest.fixture
def two_processes_in_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """For a test with two stores: what one holds and what the other takes have no order."""
    monkeypatch.setattr(lock_order, "check", lambda fd: None)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    for name in ("conf", "spool", "other"):
        (tmp_path / name).mkdir()
    world = World(tmp_path)
    yield world
    for store in world.stores:
        store.close()
