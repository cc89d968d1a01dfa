"""Postfix delivers through lmtpd, by UNIX socket and by TCP: nothing is lost and nothing doubled.

Its master wants to be root. Where the tests are not, fakeroot has it believe so: all its processes are then
the tests' user, and what they say to lmtpd is the same.
"""

from __future__ import annotations

import os
import random
import signal
import smtplib
import subprocess
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from cyrus.test_mta import USERS, ids

from cassandane import reference
from cassandane.instance import DEADLINE, Instance, give_away, service_user, wait_for
from cassandane.ports import free_port

pytestmark = pytest.mark.reference

_PATIENCE = 150.0
"""Seconds; Postfix leaves a message alone for 60 when the agent that has just had it still holds its lock."""
_ENVIRONMENT = "MAIL_CONFIG MAIL_LOGTAG TZ LD_LIBRARY_PATH LD_PRELOAD FAKEROOTKEY"
_MAIN = """
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
command_directory = {root}/usr/sbin
daemon_directory = {root}/usr/lib/postfix/sbin
shlib_directory = {root}/usr/lib/postfix
meta_directory = {folder}/conf
mail_owner = {owner}
setgid_group = mail
default_privs = daemon
maillog_file = {folder}/log
maillog_file_prefixes = {folder}
import_environment = {environment}
export_environment = {environment}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mx.example.org
mydestination =
local_recipient_maps =
alias_maps =
alias_database =
relay_domains = example.org
relay_transport = lmtp:{target}
lmtp_host_lookup = native
smtpd_recipient_restrictions = reject_unauth_destination
smtpd_peername_lookup = no
queue_run_delay = 1s
minimal_backoff_time = 2s
maximal_backoff_time = 2s
"""
_MASTER = """
127.0.0.1:{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n - 0 flush
proxymap unix - - n - - proxymap
error unix - - n - - error
retry unix - - n - - error
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
"""
_QUEUES = (
    "active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "maildrop", "private",
    "public", "saved", "trace",
)  # fmt: skip


class Postfix:
    """A private mail transfer agent that hands everything to one lmtpd."""

    def __init__(self, server: Instance, target: str) -> None:
        root, folder = reference.directory(), server.directory / "postfix"
        self.port = free_port()
        self._queue = folder / "queue"
        for path in (folder / "conf", folder / "data", *(self._queue / name for name in (*_QUEUES, "pid"))):
            path.mkdir(parents=True)
        for path in (folder / "data", *(self._queue / name for name in _QUEUES)):
            give_away(path)
        (folder / "conf/main.cf").write_text(
            _MAIN.format(
                folder=folder,
                root=root,
                owner=service_user().pw_name,
                target=target,
                environment=_ENVIRONMENT,
            )
        )
        (folder / "conf/master.cf").write_text(_MASTER.format(port=self.port))
        environment = reference.environment()
        environment["LD_LIBRARY_PATH"] = f"{root}/usr/lib/postfix:{environment['LD_LIBRARY_PATH']}"
        self.log = folder / "log"
        self._process = subprocess.Popen(
            [*_as_root(), f"{root}/usr/lib/postfix/sbin/master", "-d", "-c", str(folder / "conf")],
            env=environment, cwd=folder, start_new_session=True,
        )  # fmt: skip
        try:
            wait_for(self._greets, "Postfix did not start", detail=self.describe)
        except BaseException:
            self.stop()
            raise

    def _greets(self) -> bool:
        try:
            with smtplib.SMTP("127.0.0.1", self.port, timeout=DEADLINE) as client:
                return client.noop()[0] == 250
        except OSError:
            return False

    def send(self, number: int, *users: str, sender: str = "ann@example.org") -> None:
        body = "line of text\r\n" * (number % 7) * 50
        text = f"From: {sender}\r\nMessage-ID: <m{number}@mx>\r\nSubject: {number}\r\n\r\n{body}\r\n"
        with smtplib.SMTP("127.0.0.1", self.port, timeout=DEADLINE) as client:
            assert not client.sendmail(sender, [f"{user}@example.org" for user in users], text)

    def wait(self, messages: int, what: str) -> None:
        """Until so many are in the queue."""
        wait_for(lambda: self._waiting() == messages, what, detail=self.describe, deadline=_PATIENCE)

    def _waiting(self) -> int:
        """Messages in the queue."""
        return sum(
            path.is_file()
            for name in ("incoming", "active", "deferred")
            for path in (self._queue / name).rglob("*")
        )

    def describe(self) -> str:
        return self.log.read_text()[-6000:] if self.log.exists() else "no log"

    def stop(self) -> None:
        pidfile = self._queue / "pid/master.pid"
        if pidfile.exists() and self._process.poll() is None:
            # the process is fakeroot's shell, where there is one, and ends with the master
            os.kill(int(pidfile.read_text()), signal.SIGTERM)
        else:
            self._process.terminate()
        self._process.wait(DEADLINE)


def _as_root() -> list[str]:
    if os.geteuid() == 0:
        return []
    library = next(reference.directory().glob("usr/lib/*/libfakeroot/libfakeroot-sysv.so"))
    faked = reference.program("faked-sysv")
    return ["sh", reference.program("fakeroot-sysv"), "-l", str(library), "-f", faked, "--"]


@pytest.fixture
def server() -> Iterator[Instance]:
    settings = {"autocreate_quota": "0", "lmtp_over_quota_perm_failure": "no"}
    instance = Instance(services=("imap", "lmtp", "lmtpunix"), imapd_conf=settings)
    instance.start()
    for user in USERS:
        with instance.imap(user):
            pass
    try:
        yield instance
    finally:
        instance.stop()
        instance.remove()


@pytest.fixture(params=["socket", "network"])
def postfix(server: Instance, request: pytest.FixtureRequest) -> Iterator[Postfix]:
    target = (
        f"unix:{server.lmtp_socket}" if request.param == "socket" else f"127.0.0.1:{server.ports['lmtp']}"
    )
    agent = Postfix(server, target.replace("127.0.0.1", "inet:[127.0.0.1]"))
    try:
        yield agent
    finally:
        agent.stop()


@pytest.mark.timeout(3 * _PATIENCE)
def test_eight_at_once_and_some_that_fail(server: Instance, postfix: Postfix) -> None:
    with server.imap("admin") as imap:
        imap.ok("SETQUOTA user/ben (STORAGE 0)")
    chance = random.Random(1)
    mails = [(number, chance.sample(USERS, chance.randint(1, 4))) for number in range(32)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda mail: postfix.send(mail[0], *mail[1]), mails))
    full = sum("ben" in to for _, to in mails)
    postfix.wait(full, "only ben's mail waits")
    # nobody does not exist: cia hears of that
    postfix.send(100, "nobody", "dan", sender="cia@example.org")
    postfix.wait(full, "the bounce is delivered")
    with server.imap("admin") as imap:
        imap.ok("SETQUOTA user/ben ()")
    postfix.wait(0, "all is delivered")
    for user in USERS:
        found = ids(server, user)
        expected = Counter(f"m{number}" for number, to in mails if user in to)
        if user == "dan":
            expected["m100"] += 1
        if user == "cia":
            (bounce,) = found - expected
            found -= Counter([bounce])
        assert found == expected, postfix.describe()
