"""reconstruct and mbexamine against the original: the same damage, the same words, the same result."""

from __future__ import annotations

import os
import re
import shutil
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

import pytest

from cassandane.instance import Instance, give_away
from cassandane.messages import corpus, message

pytestmark = [pytest.mark.reference, pytest.mark.timeout(300)]

OTHER = b"From: other@example.org\r\nSubject: other\r\nDate: Tue, 2 Jan 2024 10:00:00 +0000\r\n\r\nother\r\n"
# times, and the sums that depend on them
CHANGING = re.compile(
    rb"(LASTUPD :|SAVEDATE:|UIDValidity: |updating sync_crc(?:_annot)? )[\d =>]+|\(\d{9,} -> \d{9,}\)"
    rb"|\(\d{9,}\) [A-Z][a-z]{2} [A-Z][a-z]{2} .*"
)


class Spool:
    """A stopped server's mail, to be damaged and restored."""

    def __init__(self, server: Instance) -> None:
        self.server = server
        self.saved = server.directory / "saved"
        self.saved.mkdir()
        for name in ("conf", "spool"):
            shutil.copytree(server.directory / name, self.saved / name, symlinks=True)
        headers = (server.directory / "spool").rglob("cyrus.header")
        self.mailbox = next(path.parent for path in headers if b" N user.alice " in path.read_bytes())

    def restore(self) -> None:
        for name in ("conf", "spool"):
            shutil.rmtree(self.server.directory / name)
            shutil.copytree(self.saved / name, self.server.directory / name, symlinks=True)

    def own(self) -> None:
        """Copying and damaging was done as whoever runs the tests."""
        for name in ("conf", "spool"):
            for directory, _, names in os.walk(self.server.directory / name):
                give_away(Path(directory))
                for file in names:
                    give_away(Path(directory, file))

    def write(self, name: str, data: bytes) -> None:
        (self.mailbox / name).write_bytes(data)
        os.utime(self.mailbox / name, (1700000000, 1700000000))

    def remove(self, name: str) -> None:
        (self.mailbox / name).unlink()

    def patch(self, offset: int, data: bytes) -> None:
        """Change the index header, with a good CRC."""
        index = bytearray((self.mailbox / "cyrus.index").read_bytes())
        index[offset : offset + len(data)] = data
        index[156:160] = struct.pack(">I", crc32(index[:156]))
        (self.mailbox / "cyrus.index").write_bytes(index)

    def patch_record(self, recno: int, offset: int, data: bytes, *, sound: bool = True) -> None:
        """Change an index record, with a good CRC if ``sound``."""
        index = bytearray((self.mailbox / "cyrus.index").read_bytes())
        start = 160 + 112 * (recno - 1)
        index[start + offset : start + offset + len(data)] = data
        if sound:
            index[start + 108 : start + 112] = struct.pack(">I", crc32(index[start : start + 108]))
        (self.mailbox / "cyrus.index").write_bytes(index)


@pytest.fixture(scope="module")
def spool() -> Iterator[Spool]:
    server = Instance(imapd_conf={"expunge_mode": "delayed"}, master="reference", programs={
        "imap": "reference", "lmtp": "reference", "lmtpunix": "reference",
    })  # fmt: skip
    server.start()
    server.create_user("alice")
    with server.imap("admin") as admin:
        admin.ok("SETQUOTA user/alice (STORAGE 100000)")
    with server.lmtp() as lmtp:
        for text in corpus(6, seed=3, largest=3000):
            assert lmtp.deliver(text, "alice")[0].startswith("250")
    with server.imap("alice") as alice:
        alice.append("INBOX", message("flagged", "1"), flags=r"(\Flagged Work)")
        alice.ok("SELECT INBOX")
        alice.ok(r"STORE 1:2 +FLAGS (\Seen $Label1)")
        alice.ok(r"STORE 4 +FLAGS (\Deleted)")
        alice.ok("EXPUNGE")
    server.stop()
    server.lmtp_socket.unlink(missing_ok=True)
    yield Spool(server)
    server.remove()


class Case(NamedTuple):
    damage: Callable[[Spool], object]
    options: tuple[str, ...] = ()


def nothing(spool: Spool) -> None:
    pass


CASES = {
    "healthy": Case(nothing),
    "healthy, read all": Case(nothing, ("-G",)),
    "healthy, quietly": Case(nothing, ("-q",)),
    "converted": Case(nothing, ("-V", "14")),
    "file lost": Case(lambda spool: spool.remove("3.")),
    "file lost, dry run": Case(lambda spool: spool.remove("3."), ("-n",)),
    "new file": Case(lambda spool: spool.write("90.", OTHER)),
    "file emptied": Case(lambda spool: spool.write("2.", b"")),
    "file exchanged": Case(lambda spool: spool.write("2.", OTHER)),
    "file exchanged, new uid": Case(lambda spool: spool.write("2.", OTHER), ("-R",)),
    "file exchanged, remove": Case(lambda spool: spool.write("2.", OTHER), ("-U",)),
    "file unreadable": Case(lambda spool: (spool.mailbox / "2.").chmod(0), ("-G",)),
    "odd file": Case(lambda spool: spool.write("notes", b"x")),
    "odd file removed": Case(lambda spool: spool.write("notes", b"x"), ("-O",)),
    "record damaged": Case(lambda spool: spool.patch_record(2, 12, b"\0\0\0\7", sound=False)),
    "record wrong": Case(lambda spool: spool.patch_record(2, 12, b"\0\0\0\7")),
    "modseq from the future": Case(lambda spool: spool.patch_record(2, 80, struct.pack(">Q", 999))),
    "flags without name": Case(lambda spool: spool.patch_record(1, 36, b"\xff\0\0\0")),
    "cache lost": Case(lambda spool: spool.remove("cyrus.cache")),
    "counters wrong": Case(lambda spool: spool.patch(48, struct.pack(">III", 5, 6, 7))),
    "sums wrong": Case(lambda spool: spool.patch(100, b"\1\2\3\4")),
    "uidvalidity differs": Case(lambda spool: spool.patch(44, b"\0\0\0\7"), ("-M",)),
    "index lost": Case(lambda spool: spool.remove("cyrus.index")),
}


def settled(text: bytes) -> bytes:
    return CHANGING.sub(b"", text)


@pytest.mark.parametrize("name", CASES)
def test_both_mend_alike(spool: Spool, name: str) -> None:
    case, server = CASES[name], spool.server
    results = []
    for kind in ("reference", "ours"):
        spool.restore()
        case.damage(spool)
        spool.own()
        done = server.run("reconstruct", *case.options, "user/alice", kind=kind, check=False)
        again = server.run("reconstruct", "-n", "-G", "user/alice", kind="reference")
        shown = server.run("mbexamine", "user/alice", kind="reference")
        quota = server.run("quota", "user/alice", kind="reference")
        files = sorted(set(os.listdir(spool.mailbox)) - {"cyrus.annotations"})
        results.append(
            {
                "exit": done.returncode,
                "said": settled(done.stdout),
                "complained": done.stderr,
                "said again": settled(again.stdout),
                "mbexamine": settled(shown.stdout),
                "quota": quota.stdout,
                "files": files,
            }
        )
    for key, theirs in results[0].items():
        assert results[1][key] == theirs, key


@pytest.mark.parametrize(
    "options", [(), ("-q",), ("-c",), ("-cq",), ("-u", "3"), ("-s", "1"), ("-u", "99")]
)
@pytest.mark.parametrize("name", ["healthy", "file lost", "new file", "file exchanged", "record wrong"])
def test_mbexamine_prints_the_same(spool: Spool, name: str, options: tuple[str, ...]) -> None:
    spool.restore()
    CASES[name].damage(spool)
    spool.own()
    theirs = spool.server.run("mbexamine", *options, "user/alice", kind="reference")
    ours = spool.server.run("mbexamine", *options, "user/alice")
    assert ours.stdout == theirs.stdout
    assert ours.stderr == theirs.stderr == b""


MISUSE = [("-r",), ("-u",), ("-m",), ("-u", "-P", "x"), ("-p", "default"), ("-p", "default", "user/alice")]


@pytest.mark.parametrize("arguments", MISUSE)
def test_misuse_ends_alike(spool: Spool, arguments: tuple[str, ...]) -> None:
    theirs = spool.server.run("reconstruct", *arguments, kind="reference", check=False)
    ours = spool.server.run("reconstruct", *arguments, check=False)
    assert ours.returncode == theirs.returncode == 64
    assert ours.stdout == theirs.stdout
    # but for the list of options
    assert theirs.stderr.startswith(b"Usage") or ours.stderr.strip() == theirs.stderr.strip()


def test_a_header_file_makes_its_records(spool: Spool) -> None:
    results = []
    for kind in ("reference", "ours"):
        spool.restore()
        spool.own()
        server = spool.server
        listing = server.directory / "conf/mailboxes.db"
        server.run("cyr_dbtool", str(listing), "twoskip", "delete", "Nuser\x1falice", kind="reference")
        done = server.run("reconstruct", "-P", str(spool.mailbox / "cyrus.header"), kind=kind)
        records = server.run("cyr_dbtool", str(listing), "twoskip", "show", kind="reference")
        results.append((done.stdout, re.sub(rb" M \d+", b"", records.stdout)))
    assert results[0] == results[1]
    assert results[1][0].startswith(b"created mbentry for user.alice (")


def test_a_lost_user_is_found_by_the_names_in_headers(spool: Spool) -> None:
    """The original crashes here unless the mailbox has its directory by name."""
    spool.restore()
    spool.own()
    server = spool.server
    listing = str(server.directory / "conf/mailboxes.db")
    uniqueid = spool.mailbox.name
    for key in ("Nuser\x1falice", f"I{uniqueid}"):
        server.run("cyr_dbtool", listing, "twoskip", "delete", key, kind="reference")
    done = server.run("reconstruct", "-p", "default", "user/alice")
    assert done.stdout.endswith(b"user/alice\n")
    assert uniqueid.encode() in server.run("mbexamine", "user/alice", kind="reference").stdout
    assert server.run("reconstruct", "-n", "-G", "user/alice", kind="reference").stdout == b"user/alice\n"


def test_an_acl_that_the_header_has_wrong_is_mended(spool: Spool) -> None:
    """mailboxes.db is what servers go by; the original says that it would mend this, and does not."""
    spool.restore()
    header = (spool.mailbox / "cyrus.header").read_bytes()
    wrong = header.replace(b"(alice lrswipkxtecdan)", b"(alice lrswipkxtecda)")
    assert wrong != header
    (spool.mailbox / "cyrus.header").write_bytes(wrong)
    spool.patch(96, struct.pack(">I", crc32(wrong)))
    spool.own()
    server = spool.server
    done = server.run("reconstruct", "-n", "user/alice")
    assert b"update header acl from mailboxes.db" in done.stdout
    assert (spool.mailbox / "cyrus.header").read_bytes() == wrong
    server.run("reconstruct", "user/alice")
    assert b"lrswipkxtecdan" in (spool.mailbox / "cyrus.header").read_bytes()
    assert server.run("reconstruct", "-n", "user/alice", kind="reference").stdout == b"user/alice\n"
