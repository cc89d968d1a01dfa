"""Users' properties from a database: the ``sql`` auxprop plugin, with SQLite, PostgreSQL or MySQL.

``sasl_sql_select`` is a statement whose first column of its first row is the property's value. In it
``%u`` stands for the user's name up to the @, ``%r`` for the domain behind it (the server's name where
there is none), ``%p`` for the name of the property (userPassword), ``%v`` for a value (none when
reading), ``%%`` for a percent sign. What comes from the client is quoted for SQL before it goes in.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable
from importlib import import_module
from typing import Any

from libcyrus.base.dataclasses import dataclass, field
from libcyrus.sasl.auxprop import PASSWORD, Auxprop
from libcyrus.sasl.codes import SaslCode, SaslError

log = logging.getLogger(__name__)

BUSY_SECONDS = 5.0
ASKING_SECONDS = 10
# a statement that steps further than this is not a password lookup
MAX_STEPS = 2_000_000

_UNSAFE = re.compile(rb"[^A-Za-z0-9/._-]")


class SqliteAuxprop(Auxprop):
    """Looks properties up in an SQLite file, which is opened read-only at each use."""

    def __init__(self, database: str, select: str, default_realm: str) -> None:
        self._database = database
        self._select = select
        self._default_realm = default_realm

    def lookup(self, user: str, prop: str = PASSWORD) -> bytes | None:
        import sqlite3

        statement = _statement(self._select, user, self._default_realm, prop, _escape)
        try:
            uri = f"file:{_UNSAFE.sub(_percent, os.fsencode(self._database)).decode()}?mode=ro"
            connection = sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS)
            try:
                connection.text_factory = bytes
                connection.set_progress_handler(lambda: 1, MAX_STEPS)
                row = connection.execute(statement).fetchone()
            finally:
                connection.close()
        except (sqlite3.Error, sqlite3.Warning) as error:
            log.error("sql plugin: %s: %s", self._database, error)
            raise SaslError(SaslCode.FAIL, "the password database cannot be read") from error
        return _value(row)


@dataclass(frozen=True, slots=True)
class Server:
    """Where a database server is, and as whom it is asked. ``hosts`` as ``host`` or ``host:port``."""

    hosts: tuple[str, ...]
    database: str
    user: str | None
    password: str | None = field(repr=False)
    tls: bool


class ServerAuxprop(Auxprop):
    """Asks a server, over a connection that is kept; a lost one is made anew, at the first host that answers.

    ``connect(library, server, host, port)`` opens a connection with the database's library.
    """

    def __init__(
        self,
        server: Server,
        select: str,
        default_realm: str,
        *,
        module: str,
        connect: Callable[[Any, Server, str, str], Any],
        escape: Callable[[str], str],
    ) -> None:
        """Raises ImportError where the library is not installed."""
        self._library = import_module(module)
        self._server = server
        self._select = select
        self._default_realm = default_realm
        self._connect = connect
        self._escape = escape
        self._connection: Any = None
        self._owner = 0

    def lookup(self, user: str, prop: str = PASSWORD) -> bytes | None:
        statement = _statement(self._select, user, self._default_realm, prop, self._escape)
        if self._owner != os.getpid():
            # a connection made before a fork is the parent's
            self._connection, self._owner = None, os.getpid()
        # a connection that was kept may have been lost meanwhile
        attempts = 2 if self._connection is not None else 1
        while True:
            attempts -= 1
            try:
                return self._ask(statement)
            except self._library.Error as error:
                self._connection = None
                if not attempts:
                    log.error("sql plugin: %s: %s", self._server.database, str(error).strip())
                    raise SaslError(SaslCode.FAIL, "the password database cannot be read") from error

    def _ask(self, statement: str) -> bytes | None:
        if self._connection is None:
            self._connection = self._open()
        with self._connection.cursor() as cursor:
            cursor.execute(statement)
            return _value(cursor.fetchone())

    def _open(self) -> Any:
        """Raises the last host's error."""
        failure: Exception | None = None
        for place in self._server.hosts or ("",):
            host, _, port = place.partition(":")
            try:
                return self._connect(self._library, self._server, host, port)
            except self._library.Error as error:
                log.warning("sql plugin: could not connect to host %s: %s", host, str(error).strip())
                failure = error
        assert failure is not None
        raise failure


def postgresql(server: Server, select: str, default_realm: str) -> ServerAuxprop:
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

    return ServerAuxprop(server, select, default_realm, module="psycopg", connect=connect, escape=_escape)


def mysql(server: Server, select: str, default_realm: str) -> ServerAuxprop:
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

    return ServerAuxprop(server, select, default_realm, module="pymysql", connect=connect, escape=escape)


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


def _statement(select: str, user: str, default_realm: str, prop: str, escape: Callable[[str], str]) -> str:
    name, at, realm = user.partition("@")
    return expand(select, name, realm if at else default_realm, prop, escape=escape)


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
