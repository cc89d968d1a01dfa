"""What differs between SQLite, PostgreSQL and MySQL.

A database is a table ``(dbkey, data)`` of two binary columns, as the original
creates it. Its SQL carries keys and values as text literals, which SQLite
stores as text although the columns are blobs, and to which only text compares
equal. So ours are text as well there, any bytes of them.

SQLite comes with Python. ``psycopg`` and ``PyMySQL`` are extras, loaded when
``sql_engine`` asks for them.
"""

from __future__ import annotations

import errno
import logging
import os
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any, ClassVar, NoReturn

from libcyrus.base import files, xlog
from libcyrus.errors import CyrusError, DatabaseCorrupt, Fatal, IoError, NoSpace, NotFound

from ..settings import Settings

log = logging.getLogger(__name__)

_NAME = re.compile(r"[\w.$ -]+")
_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_DEFAULT_ENGINE = "pgsql"  # the first that Debian's build of the original has
_WAIT = 600  # seconds that SQLite waits for a lock: longer than any transaction takes


class Engine(ABC):
    """A connection to the place where a table is, and the SQL that this kind understands.

    Raises what the databases raise: ``IoError``, ``NoSpace``, ``DatabaseCorrupt``.
    """

    parameter: ClassVar[str] = "%s"
    key_column: ClassVar[str] = "dbkey"
    data_column: ClassVar[str] = "data"
    binary_type: ClassVar[str]
    begin_writing: ClassVar[tuple[str, ...]]
    begin_reading: ClassVar[tuple[str, ...]]
    quote: ClassVar[str] = '"'

    def __init__(self, table: str) -> None:
        if not _NAME.fullmatch(table):
            self._failed("open", ValueError(f"a table cannot be named {table!r}"))
        self.name = table
        self.table = table if _PLAIN_NAME.fullmatch(table) else f"{self.quote}{table}{self.quote}"
        self._connection: Any = None

    def execute(self, statement: str, *parameters: bytes | int) -> Any:
        """Run one statement and return its cursor; ``?`` stands for a key or value."""
        with self.reported(statement):
            cursor = self._connection.cursor()
            cursor.execute(statement.replace("?", self.parameter), parameters)
            return cursor

    def insert(self, records: Iterable[tuple[bytes, bytes]]) -> None:
        """Add records whose keys are new."""
        with self.reported("INSERT"):
            statement = f"INSERT INTO {self.table} (dbkey, data) VALUES (?, ?)"
            self._connection.cursor().executemany(statement.replace("?", self.parameter), records)

    def begin(self, *, shared: bool) -> None:
        for statement in self.begin_reading if shared else self.begin_writing:
            self.execute(statement.format(table=self.table))

    def has_table(self) -> bool:
        try:
            self._connection.cursor().execute(f"SELECT * FROM {self.table} LIMIT 0")
        except Exception as error:
            if not self.is_mine(error):
                raise
            return False
        return True

    @property
    def lost(self) -> bool:
        """Whether the connection was found to be broken."""
        return False

    def create_table(self) -> None:
        """As the original does, and an index, of which it need not know."""
        kind = self.binary_type
        self.execute(f"CREATE TABLE {self.table} (dbkey {kind} NOT NULL, data {kind})")

    def check(self) -> None:
        """Raises ``DatabaseCorrupt``; servers look after their tables themselves."""
        self.execute(f"SELECT * FROM {self.table} LIMIT 0").close()

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    @contextmanager
    def reported(self, statement: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            if not self.is_mine(error):
                raise
            self._failed(statement, error)

    @abstractmethod
    def is_mine(self, error: Exception) -> bool:
        """Whether the database's library says so."""

    def classify(self, error: Exception) -> CyrusError:
        return IoError()

    def _failed(self, statement: str, error: Exception) -> NoReturn:
        xlog.xsyslog(
            log, logging.ERROR, "DBERROR: SQL failed", command=statement, reason=str(error).strip()
        )
        raise self.classify(error) from error


class Sqlite(Engine):
    """A file: the database's own, or the one that ``sql_database`` names."""

    parameter = "CAST(? AS TEXT)"
    key_column = "CAST(dbkey AS BLOB)"
    data_column = "CAST(data AS BLOB)"
    binary_type = "BLOB"
    begin_writing = ("BEGIN IMMEDIATE",)
    begin_reading = ("BEGIN",)

    def __init__(self, table: str, path: str, *, create: bool) -> None:
        """Raises ``NotFound``."""
        try:
            import sqlite3
        except ImportError as error:
            raise Fatal("sql_engine sqlite needs Python's module sqlite3", os.EX_CONFIG) from error

        super().__init__(table)
        self._sqlite = sqlite3
        self.path = path
        try:
            if not os.path.exists(path):
                if not create:
                    raise NotFound()
                files.mkdirs_for(path)
            elif not os.access(path, os.R_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        except OSError as error:
            self._failed("open", error)
        with self.reported("open"):
            self._connection = sqlite3.connect(
                path, timeout=_WAIT, isolation_level=None, check_same_thread=False
            )

    def create_table(self) -> None:
        self.begin(shared=False)
        try:
            if not self.has_table():
                super().create_table()
                self.execute(f'CREATE INDEX "{self.name}_dbkey" ON {self.table} (dbkey)')
            self.execute("COMMIT")
        except BaseException:
            self._connection.rollback()
            raise
        files.fsync_dir(os.path.dirname(self.path) or ".")

    def has_table(self) -> bool:
        found = self.execute(
            "SELECT 1 FROM sqlite_master WHERE type IN ('table', 'view') AND lower(name) = lower(?)",
            os.fsencode(self.name),
        )
        return found.fetchone() is not None

    def check(self) -> None:
        rows = self.execute("PRAGMA quick_check").fetchall()
        if rows != [("ok",)]:
            raise DatabaseCorrupt(f"sql {rows[0][0]}" if rows else None)

    def is_mine(self, error: Exception) -> bool:
        return isinstance(error, self._sqlite.Error)

    def classify(self, error: Exception) -> CyrusError:
        match getattr(error, "sqlite_errorname", "").split("_")[:2]:
            case ["SQLITE", "FULL"]:
                return NoSpace()
            case ["SQLITE", "NOTADB" | "CORRUPT"]:
                return DatabaseCorrupt(f"sql {error}")
        return IoError()


class _Server(Engine):
    """A server, one of those that ``sql_hostnames`` lists."""

    package: ClassVar[str]
    module: ClassVar[str]

    def __init__(self, table: str, database: str, settings: Settings) -> None:
        super().__init__(table)
        try:
            self._library = import_module(self.module)
        except ImportError as error:
            raise Fatal(
                f"sql_engine {engine_name(settings)} needs the Python package {self.package}", os.EX_CONFIG
            ) from error
        for place in settings.sql_hostnames.split(","):
            host, _colon, port = place.strip().partition(":")
            try:
                self._connection = self._connect(host, port, database, settings)
            except self._library.Error as error:
                log.warning(
                    "DBERROR: SQL backend could not connect to host %s: %s", host, str(error).strip()
                )
            else:
                return
        xlog.xsyslog(log, logging.ERROR, "DBERROR: could not open SQL database", database=database)
        raise IoError()

    def is_mine(self, error: Exception) -> bool:
        return isinstance(error, self._library.Error)

    @abstractmethod
    def _connect(self, host: str, port: str, database: str, settings: Settings) -> Any:
        """Each statement is committed by itself unless BEGIN came before."""


class PostgreSql(_Server):
    package = module = "psycopg"
    binary_type = "BYTEA"
    # readers go on meanwhile, no other writer does
    begin_writing = ("BEGIN", "LOCK TABLE {table} IN EXCLUSIVE MODE")
    begin_reading = ("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",)

    def _connect(self, host: str, port: str, database: str, settings: Settings) -> Any:
        wanted = {
            "host": host,
            "port": port,
            "user": settings.sql_user,
            "password": settings.sql_passwd,
            "dbname": database,
            "sslmode": "require" if settings.sql_usessl else None,
        }
        given = {name: value for name, value in wanted.items() if value}
        return self._library.connect(autocommit=True, **given)

    @property
    def lost(self) -> bool:
        return bool(self._connection.closed)

    def create_table(self) -> None:
        super().create_table()
        # a long value may not be indexed whole
        self.execute(f'CREATE INDEX "{self.name}_dbkey" ON {self.table} USING hash (dbkey)')

    def classify(self, error: Exception) -> CyrusError:
        return NoSpace() if getattr(error, "sqlstate", None) == "53100" else IoError()


class MySql(_Server):
    package = "PyMySQL"
    module = "pymysql"
    binary_type = "LONGBLOB"
    # the rows read, and the gaps between them, are others' to wait for
    begin_writing = ("START TRANSACTION", "SELECT COUNT(*) FROM {table} FOR UPDATE")
    begin_reading = ("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",)
    quote = "`"

    def _connect(self, host: str, port: str, database: str, settings: Settings) -> Any:
        return self._library.connect(
            host=host or "localhost",
            port=int(port) if port.isdigit() else 0,
            user=settings.sql_user,
            password=settings.sql_passwd or "",
            database=database,
            ssl={"ca": None} if settings.sql_usessl else None,
            autocommit=True,
            charset="utf8mb4",
        )

    @property
    def lost(self) -> bool:
        return not self._connection.open

    def create_table(self) -> None:
        super().create_table()
        self.execute(f"CREATE INDEX `{self.name}_dbkey` ON {self.table} (dbkey(255))")

    def classify(self, error: Exception) -> CyrusError:
        code = error.args[0] if error.args else 0
        return NoSpace() if code in (1021, 1114) else IoError()


_SERVERS: dict[str, Callable[[str, str, Settings], Engine]] = {"pgsql": PostgreSql, "mysql": MySql}


def engine_name(settings: Settings) -> str:
    """The engine in use; raises ``Fatal`` for one that nobody knows."""
    name = (settings.sql_engine or _DEFAULT_ENGINE).lower()
    if name != "sqlite" and name not in _SERVERS:
        raise Fatal(f"SQL engine {settings.sql_engine} not supported", os.EX_CONFIG)
    return name


def is_own_file(settings: Settings) -> bool:
    """Whether a database's path is the file that holds its table."""
    return engine_name(settings) == "sqlite" and not settings.sql_database


def table_of(path: str) -> str:
    """The name of a database's table: its file's name, the last dot replaced."""
    name = os.path.basename(path)
    front, dot, end = name.rpartition(".")
    return f"{front}_{end}" if dot else name


def connect(path: str, table: str, settings: Settings, *, create: bool) -> Engine:
    """Open the database and make sure that the table is there. Raises ``NotFound``."""
    name = engine_name(settings)
    database = settings.sql_database or path
    engine: Engine
    if name == "sqlite":
        engine = Sqlite(table, database, create=create)
    else:
        engine = _SERVERS[name](table, database, settings)
    try:
        if not engine.has_table():
            if not create:
                raise NotFound()
            engine.create_table()
    except BaseException:
        engine.close()
        raise
    return engine
