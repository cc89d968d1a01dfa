"""kill -9 at random moments: what was acknowledged is there, and the mailbox needs no repair."""

from __future__ import annotations

import random
import re
import threading

import psutil
import pytest

from cassandane.clients import ImapClient, LmtpClient
from cassandane.instance import Instance, wait_for
from cassandane.messages import message

pytestmark = [pytest.mark.reference, pytest.mark.timeout(3600)]

_ROUND = 6
_GONE = (EOFError, ConnectionError, AssertionError)


class Writer(threading.Thread):
    """Delivers or appends until told to stop, connecting anew whenever its server dies."""

    def __init__(self, server: Instance, way: str) -> None:
        super().__init__()
        self._server, self._way = server, way
        self._count = 0
        self.acknowledged: list[str] = []
        self.stored: set[str] = set()
        self.flagged: set[str] = set()
        self.expunged: set[str] = set()
        self.port = 0
        """The local port of the present connection, by which the server's process is found."""
        self.enough = threading.Event()

    def run(self) -> None:
        while not self.enough.is_set():
            try:
                self._connected()
            except _GONE:
                continue

    def _connected(self) -> None:
        if self._way == "lmtp":
            with self._server.lmtp() as lmtp:
                self.port = lmtp.socket.getsockname()[1]
                self._until_dead(lambda text: self._deliver(lmtp, text))
        elif self._way == "imap":
            with self._server.imap("alice") as client:
                self.port = client.socket.getsockname()[1]
                self._until_dead(lambda text: client.append("INBOX", text))
        else:
            with self._server.imap("alice") as client:
                self.port = client.socket.getsockname()[1]
                client.ok("SELECT INBOX")
                self._until_dead(lambda text: self._work(client, text))

    def _work(self, client: ImapClient, text: bytes) -> None:
        """Append, flag, and every now and then move, expunge, rename, annotate, count anew."""
        name = f"mixed-{self._count}"
        match = re.search(r"APPENDUID \d+ (\d+)", client.ok("APPEND INBOX {}", text).text)
        assert match
        uid = match[1]
        self.stored.add(name)
        client.ok(rf"UID STORE {uid} +FLAGS.SILENT ($Keep \Flagged)")
        self.flagged.add(name)
        match self._count % _ROUND:
            case 1:
                client.command(f"UID MOVE {uid} kept")
            case 2:
                # from here on it may be gone
                self.stored.discard(name)
                client.ok(rf"UID STORE {uid} +FLAGS.SILENT (\Deleted)")
                client.ok(f"UID EXPUNGE {uid}")
                self.expunged.add(name)
            case 3:
                for old, new in (("box", "other"), ("other", "box")):
                    client.command(f"RENAME {old} {new}")
            case 4:
                client.command(f"UID COPY {uid} box")
            case 5:
                client.command('SETMETADATA INBOX (/private/comment "{}")'.replace("{}", name))
                client.command(f"SUBSCRIBE {name}")

    @staticmethod
    def _deliver(lmtp: LmtpClient, text: bytes) -> None:
        (reply,) = lmtp.deliver(text, "alice")
        assert reply.startswith("250"), reply

    def _until_dead(self, store: object) -> None:
        assert callable(store)
        while not self.enough.is_set():
            self._count += 1
            name = f"{self._way}-{self._count}"
            store(message(name, name * 50))
            self.acknowledged.append(name)


def kill_at_random(server: Instance, writer: Writer, times: int, seed: int) -> None:
    source = random.Random(seed)
    killed = 0
    while killed < times:
        before = len(writer.acknowledged)
        wait_for(lambda at=before: len(writer.acknowledged) > at, "no progress", detail=server.describe)
        threading.Event().wait(source.uniform(0, 0.02))
        try:
            serving(server, writer.port).kill()
            killed += 1
        except (psutil.Error, LookupError):
            continue


def serving(server: Instance, port: int) -> psutil.Process:
    """The process that has the connection from this port; LookupError if there is none."""
    for process in server.processes():
        if any(found.raddr and found.raddr.port == port for found in process.net_connections()):
            return process
    raise LookupError(port)


def check(server: Instance, acknowledged: list[str]) -> None:
    with server.imap("alice") as client:
        found = subjects(client)
    missing = set(acknowledged) - set(found)
    assert not missing, f"{len(missing)} of {len(acknowledged)} acknowledged messages are lost"
    done = server.run("reconstruct", "-n", "user/alice", kind="reference")
    assert (done.stdout.split(), done.stderr) == ([b"user/alice"], b"")


def check_mixed(server: Instance, writer: Writer) -> None:
    lines: list[str] = []
    folders = []
    with server.imap("alice") as client:
        for folder in ("INBOX", "kept", "box", "other"):
            if client.command(f"EXAMINE {folder}").status != "OK":
                continue
            folders.append(folder)
            fetch = "UID FETCH 1:* (FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])"
            lines += client.ok(fetch).untagged
    found: dict[str, str] = {}
    for line in lines:
        if match := re.search(r"Subject: (\S+)", line):
            found[match[1]] = found.get(match[1], "") + line
    missing = writer.stored - found.keys()
    assert not missing, f"{missing} of {len(writer.stored)} acknowledged messages are lost"
    assert not writer.expunged & found.keys()
    unmarked = {name for name in writer.flagged & found.keys() if "$Keep" not in found[name]}
    assert not unmarked, f"{unmarked} lost their flags"
    assert len(set(folders) & {"box", "other"}) == 1
    names = ["user/alice", *(f"user/alice/{name}" for name in folders[1:])]
    done = server.run("reconstruct", "-n", *names, kind="reference")
    assert done.stderr == b""
    said = [line for line in done.stdout.decode().splitlines() if line not in names]
    assert not said, said


def subjects(client: ImapClient) -> list[str]:
    client.ok("EXAMINE INBOX")
    lines = client.ok("FETCH 1:* (UID BODY.PEEK[HEADER.FIELDS (SUBJECT)])").untagged
    return [match[1] for line in lines if (match := re.search(r"Subject: (\S+)", line))]


def kill_test(way: str, times: int, seed: int) -> None:
    server = Instance(prefork=1, imapd_conf={"duplicatesuppression": "no"})
    server.start()
    try:
        server.create_user("alice", "kept", "box")
        writer = Writer(server, way)
        writer.start()
        try:
            kill_at_random(server, writer, times, seed)
            # what the last one left unfinished is tidied up by the next who writes there: once round
            end = len(writer.acknowledged) + _ROUND
            wait_for(lambda: len(writer.acknowledged) >= end, "no progress", detail=server.describe)
        finally:
            writer.enough.set()
            writer.join()
        for _ in range(2):
            if way == "mixed":
                check_mixed(server, writer)
            else:
                check(server, writer.acknowledged)
            server.stop(check=False)
            server.start()
    except BaseException:
        server.stop(check=False)
        raise
    server.stop(check=False)
    server.remove()


@pytest.mark.parametrize("way", ["lmtp", "imap", "mixed"])
def test_a_dozen_kills_lose_nothing(way: str) -> None:
    kill_test(way, 12, seed=1)


@pytest.mark.long
@pytest.mark.parametrize(("way", "times"), [("lmtp", 300), ("imap", 300), ("mixed", 1400)])
def test_two_thousand_kills_lose_nothing(way: str, times: int) -> None:
    kill_test(way, times, seed=2)
