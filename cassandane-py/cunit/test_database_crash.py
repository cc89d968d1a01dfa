"""What is left of a database when its writer dies, or the machine, at any moment."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from libcyrus import cyrusdb
from libcyrus.base import files, lock


@pytest.mark.parametrize("backend", ["twoskip", "skiplist"])
def test_nobody_commits_to_a_rewritten_file_before_its_name_is_lasting(
    backend: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A power cut would bring back the old file, and take what was committed to the new one."""
    path = tmp_path / "db"
    db = cyrusdb.open_db(backend, path, create=True)
    db.store(b"key", b"value")
    before = path.stat().st_ino
    free: list[bool] = []

    def fsync_dir(directory: str | os.PathLike[str]) -> None:
        assert path.stat().st_ino != before
        other = os.open(path, os.O_RDWR)
        free.append(lock.try_exclusive(other))
        os.close(other)

    monkeypatch.setattr(files, "fsync_dir", fsync_dir)
    db.repack()
    assert free == [False]
    other = os.open(path, os.O_RDWR)
    assert lock.try_exclusive(other)
    os.close(other)
    assert db.fetch(b"key") == b"value"
    db.close()
