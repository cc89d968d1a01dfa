"""Debian's saslauthd, which asks an LDAP directory, checks the passwords of our server."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator

import pytest

from cassandane import reference
from cassandane.directory import Directory
from cassandane.instance import Instance, give_away, make_directory, wait_for

pytestmark = pytest.mark.reference

_SETTINGS = """\
ldap_servers: {uri}
ldap_search_base: ou=people,dc=example,dc=org
ldap_filter: (&(uid=%u)(employeeType=%s)(|(!(title=*))(title=%r)))
ldap_scope: one
"""


class Daemon:
    def __init__(self, directory: Directory) -> None:
        self.directory = make_directory()
        self.mux = self.directory / "mux"
        settings = self.directory / "saslauthd.conf"
        settings.write_text(_SETTINGS.format(uri=directory.uri))
        options = ["-a", "ldap", "-O", str(settings), "-m", str(self.directory), "-n", "1"]
        self._process = subprocess.Popen(
            [reference.program("saslauthd"), "-d", *options],
            env=reference.environment(), stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        wait_for(self.mux.exists, "saslauthd")
        give_away(self.directory)

    def stop(self) -> None:
        # it has a worker, and both are a group of their own
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        shutil.rmtree(self.directory)


@pytest.fixture(scope="module")
def daemon() -> Iterator[Daemon]:
    directory = Directory()
    directory.add("cassandane", "secret", "employeeType: imap\n")
    directory.add("lmtponly", "secret", "employeeType: lmtp\n")
    directory.add("joe", "blue", "employeeType: imap\ntitle: example.net\n")
    with directory:
        made = Daemon(directory)
        yield made
        made.stop()


@pytest.fixture(scope="module")
def server(daemon: Daemon) -> Iterator[Instance]:
    instance = Instance(
        services=("imap",),
        imapd_conf={
            "sasl_pwcheck_method": "saslauthd",
            "sasl_saslauthd_path": str(daemon.mux),
            "failedloginpause": "0",
            "loginrealms": "example.net example.com",
        },
    )
    instance.start()
    yield instance
    instance.stop()
    instance.remove()


@pytest.mark.parametrize(
    ("user", "password", "good"),
    [
        ("cassandane", "secret", True),
        ("cassandane", "Secret", False),
        ("nobody", "secret", False),
        ("lmtponly", "secret", False),
        ("joe@example.net", "blue", True),
        ("joe@example.com", "blue", False),
        ("joe", "blue", False),
    ],
)
def test_the_daemon_decides(server: Instance, user: str, password: str, good: bool) -> None:
    with server.imap() as client:
        assert client.command(f'LOGIN "{user}" "{password}"').status == ("OK" if good else "NO")


def test_without_the_daemon_nobody_logs_in(server: Instance, daemon: Daemon) -> None:
    away = daemon.mux.rename(daemon.mux.with_name("away"))
    try:
        with server.imap() as client:
            assert client.command("LOGIN cassandane secret").status == "NO"
    finally:
        away.rename(daemon.mux)
    with server.imap() as client:
        assert client.command("LOGIN cassandane secret").status == "OK"
