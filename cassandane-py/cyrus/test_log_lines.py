"""What the log says of sessions: the lines that administrators and their programs look for.

The expected lines are those of the original for the same commands, but for what only it has to say.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator

import pytest

from cassandane.instance import Instance, program, wait_for

MESSAGE = b"From: a@b.example\r\nSubject: y\r\nMessage-ID: <1@x>\r\n\r\nbody text\r\n"
ADMIN = "sessionid=<S> userid=<admin>"
TIMES = "mailbox=<> cmdtime=<T> nettime=<T> total=<T> "
_MASKS = (
    (r"^\w+ +\d+ [\d:]+ (\w+)\[\d+\]: <\d> ", r"\1: "),
    (r"essionid=<[^>]*>", "essionid=<S>"),
    (r"SESSIONID=<[^>]*>", "SESSIONID=<S>"),
    (r"uniqueid=<\w{24}>", "uniqueid=<U>"),
    (r"\d+\.\d{6}", "T"),
    (r"=<\d{10}>", "=<V>"),
    (r"<[0-9a-f]{40}>", "<G>"),
    (r"(bytes_in|bytes_out|size)=<\d+>", r"\1=<N>"),
    (r"I/O (\w+) : \d+", r"I/O \1 : N"),
    (r"\.[0-9A-F]{8}(?=[ >]|$)", ".HEX"),
)


class Log:
    """The lines of a server's log from here on that begin with one of some words, masked."""

    def __init__(self, server: Instance, *beginnings: str) -> None:
        self._server = server
        self._beginnings = beginnings
        self._start = len(server.log_lines())

    def lines(self, last: str, after: str = "") -> list[str]:
        """All up to the first that begins with ``last``, without the name of the service.

        With ``after``, only what follows the first line with that beginning: what the session
        before has still to say when this one begins does not count.
        """
        wait_for(lambda: self._span(last, after) is not None, f"no line {last}")
        return [line for line in self._span(last, after) or () if line.startswith(self._beginnings)]

    def _span(self, last: str, after: str) -> list[str] | None:
        """The lines behind the first ``after`` up to the next ``last``; None until they are there."""
        lines = self._all()
        begin = _behind(lines, after, 0) if after else 0
        end = None if begin is None else _behind(lines, last, begin)
        return None if end is None else lines[begin:end]

    def _all(self) -> list[str]:
        lines = self._server.log_lines()[self._start :]
        for pattern, replacement in _MASKS:
            lines = [re.sub(pattern, replacement, line) for line in lines]
        return [line.partition(": ")[2] for line in lines]


def _behind(lines: list[str], beginning: str, start: int) -> int | None:
    """The number of the line behind the first from ``start`` on that begins so."""
    for number, line in enumerate(lines[start:], start):
        if line.startswith(beginning):
            return number + 1
    return None


@pytest.fixture(scope="module")
def server() -> Iterator[Instance]:
    settings = {
        "auditlog": "yes",
        "iolog": "yes",
        "commandmintimer": "0",
        "chatty": "yes",
        "conversations": "yes",
        "allowusermoves": "yes",
        "autocreate_quota": "100",
        "autocreate_inbox_folders": "Sent | Trash | .",
        "autocreate_subscribe_folders": "Sent",
        "xlist-sent": "Sent",
        "autocreate_sieve_script": "/nonexistent",
        "telemetry_bysessionid": "yes",
    }
    instance = Instance(services=("imap",), imapd_conf=settings)
    instance.start()
    try:
        yield instance
    finally:
        instance.stop()
        instance.remove()


def test_a_session_is_logged_from_login_to_traffic(server: Instance) -> None:
    log = Log(server, "SASL", "login:", "command:", "cmdtimer:", "USAGE")
    end = Log(server, "IMAP session", "auditlog: traffic")
    with server.imap("admin") as client:
        client.ok("NOOP")
    logout = f"cmdtimer: {ADMIN} command=<logout> {TIMES}"
    assert log.lines(logout) == [
        "command: a1 Login",
        "SASL AlwaysTrue Password Verifier Verified: admin",
        "login: localhost [127.0.0.1] admin plaintext User logged in SESSIONID=<S>",
        f"cmdtimer: {ADMIN} command=<login> {TIMES}",
        "command: a2 Noop",
        f"cmdtimer: {ADMIN} command=<noop> {TIMES}",
        "command: a3 Logout",
        "USAGE admin user: T sys: T",
        logout,
    ]
    assert end.lines("auditlog: traffic", after=logout) == [
        "IMAP session stats : I/O read : N bytes : I/O write : N bytes",
        "auditlog: traffic sessionid=<S> bytes_in=<N> bytes_out=<N>",
    ]


def test_autocreation_tells_what_it_made(server: Instance) -> None:
    log = Log(server, "autocreate", "User", "auditlog: newquota", "auditlog: create")
    with server.imap("eve"):
        pass
    quota = "newSTORAGE=<100> newMESSAGE=<-1> newX-ANNOTATION-STORAGE=<-1> newX-NUM-FOLDERS=<-1>"
    assert log.lines("USAGE eve") == [
        "auditlog: create sessionid=<S> mailbox=<user.eve> uniqueid=<U> uidvalidity=<V>",
        f"auditlog: newquota root=<user.eve> {quota}",
        "autocreateinbox: User eve, INBOX was successfully created",
        "auditlog: create sessionid=<S> mailbox=<user.eve.Sent> uniqueid=<U> uidvalidity=<V>",
        "autocreateinbox: User eve, subfolder Sent creation succeeded.",
        "autocreateinbox: User eve, subscription to Sent succeeded",
        r"autocreate: set specialuse \Sent for user.eve.Sent",
        "auditlog: create sessionid=<S> mailbox=<user.eve.Trash> uniqueid=<U> uidvalidity=<V>",
        "autocreateinbox: User eve, subfolder Trash creation succeeded.",
        "autocreateinbox: User eve, subfolder . creation failed. Mailbox already exists",
        "User eve, Inbox subfolders, created 2, subscribed 1",
        "autocreate_sieve: User eve, default sieve script creation failed:"
        " /nonexistent: No such file or directory",
    ]


def test_the_audit_log_follows_a_message(server: Instance) -> None:
    with server.imap("bob") as client:
        client.ok("CREATE a")
    log = Log(server, "auditlog: append", "auditlog: touched", "auditlog: expunge", "Expunged")
    with server.imap("bob") as client:
        client.append("INBOX", MESSAGE)
        client.ok("SELECT INBOX")
        client.ok("STORE 1 +FLAGS.SILENT (\\Flagged)")
        client.ok("MOVE 1 a")
    inbox, other = (f"sessionid=<S> mailbox=<user.bob{x}> uniqueid=<U> uid=<1>" for x in ("", ".a"))
    lines = [re.sub(r"(cid|modseq)=<\w+>", r"\1=<M>", line) for line in log.lines("USAGE bob")]
    assert lines == [
        f"auditlog: append {inbox} modseq=<M> sysflags=<> guid=<G> messageid=<1@x> size=<N>",
        f"auditlog: touched {inbox} guid=<G> cid=<M> modseq=<M> oldflags=<> sysflags=<FL>",
        f"auditlog: append {other} modseq=<M> sysflags=<FL> guid=<G> messageid=<1@x> size=<N>",
        f"auditlog: touched {inbox} guid=<G> cid=<M> modseq=<M> oldflags=<FL> sysflags=<FL|DE|EX>",
        f"auditlog: expunge {inbox} modseq=<M> sysflags=<FL|DE|EX> guid=<G> size=<N>",
        "Expunged 1 messages from user.bob",
    ]


def test_and_a_user_who_gets_another_name(server: Instance) -> None:
    with server.imap("joe") as client:
        client.ok("NOOP")
    log = Log(server, "auditlog: newquota", "Rename:")
    with server.imap("admin") as admin:
        admin.ok("RENAME user/joe user/jim")
    lines = log.lines("USAGE admin")
    assert [line for line in lines if line.startswith("Rename:")] == [
        "Rename: user.joe -> user.jim",
        "Rename: user.joe.Sent -> user.jim.Sent",
        "Rename: user.joe.Trash -> user.jim.Trash",
    ]
    assert [line for line in lines if "newquota root=<user.jim> newSTORAGE=<100>" in line]


def test_refused_logins_are_logged(server: Instance) -> None:
    log = Log(server, "badlogin:")
    with server.imap() as client:
        assert client.command("LOGIN a/b secret").status == "NO"
        assert client.command("LOGIN anonymous me@example.org").status == "NO"
    assert log.lines("cmdtimer: sessionid=<S> userid=<> command=<logout>") == [
        "badlogin: localhost [127.0.0.1] plaintext (a/b) invalid user",
        "badlogin: localhost [127.0.0.1] anonymous login refused",
    ]


def test_telemetry_is_named_after_the_session(server: Instance) -> None:
    directory = server.directory / "conf/log/tom"
    directory.mkdir()
    os.chmod(directory, 0o777)
    with server.imap("tom") as client:
        text = client.ok("NOOP").text
    (written,) = directory.iterdir()
    assert re.fullmatch(r"imap-mail\.example\.org-\d+-\d+-\d+-\d+", written.name)
    content = written.read_bytes()
    assert content.startswith(b"---------- tom ")
    # a command may have come in more than one piece
    content = re.sub(rb"[<>]\d+[<>]", b"", content)
    assert b"NOOP\r\n" in content and text.encode() in content


@pytest.mark.parametrize(
    ("option", "value"), [("mupdate_server", "mupdate.example.org"), ("sync_rightnow_channel", '"x"')]
)
def test_what_cannot_be_honoured_is_refused(option: str, value: str) -> None:
    instance = Instance(services=("imap",), imapd_conf={option: value})
    try:
        done = subprocess.run(
            [program("ours", "imapd"), "-C", str(instance.config), "-X"],
            input=b"1 LOGIN bob x\r\n2 CREATE INBOX\r\n",
            env={**instance.environment(), "CYRUS_SERVICE": "imap", "CYRUS_ID": "0"},
            capture_output=True,
        )
        assert done.returncode == os.EX_CONFIG
        assert b"2 OK" not in done.stdout
        assert any(f"Fatal error: {option}: " in line for line in instance.log_lines())
    finally:
        instance.remove()
