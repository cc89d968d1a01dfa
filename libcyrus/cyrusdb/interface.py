"""What every database backend promises.

A database maps ``bytes`` keys to ``bytes`` values in a fixed key order. Keys
are not empty. The methods of a ``Database`` stand alone: each locks, does its
work, makes it durable and unlocks. Those of a ``Transaction`` happen together
or not at all, and until then only inside it.

Errors, everywhere: ``DatabaseCorrupt`` when the file fails its own checks (it
is left as it is), ``IoError`` or ``NoSpace`` when the system fails.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import Protocol, Self


class Records(Protocol):
    """What can be done to records, in a transaction or out of one."""

    def fetch(self, key: bytes) -> bytes | None:
        """The value of ``key``, None when it is not there."""

    def fetchnext(self, key: bytes) -> tuple[bytes, bytes] | None:
        """The record behind ``key`` in order, whether or not that exists; ``b""`` gives the first."""

    def foreach(self, prefix: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """The records whose key begins with ``prefix``, in order.

        No lock is held while the caller has a record (except that of its own
        transaction), so it may read and change the same database. Changes that
        this process makes behind the present record are seen; changes of other
        processes may be.
        """

    def store(self, key: bytes, data: bytes) -> None:
        """Give ``key`` a value, old or new. An unchanged value costs no write."""

    def create(self, key: bytes, data: bytes) -> None:
        """Like ``store``, but raises ``AlreadyExists`` for an old key."""

    def delete(self, key: bytes, *, force: bool = True) -> None:
        """Remove ``key``; with ``force=False`` a missing one raises ``NotFound``."""


class Transaction(Records, Protocol):
    """Changes that belong together; holds the database's lock from its creation to its end.

    As a context manager it commits at the end of the block, and aborts on an
    exception. ``commit`` and ``abort`` may also be called, once.
    """

    def commit(self) -> None:
        """Make the changes durable and visible, and unlock. After an error nothing is changed."""

    def abort(self) -> None:
        """Forget the changes and unlock; harmless after the end."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


class Database(Records, Protocol):
    """An open database. Not to be used by two threads.

    A handle survives ``fork``: the child opens its own descriptor.
    """

    @property
    def backend(self) -> str: ...

    @property
    def path(self) -> str: ...

    def transaction(self, *, shared: bool = False) -> Transaction:
        """Lock (for reading only when ``shared``) and begin; one at a time on one handle.

        Reads through the handle meanwhile see the transaction's state, writes
        through it are refused with ``InternalError``.
        """

    def compare_key(self, key: bytes) -> bytes:
        """What ``key`` sorts by: records come in rising order of this."""

    def consistent(self) -> None:
        """Check the whole file; raises ``DatabaseCorrupt`` saying what is wrong."""

    def repack(self) -> None:
        """Rewrite the file without what is obsolete in it."""

    def maintain(self) -> None:
        """Repack if the file has outgrown its content: to be called when no user waits.

        ``close`` does the same. Cheap when there is nothing to do.
        """

    def dump(self, detail: int = 1) -> Iterator[str]:
        """Lines that show the file's structure, for a developer's eyes; none where there is no structure."""

    def close(self) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...
