"""Secrets asked of database servers, for which stand-ins speak their libraries' language."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

from libcyrus.config import Config
from libcyrus.sasl import SaslCode, SaslError
from libcyrus.sasl.auxprop import Properties
from libcyrus.sasl.backends import Backends

SELECT = "SELECT %p FROM users WHERE name = '%u' AND realm = '%r'"


class Library(ModuleType):
    """psycopg or pymysql, with one connection at a time and a table of answers."""

    class Error(Exception):
        pass

    class OperationalError(Error):
        pass

    class InterfaceError(Error):
        pass

    def __init__(self) -> None:
        super().__init__("library")
        self.opened: list[dict[str, Any]] = []
        self.asked: list[str] = []
        self.answers: dict[str, object] = {}
        self.broken_hosts: set[str] = set()
        self.fail_next = 0
        self.failure: type[Exception] = self.OperationalError

    def connect(self, **options: Any) -> Connection:
        if options.get("host") in self.broken_hosts:
            raise self.Error("no route")
        self.opened.append(options)
        return Connection(self)


class Connection:
    def __init__(self, library: Library) -> None:
        self.library = library

    def cursor(self) -> Connection:
        return self

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def execute(self, statement: str) -> None:
        if self.library.fail_next:
            self.library.fail_next -= 1
            raise self.library.failure("server has gone away")
        self.library.asked.append(statement)

    def fetchone(self) -> tuple[object] | None:
        answer = self.library.answers.get(self.library.asked[-1])
        return None if answer is None else (answer,)


@pytest.fixture(params=["pgsql", "mysql"])
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, Library]]:
    library = Library()
    monkeypatch.setitem(sys.modules, {"pgsql": "psycopg", "mysql": "pymysql"}[request.param], library)
    yield request.param, library


def properties(engine: str, **options: str) -> Properties:
    extra = {
        "sasl_sql_engine": engine,
        "sasl_sql_database": "mail",
        "sasl_sql_select": SELECT,
        "sasl_sql_hostnames": "db1:1234, db2",
        "sasl_sql_user": "cyrus",
        "sasl_sql_passwd": "s3cret",
    } | options
    return Backends(Config.for_tests(extra=extra, servername="mail.example.org"), "imap").properties


def statement(user: str, realm: str = "mail.example.org", prop: str = "userPassword") -> str:
    return f"SELECT {prop} FROM users WHERE name = '{user}' AND realm = '{realm}'"


def test_a_server_is_asked(engine: tuple[str, Library]) -> None:
    name, library = engine
    library.answers = {statement("joe"): "secret", statement("ann", "example.net"): b"blau"}
    found = properties(name)
    assert found.lookup("joe") == b"secret"
    assert found.lookup("ann@example.net") == b"blau"
    assert found.lookup("joe", "authPassword") is None
    # one connection for all
    (options,) = library.opened
    assert options["host"] == "db1"
    assert str(options["port"]) == "1234"
    assert (options["user"], options["password"]) == ("cyrus", "s3cret")


def test_the_next_host_is_tried(engine: tuple[str, Library]) -> None:
    name, library = engine
    library.broken_hosts = {"db1"}
    properties(name).lookup("joe")
    assert library.opened[0]["host"] == "db2"


def test_a_lost_connection_is_made_anew(engine: tuple[str, Library]) -> None:
    name, library = engine
    library.answers = {statement("joe"): "secret"}
    found = properties(name)
    assert found.lookup("joe") == b"secret"
    library.fail_next = 1
    assert found.lookup("joe") == b"secret"
    assert len(library.opened) == 2
    library.fail_next = 2
    with pytest.raises(SaslError) as caught:
        found.lookup("joe")
    assert caught.value.code is SaslCode.FAIL


def test_a_statement_that_is_not_understood_finds_nobody(
    engine: tuple[str, Library], caplog: pytest.LogCaptureFixture
) -> None:
    name, library = engine
    library.failure, library.fail_next = library.Error, 1
    assert properties(name).lookup("joe") is None
    assert "sql plugin: mail: server has gone away" in caplog.text


def test_there_need_not_be_a_column_for_everything(
    engine: tuple[str, Library], caplog: pytest.LogCaptureFixture
) -> None:
    name, library = engine
    library.fail_next = 1
    assert properties(name).lookup("joe", "authPassword") is None
    assert not caplog.text


def test_a_password_is_stored(engine: tuple[str, Library]) -> None:
    name, library = engine
    library.answers = {statement("joe", prop="*"): "x"}
    insert, update = "INSERT '%u' '%r' %p '%v'", "UPDATE '%u' %p '%v'"
    found = properties(name, sasl_sql_insert=insert, sasl_sql_update=update)
    assert found.writable
    found.store("joe", "userPassword", b"it's")
    found.store("ann@example.net", "userPassword", b"x")
    assert library.asked == [
        "BEGIN",
        statement("joe", prop="*"),
        "UPDATE 'joe' userPassword 'it''s'",
        "COMMIT",
        "BEGIN",
        statement("ann", "example.net", "*"),
        "INSERT 'ann' 'example.net' userPassword 'x'",
        "COMMIT",
    ]
    library.fail_next = 9
    with pytest.raises(SaslError):
        found.store("joe", "userPassword", b"x")


def test_one_statement_is_not_enough_to_store(engine: tuple[str, Library]) -> None:
    assert not properties(engine[0], sasl_sql_insert="INSERT").writable


def test_no_server_is_a_failure_and_no_unknown_user(engine: tuple[str, Library]) -> None:
    name, library = engine
    library.broken_hosts = {"db1", "db2"}
    with pytest.raises(SaslError) as caught:
        properties(name).lookup("joe")
    assert caught.value.code is SaslCode.FAIL


def test_a_forked_worker_has_its_own_connection(
    engine: tuple[str, Library], monkeypatch: pytest.MonkeyPatch
) -> None:
    name, library = engine
    found = properties(name)
    found.lookup("joe")
    monkeypatch.setattr(os, "getpid", lambda: -1)
    found.lookup("joe")
    assert len(library.opened) == 2


@pytest.mark.parametrize(
    ("user", "pgsql", "mysql"),
    [("o'hara", "o''hara", "o''hara"), ("x\\", "x\\", "x\\\\"), ("x\\' OR 1", "x\\'' OR 1", "x\\\\'' OR 1")],
)
def test_what_a_client_sends_stays_between_its_quotes(
    engine: tuple[str, Library], user: str, pgsql: str, mysql: str
) -> None:
    name, library = engine
    properties(name).lookup(user)
    assert library.asked == [statement(pgsql if name == "pgsql" else mysql)]


def test_tls_is_demanded(engine: tuple[str, Library]) -> None:
    name, library = engine
    properties(name, sasl_sql_usessl="yes").lookup("joe")
    assert library.opened[0].get("sslmode") == "require" or library.opened[0].get("ssl") is not None


@pytest.mark.parametrize("name", ["pgsql", "mysql", "oracle"])
def test_an_engine_that_is_not_there_says_so(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    monkeypatch.setitem(sys.modules, "pymysql", None)
    assert not properties(name)
    config = Config.for_tests(
        extra={"sasl_sql_engine": name, "sasl_sql_database": "x", "sasl_sql_select": "x"}
    )
    with pytest.raises(SaslError, match=name):
        Backends(config, "imap").passwords.verify("joe", "x")
