"""Clients of ManageSieve that others wrote: sieve-connect, sievelib, managesieve, Thunderbird's add-on."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import managesieve
import pytest
from cyrus.test_timsieved import Client

from cassandane import reference
from cassandane.instance import Instance, give_away
from imap.client.managesieve import ManageSieve
from libcyrus.sasl.client import Login

SCRIPT = "require \"fileinto\";\r\nif header :contains \"subject\" \"x\" { fileinto \"INBOX/x\"; }\r\n"
USERS = ("anna", "bert", "carl", "doro")


@pytest.fixture(scope="module")
def server() -> Iterator[Instance]:
    instance = Instance(
        services=("imap", "sieve"), tls=True,
        imapd_conf={
            "autocreate_quota": "0",
            "sasl_pwcheck_method": "auxprop",
            "sasl_auxprop_plugin": "sql",
            "sasl_sql_engine": "sqlite3",
            "sasl_sql_select": "SELECT password FROM users WHERE name = '%u'",
            "sasl_mech_list": "PLAIN LOGIN CRAM-MD5 DIGEST-MD5 SCRAM-SHA-1 SCRAM-SHA-256 SCRAM-SHA-256-PLUS",
        },
    )  # fmt: skip
    database = instance.directory / "users.sqlite"
    with sqlite3.connect(database) as connection:
        connection.execute("CREATE TABLE users (name TEXT, password TEXT)")
        connection.executemany("INSERT INTO users VALUES (?, 'secret')", [(user,) for user in USERS])
    connection.close()
    give_away(database)
    instance.settings["sasl_sql_database"] = str(database)
    instance.write_configuration()
    instance.start()
    for user in USERS:
        with instance.imap(user):
            pass
    try:
        yield instance
    finally:
        instance.stop()
        instance.remove()


def sieve_connect(server: Instance, mechanism: str, *action: str, folder: Path) -> str:
    done = subprocess.run(
        [
            "perl", reference.program("sieve-connect"), "--server", "127.0.0.1", "--port",
            str(server.ports["sieve"]), "--user", "anna", "--passwordfd", "0", "--notlsverify", "--nosrv",
            "--authmech", mechanism, *action,
        ],
        input="secret\n", env=reference.environment(), cwd=folder, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.reference
@pytest.mark.parametrize("mechanism", ["PLAIN", "CRAM-MD5", "DIGEST-MD5"])
def test_sieve_connect(server: Instance, tmp_path: Path, mechanism: str) -> None:
    (tmp_path / "a.sieve").write_bytes(SCRIPT.encode())
    (tmp_path / "bad.sieve").write_text("nonsense;\n")

    def run(*action: str) -> str:
        return sieve_connect(server, mechanism, *action, folder=tmp_path)

    run("--upload", "--localsieve", "a.sieve", "--remotesieve", "mine")
    run("--checkscript", "--localsieve", "a.sieve")
    run("--activate", "--remotesieve", "mine")
    assert '"mine" ACTIVE' in run("--list")
    run("--download", "--remotesieve", "mine", "--localsieve", "copy.sieve")
    assert (tmp_path / "copy.sieve").read_bytes() == SCRIPT.encode()
    run("--deactivate")
    run("--delete", "--remotesieve", "mine")
    assert '"mine"' not in run("--list")


SIEVELIB = """
import sys
from sievelib.managesieve import Client
port, script = int(sys.argv[1]), sys.argv[2]
client = Client("127.0.0.1", port)
assert client.connect("bert", "secret", authmech=sys.argv[3])
assert client.putscript("one", script), client.errmsg
assert client.havespace("two", 1000)
assert not client.putscript("bad", "nonsense;")
assert client.setactive("one")
assert client.listscripts() == ("one", []), client.listscripts()
assert client.getscript("one") + "\\n" == script.replace("\\r\\n", "\\n"), client.getscript("one")
assert client.renamescript("one", "three")
assert client.setactive("")
assert client.deletescript("three")
assert client.listscripts() == ("", []) or client.listscripts() == (None, [])
client.logout()
"""


@pytest.mark.reference
@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_sievelib(server: Instance, mechanism: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SIEVELIB, str(server.ports["sieve"]), SCRIPT, mechanism],
        env=reference.python_environment(), capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_managesieve(server: Instance) -> None:
    client = managesieve.MANAGESIEVE("127.0.0.1", server.ports["sieve"], keyfile=None, certfile=None)
    assert client.login("", "carl", "secret") == "OK"
    assert client.putscript("one", SCRIPT) == "OK"
    assert client.putscript("bad", "nonsense;") == "NO"
    assert client.setactive("one") == "OK"
    assert client.listscripts() == ("OK", [("one", True)])
    assert client.getscript("one") == ("OK", SCRIPT)
    assert client.havespace("two", 100) == "OK"
    assert client.deletescript("one") == "NO"
    assert client.setactive("") == "OK"
    assert client.deletescript("one") == "OK"
    client.logout()


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"])
def test_scram_over_tls(server: Instance, mechanism: str) -> None:
    login = Login(authcid="doro", password="secret")
    client = ManageSieve(f"127.0.0.1:{server.ports['sieve']}", lambda: login, mechanism=mechanism)
    client.put("one", SCRIPT.encode())
    client.activate("one")
    client.rename("one", "two")
    assert [(script.name, script.active) for script in client.list()] == [("two", True)]
    assert client.get("two") == SCRIPT.encode()
    client.activate("")
    client.delete("two")
    client.close()


def test_the_way_thunderbird_talks(server: Instance) -> None:
    """The add-on for Sieve: capabilities, TLS, capabilities again, login, then pipelined commands."""
    client = Client(server)
    assert b'"STARTTLS"\r\n' in client.greeting
    assert b'"SASL"' in client.start_tls()
    assert client.say(b"CAPABILITY").endswith(b"OK\r\n")
    assert client.say(b'AUTHENTICATE "PLAIN" {%d+}\r\nAGRvcm8Ac2VjcmV0' % 16) == b"OK\r\n"
    script = SCRIPT.encode()
    size = len(script)
    assert client.say(b'HAVESPACE "filter" %d' % size) == b"OK\r\n"
    client.sock.sendall(
        b'CHECKSCRIPT {%d+}\r\n%b\r\nPUTSCRIPT "filter" {%d+}\r\n%b\r\nSETACTIVE "filter"\r\nNOOP "end"\r\n'
        % (size, script, size, script)
    )
    assert client.until(b"OK (TAG {3}\r\nend") == b"OK\r\n" * 3
    assert client.say(b"LISTSCRIPTS") == b'"filter" ACTIVE\r\nOK\r\n'
    client.say(b'SETACTIVE ""')
    assert client.say(b'DELETESCRIPT "filter"') == b"OK\r\n"
    assert client.say(b"LOGOUT") == b'OK "Logout Complete"\r\n'


