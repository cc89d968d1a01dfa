"""The same bytes to our imapd and to the original's, on two equal spools: the same answers.

A transcript is a text file: a line a command, ``> `` before a line that continues one, ``\\r\\n`` and ``\\0``
for octets a line cannot hold. What must differ is masked (session ids, times, UIDVALIDITY, mailbox ids,
versions), and what we do not have is taken out of the original's answers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from cassandane.clients import ImapClient
from cassandane.instance import Instance

pytestmark = pytest.mark.reference

TRANSCRIPTS = Path(__file__).parent / "transcripts"
# in the order in which one prepares the next
NAMES = ("login", "admin", "folders", "list", "append", "syntax", "rights", "shared")
USERS = ("bob", "ann", "eve")

_MASKS = (
    (r"SESSIONID=<[^>]*>", "SESSIONID=<>"),
    (r"\d+\.\d+ (secs?)", r"T \1"),
    (r"Cyrus IMAP \S+", "Cyrus IMAP V"),
    (r"MAILBOXID \([^)]*\)", "MAILBOXID (ID)"),
    (r"(UIDVALIDITY|APPENDUID|COPYUID) \d+", r"\1 N"),
    (r'"version" "[^"]*"', '"version" "V"'),
    (r' "environment" "[^"]*"', ""),
)


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[Instance, Instance]]:
    ours = Instance(services=("imap",))
    original = Instance(services=("imap",), programs={"imap": "reference"}, master="reference")
    started = []
    try:
        for server in (ours, original):
            server.start()
            started.append(server)
            for user in USERS:
                server.create_user(user)
        yield ours, original
    finally:
        for server in started:
            server.stop(check=server is ours)
    ours.remove()
    original.remove()


@pytest.mark.parametrize("name", NAMES)
def test_both_servers_answer_alike(servers: tuple[Instance, Instance], name: str) -> None:
    users = {"login": None, "admin": "admin", "rights": "admin", "folders": "bob", "list": "bob"}
    user = users.get(name, "ann")
    ours, original = (play(server, lines_of(name), user) for server in servers)
    assert ours == original


def test_both_servers_tell_one_session_of_another_alike(servers: tuple[Instance, Instance]) -> None:
    ours, original = (play(server, lines_of("sessions"), "eve") for server in servers)
    assert ours == original


def test_our_capabilities_are_the_originals_in_its_order(servers: tuple[Instance, Instance]) -> None:
    for user in (None, "bob", "admin"):
        ours, original = (capabilities(server, user) for server in servers)
        assert [name for name in original if name in ours] == ours


def lines_of(name: str) -> list[str]:
    text = (TRANSCRIPTS / f"{name}.txt").read_text()
    return [line for line in text.splitlines() if line and not line.startswith("# ")]


def capabilities(server: Instance, user: str | None) -> list[str]:
    with server.imap(user) as client:
        return client.ok("CAPABILITY").untagged[0].split()[1:]


def play(server: Instance, script: list[str], user: str | None) -> list[str]:
    """What was said, masked, line by line. Lines that begin with ``B: `` are of a second session."""
    said = []
    with server.imap(user) as first, server.imap(user) as second:
        if user is None:
            said.append(masked(first.greeting))
        tags = {first: b"", second: b""}
        for entry in script:
            client = second if entry.startswith("B: ") else first
            text = entry.removeprefix("B: ")
            data = text.encode("latin-1").replace(b"\\r\\n", b"\r\n").replace(b"\\0", b"\0")
            if data.startswith(b"> "):
                data = data[2:]
            else:
                tags[client] = data.split(b" ")[0]
            said.append(f"C: {entry}")
            client.send(data + b"\r\n")
            said += map(masked, answer(client, tags[client]))
    return said


def answer(client: ImapClient, tag: bytes) -> Iterator[str]:
    """Lines up to the tagged one, a continuation request, or the complaint about a line without tag."""
    while True:
        line = client.response()
        yield line.decode("latin-1")
        if line.startswith((tag + b" ", b"+ ", b"* BAD")):
            return


def masked(line: str) -> str:
    for pattern, replacement in _MASKS:
        line = re.sub(pattern, replacement, line)
    return re.sub(r"CAPABILITY [^\]\r\n]*", "CAPABILITY", line)
