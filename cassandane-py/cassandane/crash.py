"""Processes that die in the middle of what they do, and directories put back to what they were."""

from __future__ import annotations

import errno
import os
import pickle
import stat
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from libcyrus.base.files import sync_keeps_names

CALLS = (
    "write", "writev", "pwrite", "ftruncate", "fsync", "fdatasync", "link", "rename", "replace", "unlink",
    "mkdir", "rmdir",
)  # fmt: skip
DIED = 77

Files = dict[str, bytes | None]
"""Content by relative name, None for directories."""

Links = frozenset[tuple[str, ...]]
"""Names that are one file."""


def in_child(work: Callable[[], None]) -> int:
    """Run in a fork; the exit code, or minus the signal."""
    pid = os.fork()
    if not pid:
        code = 1
        try:
            work()
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def die_at(step: int, before: Callable[[], None] = lambda: None) -> None:
    """Make the ``step``-th call that changes a file the last thing this process does not do."""
    left = step

    def wrap(call: Callable[..., Any]) -> Callable[..., Any]:
        def dying(*args: Any, **options: Any) -> Any:
            nonlocal left
            left -= 1
            if left < 0:
                before()
                os._exit(DIED)
            return call(*args, **options)

        return dying

    for name in CALLS:
        setattr(os, name, wrap(getattr(os, name)))


def snapshot(spool: Path) -> Files:
    """The files below ``spool`` by relative name, None for directories."""
    return {
        str(path.relative_to(spool)): path.read_bytes() if path.is_file() else None
        for path in sorted(spool.rglob("*"))
    }


def restore(spool: Path, saved: Files, links: Links = frozenset()) -> None:
    """Make everything below ``spool`` as it was: changed files are new ones, those of ``links`` one."""
    for path in sorted(spool.rglob("*"), reverse=True):
        if str(path.relative_to(spool)) not in saved:
            path.rmdir() if path.is_dir() else path.unlink()
    for name, content in saved.items():
        path = spool / name
        if content is None:
            path.mkdir(exist_ok=True)
        elif not path.exists() or path.read_bytes() != content:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.unlink(missing_ok=True)
            path.write_bytes(content)
    for first, *others in links:
        for name in others:
            (spool / name).unlink()
            os.link(spool / first, spool / name)


@dataclass(frozen=True)
class Moment:
    """What is found after a crash: the files below a directory, and when it happened."""

    label: str
    files: Files
    links: Links
    acknowledged: bool


class Disk:
    """Follows which changes below a directory a power cut could take back, while this process makes them.

    A file's content is certain as it was at its last sync, a name (made, moved, removed) as it was when its
    directory was last synced; nothing else is. Where ``sync_keeps_names`` says so, to sync a file that has
    grown makes all names certain, so an index is as long as it was while they are not. ``states`` are some
    of the ways in which it may come: all unsynced is lost, only names survive (a renamed file without its
    content), only contents, or every other name; and, for the death of the process alone, nothing is lost.
    """

    def __init__(self, top: Path) -> None:
        self.top = str(top)
        self._held: list[int] = []
        self._names: dict[int, dict[str, int]] = {}
        self._content: dict[int, bytes] = {}
        self._directories: set[int] = set()
        self._linked: set[int] = set()
        self._last: dict[int, bytes] = {}
        for inode, entries in self._walk().items():
            self._names[inode] = entries
        self._content = dict(self._last)

    def states(self) -> dict[str, tuple[Files, Links]]:
        now = self._walk()
        last = {**self._content, **self._last}
        short = last
        if sync_keeps_names(os.stat(self.top).st_dev):
            indexes = {entries.get("cyrus.index") for entries in now.values()}
            sizes = {inode: len(content) for inode, content in self._content.items() if inode in indexes}
            short = {inode: content[: sizes.get(inode)] for inode, content in last.items()}
        return {
            "killed": self._tree(now, last),
            "nothing": self._tree(self._names, self._content),
            "names": self._tree(now, self._content),
            "contents": self._tree(self._names, short),
            "half": self._tree(self._mixed(now), self._content),
        }

    def synced(self, path: str) -> None:
        status = os.stat(path)
        if stat.S_ISDIR(status.st_mode):
            with os.scandir(path) as entries:
                self._names[status.st_ino] = {entry.name: entry.inode() for entry in entries}
                self._directories.add(status.st_ino)
        else:
            content = Path(path).read_bytes()
            grown = len(content) > len(self._content.get(status.st_ino, b""))
            self._content[status.st_ino] = content
            if grown and sync_keeps_names(status.st_dev):
                self._names = self._walk()

    def hold(self, path: str) -> None:
        """The name is about to go: its inode must not be given to another file, and what it was is kept."""
        try:
            self._held.append(os.open(path, os.O_PATH | os.O_CLOEXEC))
            if os.path.isfile(path):
                self._last[os.stat(path).st_ino] = Path(path).read_bytes()
        except FileNotFoundError:
            pass

    def _walk(self) -> dict[int, dict[str, int]]:
        found: dict[int, dict[str, int]] = {}
        left = [self.top]
        while left:
            directory = left.pop()
            inode = os.stat(directory).st_ino
            self._directories.add(inode)
            names = found[inode] = {}
            with os.scandir(directory) as entries:
                for entry in entries:
                    names[entry.name] = entry.inode()
                    if entry.is_dir():
                        left.append(entry.path)
                    else:
                        if entry.stat().st_nlink > 1:
                            self._linked.add(entry.inode())
                        with open(entry.path, "rb") as file:
                            self._last[entry.inode()] = file.read()
        return found

    def _mixed(self, now: dict[int, dict[str, int]]) -> dict[int, dict[str, int]]:
        """Of the changes of names that are not certain, every other one."""
        mixed = {}
        turn = 0
        for directory in {**self._names, **now}:
            old, new = self._names.get(directory, {}), now.get(directory, {})
            names = mixed[directory] = dict(old)
            for name in sorted({**old, **new}):
                if old.get(name) != new.get(name):
                    turn += 1
                    if turn % 2 and name in new:
                        names[name] = new[name]
                    elif turn % 2:
                        del names[name]
        return mixed

    def _tree(
        self, names: dict[int, dict[str, int]], content: dict[int, bytes]
    ) -> tuple[Files, Links]:
        files: Files = {}
        same: dict[int, list[str]] = {}
        left = [("", os.stat(self.top).st_ino)]
        while left:
            lead, directory = left.pop()
            for name, inode in names.get(directory, {}).items():
                if inode in self._directories:
                    files[lead + name] = None
                    left.append((f"{lead}{name}/", inode))
                else:
                    files[lead + name] = content.get(inode, b"")
                    same.setdefault(inode, []).append(lead + name)
        # what was moved has two names only where half of that is lost
        linked = [sorted(names) for inode, names in same.items() if len(names) > 1 and inode in self._linked]
        return files, frozenset(map(tuple, linked))


def record(top: Path, work: Callable[[], None]) -> list[Moment]:
    """Run ``work`` in a fork; the different states in which a crash before, between or after its changes of
    files below ``top`` may leave them.

    After the last moment nothing is done any more: those of it are ``acknowledged``.
    """
    read, write = os.pipe()
    pid = os.fork()
    if not pid:
        code = 1
        try:
            os.close(read)
            found = _moments(top, work)
            with os.fdopen(write, "wb") as pipe:
                pickle.dump(found, pipe)
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        data = pipe.read()
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    moments: list[Moment] = pickle.loads(data)
    return moments


def _moments(top: Path, work: Callable[[], None]) -> list[Moment]:
    disk = Disk(top)
    found: dict[tuple[bool, Links, frozenset[tuple[str, bytes | None]]], Moment] = {}
    step = 0

    def note(what: str, *, acknowledged: bool = False) -> None:
        for variant, (files, links) in disk.states().items():
            moment = Moment(f"{step} {what}: {variant}", files, links, acknowledged)
            found.setdefault((acknowledged, links, frozenset(files.items())), moment)

    def wrap(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def noted(*args: Any, **options: Any) -> Any:
            nonlocal step
            path = _place(args[0])
            if not path.startswith(disk.top):
                return call(*args, **options)
            step += 1
            note(f"{name} {path[len(disk.top) :]}")
            if name in ("fsync", "fdatasync"):
                if os.path.exists(path):
                    disk.synced(path)
                return None
            if name in ("unlink", "rmdir"):
                disk.hold(path)
            if name in ("rename", "replace"):
                disk.hold(os.fspath(args[1]))
            return call(*args, **options)

        return noted

    opened = os.open

    def noted_open(path: Any, flags: int, *args: Any, **options: Any) -> int:
        nonlocal step
        if flags & (os.O_CREAT | os.O_TRUNC) and str(path).startswith(disk.top):
            step += 1
            note(f"open {str(path)[len(disk.top) :]}")
        return opened(path, flags, *args, **options)

    originals = {name: getattr(os, name) for name in CALLS}
    for name, call in originals.items():
        setattr(os, name, wrap(name, call))
    os.open = noted_open
    try:
        work()
    finally:
        for name, call in originals.items():
            setattr(os, name, call)
        os.open = opened
    step += 1
    note("end", acknowledged=True)
    return list(found.values())


def _place(target: Any) -> str:
    """The file that a call is about: its path, or where its descriptor leads."""
    if not isinstance(target, int):
        return os.fsdecode(target)
    path = os.readlink(f"/proc/self/fd/{target}")
    return "" if path.endswith(" (deleted)") else path


@contextmanager
def full_disk(step: int) -> Iterator[list[str]]:
    """From the ``step``-th call on that would need room there is none, in this process, for the block.

    Yields a list that gets the calls that failed: it stays empty when ``step`` is beyond the last.
    """
    failed: list[str] = []
    left = step

    def refuse(name: str, path: object) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            failed.append(f"{name} {path}")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def wrap(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def filling(target: Any, *args: Any, **options: Any) -> Any:
            refuse(name, target)
            return call(target, *args, **options)

        return filling

    opened = os.open

    def filling_open(path: Any, flags: int, *args: Any, **options: Any) -> int:
        if flags & os.O_CREAT and not os.path.exists(path):
            refuse("open", path)
        return opened(path, flags, *args, **options)

    originals = {name: getattr(os, name) for name in ("write", "writev", "pwrite", "link", "mkdir")}
    for name, call in originals.items():
        setattr(os, name, wrap(name, call))
    os.open = filling_open
    try:
        yield failed
    finally:
        for name, call in originals.items():
            setattr(os, name, call)
        os.open = opened
