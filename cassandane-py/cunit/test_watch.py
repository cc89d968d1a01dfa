"""Watches on a file, by each of the kernel's ways.

Directory notification comes by a signal that is blocked in the calling thread only. Servers have no other
threads, but a test runner may, so these tests run in a forked process.
"""

from __future__ import annotations

import ctypes
import functools
import os
import select
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest

from libcyrus.events import watch
from libcyrus.events.watch import DirectoryWatch, FileWatch, Watch, Watcher


@pytest.fixture
def index(tmp_path: Path) -> Path:
    path = tmp_path / "cyrus.index"
    path.write_bytes(b"old")
    return path


def alone(test: Callable[..., None]) -> Callable[..., None]:
    """Run a test in a process without other threads."""

    @functools.wraps(test)
    def run(**arguments: object) -> None:
        pid = os.fork()
        if not pid:
            status = 1
            try:
                test(**arguments)
                status = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(status)
        assert os.waitpid(pid, 0)[1] == 0, "see the traceback of the child"

    return run


def open_watch(kind: str, index: Path) -> Watch:
    made = Watcher().watch(str(index)) if kind == "file" else DirectoryWatch(str(index))
    assert isinstance(made, FileWatch if kind == "file" else DirectoryWatch)
    return made


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


@pytest.mark.parametrize("kind", ["file", "directory"])
@alone
def test_a_change_is_readable_until_it_is_drained(kind: str, index: Path) -> None:
    watching = open_watch(kind, index)
    assert not is_readable(watching, 0)
    for _ in range(3):
        change_in_another_process(index)
        assert is_readable(watching, 30)
        watching.drain()
        assert not is_readable(watching, 0)


@pytest.mark.parametrize("kind", ["file", "directory"])
@alone
def test_a_file_that_takes_the_place_is_watched_too(kind: str, index: Path) -> None:
    watching = open_watch(kind, index)
    new = index.with_name("new")
    new.write_bytes(b"other")
    new.rename(index)
    assert is_readable(watching, 30)
    watching.drain()
    watching.drain()
    change_in_another_process(index)
    assert is_readable(watching, 30)


@alone
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


@alone
def test_a_directory_that_is_not_there_cannot_be_watched(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        DirectoryWatch(str(tmp_path / "none/cyrus.index"))
