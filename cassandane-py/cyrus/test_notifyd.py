"""notifyd(8): what it does with notifications, and that it does so like the original."""

from __future__ import annotations

import json
import re
import socket
import subprocess
from collections.abc import Iterator

import pytest

from cassandane.instance import TOP, Instance, wait_for

_PROGRAM = """#!/bin/sh
# one write, so that what is there is whole
input=$(cat; echo .)
printf '%s\\n' "$# $*" "$input" >> {out}
"""


class Notifyd:
    """A server with a notifyd of one kind, whose programs write down how they are called."""

    def __init__(self, kind: str, **settings: str) -> None:
        self.instance = Instance(services=("imap", "notify"), programs={"notify": kind}, imapd_conf=settings)
        directory = self.instance.directory
        self.out = directory / "conf/called"
        program = directory / "program"
        program.write_text(_PROGRAM.format(out=self.out))
        program.chmod(0o755)
        self.instance.settings |= {"notify_external": str(program), "sendmail": str(program)}
        self.instance.write_configuration()
        self.instance.start()
        self._sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)

    def send(self, *fields: bytes) -> None:
        path = self.instance.directory / "conf/socket/notify"
        self._sender.sendto(b"".join(field + b"\0" for field in fields), str(path))

    def calls(self) -> str:
        """All calls of programs so far; a last notification shows that those before it were carried out."""
        self.send(b"external", b"LAST", b"", b"", b"", b"0", b"last")
        wait_for(lambda: self.out.exists() and "last\n." in self.out.read_text(), "no last notification")
        return self.out.read_text()

    def logged(self) -> list[str]:
        lines = (line for line in self.instance.log_lines() if " notify[" in line)
        texts = (re.sub(r"^.*?\]: ", "", line) for line in lines)
        return [text for text in texts if "accepted" not in text and "executed" not in text]

    def end(self) -> None:
        self._sender.close()
        self.instance.stop()
        self.instance.remove()


@pytest.fixture
def ours() -> Iterator[Notifyd]:
    notifyd = Notifyd("ours")
    yield notifyd
    notifyd.end()


def play(notifyd: Notifyd) -> None:
    notifyd.send(b"external", b"MAIL", b"low", b"joe", b"INBOX", b"2", b"a", b"b", b"line\nline", b"/file")
    notifyd.send(b"EXTERNAL", b"EVENT", b"", b"", b"", b"0", "ünï".encode())
    notifyd.send(b"", b"EVENT", b"", b"", b"", b"0", b"the default method does nothing")
    notifyd.send(b"zephyr", b"EVENT", b"", b"", b"", b"0", b"nobody knows this method")
    notifyd.send(b"mailto", b"SIEVE", b"", b"joe", b"INBOX", b"1", b"ann@example.org", b"plain")
    notifyd.send(b"mailto", b"SIEVE", b"", b"joe", b"INBOX", b"1", b"ann@example.org", "grün".encode())
    notifyd.send(b"mailto", b"SIEVE", b"", b"joe", b"INBOX", b"0", b"no recipient")


def masked(text: str) -> str:
    text = re.sub(r"cmu-sieve-\d+-\d+-\d+@", "cmu-sieve@", text)
    return re.sub(r"Date: .*", "Date:", text)


@pytest.mark.reference
def test_programs_are_called_as_by_the_original() -> None:
    found = []
    for kind in ("ours", "reference"):
        notifyd = Notifyd(kind)
        try:
            play(notifyd)
            found.append(masked(notifyd.calls()))
        finally:
            notifyd.end()
    assert found[0] == found[1]
    assert "10 -c MAIL -p low -u joe -m INBOX -f /file\nline\nline\n.\n" in found[0]
    assert "5 -i -f <> -- ann@example.org\nMessage-ID: " in found[0]


def test_notifications_are_logged(ours: Notifyd) -> None:
    ours.send(b"log", b"MAIL", b"", b"joe", b"INBOX", b"2", b"a", b"b", b"text")
    ours.send(b"log", b"EVENT", b"", b"", b"", b"0", b"{}")
    ours.calls()
    wait_for(lambda: len(ours.logged()) >= 2, "nothing logged", detail=ours.instance.describe)
    texts = [text.partition("> ")[2] for text in ours.logged()]
    assert 'MAIL, , joe, INBOX, (a, b) "text"' in texts
    assert 'EVENT, , , ,  "{}"' in texts


@pytest.mark.parametrize(
    "data", [b"", b"x", b"a\0b\0c\0d\0e\01\0f\0", b"a\0b\0c\0d\0e\0-1\0f\0", b"a\0b\0c\0d\0e\0x\0f\0"]
)
def test_nonsense_is_refused(ours: Notifyd, data: bytes) -> None:
    ours._sender.sendto(data, str(ours.instance.directory / "conf/socket/notify"))
    ours.calls()
    wait_for(lambda: any("malformed notify request" in text for text in ours.logged()), "nothing logged")


def test_notifytest_sends_one(ours: Notifyd) -> None:
    path = str(ours.instance.directory / "conf/socket/notify")
    command = [str(TOP / "bin/notifytest"), "-f", path, "-t", "text", "-n", "external", "-u", "joe", "a", "b"]
    done = subprocess.run(command, capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert ours.calls().startswith("9 -c MESSAGE -p normal -u joe -m  -f\ntext\n.\n")


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["-t", "x"], 1, "usage:"),
        (["-f", "x"], 1, "usage:"),
        (["-f", "x", "-t", "x", "-z"], 1, "usage:"),
        (["-f", "x", "-t", "x", *"abcdefghijk"], 1, "too many options (> 10)"),
        (["-f", "x", "-t", "x" * 9000], 255, "dgram too big"),
        (["-f", "/nowhere", "-t", "x"], 255, "sendto() : No such file or directory"),
    ],
)
def test_notifytest_says_what_is_wrong(arguments: list[str], code: int, text: str) -> None:
    done = subprocess.run([str(TOP / "bin/notifytest"), *arguments], capture_output=True, text=True)
    assert done.returncode == code
    assert text in done.stderr


def test_a_program_gets_the_events_of_a_session() -> None:
    notifyd = Notifyd("ours", event_notifier="external", event_groups="access mailbox")
    try:
        notifyd.instance.create_user("joe")
        text = notifyd.calls()
        events = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
        assert [event["event"] for event in events][:2] == ["Login", "MailboxCreate"]
        assert text.startswith("9 -c EVENT -p  -u  -m  -f\n")
    finally:
        notifyd.end()
