"""Processes that die in the middle of what they do, and directories put back to what they were."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

CALLS = ("write", "writev", "pwrite", "fsync", "fdatasync", "link", "rename", "unlink", "mkdir", "ftruncate")
DIED = 77


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


def snapshot(spool: Path) -> dict[str, bytes | None]:
    """The files below ``spool`` by relative name, None for directories."""
    return {
        str(path.relative_to(spool)): path.read_bytes() if path.is_file() else None
        for path in sorted(spool.rglob("*"))
    }


def restore(spool: Path, saved: dict[str, bytes | None]) -> None:
    """Make everything below ``spool`` as it was; changed files become new ones."""
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
