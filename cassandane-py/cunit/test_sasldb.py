"""Secrets in files that libsasl2's tools write and read, and passwords that move there."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import struct
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

from cassandane import reference
from libcyrus.config import Config
from libcyrus.sasl import SaslCode, SaslError
from libcyrus.sasl.auxprop import PLAIN_DIGEST, STORED_KEYS, Properties
from libcyrus.sasl.backends import Backends
from libcyrus.sasl.sasldb import Sasldb

REALM = "mail.example.org"


def backends(**settings: str) -> Backends:
    extra = {f"sasl_{name}": value for name, value in settings.items()}
    return Backends(Config.for_tests(extra=extra, servername=REALM), "imap")


def code(action: Callable[[], object]) -> SaslCode | None:
    try:
        action()
    except SaslError as error:
        return error.code
    return None


def tool(name: str, *arguments: str, stdin: str = "") -> str:
    done = subprocess.run(
        [reference.program(name), *arguments],
        input=stdin, env=reference.environment(), capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout


# Python can be built without GDBM; a file that then cannot be read has a test of its own
KINDS = ["berkeley", "lmdb", *(["gdbm"] if find_spec("_gdbm") else [])]


@pytest.fixture(params=KINDS)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """An empty file of each kind."""
    path = tmp_path / "sasldb2"
    if request.param == "gdbm":
        import_module("_gdbm").open(str(path), "n").close()
    elif request.param == "lmdb":
        import_module("lmdb").open(str(path), subdir=False, lock=True).close()
    return path


def test_what_is_stored_is_found_again(database: Path) -> None:
    place = Sasldb(str(database), REALM)
    place.store("joe", "userPassword", b"secret")
    place.store("joe@example.net", "userPassword", "schön".encode())
    place.store("joe", "userPassword", b"changed")
    assert place.lookup("joe") == place.lookup(f"joe@{REALM}") == b"changed"
    assert place.lookup("joe@example.net") == "schön".encode()
    assert place.lookup("joe", STORED_KEYS) is None
    assert place.lookup("jo") is None


@pytest.mark.reference
def test_tools_of_the_original_read_and_write_the_same_file(tmp_path: Path) -> None:
    path = str(tmp_path / "sasldb2")
    place = Sasldb(path, REALM)
    tool("saslpasswd2", "-p", "-c", "-f", path, "-u", REALM, "ann", stdin="blue")
    place.store("joe", "userPassword", b"secret")
    assert place.lookup("ann") == b"blue"
    listed = tool("sasldblistusers2", "-f", path).split("\n")
    assert sorted(filter(None, listed)) == [f"ann@{REALM}: userPassword", f"joe@{REALM}: userPassword"]
    tool("saslpasswd2", "-p", "-f", path, "-u", REALM, "joe", stdin="green")
    assert place.lookup("joe") == b"green"
    tool("saslpasswd2", "-d", "-f", path, "-u", REALM, "joe")
    assert place.lookup("joe") is None
    for number in range(300):
        place.store(f"user{number}", "userPassword", b"x" * number)
    assert len(tool("sasldblistusers2", "-f", path).splitlines()) == 301


@pytest.mark.reference
def test_a_new_file_is_nobody_elses(tmp_path: Path) -> None:
    path = tmp_path / "sasldb2"
    before = os.umask(0)
    try:
        Sasldb(str(path), REALM).store("joe", "userPassword", b"secret")
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o660
    assert tool("sasldblistusers2", "-f", str(path)) == f"joe@{REALM}: userPassword\n"


def test_no_file_is_no_users_and_no_file_is_made(tmp_path: Path) -> None:
    path = tmp_path / "none"
    place = Sasldb(str(path), REALM)
    assert place.lookup("joe") is None
    assert not path.exists()
    path.touch()
    assert place.lookup("joe") is None
    place.store("joe", "userPassword", b"secret")
    assert place.lookup("joe") == b"secret"


def test_a_file_whose_library_is_missing_is_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "sasldb2"
    path.write_bytes(struct.pack("=I", 0x13579ACE) + bytes(4092))
    monkeypatch.setitem(sys.modules, "_gdbm", None)
    assert backends(auxprop_plugin="sasldb", sasldb_path=str(path)).properties is not None
    assert "_gdbm is not installed" in caplog.text
    assert code(lambda: Sasldb(str(path), REALM).lookup("joe")) is SaslCode.FAIL


@pytest.mark.parametrize("content", [b"junk" * 1000, b"\0" * 12 + b"\x61\x15\x06\0" + b"\xff" * 5000])
def test_a_file_that_is_no_database_is_a_failure(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "sasldb2"
    path.write_bytes(content)
    place = Sasldb(str(path), REALM)
    assert code(lambda: place.lookup("joe")) is SaslCode.FAIL
    assert code(lambda: place.store("joe", "userPassword", b"x")) is SaslCode.FAIL
    assert str(path) in caplog.text
    assert path.read_bytes() == content


def test_a_salted_digest_of_old_times_is_a_password(tmp_path: Path) -> None:
    place = Sasldb(str(tmp_path / "sasldb2"), REALM)
    digest = hashlib.md5(b"0123456789abcdef" + b"sasldb" + b"secret").digest()
    place.store("joe", PLAIN_DIGEST, b"0123456789abcdef\0" + digest)
    check = Properties([place])
    check.verify("joe", "secret")
    assert code(lambda: check.verify("joe", "Secret")) is SaslCode.BADAUTH
    assert code(lambda: check.verify("ann", "secret")) is SaslCode.NOUSER


def test_plugins_are_asked_in_their_order(tmp_path: Path) -> None:
    place = Sasldb(str(tmp_path / "sasldb2"), REALM)
    table = tmp_path / "users.sqlite"
    with sqlite3.connect(table) as connection:
        connection.execute("CREATE TABLE users (name TEXT, userPassword TEXT)")
        connection.execute("INSERT INTO users VALUES ('joe', 'of-sql'), ('ann', 'of-sql')")
    connection.close()
    place.store("joe", "userPassword", b"of-sasldb")
    settings = {
        "sasldb_path": str(tmp_path / "sasldb2"),
        "sql_engine": "sqlite3",
        "sql_database": str(table),
        "sql_select": "SELECT %p FROM users WHERE name = '%u'",
    }
    for plugins, right, wrong in (
        ("sasldb sql", "of-sasldb", "of-sql"),
        ("SQL  sasldb", "of-sql", "of-sasldb"),
    ):
        made = backends(auxprop_plugin=plugins, **settings)
        made.passwords.verify("joe", right)
        made.passwords.verify("ann", "of-sql")
        # what the first one knows is not asked of the second
        assert code(lambda: made.passwords.verify("joe", wrong)) is SaslCode.BADAUTH  # noqa: B023
    # without the option all that are there are asked
    backends(**settings).passwords.verify("ann", "of-sql")


def test_a_place_that_fails_lets_no_later_one_answer(tmp_path: Path) -> None:
    Sasldb(str(tmp_path / "sasldb2"), REALM).store("joe", "userPassword", b"old")
    settings = {"sql_engine": "sqlite3", "sql_database": "/nonexistent", "sql_select": "SELECT 1"}
    made = backends(auxprop_plugin="sql sasldb", sasldb_path=str(tmp_path / "sasldb2"), **settings)
    assert code(lambda: made.passwords.verify("joe", "old")) is SaslCode.FAIL
    made = backends(auxprop_plugin="sasldb sql", sasldb_path=str(tmp_path / "sasldb2"), **settings)
    made.passwords.verify("joe", "old")


@pytest.mark.parametrize("wanted", ["yes", "1", "on", "true", "noplain", "no", ""])
def test_a_right_password_moves_to_where_it_can_be_kept(tmp_path: Path, wanted: str) -> None:
    path = str(tmp_path / "sasldb2")
    made = backends(
        pwcheck_method="auxprop alwaystrue",
        auxprop_plugin="sasldb",
        sasldb_path=path,
        auto_transition=wanted,
        scram_secret_generate="yes",
        mech_list="PLAIN SCRAM-SHA-256",
    )
    made.passwords.verify("joe", "secret")
    place = Sasldb(path, REALM)
    kept, keys = place.lookup("joe"), place.lookup("joe", STORED_KEYS)
    assert (kept == b"secret") is (wanted not in ("noplain", "no", ""))
    assert (keys is not None and keys.startswith(b"SCRAM-SHA-256$4096:")) is (wanted not in ("no", ""))
    # once is enough, until it is another
    made.passwords.verify("joe", "secret")
    assert place.lookup("joe", STORED_KEYS) == keys
    made.passwords.verify("joe", "changed")
    assert (place.lookup("joe", STORED_KEYS) != keys) is (keys is not None)


def test_a_password_moves_into_a_table(tmp_path: Path) -> None:
    table = tmp_path / "users.sqlite"
    with sqlite3.connect(table) as connection:
        connection.execute("CREATE TABLE users (name TEXT, realm TEXT, userPassword TEXT, authPassword TEXT)")
        connection.execute("INSERT INTO users VALUES ('joe', ?, NULL, NULL)", (REALM,))
    connection.close()
    made = backends(
        pwcheck_method="auxprop alwaystrue",
        auxprop_plugin="sql",
        auto_transition="yes",
        sql_engine="sqlite3",
        sql_database=str(table),
        sql_select="SELECT %p FROM users WHERE name = '%u' AND realm = '%r'",
        sql_update="UPDATE users SET %p = '%v' WHERE name = '%u' AND realm = '%r'",
        sql_insert="INSERT INTO users (name, realm, %p) VALUES ('%u', '%r', '%v')",
    )
    made.passwords.verify("joe", "it's")
    made.passwords.verify("ann@example.net", "blue")
    with sqlite3.connect(table) as connection:
        rows = connection.execute("SELECT * FROM users ORDER BY name").fetchall()
    connection.close()
    assert rows == [("ann", "example.net", "blue", None), ("joe", REALM, "it's", None)]
    assert made.properties.lookup("joe") == b"it's"


def test_a_setting_of_one_plugin_comes_first(tmp_path: Path) -> None:
    made = backends(
        auxprop_plugin="sql",
        sql_engine="oracle",
        sql_sql_engine="sqlite3",
        sql_database=str(tmp_path / "none"),
        sql_select="SELECT 1",
    )
    assert made.properties


def test_settings_of_the_librarys_own_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "two").mkdir()
    monkeypatch.setenv("SASL_CONF_PATH", f"{tmp_path}/one:{tmp_path}/two")
    (tmp_path / "two/Cyrus.conf").write_text(
        f"# ours\n\nPwcheck_Method:  alwaystrue \nlog_level: x\nnonsense\nsasldb_path: {tmp_path}/sasldb2\n"
    )
    backends().passwords.verify("joe", "anything")
    assert "Cyrus.conf: this is no setting: nonsense" in caplog.text
    # what imapd.conf says is asked first
    assert code(lambda: backends(pwcheck_method="auxprop").passwords.verify("joe", "x")) is SaslCode.NOUSER
