"""Watches on a file, by each of the kernel's ways."""

from __future__ import annotations

import ctypes
import os
import select
from collections.abc import Iterator
from pathlib import Path

import pytest

from libcyrus.events import watch
from libcyrus.events.watch import DirectoryWatch, FileWatch, Watch, Watcher


@pytest.fixture
def index(tmp_path: Path) -> Path:
    path = tmp_path / "cyrus.index"
    path.write_bytes(b"old")
    return path


@pytest.fixture(params=["file", "directory"])
def watching(request: pytest.FixtureRequest, index: Path) -> Iterator[Watch]:
    watcher = Watcher()
    made = watcher.watch(str(index)) if request.param == "file" else DirectoryWatch(str(index))
    assert isinstance(made, FileWatch if request.param == "file" else DirectoryWatch)
    yield made
    made.close()
    watcher.close()


def is_readable(watching: Watch, seconds: float) -> bool:
    return bool(select.select([watching], [], [], seconds)[0])


def change_in_another_process(path: Path) -> None:
    """As a delivery would."""
    pid = os.fork()
    if not pid:
        fd = os.open(path, os.O_RDWR)
        os.pwrite(fd, b"new", 0)
        os._exit(0)
    os.waitpid(pid, 0)


def test_a_change_is_readable_until_it_is_drained(watching: Watch, index: Path) -> None:
    assert not is_readable(watching, 0)
    for _ in range(3):
        change_in_another_process(index)
        assert is_readable(watching, 30)
        watching.drain()
        assert not is_readable(watching, 0)


def test_a_file_that_takes_the_place_is_watched_too(watching: Watch, index: Path) -> None:
    new = index.with_name("new")
    new.write_bytes(b"other")
    new.rename(index)
    assert is_readable(watching, 30)
    watching.drain()
    watching.drain()
    change_in_another_process(index)
    assert is_readable(watching, 30)


def test_without_inotify_the_directory_is_watched(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    libc = ctypes.CDLL(None, use_errno=True)

    class Exhausted:
        def __getattr__(self, name: str) -> object:
            return (lambda _flags: -1) if name == "inotify_init1" else getattr(libc, name)

    monkeypatch.setattr(watch, "_libc", Exhausted())
    made = Watcher().watch(str(index))
    assert isinstance(made, DirectoryWatch)
    made.close()


def test_one_watch_hears_nothing_of_the_last_one(index: Path) -> None:
    other = index.with_name("other")
    other.write_bytes(b"old")
    watcher = Watcher()
    first = watcher.watch(str(other))
    assert first is not None
    change_in_another_process(other)
    first.close()
    second = watcher.watch(str(index))
    assert second is not None
    assert not is_readable(second, 0)
    change_in_another_process(other)
    assert not is_readable(second, 0)
    change_in_another_process(index)
    assert is_readable(second, 30)
    watcher.close()


def test_a_directory_that_is_not_there_cannot_be_watched(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        DirectoryWatch(str(tmp_path / "none/cyrus.index"))
