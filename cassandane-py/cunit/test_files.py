"""Locks between processes, and files that are replaced whole."""

from __future__ import annotations

import fcntl
import os
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from libcyrus.base import files, lock, lock_order

# a process that uses the classic locks of POSIX, as the original does
POSIX_HOLDER = """
import fcntl, sys
stream = open(sys.argv[1], "r+b")
fcntl.lockf(stream, fcntl.LOCK_SH if sys.argv[2] == "shared" else fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


def _posix_lock_is_free(path: Path, kind: int) -> bool:
    script = (
        "import fcntl, sys; stream = open(sys.argv[1], 'r+b')\n"
        "fcntl.lockf(stream, int(sys.argv[2]) | fcntl.LOCK_NB)"
    )
    done = subprocess.run([sys.executable, "-c", script, path, str(kind)], stderr=subprocess.DEVNULL)
    return done.returncode == 0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(b"content")
    return path


@pytest.mark.parametrize(
    ("theirs", "shared", "exclusive"), [("shared", True, False), ("exclusive", False, False)]
)
def test_locks_of_posix_keep_ours_out(path: Path, theirs: str, shared: bool, exclusive: bool) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", POSIX_HOLDER, path, theirs],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    fd = os.open(path, os.O_RDWR)
    assert lock.try_shared(fd) is shared
    lock.release(fd)
    assert lock.try_exclusive(fd) is exclusive
    holder.communicate()
    assert lock.acquire(fd, exclusively=True, nonblock=True)
    os.close(fd)


def test_our_locks_keep_those_of_posix_out(path: Path) -> None:
    fd = os.open(path, os.O_RDWR)
    lock.shared(fd)
    assert _posix_lock_is_free(path, fcntl.LOCK_SH)
    assert not _posix_lock_is_free(path, fcntl.LOCK_EX)
    lock.exclusive(fd)
    assert not _posix_lock_is_free(path, fcntl.LOCK_SH)
    lock.release(fd)
    assert _posix_lock_is_free(path, fcntl.LOCK_EX)
    os.close(fd)


def test_closing_another_descriptor_keeps_the_lock(path: Path) -> None:
    """The trap of POSIX locks, which is why ours belong to the open file."""
    fd = os.open(path, os.O_RDWR)
    lock.exclusive(fd)
    path.read_bytes()
    assert not _posix_lock_is_free(path, fcntl.LOCK_SH)
    os.close(fd)


def test_two_descriptors_of_one_process_exclude_each_other(path: Path) -> None:
    one, two = os.open(path, os.O_RDWR), os.open(path, os.O_RDWR)
    lock.exclusive(one)
    assert not lock.try_shared(two)
    lock.release_and_close(one)
    assert lock.try_shared(two)
    os.close(two)


def test_unlocking_reaches_a_lock_that_a_child_inherited(path: Path) -> None:
    fd = os.open(path, os.O_RDWR)
    lock.exclusive(fd)
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.close(writer)
        os.read(reader, 1)
        os._exit(0)
    lock.release_and_close(fd)
    again = os.open(path, os.O_RDWR)
    free = lock.try_exclusive(again)
    os.close(writer)
    os.waitpid(child, 0)
    os.close(reader)
    os.close(again)
    assert free


def test_reopen_follows_a_file_that_is_replaced_meanwhile(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # the order of locks is a process's; these threads stand for two
    monkeypatch.setattr(lock_order, "check", lambda fd: None)
    waiting, holding = os.open(path, os.O_RDWR), os.open(path, os.O_RDWR)
    lock.exclusive(holding)
    results: list[tuple[os.stat_result, bool]] = []
    thread = threading.Thread(target=lambda: results.append(lock.reopen_exclusive(waiting, path)))
    thread.start()
    path.with_suffix(".NEW").write_bytes(b"replaced")
    os.rename(path.with_suffix(".NEW"), path)
    lock.release_and_close(holding)
    thread.join(timeout=30)
    assert len(results) == 1
    status, changed = results[0]
    assert changed
    assert status.st_ino == path.stat().st_ino
    assert os.pread(waiting, 100, 0) == b"replaced"
    assert not _posix_lock_is_free(path, fcntl.LOCK_SH)
    assert not os.get_inheritable(waiting)
    os.close(waiting)


def test_reopen_says_what_failed(path: Path) -> None:
    fd = os.open(path, os.O_RDWR)
    path.unlink()
    with pytest.raises(lock.ReopenError) as failure:
        lock.reopen_shared(fd, path)
    assert (failure.value.action, failure.value.errno) == ("stating", 2)
    other = os.open(f"/proc/self/fd/{fd}", os.O_RDWR)
    assert lock.try_exclusive(other)
    os.close(other)
    os.close(fd)


def test_exclusive_file_is_made_and_held(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with lock.exclusive_file(path):
        assert not _posix_lock_is_free(path, fcntl.LOCK_SH)
    assert _posix_lock_is_free(path, fcntl.LOCK_EX)


def test_the_lock_request_has_the_layout_of_this_machine() -> None:
    assert len(lock._SHARED) == struct.calcsize("hhqqi0q")


# files


def test_replace_swaps_content_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "deep/er/file"
    files.replace(path, b"one")
    assert path.stat().st_mode & 0o777 == 0o600
    files.replace(path, [b"t", b"w", memoryview(b"o")])
    assert path.read_bytes() == b"two"
    assert os.listdir(path.parent) == ["file"]


def test_a_failed_replace_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def full(fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        files.replace(path, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize("write", ["write", "pwrite", "writev"])
def test_writing_goes_on_where_the_kernel_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: str
) -> None:
    real_write, real_pwrite, real_writev = os.write, os.pwrite, os.writev
    monkeypatch.setattr(os, "write", lambda fd, data: real_write(fd, data[:3]))
    monkeypatch.setattr(os, "pwrite", lambda fd, data, at: real_pwrite(fd, data[:3], at))
    monkeypatch.setattr(os, "writev", lambda fd, some: real_writev(fd, [b"".join(some)[:3]]))
    fd = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
    match write:
        case "write":
            files.write_all(fd, b"0123456789")
        case "pwrite":
            files.pwrite_all(fd, b"0123456789", 0)
        case "writev":
            assert files.writev_all(fd, [b"01", b"", b"23456", b"789"]) == 10
    monkeypatch.undo()
    assert os.pread(fd, 100, 0) == b"0123456789"
    os.close(fd)


def test_link_or_copy(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "new/target"
    source.write_bytes(b"message")
    assert files.link_or_copy(source, target)
    assert target.stat().st_ino == source.stat().st_ino
    os.utime(source, (1, 2))
    other = tmp_path / "other"
    other.write_bytes(b"other")
    assert files.link_or_copy(other, target)
    assert target.read_bytes() == b"other"
    assert not files.link_or_copy(source, tmp_path / "copy", link=False, keep_times=True)
    assert (tmp_path / "copy").stat().st_mtime == 2
    with pytest.raises(FileNotFoundError):
        files.link_or_copy(tmp_path / "none", tmp_path / "x/y")


def test_an_empty_file_is_not_copied(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    with pytest.raises(OSError, match="zero byte file"):
        files.copy(tmp_path / "empty", tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_mkdirs(tmp_path: Path) -> None:
    files.mkdirs(tmp_path / "a/b/c")
    files.mkdirs(tmp_path / "a/b/c/")
    files.mkdirs_for(tmp_path / "a/d/file")
    assert sorted(os.listdir(tmp_path / "a")) == ["b", "d"]
    (tmp_path / "a/file").touch()
    with pytest.raises(NotADirectoryError):
        files.mkdirs(tmp_path / "a/file")
    assert not files.remove(tmp_path / "none")


def test_a_state_is_settled_when_another_change_must_leave_another_time(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"one")
    assert files.settled_state(path) is None
    now = time.time_ns()
    half_a_second_ago = now - 500_000_000
    os.utime(path, ns=(now, half_a_second_ago | 1))
    settled = files.settled_state(path)
    assert settled is not None
    os.utime(path, ns=(now, (half_a_second_ago | 1) - 2))
    assert files.settled_state(path) not in (None, settled)
    # without fractions the clock may be one that ticks every two seconds
    os.utime(path, ns=(now, now // 10**9 * 10**9 - 10**9))
    assert files.settled_state(path) is None
    os.utime(path, ns=(now, now // 10**9 * 10**9 - 3 * 10**9))
    assert files.settled_state(path) is not None


def test_a_file_that_is_not_there_has_no_state(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        files.settled_state(tmp_path / "none")
