"""Users' properties from a database: the ``sql`` auxprop plugin, with SQLite as its engine.

``sasl_sql_select`` is a statement whose first column of its first row is the property's value. In it
``%u`` stands for the user's name up to the @, ``%r`` for the domain behind it (the server's name where
there is none), ``%p`` for the name of the property (userPassword), ``%v`` for a value (none when
reading), ``%%`` for a percent sign. What comes from the client is quoted for SQL before it goes in.
"""

from __future__ import annotations

import logging
import os
import re
import sqlite3

from libcyrus.sasl.auxprop import PASSWORD, Auxprop
from libcyrus.sasl.codes import SaslCode, SaslError

log = logging.getLogger(__name__)

BUSY_SECONDS = 5.0
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
        name, at, realm = user.partition("@")
        statement = expand(self._select, name, realm if at else self._default_realm, prop)
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
        if row is None or row[0] is None:
            return None
        value = row[0]
        return value if isinstance(value, bytes) else str(value).encode()


def expand(statement: str, user: str, realm: str, prop: str = PASSWORD, value: str = "") -> str:
    """Put the values into an SQL statement; quotes in them are doubled, NULs dropped."""
    values = {"u": _escape(user), "r": _escape(realm), "p": _escape(prop), "v": _escape(value), "%": "%"}
    return re.sub(r"%(.)", lambda match: values.get(match[1], match[0]), statement, flags=re.DOTALL)


def _percent(found: re.Match[bytes]) -> bytes:
    """A byte of a path as a URI writes it."""
    return b"%%%02X" % found[0][0]


def _escape(value: str) -> str:
    return value.replace("\0", "").replace("'", "''")
