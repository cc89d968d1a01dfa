"""Whole databases: into another backend, to text and back."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import islice

from libcyrus.base import files, lock
from libcyrus.errors import Fatal, IoError

from . import flat, quotalegacy, skiplist, twoskip
from .interface import Database, Records
from .order import byte_order, mailbox_order
from .settings import Settings
from .sql import SqlDatabase
from .sql import engines as sql_engines

BUILT = ("flat", "skiplist", "quotalegacy", "sql", "twoskip")
"""The backends that there are, in the original's order. Zeroskip is not in Debian's build either."""

_BATCH = 1024
Record = tuple[bytes, bytes]


def copy_records(source: Records, target: Records) -> int:
    """Store every record of one into the other; returns how many."""
    count = 0
    for key, data in source.foreach():
        target.store(key, data)
        count += 1
    return count


def convert_file(
    source: Database,
    target: str | os.PathLike[str],
    backend: str,
    *,
    mboxsort: bool = False,
    settings: Settings | None = None,
) -> None:
    """Make a database of ``backend`` at ``target`` with the records of ``source``.

    A file (its directory too) is made in one pass beside its place, and takes the name when it is
    complete and synced; ``target`` may be the source's own path. What is no
    file of its own, quota roots and tables of a server, is stored into in one
    transaction. The source stays locked meanwhile. After an error the target is
    as it was, and nothing is left behind. Raises what
    databases raise, and ``Fatal`` (EX_CONFIG) for a backend that is unknown or not built.
    """
    name = os.fspath(target)
    settings = settings or Settings()
    if backend not in BUILT:
        raise Fatal(f"cyrusdb backend {backend} not supported", os.EX_CONFIG)
    if backend == "quotalegacy":
        roots = quotalegacy.QuotaLegacyDatabase(
            name,
            create=True,
            mboxsort=mboxsort,
            fulldirhash=settings.fulldirhash,
            virtdomains=settings.virtdomains,
        )
        with source.transaction() as reading, roots as database, database.transaction() as writing:
            copy_records(reading, writing)
        return
    if backend == "sql" and not sql_engines.is_own_file(settings):
        with (
            source.transaction() as reading,
            SqlDatabase(name, settings, create=True) as table,
            table.transaction() as filling,
        ):
            copy_records(reading, filling)
        return
    # nothing is touched before the lock is ours: another process may be doing the same
    with source.transaction() as reading:
        build_file(name, backend, reading, mboxsort=mboxsort, settings=settings)


def build_file(
    path: str,
    backend: str,
    records: Records,
    *,
    mboxsort: bool = False,
    settings: Settings | None = None,
) -> None:
    """Put a file of ``backend`` with these records at ``path``, in one pass, and nothing else there.

    The caller has the old file locked. Whoever waits for that finds the new one, which is locked until its
    name is lasting: a power cut would bring back the old file, without what was committed to the new one.
    Raises IoError, or what reading the records raises, with the old file in place.
    """
    new = path + ".NEW"
    try:
        files.mkdirs_for(path)
        files.remove(new)
        _build(backend, new, path, records, mboxsort=mboxsort, settings=settings or Settings())
        fd = os.open(new, os.O_RDWR | os.O_CLOEXEC)
        try:
            if backend != "sql":
                lock.exclusive_new(fd)
            os.rename(new, path)
            files.fsync_dir(os.path.dirname(path) or ".")
        finally:
            lock.release_and_close(fd)
    except BaseException as error:
        with suppress(OSError):
            files.remove(new)
        if isinstance(error, OSError):
            raise IoError() from error
        raise


def _build(
    backend: str, new: str, name: str, source: Records, *, mboxsort: bool, settings: Settings
) -> None:
    if backend == "sql":
        with (
            SqlDatabase(new, settings, create=True, table=sql_engines.table_of(name)) as table,
            table.transaction() as filling,
        ):
            filling.fill(source.foreach())
    elif backend == "flat":
        flat.build(new, source.foreach())
    elif backend == "skiplist":
        rank = mailbox_order if mboxsort else skiplist.signed_order
        _in_order(source, rank, lambda records: skiplist.build(new, records))
    else:
        rank = mailbox_order if mboxsort else byte_order
        _in_order(source, rank, lambda records: twoskip.build(new, records, generation=1))


class _OutOfOrder(Exception):
    pass


def _in_order(
    source: Records, rank: Callable[[bytes], bytes], build: Callable[[Iterable[Record]], object]
) -> None:
    """Build from the records as they come, if they come in order, else from all of them sorted in memory."""
    try:
        build(_checked(source.foreach(), rank))
    except _OutOfOrder:
        build(sorted(source.foreach(), key=lambda record: rank(record[0])))


def _checked(records: Iterable[Record], rank: Callable[[bytes], bytes]) -> Iterator[Record]:
    last: bytes | None = None
    for record in records:
        place = rank(record[0])
        if last is not None and place <= last:
            raise _OutOfOrder
        last = place
        yield record


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
        text = line.rstrip(b"\n")
        if not text or text.startswith(b"#"):
            continue
        key, tab, data = text.partition(b"\t")
        if tab:
            records.store(key, data)
        else:
            records.delete(key)
