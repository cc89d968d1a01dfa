"""Mail transfer agents deliver through lmtpd: nothing is lost and nothing doubled, whatever goes wrong."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import psutil
import pytest

from cassandane import reference
from cassandane.instance import Instance, give_away, service_user, wait_for
from master.policy import MAX_READY_FAILS

pytestmark = pytest.mark.reference

USERS = ("ann", "ben", "cia", "dan")
_MOST_KILLS = MAX_READY_FAILS - 1
CONFIG = """
exim_path = {program}
spool_directory = {folder}/spool
pid_file_path = {folder}/pid
primary_hostname = mx.example.org
exim_user = {user}
exim_group = {group}
never_users =
trusted_users = {user}
qualify_domain = example.org
keep_environment =
acl_smtp_rcpt = accept
begin routers
all:
  driver = accept
  transport = {transport}
begin transports
socket:
  driver = lmtp
  socket = {socket}
  batch_max = 10
  user = {user}
network:
  driver = smtp
  protocol = lmtp
  hosts = 127.0.0.1
  port = {port}
  hosts_override
  allow_localhost
begin retry
* * F,1h,1s
"""


class Exim:
    """A private mail transfer agent that hands everything to one lmtpd."""

    def __init__(self, server: Instance, transport: str) -> None:
        user = service_user()
        self._who: dict[str, Any] = {"user": user.pw_uid, "group": user.pw_gid} if os.getuid() == 0 else {}
        self.folder = server.directory / f"exim-{transport}"
        (self.folder / "spool").mkdir(parents=True)
        self._config = self.folder / "conf"
        program = reference.program("exim4")
        self._config.write_text(
            CONFIG.format(
                program=program, folder=self.folder, user=user.pw_name, group=user.pw_gid,
                transport=transport, socket=server.lmtp_socket, port=server.ports["lmtp"],
            )
        )  # fmt: skip
        for path in (self.folder, self.folder / "spool", self._config):
            give_away(path)
        self.log = ""
        self._command = [program, "-C", str(self._config)]

    def run(self, *arguments: str, text: bytes = b"") -> None:
        done = subprocess.run(
            [*self._command, *arguments], input=text, env=reference.environment(), capture_output=True,
            timeout=120, cwd=self.folder, **self._who,
        )  # fmt: skip
        # run by hand as here, it logs to standard error
        self.log += done.stderr.decode()

    def send(self, number: int, *recipients: str, sender: str = "ann@example.org") -> None:
        """One message, delivered at once or put into the queue."""
        body = "line of text\n" * (number % 7) * 50
        text = f"From: {sender}\nMessage-ID: <m{number}@mx>\nSubject: {number}\n\n{body}\n"
        self.run("-odf", "-f", sender, *(f"{name}@example.org" for name in recipients), text=text.encode())

    def flush(self) -> None:
        """Try everything in the queue again."""
        self.run("-qff")

    def waiting(self) -> int:
        return sum(path.name.endswith("-H") for path in (self.folder / "spool/input").rglob("*"))


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


def ids(server: Instance, user: str) -> Counter[str]:
    """How often each message is in the user's INBOX, by Message-ID."""
    with server.imap(user) as imap:
        imap.ok("EXAMINE INBOX")
        lines = imap.ok("UID FETCH 1:* (BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])").untagged
    return Counter(line.partition("<")[2].partition("@")[0] for line in lines if "<" in line)


@pytest.mark.parametrize("transport", ["socket", "network"])
def test_eight_at_once(server: Instance, transport: str) -> None:
    exim = Exim(server, transport)
    chance = random.Random(1)
    mails = [(number, chance.sample(USERS, chance.randint(1, 4))) for number in range(48)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda mail: exim.send(mail[0], *mail[1]), mails))
    for _ in range(5):
        if exim.waiting():
            exim.flush()
    assert not exim.waiting(), exim.log
    for user in USERS:
        assert ids(server, user) == Counter(f"m{number}" for number, to in mails if user in to)


def test_failures_of_some_recipients(server: Instance) -> None:
    exim = Exim(server, "socket")
    with server.imap("admin") as imap:
        imap.ok("SETQUOTA user/ben (STORAGE 1)")
    big = "x" * 3000
    text = f"From: ann@example.org\nMessage-ID: <fill@mx>\n\n{big}\n"
    exim.run("-odf", "-f", "cia@example.org", "ben@example.org", text=text.encode())
    # ben is full, nobody does not exist, dan takes it
    exim.send(1, "ben", "nobody", "dan", sender="cia@example.org")
    assert ids(server, "dan") == {"m1": 1}
    assert "m1" not in ids(server, "ben")
    assert exim.waiting() == 1
    assert sum(ids(server, "cia").values()) == 1, "the bounce for nobody"
    with server.imap("admin") as imap:
        imap.ok("SETQUOTA user/ben ()")
    exim.flush()
    assert exim.waiting() == 0, exim.log
    assert ids(server, "ben")["m1"] == 1
    assert ids(server, "dan") == {"m1": 1}


def test_workers_that_are_killed(server: Instance) -> None:
    """What was not answered is sent again.

    A worker that dies after it has stored the message and before it has noted that in deliver.db leaves
    one that will be there twice; the other order could lose it.
    """
    exim = Exim(server, "socket")
    over = False

    def kill() -> int:
        """As many workers as may die idle without the service being given up."""
        killed = 0
        chance = random.Random(2)
        while not over and killed < _MOST_KILLS:
            for process in psutil.process_iter(["cmdline"]):
                if str(server.config) not in " ".join(process.info["cmdline"] or ()):
                    continue
                with suppress(psutil.NoSuchProcess):
                    parent = process.parent()
                    worker = parent is not None and "lmtp" in parent.name() and "lmtp" in process.name()
                    if worker and killed < _MOST_KILLS and chance.random() < 0.5:
                        process.send_signal(signal.SIGKILL)
                        killed += 1
            time.sleep(0.02)
        return killed

    with ThreadPoolExecutor(9) as pool:
        killer = pool.submit(kill)
        try:
            list(pool.map(lambda number: exim.send(number, *USERS), range(16)))
        finally:
            over = True
        killed = killer.result()
    assert killed
    for _ in range(20):
        if exim.waiting():
            exim.flush()
    assert not exim.waiting(), exim.log
    for user in USERS:
        found = ids(server, user)
        assert set(found) == {f"m{number}" for number in range(16)}
        assert sum(found.values()) - len(found) <= killed
    server.allowed_log.append("signaled to death by signal 9")


def test_swaks_at_once_over_both_ways(server: Instance) -> None:
    def send(number: int) -> int:
        how = ["--socket", str(server.lmtp_socket)] if number % 2 else [
            "--server", "127.0.0.1", "--port", str(server.ports["lmtp"]),
        ]  # fmt: skip
        done = subprocess.run(
            [
                "perl", reference.program("swaks"), "--protocol", "LMTP", *how,
                "--from", "x@example.org", "--to", ",".join(USERS),
                "--data", f"From: x@example.org\\nMessage-ID: <m{number}@mx>\\n\\nhello\\n", "--silent", "2",
            ],
            env=reference.environment(), capture_output=True, timeout=60,
        )  # fmt: skip
        return done.returncode

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(send, range(16))) == {0}
    for user in USERS:
        assert ids(server, user) == Counter(f"m{number}" for number in range(16))


def test_a_slow_client_keeps_nobody_waiting(server: Instance) -> None:
    with server.lmtp() as slow:
        for line in ("MAIL FROM:<x@example.org>", "RCPT TO:<ann>", "DATA"):
            slow.command(line)
        slow.send(b"Message-ID: <slow@mx>\r\n\r\nhalf a li")
        exim = Exim(server, "network")
        exim.send(1, *USERS)
        assert not exim.waiting(), exim.log
        slow.send(b"ne\r\n.\r\n")
        assert slow.reply().startswith("250")
    wait_for(lambda: ids(server, "ann") == {"m1": 1, "slow": 1}, "the slow one's mail")
