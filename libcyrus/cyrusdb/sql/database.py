"""The database interface over a table.

Locking is the SQL database's own: a transaction begins as a writing one (the
original's begins as a reading one, and can fail when it first writes). Nothing
is locked between the batches of a walk.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from types import TracebackType
from typing import Self

from libcyrus.errors import AlreadyExists, CyrusError, InternalError, NotFound

from ..settings import Settings
from . import engines

_FIRST_BATCH = 16
_LARGEST_BATCH = 16384

# connections of the parent that a child process must neither use nor close
_inherited: list[engines.Engine] = []


class SqlDatabase:
    """See ``interface.Database``. ``table`` is named after ``path`` unless given."""

    backend = "sql"

    def __init__(
        self,
        path: str | os.PathLike[str],
        settings: Settings,
        *,
        create: bool = False,
        table: str | None = None,
    ) -> None:
        self.path = os.fspath(path)
        self._settings = settings
        self._table = table or engines.table_of(self.path)
        self._transaction: SqlTransaction | None = None
        self._engine = self._connect(create=create)
        self._owner = os.getpid()

    @property
    def engine(self) -> engines.Engine:
        if self._owner != os.getpid():
            _inherited.append(self._engine)
            self._engine = self._connect(create=False)
            self._owner = os.getpid()
        elif self._engine.lost and self._transaction is None:
            # a server that was restarted costs one operation, not the process
            self._engine.close()
            self._engine = self._connect(create=False)
        return self._engine

    def fetch(self, key: bytes) -> bytes | None:
        engine = self.engine
        row = engine.execute(
            f"SELECT {engine.data_column} FROM {engine.table} WHERE dbkey = ?", key
        ).fetchone()
        return None if row is None else bytes(row[0] or b"")

    def fetchnext(self, key: bytes) -> tuple[bytes, bytes] | None:
        return next(iter(self._batch(key, 1, inclusive=False)), None)

    def foreach(self, prefix: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        key, limit, inclusive = prefix, _FIRST_BATCH, True
        while True:
            changes = self._changes
            found = self._batch(key, limit, inclusive=inclusive)
            inclusive = False
            for key, value in found:
                if not key.startswith(prefix):
                    return
                yield key, value
                if changes != self._changes:
                    break
            else:
                if len(found) < limit:
                    return
            limit = min(4 * limit, _LARGEST_BATCH)

    def store(self, key: bytes, data: bytes) -> None:
        with self.transaction() as changes:
            changes.store(key, data)

    def create(self, key: bytes, data: bytes) -> None:
        with self.transaction() as changes:
            changes.create(key, data)

    def delete(self, key: bytes, *, force: bool = True) -> None:
        with self.transaction() as changes:
            changes.delete(key, force=force)

    def transaction(self, *, shared: bool = False) -> SqlTransaction:
        if self._transaction is not None:
            raise InternalError("a transaction is open on this database")
        self.engine.begin(shared=shared)
        self._transaction = SqlTransaction(self, shared)
        return self._transaction

    def compare_key(self, key: bytes) -> bytes:
        return key

    def consistent(self) -> None:
        self.engine.check()

    def repack(self) -> None:
        """Nothing to do: the table is not ours to arrange."""

    def maintain(self) -> None:
        """Nothing to do."""

    def dump(self, detail: int = 1) -> Iterator[str]:
        return iter(())

    def close(self) -> None:
        if self._owner == os.getpid():
            if self._transaction is not None:
                self._transaction.abort()
            self._engine.close()
        else:
            _inherited.append(self._engine)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # counts what this process changed, for walks that go on meanwhile
    _changes = 0

    def _batch(self, key: bytes, limit: int, *, inclusive: bool) -> list[tuple[bytes, bytes]]:
        engine = self.engine
        columns = f"{engine.key_column}, {engine.data_column}"
        where = f"WHERE dbkey {'>=' if inclusive else '>'} ? " if key else ""
        parameters = (key,) if key else ()
        rows = engine.execute(
            f"SELECT {columns} FROM {engine.table} {where}ORDER BY dbkey LIMIT {limit}", *parameters
        )
        return [(bytes(key), bytes(data or b"")) for key, data in rows.fetchall()]

    def _connect(self, *, create: bool) -> engines.Engine:
        return engines.connect(self.path, self._table, self._settings, create=create)

    def _ended(self) -> None:
        self._transaction = None


class SqlTransaction:
    """See ``interface.Transaction``."""

    def __init__(self, database: SqlDatabase, shared: bool) -> None:
        self._database = database
        self._shared = shared
        self._open = True

    def fetch(self, key: bytes) -> bytes | None:
        return self._reading().fetch(key)

    def fetchnext(self, key: bytes) -> tuple[bytes, bytes] | None:
        return self._reading().fetchnext(key)

    def foreach(self, prefix: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        for record in self._reading().foreach(prefix):
            yield record
            self._reading()

    def fill(self, records: Iterable[tuple[bytes, bytes]]) -> None:
        """Store records with new keys, many at once."""
        self._writing(b"any").insert(records)

    def store(self, key: bytes, data: bytes) -> None:
        engine = self._writing(key)
        old = self._database.fetch(key)
        if old is None:
            engine.execute(f"INSERT INTO {engine.table} (dbkey, data) VALUES (?, ?)", key, data)
        elif old != data:
            engine.execute(f"UPDATE {engine.table} SET data = ? WHERE dbkey = ?", data, key)

    def create(self, key: bytes, data: bytes) -> None:
        if self.fetch(key) is not None:
            raise AlreadyExists()
        self.store(key, data)

    def delete(self, key: bytes, *, force: bool = True) -> None:
        engine = self._writing(key)
        cursor = engine.execute(f"DELETE FROM {engine.table} WHERE dbkey = ?", key)
        if not cursor.rowcount and not force:
            raise NotFound()

    def commit(self) -> None:
        engine = self._reading().engine
        try:
            engine.execute("COMMIT")
        except CyrusError:
            with suppress(CyrusError):
                engine.execute("ROLLBACK")
            raise
        finally:
            self._end()

    def abort(self) -> None:
        if self._open:
            try:
                with suppress(CyrusError):
                    self._database.engine.execute("ROLLBACK")
            finally:
                self._end()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self.abort()
        elif self._open:
            self.commit()

    def _reading(self) -> SqlDatabase:
        if not self._open:
            raise InternalError("the transaction has ended")
        return self._database

    def _writing(self, key: bytes) -> engines.Engine:
        database = self._reading()
        if self._shared:
            raise InternalError("the transaction is for reading")
        if not key:
            raise InternalError("a key may not be empty")
        database._changes += 1
        return database.engine

    def _end(self) -> None:
        self._open = False
        self._database._ended()
