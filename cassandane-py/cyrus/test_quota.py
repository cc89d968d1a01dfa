"""quota against the original: what it reports, what it corrects, and while servers work."""

from __future__ import annotations

import os
import re
import shutil
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

import pytest

from cassandane.instance import Instance, give_away
from cassandane.messages import message

pytestmark = [pytest.mark.reference, pytest.mark.timeout(300)]

PLACES = ("conf", "spool")
WRONG = "%(S (9999 100000) M (7 50) AS (1 20) NF (1 10))"
INTERRUPTED = "%(S (9999 100000) M (7 50) AS (1 20) NF (1 10) TUSED (1 2 3 4) TMBOX user.alice.child)"


class Spool:
    """A stopped server with roots in each other, on all resources, for users, domains and a shared tree."""

    def __init__(self, server: Instance) -> None:
        self.server = server
        self.top = server.directory
        for name in PLACES:
            shutil.copytree(self.top / name, self.top / "saved" / name, symlinks=True)

    def restore(self) -> None:
        for name in PLACES:
            shutil.rmtree(self.top / name)
            shutil.copytree(self.top / "saved" / name, self.top / name, symlinks=True)
        self.own()

    def own(self) -> None:
        for name in PLACES:
            for directory, _, names in os.walk(self.top / name):
                give_away(Path(directory))
                for file in names:
                    give_away(Path(directory, file))

    def database(self, *words: str) -> bytes:
        path = str(self.top / "conf/quota/")
        return self.server.run("cyr_dbtool", path, "quotalegacy", *words, kind="reference").stdout

    def set(self, root: str, record: str) -> None:
        self.database("set", root, record)

    def delete(self, root: str) -> None:
        self.database("delete", root)

    def header_root(self, mailbox: str, root: str | None) -> None:
        """Name another quota root in a mailbox's header, with checksums that fit."""
        path = next(
            path for path in (self.top / "spool").rglob("cyrus.header")
            if f" N {mailbox} ".encode() in path.read_bytes()
        )  # fmt: skip
        header = re.sub(rb" Q \S+", b"", path.read_bytes())
        if root is not None:
            header = header.replace(b" A %", f" Q {root} A %".encode())
        path.write_bytes(header)
        index = bytearray((path.parent / "cyrus.index").read_bytes())
        index[96:100] = struct.pack(">I", crc32(header))
        index[156:160] = struct.pack(">I", crc32(index[:156]))
        (path.parent / "cyrus.index").write_bytes(index)

    def roots(self) -> list[tuple[bytes, bytes | None]]:
        found = []
        for path in (self.top / "spool").rglob("cyrus.header"):
            text = path.read_bytes()
            name, root = re.search(rb" N (\S+) ", text), re.search(rb" Q (\S+) ", text)
            assert name is not None
            found.append((name[1], root[1] if root is not None else None))
        return sorted(found)


@pytest.fixture(scope="module")
def spool() -> Iterator[Spool]:
    services = ("imap", "lmtpunix")
    server = Instance(
        imapd_conf={"virtdomains": "userid"}, master="reference", services=services,
        programs=dict.fromkeys(services, "reference"),
    )  # fmt: skip
    server.start()
    server.create_user("alice", "child", "child/grand", "other")
    server.create_user("bob", "x")
    server.create_user("al")
    with server.imap("admin") as admin:
        admin.ok("SETQUOTA user/alice (STORAGE 100000 MESSAGE 50 X-ANNOTATION-STORAGE 20 X-NUM-FOLDERS 10)")
        admin.ok("SETQUOTA user/alice/child (STORAGE 10)")
        admin.ok("SETQUOTA user/bob (STORAGE 0)")
        admin.ok("SETQUOTA user/bob/x ()")
        for name in ("shared", "shared/sub", "user/carol@example.net", "user/carol/f@example.net"):
            admin.ok(f"CREATE {name}")
        admin.ok("SETQUOTA shared (MESSAGE 1000)")
        admin.ok("SETQUOTA user/carol@example.net (STORAGE 7)")
    with server.imap("alice") as alice:
        for folder in ("INBOX", "child", "child/grand", "other"):
            alice.append(folder, message(folder, folder))
            alice.append(folder, message(folder, "again"))
        alice.ok('SETMETADATA child (/shared/comment "kept")')
        alice.ok("SELECT other")
        alice.ok('STORE 1:2 ANNOTATION (/comment (value.shared "abc"))')
        alice.ok(r"STORE 1 +FLAGS (\Deleted)")
        alice.ok("EXPUNGE")
    server.stop()
    server.lmtp_socket.unlink(missing_ok=True)
    yield Spool(server)
    server.remove()


class Case(NamedTuple):
    arguments: tuple[str, ...]
    damage: Callable[[Spool], None] = lambda spool: None


CASES = {
    "report": Case(()),
    "JSON": Case(("-J",)),
    "quietly": Case(("-q",)),
    "two": Case(("user/al", "user/bob")),
    "none": Case(("user/nosuch",)),
    "users": Case(("-u", "alice", "bob", "nosuch")),
    "a user of a domain": Case(("-u", "carol@example.net")),
    "a domain": Case(("-d", "example.net")),
    "in a domain": Case(("-d", "example.net", "user/carol")),
    "right": Case(("-f",)),
    "sums wrong": Case(("-f",), lambda spool: spool.set("user.alice", WRONG)),
    "sums wrong, quietly": Case(("-f", "-q"), lambda spool: spool.set("user.alice", WRONG)),
    "sums wrong, JSON": Case(("-f", "-J"), lambda spool: spool.set("user.alice", WRONG)),
    "sums wrong, only said": Case(("-f", "-n"), lambda spool: spool.set("user.alice", WRONG)),
    "sums wrong, of a user": Case(("-f", "-u", "alice"), lambda spool: spool.set("user.alice", WRONG)),
    "sums wrong, of all but": Case(("-f", "user/alice/child"), lambda spool: spool.set("user.alice", WRONG)),
    "below zero": Case((), lambda spool: spool.set("user.alice", "%(S (-5 100000) M (-7 50))")),
    "record of old": Case(("-f",), lambda spool: spool.set("user.alice", "1234\n100000")),
    "record of garbage": Case((), lambda spool: spool.set("user.alice", "garbage")),
    "root lost": Case(("-f",), lambda spool: spool.delete("user.alice")),
    "inner root lost": Case(("-f",), lambda spool: spool.delete("user.alice.child")),
    "inner root new": Case(("-f",), lambda spool: spool.set("user.alice.other", "%(S (0 10))")),
    "root unused": Case(("-f",), lambda spool: spool.set("user.zed", "%(S (5 10))")),
    "root unused, only said": Case(("-f", "-n"), lambda spool: spool.set("user.zed", "%(S (5 10))")),
    "root of another name": Case(("-f",), lambda spool: spool.set("user.bobx", "%(S (5 10))")),
    "header without": Case(("-f",), lambda spool: spool.header_root("user.alice.child.grand", None)),
    "header with another": Case(("-f",), lambda spool: spool.header_root("user.alice.child", "user.alice")),
    "header with none such": Case(("-f",), lambda spool: spool.header_root("user.al", "user.zed")),
    "interrupted": Case((), lambda spool: spool.set("user.alice", INTERRUPTED)),
    "interrupted, again": Case(("-f",), lambda spool: spool.set("user.alice", INTERRUPTED)),
}
QUICK = ("JSON", "in a domain", "sums wrong", "root unused", "header with another")


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.long) for name in CASES]
)
def test_both_say_and_do_the_same(spool: Spool, name: str) -> None:
    case = CASES[name]
    results = []
    for kind in ("reference", "ours"):
        spool.restore()
        case.damage(spool)
        spool.own()
        done = spool.server.run("quota", *case.arguments, kind=kind, check=False)
        records = re.sub(rb" MODSEQ \d+", b"", spool.database("show"))
        again = spool.server.run("quota", "-f", "-n", kind="reference", check=False)
        results.append(
            {
                "exit": done.returncode, "said": done.stdout, "complained": done.stderr, "records": records,
                "said again": (again.stdout, again.stderr), "roots": spool.roots(),
            }
        )  # fmt: skip
    for key, theirs in results[0].items():
        assert results[1][key] == theirs, key


def test_mailboxes_are_left_alone_where_nothing_is_to_be_done(spool: Spool) -> None:
    """The original names the right root in their headers, even with -n."""
    spool.restore()
    spool.header_root("user.alice.child.grand", "user.alice")
    spool.own()
    before = spool.roots()
    said = spool.server.run("quota", "-f", "-n").stderr
    assert b"user.alice.child.grand: quota root user.alice --> user.alice.child\n" in said
    assert spool.roots() == before


@pytest.mark.parametrize("kind", ["ours", "reference"])
def test_counting_while_mail_comes_loses_nothing(spool: Spool, kind: str) -> None:
    """Our server takes mail, both programs count."""
    spool.restore()
    server = spool.server
    server.use(master="ours", programs="ours")
    # the damage of other tests is in it
    server.log.write_text("")
    server.start()
    failed: list[BaseException] = []

    def append(folder: str) -> None:
        try:
            with server.imap("alice") as alice:
                for number in range(15):
                    alice.append(folder, message(f"{folder} {number}", str(number)))
                alice.ok(f"SELECT {folder}")
                alice.ok(r"STORE 1:4 +FLAGS (\Deleted)")
                alice.ok("EXPUNGE")
        except BaseException as error:
            failed.append(error)

    writers = [threading.Thread(target=append, args=(folder,)) for folder in ("INBOX", "child", "other")]
    for writer in writers:
        writer.start()
    rounds = 0
    while rounds < 2 or any(writer.is_alive() for writer in writers):
        server.run("quota", "-f", "-q", kind=kind)
        rounds += 1
    for writer in writers:
        writer.join()
    server.stop()
    server.lmtp_socket.unlink(missing_ok=True)
    assert not failed
    for program in ("ours", "reference"):
        assert server.run("quota", "-f", "-n", kind=program).stderr == b""
