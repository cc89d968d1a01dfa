"""Every mechanism, with clients that nobody here wrote."""

from __future__ import annotations

import imaplib
import sqlite3
import subprocess
from collections.abc import Iterator

import pytest

from cassandane import reference
from cassandane.instance import Instance, give_away

SCRAM = [f"SCRAM-SHA-{size}" for size in ("1", "224", "256", "384", "512")]
PLUS = [f"{name}-PLUS" for name in SCRAM]


@pytest.fixture(scope="module")
def server() -> Iterator[Instance]:
    instance = Instance(services=("imap",), tls=True)
    database = instance.directory / "users.db"
    with sqlite3.connect(database) as connection:
        connection.execute("CREATE TABLE users (name TEXT, userPassword TEXT)")
        connection.executemany("INSERT INTO users VALUES (?, ?)", [("cassandane", "secret"), ("admin", "x")])
    connection.close()
    give_away(database)
    del instance.settings["sasl_mech_list"]
    instance.settings |= {
        "allowanonymouslogin": "yes",
        "failedloginpause": "0",
        "sasl_pwcheck_method": "auxprop",
        "sasl_sql_engine": "sqlite3",
        "sasl_sql_database": str(database),
        "sasl_sql_select": "SELECT userPassword FROM users WHERE name = '%u'",
    }
    instance.write_configuration()
    instance.start()
    yield instance
    instance.stop()
    instance.remove()


def imtest(server: Instance, mechanism: str, password: str, *options: str) -> str:
    command = [
        reference.program("imtest"), "-m", mechanism, "-a", "cassandane", "-u", "cassandane", "-w", password,
        "-p", str(server.ports["imap"]), *options, "127.0.0.1",
    ]  # fmt: skip
    done = subprocess.run(
        command, input=". logout\r\n", capture_output=True, text=True, timeout=60, env=reference.environment()
    )
    return done.stdout


@pytest.mark.reference
@pytest.mark.parametrize("mechanism", [*SCRAM, "DIGEST-MD5", "CRAM-MD5", "PLAIN", "LOGIN", "ANONYMOUS"])
def test_the_originals_imtest(server: Instance, mechanism: str) -> None:
    assert "Authenticated." in imtest(server, mechanism, "secret")
    if mechanism != "ANONYMOUS":
        assert "Authentication failed." in imtest(server, mechanism, "wrong")


@pytest.mark.reference
@pytest.mark.parametrize("mechanism", PLUS)
def test_the_originals_imtest_binds_to_tls(server: Instance, mechanism: str) -> None:
    assert "Authenticated." in imtest(server, mechanism, "secret", "-t", "")
    assert "Authentication failed." in imtest(server, mechanism, "wrong", "-t", "")


def test_imaplib_with_cram_md5(server: Instance) -> None:
    with imaplib.IMAP4("127.0.0.1", server.ports["imap"]) as client:
        assert client.login_cram_md5("cassandane", "secret")[0] == "OK"
    with imaplib.IMAP4("127.0.0.1", server.ports["imap"]) as client, pytest.raises(imaplib.IMAP4.error):
        client.login_cram_md5("cassandane", "wrong")


@pytest.mark.reference
@pytest.mark.parametrize("mechanism", ["DIGEST-MD5", "CRAM-MD5", "PLAIN", "LOGIN"])
def test_curl(server: Instance, mechanism: str) -> None:
    def ask(password: str) -> int:
        command = [
            reference.program("curl"), "-sS", "--login-options", f"AUTH={mechanism}",
            "-u", f"cassandane:{password}", f"imap://127.0.0.1:{server.ports['imap']}/", "-X", "NAMESPACE",
        ]  # fmt: skip
        return subprocess.run(
            command, capture_output=True, timeout=60, env=reference.environment()
        ).returncode

    assert ask("secret") == 0
    assert ask("wrong") == 67
