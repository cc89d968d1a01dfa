"""A server for tests of logins: both kinds of daemons beside each other, with secrets in SQLite."""

from __future__ import annotations

import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from cassandane import reference
from cassandane.instance import Instance, give_away

DAEMONS = {"imap": "imap", "lmtp": "lmtpauth", "sieve": "sieve"}
"""The services, by their protocols."""

USERS = {
    "cassandane": "secret", "admin": "secret", "proxy": "secret", "other": "secret", "denied": "secret",
    "cassandane@example.net": "secret", "user@elsewhere.org": "secret", "Mixed": "secret", "empty": "",
}  # fmt: skip

PROGRAMS = {
    name + suffix: kind for name in DAEMONS.values() for suffix, kind in (("", "ours"), ("2", "reference"))
}
"""Each of the daemons, in both kinds."""


@contextmanager
def running(programs: dict[str, str], settings: dict[str, str]) -> Iterator[Instance]:
    """A server with all the users, and with these services and options; an empty one is left out."""
    instance = Instance(services=tuple(programs), programs=programs, tls=True)
    database = instance.directory / "users.db"
    with sqlite3.connect(database) as connection:
        connection.execute("CREATE TABLE users (name TEXT, userPassword TEXT)")
        connection.executemany("INSERT INTO users VALUES (?, ?)", USERS.items())
    connection.close()
    give_away(database)
    del instance.settings["sasl_mech_list"]
    instance.settings |= {
        "failedloginpause": "0",
        "proxyservers": "proxy",
        "loginrealms": "example.net",
        "sasl_pwcheck_method": "auxprop",
        "sasl_auxprop_plugin": "sql",
        "sasl_sql_engine": "sqlite3",
        "sasl_sql_database": str(database),
        "sasl_sql_select": "SELECT userPassword FROM users WHERE name = '%u'",
        **settings,
    }
    instance.settings = {name: value for name, value in instance.settings.items() if value}
    instance.write_configuration()
    (instance.directory / "conf/sieve").mkdir()
    give_away(instance.directory / "conf/sieve")
    instance.start()
    for user in ("other", "cassandane", "admin"):
        instance.create_user(user)
    with instance.imap("admin") as admin:
        admin.ok("SETACL user/other cassandane lra")
        admin.ok("SETACL user/other admin lrswiptexka")
    instance.run("cyr_deny", "denied")
    yield instance
    instance.stop()
    instance.remove()


def port(server: Instance, protocol: str, kind: str) -> int:
    """Where the daemon of this protocol and kind listens, if the server runs ``PROGRAMS``."""
    name = DAEMONS[protocol]
    return server.ports[name if kind == "ours" else name + "2"]


def run(command: list[str], typed: str = "") -> subprocess.CompletedProcess[str]:
    """Run a client to its end."""
    return subprocess.run(
        command, input=typed, capture_output=True, text=True, errors="replace", timeout=60,
        env=reference.environment(),
    )  # fmt: skip
