"""The sql backend: how its tables look, which options it heeds, what it says when something is missing."""

from __future__ import annotations

import os
import shutil
import sqlite3
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from libcyrus.cyrusdb import Settings, open_db
from libcyrus.cyrusdb.sql import SqlDatabase, engines
from libcyrus.errors import DatabaseCorrupt, Fatal, IoError, NoSpace, NotFound

GOLDEN = Path(__file__).parents[1] / "formats/cyrusdb"
SQLITE = Settings(sql_engine="sqlite")


def rows(path: Path, statement: str) -> list[Any]:
    connection = sqlite3.connect(path)
    try:
        return connection.execute(statement).fetchall()
    finally:
        connection.close()


def test_a_file_of_the_original(tmp_path: Path) -> None:
    path = Path(shutil.copy(GOLDEN / "sql.db", tmp_path / "sql.db"))
    with open_db("sql", path, settings=SQLITE) as database:
        database.consistent()
        assert list(database.foreach()) == [
            (b"user.a b", b"x y"),
            (b"user.anna", b"one"),
            (b"user.bob", b""),
        ]
        assert database.fetch(b"user.anna") == b"one"
        database.store(b"user.anna", b"two")
        database.delete(b"user.bob")
        database.create(b"user.new", b"\0\xff")
    assert rows(path, "SELECT CAST(dbkey AS BLOB), CAST(data AS BLOB) FROM sql_db ORDER BY 1") == [
        (b"user.a b", b"x y"),
        (b"user.anna", b"two"),
        (b"user.new", b"\0\xff"),
    ]


def test_the_table_is_the_originals(tmp_path: Path) -> None:
    path = tmp_path / "tls_sessions.db"
    with open_db("sql", path, create=True, settings=SQLITE) as database:
        database.store(b"key", b"value")
    theirs = rows(GOLDEN / "sql.db", "SELECT sql FROM sqlite_master WHERE type = 'table'")
    ours = rows(path, "SELECT sql FROM sqlite_master WHERE type = 'table'")
    assert ours == [(theirs[0][0].replace("sql_db", "tls_sessions_db"),)]
    types = rows(path, "SELECT typeof(dbkey), typeof(data) FROM tls_sessions_db")
    assert types == rows(GOLDEN / "sql.db", "SELECT typeof(dbkey), typeof(data) FROM sql_db LIMIT 1")
    # what the original's program asks for
    assert rows(path, "SELECT * FROM tls_sessions_db WHERE dbkey = 'key'") == [("key", "value")]


@pytest.mark.parametrize(
    ("name", "table"),
    [("deliver.db", "deliver_db"), ("a.b.db", "a.b_db"), ("plain", "plain"), ("my-list.db", "my-list_db")],
)
def test_tables_are_named_after_files(name: str, table: str, tmp_path: Path) -> None:
    with open_db("sql", tmp_path / name, create=True, settings=SQLITE) as database:
        database.store(b"a", b"1")
    assert rows(tmp_path / name, f'SELECT * FROM "{table}"') == [("a", "1")]


def test_one_file_for_all_tables(tmp_path: Path) -> None:
    settings = Settings(sql_engine="SQLite", sql_database=str(tmp_path / "all.sqlite"))
    with pytest.raises(NotFound):
        open_db("sql", tmp_path / "one.db", settings=settings)
    with (
        open_db("sql", tmp_path / "one.db", create=True, settings=settings) as one,
        open_db("sql", tmp_path / "two.db", create=True, settings=settings) as two,
    ):
        one.store(b"a", b"1")
        two.store(b"a", b"2")
        assert (one.fetch(b"a"), two.fetch(b"a")) == (b"1", b"2")
    assert os.listdir(tmp_path) == ["all.sqlite"]
    with pytest.raises(NotFound):
        open_db("sql", tmp_path / "three.db", settings=settings)


def test_names_that_no_table_can_have(tmp_path: Path) -> None:
    for name in ('a"b.db', "a;b.db", "sqlite_x.db"):
        with pytest.raises(IoError):
            open_db("sql", tmp_path / name, create=True, settings=SQLITE)


def test_unknown_engines_and_missing_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Fatal, match="SQL engine oracle not supported") as failure:
        open_db("sql", tmp_path / "db", settings=Settings(sql_engine="oracle"))
    assert failure.value.code == os.EX_CONFIG
    for engine, module, package in (("pgsql", "psycopg", "psycopg"), ("mysql", "pymysql", "PyMySQL")):
        monkeypatch.setitem(sys.modules, module, None)
        with pytest.raises(Fatal, match=f"{engine} needs the Python package {package}") as failure:
            open_db("sql", tmp_path / "db", settings=Settings(sql_engine=engine))
        assert failure.value.code == os.EX_CONFIG


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    database = open_db("sql", path, create=True, settings=SQLITE)
    with database, database.transaction() as changes:
        for number in range(500):
            changes.store(b"key%d" % number, b"value" * 20)
    image = bytearray(path.read_bytes())
    image[8192:8292] = bytes(100)
    path.write_bytes(image)
    with pytest.raises(DatabaseCorrupt), open_db("sql", path, settings=SQLITE) as database:
        database.consistent()
    assert path.read_bytes() == image


class Server:
    """Stands for a package that talks to an SQL server; SQLite does the work."""

    def __init__(self, path: Path, *, refuse: tuple[str, ...] = ()) -> None:
        self.path = path
        self.refuse = refuse
        self.calls: list[dict[str, Any]] = []
        self.statements: list[str] = []
        self.Error = sqlite3.Error

    def connect(self, **options: Any) -> Any:
        self.calls.append(options)
        if options.get("host") in self.refuse:
            raise sqlite3.OperationalError("connection refused")
        connection = sqlite3.connect(self.path, isolation_level=None)
        self.last = SimpleNamespace(
            cursor=lambda: _Cursor(self, connection.cursor()),
            close=connection.close,
            closed=False,
            open=True,
        )
        return self.last


class _Cursor:
    def __init__(self, server: Server, cursor: sqlite3.Cursor) -> None:
        self._server = server
        self._cursor = cursor

    def execute(self, statement: str, parameters: tuple[Any, ...] = ()) -> None:
        self._server.statements.append(statement)
        if statement.startswith("LOCK TABLE") or "FOR UPDATE" in statement:
            return
        if statement.startswith(("BEGIN", "START TRANSACTION")):
            statement = "BEGIN"
        for theirs, ours in ((" USING hash", ""), ("BYTEA", "BLOB"), ("(255)", ""), ("%s", "?")):
            statement = statement.replace(theirs, ours)
        self._cursor.execute(statement, parameters)

    def executemany(self, statement: str, parameters: Any) -> None:
        self._cursor.executemany(statement.replace("%s", "?"), parameters)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, name)


@pytest.fixture(params=["pgsql", "mysql"])
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def serve(engine: str, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, {"pgsql": "psycopg", "mysql": "pymysql"}[engine], server)


def test_servers_are_asked_for_what_is_needed(
    engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Server(tmp_path / "server")
    serve(engine, server, monkeypatch)
    settings = Settings(sql_engine=engine, sql_database="cyrus")
    with pytest.raises(NotFound):
        open_db("sql", "/conf/deliver.db", settings=settings)
    with open_db("sql", "/conf/deliver.db", create=True, settings=settings) as database:
        database.store(b"a", b"1")
        database.store(b"a", b"2")
        with database.transaction() as changes:
            changes.store(b"b\0\xff", b"")
            changes.delete(b"none")
        with pytest.raises(ZeroDivisionError), database.transaction() as changes:
            changes.store(b"gone", b"")
            raise ZeroDivisionError
        with database.transaction(shared=True) as view:
            assert list(view.foreach()) == [(b"a", b"2"), (b"b\0\xff", b"")]
        assert database.fetchnext(b"a") == (b"b\0\xff", b"")
        database.consistent()
    first = {"pgsql": "BYTEA", "mysql": "LONGBLOB"}[engine]
    assert f"CREATE TABLE deliver_db (dbkey {first} NOT NULL, data {first})" in server.statements
    locking = {
        "pgsql": "LOCK TABLE deliver_db IN EXCLUSIVE MODE",
        "mysql": "SELECT COUNT(*) FROM deliver_db FOR UPDATE",
    }
    assert locking[engine] in server.statements


def test_servers_are_tried_one_after_the_other(
    engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Server(tmp_path / "server", refuse=("one",))
    serve(engine, server, monkeypatch)
    settings = Settings(
        sql_engine=engine,
        sql_database="cyrus",
        sql_hostnames="one, two:1234",
        sql_user="joe",
        sql_passwd="secret",
        sql_usessl=True,
    )
    open_db("sql", "/conf/deliver.db", create=True, settings=settings).close()
    assert [call["host"] for call in server.calls] == ["one", "two"]
    last = server.calls[-1]
    assert (str(last["port"]), last["user"], last["password"]) == ("1234", "joe", "secret")
    if engine == "pgsql":
        assert (last["dbname"], last["sslmode"], last["autocommit"]) == ("cyrus", "require", True)
    else:
        assert (last["database"], last["ssl"], last["autocommit"]) == ("cyrus", {"ca": None}, True)
    server.refuse = ("one", "two")
    with pytest.raises(IoError):
        open_db("sql", "/conf/deliver.db", settings=settings)


def test_a_server_that_was_restarted_is_connected_to_again(
    engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Server(tmp_path / "server")
    serve(engine, server, monkeypatch)
    settings = Settings(sql_engine=engine, sql_database="cyrus")
    with open_db("sql", "/conf/deliver.db", create=True, settings=settings) as database:
        database.store(b"a", b"1")
        with database.transaction() as changes:
            server.last.closed, server.last.open = True, False
            changes.store(b"a", b"2")
        assert len(server.calls) == 1
        assert database.fetch(b"a") == b"2"
        assert len(server.calls) == 2


def test_the_engine_of_debians_build_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    assert engines.engine_name(Settings()) == "pgsql"


def test_a_full_disk(tmp_path: Path) -> None:
    with SqlDatabase(tmp_path / "db", SQLITE, create=True) as database:
        database.engine.execute("PRAGMA max_page_count = 4")
        with pytest.raises(NoSpace):
            database.store(b"a", b"x" * 50_000)
        assert list(database.foreach()) == []
        database.store(b"a", b"1")
        assert database.fetch(b"a") == b"1"
