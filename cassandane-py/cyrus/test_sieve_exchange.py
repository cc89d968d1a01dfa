"""One spool, both suites: scripts put by either timsieved, changed by the other, run by both lmtpds."""

from __future__ import annotations

import base64
import io
import os
import re
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cassandane.instance import Instance

pytestmark = pytest.mark.reference

SERVICES = ("imap", "lmtp", "lmtp2", "sieve", "sieve2")
OURS, THEIRS = "sieve", "sieve2"


@pytest.fixture(scope="module")
def server() -> Iterator[Instance]:
    """Services with a 2 are the original's."""
    others = {"lmtp2": "reference", "sieve2": "reference"}
    instance = Instance(services=SERVICES, programs=others, imapd_conf={"sieve_maxscripts": "20"})
    instance.start()
    try:
        yield instance
    finally:
        instance.stop()
        instance.remove()


class Sieve:
    """A user at one timsieved, where every command must succeed.

    Each has a connection of its own: the original looks at the mailbox once and misses what comes later.
    """

    def __init__(self, server: Instance, service: str, user: str) -> None:
        self._address = ("127.0.0.1", server.ports[service])
        self._secret = base64.b64encode(f"\0{user}\0x".encode())

    def say(self, command: str) -> list[bytes]:
        with (
            socket.create_connection(self._address, timeout=20) as connection,
            connection.makefile("rb") as file,
        ):
            reply(file)
            for line in (b'AUTHENTICATE "PLAIN" "%b"' % self._secret, command.encode()):
                connection.sendall(line + b"\r\n")
                answer = reply(file)
            return answer

    def ok(self, command: str) -> list[bytes]:
        *lines, status = self.say(command)
        assert status.startswith(b"OK"), status
        return lines

    def put(self, name: str, text: str) -> None:
        data = text.encode()
        self.ok(f"PUTSCRIPT {literal(name)} {{{len(data)}+}}\r\n{text}")

    def list(self) -> list[str]:
        text = b"".join(self.ok("LISTSCRIPTS")).decode()
        lines = re.sub(r"\{\d+\}\r\n", "", text).splitlines()
        return [line.replace('"', "").strip() for line in lines]

    def get(self, name: str) -> str:
        return self.ok(f"GETSCRIPT {literal(name)}")[1].decode()


def reply(file: io.BufferedReader) -> list[bytes]:
    lines = []
    while True:
        line = file.readline()
        lines.append(line)
        literal = re.search(rb"\{(\d+)\}\r\n\Z", line)
        if literal:
            lines.append(file.read(int(literal[1])))
        if not line or line.startswith((b"OK", b"NO", b"BYE")):
            return lines


def literal(name: str) -> str:
    return f"{{{len(name.encode())}+}}\r\n{name}"


@pytest.fixture
def pair(server: Instance, request: pytest.FixtureRequest) -> tuple[str, Sieve, Sieve]:
    """A new user with a folder ``x``, at both timsieveds."""
    user = request.node.name.replace("_", "").lower()[:20]
    server.create_user(user)
    with server.imap(user) as imap:
        imap.ok("CREATE INBOX/x")
    return user, Sieve(server, OURS, user), Sieve(server, THEIRS, user)


def delivered(server: Instance, user: str) -> dict[str, int]:
    """What became of one message through each lmtpd since the user has no more mail than that."""
    message = b"From: a@example.org\r\nMessage-ID: <%b@x>\r\nSubject: s\r\n\r\nx\r\n"
    for number, service in enumerate(("lmtp", "lmtp2")):
        with server.lmtp(service=service) as lmtp:
            serial = b"%d-%d-%b" % (number, len(_SERIAL), user.encode())
            lmtp.deliver(message % serial, user)
            _SERIAL.append(serial)
    counts = {}
    with server.imap(user) as imap:
        for name in ("INBOX", "INBOX/x"):
            answer = imap.ok(f"STATUS {name} (MESSAGES)").untagged[0]
            counts[name] = int(answer.rsplit(" ", 1)[1].rstrip(")"))
            imap.ok(f"SELECT {name}")
            imap.ok(r"STORE 1:* +FLAGS.SILENT (\Deleted)")
            imap.ok("CLOSE")
    return counts


_SERIAL: list[bytes] = []

FILE = 'require "fileinto"; fileinto "INBOX/x";\r\n'


def test_each_sees_what_the_other_does(pair: tuple[str, Sieve, Sieve]) -> None:
    _, ours, theirs = pair
    ours.put("one", FILE)
    theirs.put("two", "discard;\r\n")
    ours.put("zw\u00f6lf", "keep;\r\n")
    for client in (ours, theirs):
        assert sorted(client.list()) == ["one", "two", "zw\u00f6lf"]
        assert client.get("one") == FILE
        assert client.get("two") == "discard;\r\n"
        assert client.get("zw\u00f6lf") == "keep;\r\n"
    theirs.ok('SETACTIVE "one"')
    assert "one ACTIVE" in ours.list()
    ours.ok("SETACTIVE " + literal("zw\u00f6lf"))
    assert [name for name in theirs.list() if "ACTIVE" in name] == ["zw\u00f6lf ACTIVE"]
    theirs.put("one", "stop;\r\n")
    assert ours.get("one") == "stop;\r\n"
    ours.put("two", "stop;\r\n")
    assert theirs.get("two") == "stop;\r\n"
    theirs.ok('RENAMESCRIPT "one" "three"')
    ours.ok('RENAMESCRIPT "two" "four"')
    for client in (ours, theirs):
        assert sorted(client.list()) == ["four", "three", "zw\u00f6lf ACTIVE"]
    theirs.ok('DELETESCRIPT "four"')
    ours.ok('DELETESCRIPT "three"')
    theirs.ok('SETACTIVE ""')
    for client in (ours, theirs):
        assert client.list() == ["zw\u00f6lf"]


def test_each_runs_what_the_other_compiles(server: Instance, pair: tuple[str, Sieve, Sieve]) -> None:
    user, ours, theirs = pair
    assert delivered(server, user) == {"INBOX": 2, "INBOX/x": 0}
    ours.put("a", FILE)
    ours.ok('SETACTIVE "a"')
    assert delivered(server, user) == {"INBOX": 0, "INBOX/x": 2}
    theirs.put("a", "discard;\r\n")
    assert delivered(server, user) == {"INBOX": 0, "INBOX/x": 0}
    theirs.put("b", FILE)
    ours.ok('SETACTIVE "b"')
    assert delivered(server, user) == {"INBOX": 0, "INBOX/x": 2}
    theirs.ok('RENAMESCRIPT "b" "c"')
    assert delivered(server, user) == {"INBOX": 0, "INBOX/x": 2}
    ours.ok('RENAMESCRIPT "c" "d"')
    assert delivered(server, user) == {"INBOX": 0, "INBOX/x": 2}
    ours.ok('SETACTIVE ""')
    assert delivered(server, user) == {"INBOX": 2, "INBOX/x": 0}


def test_the_originals_tools_are_content(server: Instance, pair: tuple[str, Sieve, Sieve]) -> None:
    """What we write of scripts passes the checks of the original."""
    user, ours, theirs = pair
    ours.put("a", FILE)
    ours.ok('SETACTIVE "a"')
    ours.put("a", "keep;\r\n")
    theirs.put("a", "discard;\r\n")
    for program in ("reference", "ours"):
        done = server.run("reconstruct", "-n", f"user/{user}/#sieve", kind=program)
        assert done.returncode == 0
        assert not done.stdout.decode().replace(f"user/{user}/#sieve", "").strip()


def test_both_change_scripts_at_once(server: Instance, pair: tuple[str, Sieve, Sieve]) -> None:
    """No change is lost, and in the end all agree, databases and files included."""
    user, ours, theirs = pair
    # who comes first makes the folder
    ours.put("first", "keep;\r\n")
    last: dict[str, str] = {}

    def hammer(client: Sieve, who: str) -> None:
        for number in range(8):
            name, text = f"{who}{number % 2}", f"# {who} {number}\r\nkeep;\r\n"
            client.put(name, text)
            last[name] = text
            if number % 3 == 0:
                client.ok(f'SETACTIVE "{name}"')
            if number % 4 == 3:
                client.put("moving" + who, text)
                client.ok(f'RENAMESCRIPT "moving{who}" "moved{who}"')
                if client.say(f'DELETESCRIPT "moved{who}"')[-1].startswith(b"NO (ACTIVE)"):
                    raise AssertionError("nobody made this one active")

    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(hammer, ours, "o"), pool.submit(hammer, theirs, "t")]:
            done.result()
    for client in (ours, theirs):
        listed = client.list()
        active = [name for name in listed if name.endswith(" ACTIVE")]
        assert len(active) == 1, listed
        assert sorted(name.removesuffix(" ACTIVE") for name in listed) == ["first", "o0", "o1", "t0", "t1"]
        assert {name: client.get(name) for name in last} == last
    directory = active_link(server, active[0]).parent
    assert {path.name for path in directory.iterdir()} >= {f"{name}.bc" for name in ("first", *last)}


def active_link(server: Instance, name: str) -> Path:
    """The link to a script that is active."""
    target = name.removesuffix(" ACTIVE") + ".bc"
    links = [
        path for path in (server.directory / "conf/sieve").rglob("defaultbc") if os.readlink(path) == target
    ]
    assert links
    return links[0]
