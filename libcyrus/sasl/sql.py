"""Users' properties from a database: the ``sql`` auxprop plugin, with SQLite, PostgreSQL or MySQL.

``sasl_sql_select`` is a statement whose first column of its first row is the property's value. With
``sasl_sql_insert`` and ``sasl_sql_update`` properties can be stored too; which of the two is used depends on
whether the first one, asked for ``*``, finds a row.

In all of them ``%u`` stands for the user's name up to the @, ``%r`` for the domain behind it (the server's
name where there is none), ``%p`` for the name of the property (userPassword), ``%v`` for a value (none when
reading), ``%%`` for a percent sign. What comes from the client is quoted for SQL before it goes in.
"""

from __future__ import annotations

import logging
import os
import re
from abc import abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar

from libcyrus.base.dataclasses import dataclass, field
from libcyrus.sasl.auxprop import PASSWORD, Auxprop
from libcyrus.sasl.codes import SaslCode, SaslError

if TYPE_CHECKING:
    import sqlite3

T = TypeVar("T")

log = logging.getLogger(__name__)

BUSY_SECONDS = 5.0
ASKING_SECONDS = 10
# a statement that steps further than this is not a password lookup
MAX_STEPS = 2_000_000

_UNSAFE = re.compile(rb"[^A-Za-z0-9/._-]")


class Unanswered(Exception):
    """The database cannot be reached."""


class Misunderstood(Exception):
    """The database answered that it cannot do what the statement says."""


@dataclass(frozen=True, slots=True)
class Statements:
    """The statements of the options, and the realm of users who name none."""

    select: str
    default_realm: str
    insert: str = ""
    update: str = ""

    def filled(
        self,
        template: str,
        user: str,
        prop: str,
        value: str = "",
        *,
        escape: Callable[[str], str] | None = None,
    ) -> str:
        name, at, realm = user.partition("@")
        return expand(template, name, realm if at else self.default_realm, prop, value, escape=escape)


class SqlAuxprop(Auxprop):
    """What the engines have in common."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements
        self.writable = bool(statements.insert and statements.update)

    def lookup(self, user: str, prop: str = PASSWORD) -> bytes | None:
        """A statement that the database does not take finds nothing."""
        try:
            return self._lookup(user, prop)
        except (Misunderstood, Unanswered) as error:
            if prop != PASSWORD:
                # there need not be a column for it, which MySQL's library tells like a lost connection
                log.debug("sql plugin: %s", error)
                return None
            log.error("sql plugin: %s", error)
            if isinstance(error, Misunderstood):
                return None
            raise SaslError(SaslCode.FAIL, "the password database cannot be read") from error

    def store(self, user: str, prop: str, value: bytes) -> None:
        try:
            self._store(user, prop, os.fsdecode(value))
        except (Misunderstood, Unanswered) as error:
            log.error("sql plugin: %s", error)
            raise SaslError(SaslCode.FAIL, "the password database cannot be written") from error

    @abstractmethod
    def _lookup(self, user: str, prop: str) -> bytes | None: ...

    @abstractmethod
    def _store(self, user: str, prop: str, value: str) -> None: ...


class SqliteAuxprop(SqlAuxprop):
    """Looks properties up in an SQLite file, which is opened at each use, read-only where that is enough."""

    def __init__(self, database: str, statements: Statements) -> None:
        super().__init__(statements)
        self._database = database

    def _lookup(self, user: str, prop: str) -> bytes | None:
        statement = self._statements.filled(self._statements.select, user, prop)
        with self._open("ro") as connection:
            return _value(connection.execute(statement).fetchone())

    def _store(self, user: str, prop: str, value: str) -> None:
        told = self._statements
        with self._open("rw") as connection:
            # the lock is taken before looking whether there is a row, and what is committed is synced
            connection.execute("BEGIN IMMEDIATE")
            known = connection.execute(told.filled(told.select, user, "*")).fetchone()
            change = told.insert if known is None else told.update
            connection.execute(told.filled(change, user, prop, value))
            connection.execute("COMMIT")

    @contextmanager
    def _open(self, mode: str) -> Iterator[sqlite3.Connection]:
        import sqlite3

        uri = f"file:{_UNSAFE.sub(_percent, os.fsencode(self._database)).decode()}?mode={mode}"
        try:
            connection = sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None)
        except sqlite3.Error as error:
            raise Unanswered(f"{self._database}: {error}") from error
        try:
            connection.text_factory = bytes
            connection.set_progress_handler(lambda: 1, MAX_STEPS)
            yield connection
        except (sqlite3.Error, sqlite3.Warning) as error:
            raise Misunderstood(f"{self._database}: {error}") from error
        finally:
            connection.close()


@dataclass(frozen=True, slots=True)
class Server:
    """Where a database server is, and as whom it is asked. ``hosts`` as ``host`` or ``host:port``."""

    hosts: tuple[str, ...]
    database: str
    user: str | None
    password: str | None = field(repr=False)
    tls: bool


class ServerAuxprop(SqlAuxprop):
    """Asks a server, over a connection that is kept; a lost one is made anew, at the first host that answers.

    ``connect(library, server, host, port)`` opens a connection with the database's library.
    """

    def __init__(
        self,
        server: Server,
        statements: Statements,
        *,
        module: str,
        connect: Callable[[Any, Server, str, str], Any],
        escape: Callable[[str], str],
    ) -> None:
        """Raises ImportError where the library is not installed."""
        super().__init__(statements)
        self._library = import_module(module)
        self._server = server
        self._connect = connect
        self._escape = escape
        self._connection: Any = None
        self._owner = 0

    def _lookup(self, user: str, prop: str) -> bytes | None:
        statement = self._statements.filled(self._statements.select, user, prop, escape=self._escape)
        return _value(self._asking(lambda cursor: _first_row(cursor, statement)))

    def _store(self, user: str, prop: str, value: str) -> None:
        told, escape = self._statements, self._escape
        known = told.filled(told.select, user, "*", escape=escape)

        def change(cursor: Any) -> None:
            cursor.execute("BEGIN")
            template = told.insert if _first_row(cursor, known) is None else told.update
            cursor.execute(told.filled(template, user, prop, value, escape=escape))
            cursor.execute("COMMIT")

        self._asking(change, changes=True)

    def _asking(self, action: Callable[[Any], T], *, changes: bool = False) -> T:
        """What the action makes of a cursor. Raises Unanswered, Misunderstood."""
        if self._owner != os.getpid():
            # a connection made before a fork is the parent's
            self._connection, self._owner = None, os.getpid()
        # a connection that was kept may have been lost meanwhile
        attempts = 2 if self._connection is not None else 1
        while True:
            attempts -= 1
            if self._connection is None:
                try:
                    self._connection = self._open()
                except self._library.Error as error:
                    raise Unanswered(self._told(error)) from error
            try:
                with self._connection.cursor() as cursor:
                    return action(cursor)
            except self._library.Error as error:
                away = isinstance(error, (self._library.OperationalError, self._library.InterfaceError))
                if away or changes:
                    # a transaction that was begun ends with its connection
                    self._connection = None
                if not away:
                    raise Misunderstood(self._told(error)) from error
                if not attempts:
                    raise Unanswered(self._told(error)) from error

    def _told(self, error: Exception) -> str:
        return f"{self._server.database}: {_first_line(error)}"

    def _open(self) -> Any:
        """Raises the last host's error."""
        failure: Exception | None = None
        for place in self._server.hosts or ("",):
            host, _, port = place.partition(":")
            try:
                return self._connect(self._library, self._server, host, port)
            except self._library.Error as error:
                log.warning("sql plugin: could not connect to host %s: %s", host, _first_line(error))
                failure = error
        assert failure is not None
        raise failure


def postgresql(server: Server, statements: Statements) -> ServerAuxprop:
    """Raises ImportError without ``psycopg``, the extra ``pgsql``."""

    def connect(library: Any, server: Server, host: str, port: str) -> Any:
        wanted = {
            "host": host,
            "port": port,
            "user": server.user,
            "password": server.password,
            "dbname": server.database,
            "sslmode": "require" if server.tls else None,
            "connect_timeout": str(ASKING_SECONDS),
            "options": f"-c statement_timeout={ASKING_SECONDS * 1000} -c standard_conforming_strings=on",
        }
        given = {name: value for name, value in wanted.items() if value}
        return library.connect(autocommit=True, **given)

    return ServerAuxprop(server, statements, module="psycopg", connect=connect, escape=_escape)


def mysql(server: Server, statements: Statements) -> ServerAuxprop:
    """Raises ImportError without ``PyMySQL``, the extra ``mysql``."""

    def connect(library: Any, server: Server, host: str, port: str) -> Any:
        return library.connect(
            host=host or "localhost",
            port=int(port) if port.isdigit() else 0,
            user=server.user,
            password=server.password or "",
            database=server.database,
            ssl={"ca": None} if server.tls else None,
            autocommit=True,
            charset="utf8mb4",
            connect_timeout=ASKING_SECONDS,
            read_timeout=ASKING_SECONDS,
            write_timeout=ASKING_SECONDS,
        )

    def escape(value: str) -> str:
        return _escape(value.replace("\\", "\\\\"))

    return ServerAuxprop(server, statements, module="pymysql", connect=connect, escape=escape)


def expand(
    statement: str,
    user: str,
    realm: str,
    prop: str = PASSWORD,
    value: str = "",
    *,
    escape: Callable[[str], str] | None = None,
) -> str:
    """Put the values into an SQL statement; ``escape`` makes them safe between quotes."""
    safe = escape or _escape
    values = {"u": safe(user), "r": safe(realm), "p": safe(prop), "v": safe(value), "%": "%"}
    return re.sub(r"%(.)", lambda match: values.get(match[1], match[0]), statement, flags=re.DOTALL)


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]


def _first_row(cursor: Any, statement: str) -> Any:
    cursor.execute(statement)
    return cursor.fetchone()


def _value(row: Any) -> bytes | None:
    """The first column of the first row."""
    if row is None or row[0] is None:
        return None
    value = row[0]
    return bytes(value) if isinstance(value, bytes | bytearray | memoryview) else str(value).encode()


def _percent(found: re.Match[bytes]) -> bytes:
    """A byte of a path as a URI writes it."""
    return b"%%%02X" % found[0][0]


def _escape(value: str) -> str:
    """As standard SQL has it: quotes doubled. NULs have no place in a statement."""
    return value.replace("\0", "").replace("'", "''")
