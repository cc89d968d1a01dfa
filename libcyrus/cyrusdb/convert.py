"""Whole databases: into another backend, to text and back."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from libcyrus.base import files
from libcyrus.errors import IoError

from .interface import Database, Records

_BATCH = 1024


def copy_records(source: Records, target: Records) -> int:
    """Store every record of one into the other; returns how many."""
    count = 0
    for key, data in source.foreach():
        target.store(key, data)
        count += 1
    return count


def convert_file(
    source: Database, target: str | os.PathLike[str], open_target: Callable[[str], Database]
) -> None:
    """Copy ``source`` into a new file that ``open_target`` makes, and give it the name ``target``.

    The source stays locked meanwhile. ``target`` may be the source's own path.
    Nothing is left behind after an error.
    """
    name = os.fspath(target)
    new = name + ".NEW"
    files.remove(new)
    try:
        with source.transaction() as reading:
            with open_target(new) as database, database.transaction() as writing:
                copy_records(reading, writing)
            os.rename(new, name)
            files.fsync_dir(os.path.dirname(name) or ".")
    except OSError as error:
        files.remove(new)
        raise IoError() from error
    except BaseException:
        files.remove(new)
        raise


def truncate(records: Records) -> None:
    """Remove every record."""
    while batch := [key for key, _data in islice(records.foreach(), _BATCH)]:
        for key in batch:
            records.delete(key)


def dump_text(records: Records, prefix: bytes = b"") -> Iterator[bytes]:
    """One ``key TAB data LF`` line for each record, with nothing escaped."""
    for key, data in records.foreach(prefix):
        yield b"%b\t%b\n" % (key, data)


def undump_text(records: Records, lines: Iterable[bytes]) -> None:
    """Store the lines of a dump; a line without TAB removes its key. Blank and ``#`` lines are skipped."""
    for line in lines:
        text = line.removesuffix(b"\n")
        if not text or text.startswith(b"#"):
            continue
        key, tab, data = text.partition(b"\t")
        if tab:
            records.store(key, data)
        else:
            records.delete(key)
