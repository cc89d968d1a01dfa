"""What ``make run`` starts: two users, a welcome message, clean stop, mail kept."""

from __future__ import annotations

import imaplib
import re
import signal
import smtplib
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from cassandane.instance import TOP, make_directory, wait_for


class Run:
    """One run of the private instance, and what it printed."""

    def __init__(self, directory: Path) -> None:
        self._printed = directory.with_name(directory.name + ".out")
        with open(self._printed, "wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "imap.admin.private_instance", "--directory", str(directory / "run")],
                cwd=TOP, stdout=out, stderr=out, stdin=subprocess.DEVNULL,
            )  # fmt: skip
        wait_for(self._is_up, "the private instance did not start", detail=self.printed)

    def printed(self) -> str:
        return self._printed.read_text()

    def _is_up(self) -> bool:
        assert self.process.poll() is None, self.printed()
        return "Ctrl-C stops it." in self.printed()

    def find(self, pattern: str) -> str:
        found = re.search(pattern, self.printed())
        assert found, self.printed()
        return found[1]

    @property
    def password(self) -> str:
        return self.find(r"user alice +password (\S+)")

    def imap(self) -> imaplib.IMAP4:
        client = imaplib.IMAP4("127.0.0.1", int(self.find(r"IMAP +127\.0\.0\.1:(\d+)")), timeout=30)
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        client.starttls(context)
        client.login("alice", self.password)
        return client

    def interrupt(self) -> None:
        children = psutil.Process(self.process.pid).children(recursive=True)
        assert children
        self.process.send_signal(signal.SIGINT)
        assert self.process.wait(30) == 0, self.printed()
        wait_for(lambda: not any(map(_runs, children)), "processes are left behind")


def _runs(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


@pytest.fixture
def directory() -> Iterator[Path]:
    made = make_directory()
    yield made
    subprocess.run(["rm", "-rf", str(made), f"{made}.out"], check=True)


def test_it_starts_with_mail_and_keeps_it(directory: Path) -> None:
    first = Run(directory)
    try:
        password = first.password
        with first.imap() as client:
            client.select("INBOX")
            _, data = client.fetch("1", "(BODY[])")
            assert isinstance(data[0], tuple) and b"Subject: Welcome" in data[0][1]
        with smtplib.LMTP("127.0.0.1", int(first.find(r"LMTP +127\.0\.0\.1:(\d+)"))) as lmtp:
            lmtp.sendmail("bob@localhost", ["alice"], b"From: bob@localhost\r\nSubject: second\r\n\r\nhi\r\n")
    finally:
        first.interrupt()
    again = Run(directory)
    try:
        assert again.password == password
        with again.imap() as client:
            assert client.select("INBOX") == ("OK", [b"2"])
    finally:
        again.interrupt()


def test_a_script_files_mail(directory: Path) -> None:
    """With the command that it prints."""
    script = directory / "lists.sieve"
    script.write_text('require "fileinto"; if header :contains "subject" "list" { fileinto "lists"; }')
    run = Run(directory)
    try:
        with run.imap() as client:
            client.create("lists")
        command = run.find(r"(bin/sieveshell .*)").split()
        done = subprocess.run(
            [*command, "-e", f"put {script} lists\nactivate lists"], cwd=TOP, capture_output=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        with smtplib.LMTP("127.0.0.1", int(run.find(r"LMTP +127\.0\.0\.1:(\d+)"))) as lmtp:
            lmtp.sendmail("bob@localhost", ["alice"], b"From: bob@localhost\r\nSubject: a list\r\n\r\nhi\r\n")
        with run.imap() as client:
            assert client.select("lists") == ("OK", [b"1"])
    finally:
        run.interrupt()


def test_a_wrong_password_is_refused(directory: Path) -> None:
    run = Run(directory)
    try:
        client = imaplib.IMAP4("127.0.0.1", int(run.find(r"IMAP +127\.0\.0\.1:(\d+)")), timeout=30)
        with pytest.raises(imaplib.IMAP4.error):
            client.login("alice", "wrong")
        client.logout()
    finally:
        run.interrupt()
