"""reconstruct against the original where mailboxes lie in other places than by default.

Each case damages one mailbox, lets both repair it, and compares what they said, what the original's tools
say afterwards, and which files there are.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from cassandane.instance import Instance, give_away
from cassandane.messages import corpus, message
from libcyrus.mailbox.header import MAGIC

pytestmark = [pytest.mark.reference, pytest.mark.timeout(300)]

PLACES = ("conf", "spool", "meta", "index", "archive")
LAYOUTS = {
    "legacy": {"mailbox_legacy_dirs": "yes"},
    "with conversations": {"conversations": "yes", "conversations_db": "twoskip"},
    "metapartition": {
        "metapartition_files": "header index cache expunge squat annotations lock dav archivecache",
        "metapartition-default": "{0}/meta",
    },
    "legacy with metadata in three places": {
        "mailbox_legacy_dirs": "yes", "metapartition_files": "header cache",
        "metapartition-default": "{0}/meta", "metadir-index-default": "{0}/index",
    },
    "archive": {
        "archive_enabled": "yes", "archivepartition-default": "{0}/archive", "archive_maxsize": "2",
    },
}  # fmt: skip
# times, what depends on them, and what is only said if the clock went on
CHANGING = re.compile(
    rb"Wrong uidvalidity in mbentry, fixing .*\n|"
    rb'"(?:mtime|uidvalidity)": "\d+"'
    rb"|(LASTUPD :|SAVEDATE:|UIDValidity: |updating sync_crc(?:_annot)? )[\d =>]+"
    rb"|\(\d{9,} -> \d{9,}\)| \d{10}\b|\(\d{9,}\) [A-Z][a-z]{2} [A-Z][a-z]{2} .*| [MV] \d+"
)
OTHER = b"From: x@example.org\r\n\r\nx\r\n"


class Spool:
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

    def path(self, name: str) -> Path:
        """A file of alice's INBOX, or where a new message file would be."""
        roots = [self.top / "saved" / place for place in PLACES[1:]]
        header, root = next(
            (path, root) for root in roots for path in root.rglob("cyrus.header")
            if b" N user.alice " in path.read_bytes()
        )  # fmt: skip
        below = header.parent.relative_to(root)
        for root in roots:
            if (root / below / name).exists() and (name, root.name) != ("cyrus.cache", "archive"):
                return self.top / root.name / below / name
        return self.top / "spool" / below / name

    def write(self, name: str, data: bytes) -> None:
        self.path(name).write_bytes(data)
        os.utime(self.path(name), (1700000000, 1700000000))

    def patch(self, name: str, place: int, data: bytes) -> None:
        old = self.path(name).read_bytes()
        self.write(name, old[:place] + data + old[place + len(data) :])

    def cut(self, name: str, size: int) -> None:
        self.path(name).write_bytes(self.path(name).read_bytes()[:size])

    def forget(self, *keys: str) -> None:
        for key in keys:
            self.server.run(
                "cyr_dbtool", str(self.top / "conf/mailboxes.db"), "twoskip", "delete", key, kind="reference"
            )

    def uniqueid(self) -> str:
        text = self.path("cyrus.header").read_bytes().decode("latin-1")
        return text.partition(" I ")[2].split(" ")[0]

    def conversations(self) -> list[bytes]:
        """All records of conversations databases, without times."""
        shown = b""
        for path in sorted((self.top / "conf").rglob("conversations.db")):
            shown += self.server.run("cyr_dbtool", str(path), "twoskip", "show", kind="reference").stdout
        return re.sub(rb"\b\d{10}\b", b"", shown).split(b"\n")

    def files(self) -> list[str]:
        return sorted(
            str(path.relative_to(self.top)) for place in PLACES[1:] for path in (self.top / place).rglob("*")
            if path.is_file() and path.name != "cyrus.annotations"
        )  # fmt: skip


@pytest.fixture(scope="module", params=LAYOUTS)
def spool(request: pytest.FixtureRequest) -> Iterator[Spool]:
    services = ("imap", "lmtp", "lmtpunix")
    server = Instance(
        imapd_conf={"expunge_mode": "delayed"}, master="reference", services=services,
        programs=dict.fromkeys(services, "reference"),
    )  # fmt: skip
    for place in PLACES[1:]:
        (server.directory / place).mkdir(exist_ok=True)
        give_away(server.directory / place)
    for option, value in LAYOUTS[request.param].items():
        server.settings[option] = value.format(server.directory)
    server.write_configuration()
    server.start()
    server.create_user("alice", "child", "child/grand")
    with server.imap("admin") as admin:
        admin.ok("SETQUOTA user/alice (STORAGE 100000 MESSAGE 50)")
    with server.lmtp() as lmtp:
        for text in corpus(6, seed=3, largest=3000):
            assert lmtp.deliver(text, "alice")[0].startswith("250")
    with server.imap("alice") as alice:
        alice.append("INBOX", message("flagged", "1"), flags=r"(\Flagged Work)")
        alice.append("child", message("child", "1"))
        alice.ok("SELECT INBOX")
        alice.ok(r"STORE 1:2 +FLAGS (\Seen $Label1)")
        alice.ok(r"STORE 4 +FLAGS (\Deleted)")
        alice.ok("EXPUNGE")
        alice.ok('STORE 3 ANNOTATION (/comment (value.shared "abc"))')
    server.stop()
    server.lmtp_socket.unlink(missing_ok=True)
    yield Spool(server)
    server.remove()


class Case(NamedTuple):
    damage: Callable[[Spool], object]
    arguments: tuple[str, ...] = ("user/alice",)


def old_header(spool: Spool) -> None:
    text = f"user.alice\t{spool.uniqueid()}\nWork $Label1\nalice\tlrswipkxtecdan\t\n"
    spool.write("cyrus.header", MAGIC + text.encode())


def lose_files(spool: Spool) -> None:
    for uid in (1, 3, 7):
        spool.path(f"{uid}.").unlink()


def lose_both(spool: Spool) -> None:
    paths = [spool.path("cyrus.index"), spool.path("cyrus.header")]
    for path in paths:
        path.unlink()


def add_files(spool: Spool) -> None:
    for uid in (0, 20, 30):
        spool.write(f"{uid}.", OTHER)


CASES = {
    "nothing": Case(lambda spool: None, ()),
    "header of old": Case(old_header),
    "header of another id": Case(lambda spool: spool.write(
        "cyrus.header", spool.path("cyrus.header").read_bytes().replace(spool.uniqueid().encode(), b"a" * 24)
    )),
    "index cut in a record": Case(lambda spool: spool.cut("cyrus.index", -30)),
    "index cut in the header": Case(lambda spool: spool.cut("cyrus.index", 100)),
    "index checksum": Case(lambda spool: spool.patch("cyrus.index", 40, b"\1")),
    "index lost": Case(lambda spool: spool.path("cyrus.index").unlink()),
    "index and header lost": Case(lose_both),
    "cache cut": Case(lambda spool: spool.cut("cyrus.cache", 1000)),
    "cache overwritten": Case(lambda spool: spool.patch("cyrus.cache", 500, b"\xff" * 300)),
    "cache of another generation": Case(lambda spool: spool.patch("cyrus.cache", 0, b"\0\0\0\x99")),
    "messages lost": Case(lose_files),
    "messages lost, not looked for": Case(lose_files, ("-s", "user/alice")),
    "messages found": Case(add_files),
    "message exchanged": Case(lambda spool: spool.patch("3.", 0, b"X"), ("-G", "user/alice")),
    "message exchanged, new uid": Case(lambda spool: spool.patch("3.", 0, b"X"), ("-GR", "user/alice")),
    "expunged message exchanged": Case(lambda spool: spool.patch("4.", 0, b"X"), ("-G", "user/alice")),
    "record by id lost": Case(lambda spool: spool.forget(f"I{spool.uniqueid()}")),
    "by user": Case(lose_files, ("-u", "alice")),
    "recursively": Case(lose_files, ("-rf", "user/alice")),
}  # fmt: skip
#: the others are for a longer run
QUICK = ("header of old", "cache cut", "index lost", "messages found")


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.long) for name in CASES]
)
def test_both_mend_alike(spool: Spool, name: str) -> None:
    case, server = CASES[name], spool.server
    results = []
    for kind in ("reference", "ours"):
        spool.restore()
        case.damage(spool)
        spool.own()
        done = server.run("reconstruct", *case.arguments, kind=kind, check=False)
        result: dict[str, object] = {
            "exit": done.returncode,
            "said": CHANGING.sub(b"", done.stdout),
            "complained": done.stderr,
        }
        for program, *arguments in (
            ("reconstruct", "-n", "-G"), ("mbexamine", "user/alice*"), ("quota",), ("ctl_mboxlist", "-d"),
        ):  # fmt: skip
            shown = server.run(program, *arguments, kind="reference", check=False)
            result[program] = CHANGING.sub(b"", shown.stdout + shown.stderr)
        annotations = str(spool.path("cyrus.annotations"))
        shown = server.run("cyr_dbtool", annotations, "twoskip", "show", kind="reference", check=False)
        result["annotations"] = shown.stdout
        result["files"] = spool.files()
        result["conversations"] = spool.conversations()
        results.append(result)
    for key, theirs in results[0].items():
        assert results[1][key] == theirs, key


def test_directories_without_a_record_are_discovered(spool: Spool) -> None:
    """Where a child's directory lies in its parent's; the original crashes on the way."""
    spool.restore()
    assert bool(b"".join(spool.conversations())) == ("conversations" in spool.server.settings)
    spool.forget("Nuser\x1falice\x1fchild", "Nuser\x1falice\x1fchild\x1fgrand")
    done = spool.server.run("reconstruct", "-rf", "user/alice")
    assert done.stderr == b""
    if "mailbox_legacy_dirs" not in spool.server.settings:
        assert done.stdout == b"user/alice\n"
        return
    assert re.sub(rb"\(\d+ -> \d+\)", b"", done.stdout).split(b"\n") == [
        b"user/alice",
        b"discovered user.alice.child",
        b"Wrong uidvalidity in mbentry, fixing user.alice.child ",
        b"user/alice/child",
        b"discovered user.alice.child.grand",
        b"Wrong uidvalidity in mbentry, fixing user.alice.child.grand ",
        b"user/alice/child/grand",
        b"",
    ]
    again = spool.server.run("reconstruct", "-n", "-G", kind="reference")
    assert again.stdout.split() == [b"user/alice", b"user/alice/child", b"user/alice/child/grand"]


def test_an_id_that_is_taken_changes_only_where_it_is_no_directory(spool: Spool) -> None:
    """The original says the same, but its records then contradict each other."""
    spool.restore()
    server, listing = spool.server, str(spool.top / "conf/mailboxes.db")
    record = server.run("cyr_dbtool", listing, "twoskip", "get", "Nuser\x1falice", kind="reference").stdout
    child = "Nuser\x1falice\x1fchild"
    server.run("cyr_dbtool", listing, "twoskip", "set", child, record.decode().strip(), kind="reference")
    if "mailbox_legacy_dirs" in server.settings:
        # its header has its own id
        header = next(
            path for place in PLACES[1:] for path in (spool.top / place).rglob("cyrus.header")
            if b" N user.alice.child " in path.read_bytes()
        )  # fmt: skip
        text = header.read_bytes().decode("latin-1")
        own = text.partition(" I ")[2].split(" ")[0]
        header.write_bytes(text.replace(own, spool.uniqueid()).encode("latin-1"))
        expected = 0
    else:
        expected = 1
    done = server.run("reconstruct", "-I", "user/alice/child", check=False)
    assert (done.returncode, done.stderr) == (expected, b"")
    assert b"Wrong uniqueid! user.alice (should be user.alice.child)" in done.stdout
    assert server.run("reconstruct", "-n", "user/alice", kind="reference").stdout == b"user/alice\n"
