"""Mailboxes with an index of every version: converted alike by both, and worked on by both in turn."""

from __future__ import annotations

import os
import re
import shutil
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from cassandane.clients import ImapClient
from cassandane.instance import Instance, give_away
from cassandane.messages import message

pytestmark = [pytest.mark.reference, pytest.mark.timeout(300)]

KINDS = ("reference", "ours")
# times, and the sums that depend on them
CHANGING = re.compile(
    rb"(LASTUPD :|SAVEDATE:|UIDValidity: |sync_crc(?:_annot)? )[\d =>]+| \d{10}\b|\(\d{9,}\) [A-Z].*"
)
# offsets of last_repack_time and of the header's checksum
REPACK_TIME, EPOCH = 92, 136


class Server:
    """One running server of each kind, on the same configuration, one at a time."""

    def __init__(self) -> None:
        self.instance = Instance(
            imapd_conf={"expunge_mode": "immediate"}, master="reference",
            programs=dict.fromkeys(("imap", "lmtp", "lmtpunix"), "reference"),
        )  # fmt: skip
        self.running = ""

    def run(self, kind: str) -> Instance:
        if self.running != kind:
            self.stop()
            self.instance.use(master=kind, programs=kind)
            self.instance.start()
            self.running = kind
        return self.instance

    def stop(self) -> None:
        if self.running:
            self.instance.stop()
            self.instance.lmtp_socket.unlink(missing_ok=True)
            self.running = ""

    def admin(self, program: str, *arguments: str, kind: str) -> bytes:
        done = self.instance.run(program, *arguments, kind=kind, check=False)
        return CHANGING.sub(b"", done.stdout + done.stderr)

    def directory(self, user: str) -> Path:
        headers = (self.instance.directory / "spool").rglob("cyrus.header")
        return next(path.parent for path in headers if f" N user.{user} ".encode() in path.read_bytes())


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.stop()
    server.instance.remove()


def fill(server: Server, user: str) -> None:
    instance = server.run("reference")
    instance.create_user(user)
    with instance.imap(user) as client:
        for number in range(1, 5):
            client.append("INBOX", message(f"number {number}", str(number)), flags=r"(\Flagged Work)")
        client.ok("SELECT INBOX")
        client.ok(r"STORE 1:2 +FLAGS (\Seen $Label1)")


PATHS = [(12,), (13,), (14,), (15,), (9,), (8,), (7,), (6,), (9, 17), (6, 17), (7, 12), (6, 8), (9, 10),
         (7, 9, 15, 6, 16)]  # fmt: skip


QUICK = ((6, 17), (9,), (13,))


@pytest.fixture(scope="module")
def saved(server: Server) -> Path:
    """The mailbox of alice, with her server stopped, copied to be restored."""
    fill(server, "alice")
    server.stop()
    top = server.instance.directory
    for name in ("conf", "spool"):
        shutil.copytree(top / name, top / "saved" / name, symlinks=True)
    return server.directory("alice")


@pytest.mark.parametrize(
    "path", [path if path in QUICK else pytest.param(path, marks=pytest.mark.long) for path in PATHS], ids=str
)
def test_both_convert_alike(server: Server, saved: Path, path: tuple[int, ...]) -> None:
    results = []
    for kind in KINDS:
        restore(server.instance.directory)
        said = [server.admin("reconstruct", "-V", str(v), "user/alice", kind=kind) for v in path]
        index = bytearray((saved / "cyrus.index").read_bytes())
        wipe_times(index, path[-1])
        results.append(
            {
                "said": said,
                "index": bytes(index),
                "cache": (saved / "cyrus.cache").read_bytes()[4:],
                "seen": seen(server),
                "mbexamine": server.admin("mbexamine", "user/alice", kind="reference"),
                "ours": server.admin("mbexamine", "user/alice", kind="ours"),
                "reconstruct": server.admin("reconstruct", "-n", "user/alice", kind="reference"),
                "ours too": server.admin("reconstruct", "-n", "user/alice", kind="ours"),
            }
        )
    for key, theirs in results[0].items():
        assert results[1][key] == theirs, key
    assert results[0]["mbexamine"] == results[0]["ours"]
    assert results[0]["reconstruct"] == results[0]["ours too"]


def restore(top: Path) -> None:
    for name in ("conf", "spool"):
        shutil.rmtree(top / name)
        shutil.copytree(top / "saved" / name, top / name, symlinks=True)
        for directory, _, names in os.walk(top / name):
            give_away(Path(directory))
            for file in names:
                give_away(Path(directory, file))


def seen(server: Server) -> bytes:
    shown = b""
    for path in sorted((server.instance.directory / "conf").rglob("seen.db")):
        shown += server.admin("cyr_dbtool", str(path), "twoskip", "show", kind="reference")
    return shown


def wipe_times(index: bytearray, version: int) -> None:
    if version < 12:
        return
    end = struct.unpack_from(">I", index, 12)[0]
    index[REPACK_TIME : REPACK_TIME + 4] = index[end - 4 : end] = bytes(4)
    if version >= 17:
        index[EPOCH : EPOCH + 4] = bytes(4)


def test_unknown_versions_are_refused(server: Server, saved: Path) -> None:
    for version in ("5", "11", "18"):
        arguments = ("reconstruct", "-V", version, "user/alice")
        theirs = server.instance.run(*arguments, kind="reference", check=False)
        ours = server.instance.run(*arguments, check=False)
        assert (ours.returncode, ours.stderr) == (theirs.returncode, theirs.stderr) == (
            70, b"fatal error: index version not supported\n",
        )  # fmt: skip
        for path in saved.glob("*.NEW"):
            path.unlink()


def test_both_work_on_every_version_in_turn(server: Server) -> None:
    """Each appends, flags and expunges; then what the other's tools say must be what its own say."""
    users = {f"v{version}": version for version in (6, 8, 10, 12, 13, 15)}
    for user in users:
        fill(server, user)
    server.stop()
    for user, version in users.items():
        if version == 10:
            server.admin("reconstruct", "-V", "9", f"user/{user}", kind="reference")
        server.admin("reconstruct", "-V", str(version), f"user/{user}", kind="reference")
    for kind in ("ours", "reference", "ours"):
        instance = server.run(kind)
        for user in users:
            work(instance, user)
        server.stop()
        for user, version in users.items():
            shown = {tool: server.admin("mbexamine", f"user/{user}", kind=tool) for tool in KINDS}
            assert shown["ours"] == shown["reference"], (kind, user)
            assert f"Minor Version: {version}\n".encode() in shown["ours"], (kind, user)
            found = {tool: server.admin("reconstruct", "-n", f"user/{user}", kind=tool) for tool in KINDS}
            # before 13 the index has no place for sums of annotations, before 12 for any
            complaints = [line for line in found["reference"].splitlines() if not line.endswith(b"updating ")]
            complaints = [line for line in complaints if b"quota_annot_used" not in line]
            assert complaints == [f"user/{user}".encode()], (kind, user, complaints)
    for user, version in users.items():
        kind = "ours" if version == 10 else "reference"
        server.admin("reconstruct", "-V", "max", f"user/{user}", kind=kind)
    instance = server.run("ours")
    for user in users:
        with instance.imap(user) as client:
            client.ok("SELECT INBOX")
            flags = fetched(client, "1:*")
            assert ["\\Seen" in line for line in flags] == [True, False, False, True, True, True], user
            assert ["Work" in line for line in flags] == [True, True, True, False, False, False], user
            assert ["\\Answered" in line for line in flags] == [False] * 3 + [True] * 3, user


def work(instance: Instance, user: str) -> None:
    """Append a message, mark it seen; the first time round message 2 goes."""
    with instance.imap(user) as client:
        client.append("INBOX", message("later", "later"), flags=r"(\Answered)")
        client.ok("SELECT INBOX")
        said = client.ok(r"STORE * +FLAGS (\Seen)").untagged
        # the original says nothing where records have no modseq
        assert instance.master == "reference" or any("\\Seen" in line for line in said), (user, said)
        if "$Label1" in fetched(client, "2")[0]:
            client.ok(r"STORE 2 +FLAGS (\Deleted)")
            client.ok("EXPUNGE")
        shown = "".join(client.ok("FETCH 1:* (UID FLAGS RFC822.SIZE ENVELOPE)").untagged)
        assert "number 1" in shown and "later" in shown


def fetched(client: ImapClient, numbers: str) -> list[str]:
    return [line for line in client.ok(f"FETCH {numbers} (FLAGS)").untagged if "FETCH" in line]
