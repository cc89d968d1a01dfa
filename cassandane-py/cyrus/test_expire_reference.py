"""cyr_expire, unexpunge, ipurge and cyrdump against the original: the same words, the same files."""

from __future__ import annotations

import re
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from zlib import crc32

import pytest

from cassandane.instance import Instance, give_away
from cassandane.messages import message
from cassandane.spools import SavedSpool
from libcyrus.config import Config
from libcyrus.cyrusdb import open_db
from libcyrus.mailbox import index_record
from libcyrus.records.annotate import NAMESPACE, AnnotationDb
from libcyrus.records.mboxlist import Mboxlist

pytestmark = [pytest.mark.reference, pytest.mark.timeout(300)]

DAY = 86400
FOLDERS = ("old", "hours", "never", "odd", "R&AOk-sum&AOk-")
ANNOTATIONS = {
    ("user.alice.old", "expire"): b"3",
    ("user.alice.hours", "expire"): b"1.5h",
    ("user.alice.never", "expire"): b"0",
    ("user.alice.odd", "expire"): b"3 days",
    # in the original it would also count for mailboxes behind this last one
    ("user.bob", "archive"): b"0",
}
# records of removed mailboxes that the original forgets
LEFT_OVER = re.compile(
    r"theirs: (mailboxes.db: b'I\w+' b'%\(T el? N DELETED|annotations.db: .*/delete|files: archive/)"
)
BOUNDARY = re.compile(rb"dump-\d+-\d+-\d+")
# behind the last message the original prints what happens to be in memory
GARBAGE = re.compile(rb"(?<=Content-ID: )(?:0|\d{4,}|-\d+)")


def dated(days: float, body: str = "body") -> bytes:
    """A message written so long ago."""
    date = time.strftime("%a, %d %b %Y %H:%M:%S +0000", time.gmtime(time.time() - days * DAY))
    text = message(f"{days} days", body)
    return re.sub(rb"Date: [^\r]*", b"Date: " + date.encode(), text)


def append(server: Instance, user: str, mailbox: str, text: bytes, days: float = 0, flags: str = "") -> None:
    when = time.strftime("%d-%b-%Y %H:%M:%S +0000", time.gmtime(time.time() - days * DAY))
    with server.imap(user) as client:
        client.ok(f'APPEND "{mailbox}" ({flags}) "{when}" {{}}', text)


def fill(server: Instance) -> None:
    server.create_user("alice", *FOLDERS, "gone", "kept", "gone/below")
    server.create_user("bob")
    with server.imap("admin") as admin:
        for name in ("shared", "shared/below"):
            admin.ok(f"CREATE {name}")
            admin.ok(f"SETACL {name} alice lrswipkxte")
        admin.ok("SETQUOTA user/alice (STORAGE 100000 MESSAGE 1000)")
    with server.lmtp() as lmtp:
        for number in range(5):
            text = message(f"number {number}", "text\r\n" * number * 40)
            assert lmtp.deliver(text, "alice", "bob")[0].startswith("250")
    for folder in FOLDERS:
        for number, days in enumerate((100, 20, 2, 0.1, 0, -2)):
            text = dated(days, "x" * 300 * number)
            append(server, "alice", folder, text, max(days, 0), f"Flag{number} Work")
        append(server, "alice", folder, dated(1, "big\r\n" * 500), 1, r"\Flagged")
    for folder in ("gone", "kept", "gone/below"):
        append(server, "alice", folder, dated(5))
    for folder in ("Shared Folders/shared", "Shared Folders/shared/below"):
        append(server, "alice", folder, dated(40), 3)
        append(server, "alice", folder, dated(1), 3, r"\Flagged \Deleted")
    with server.imap("alice") as alice:
        alice.ok("SELECT INBOX")
        alice.ok("STORE 1:4 +FLAGS (Lost Kept)")
        alice.ok('STORE 2:4 ANNOTATION (/comment (value.shared "mine" value.priv "secret"))')
        alice.ok(r"STORE 2:4 +FLAGS (\Deleted \Seen)")
        alice.ok("EXPUNGE")
        alice.ok("STORE 1 -FLAGS (Lost)")
        alice.ok("SELECT never")
        alice.ok(r"STORE 1 +FLAGS (\Deleted)")
        for folder in ("gone/below", "gone", "kept"):
            alice.ok(f"DELETE {folder}")


def age(server: Instance, config: Config) -> None:
    """Make some of it older than it is, and annotate."""
    mailboxes = Mboxlist(config)
    kept = next(entry for entry in mailboxes.all("DELETED.user.alice.kept"))
    with AnnotationDb(config).transaction() as change:
        for (name, word), value in ANNOTATIONS.items():
            change.write(mailboxes.lookup(name).uniqueid or "", NAMESPACE + word, "", value)
        change.write(kept.uniqueid or "", NAMESPACE + "delete", "", b"100")
    inbox = mailboxes.lookup("user.alice")
    mailboxes.close()
    path = next((server.directory / "spool").glob(f"uuid/*/*/{inbox.uniqueid}")) / "cyrus.index"
    index = bytearray(path.read_bytes())
    for recno, seconds in ((2, 10 * DAY), (3, 7200)):
        start = 160 + 112 * (recno - 1)
        at = start + index_record.OFFSET_LAST_UPDATED
        index[at : at + 4] = struct.pack(">I", int(time.time()) - seconds)
        index[start + 108 : start + 112] = struct.pack(">I", crc32(index[start : start + 108]))
    path.write_bytes(index)
    database = open_db("twoskip", str(server.directory / "conf/mailboxes.db"))
    key = next(key for key, _ in database.foreach(b"Nuser\x1falice\x1fgone"))
    record = database.fetch(key)
    assert record is not None
    aged = re.sub(rb"(\bM )\d+", rb"\g<1>%d" % (time.time() - 8 * DAY), record)
    assert aged != record
    database.store(key, aged)
    database.close()


@contextmanager
def filled(**settings: str) -> Iterator[SavedSpool]:
    """The mail that a server of the original was filled with."""
    server = Instance(
        imapd_conf={
            "expunge_mode": "delayed", "annotation_enable_legacy_commands": "yes", "archive_enabled": "yes",
            "archive_after": "30d", "archive_maxsize": "2",
        },
        master="reference",
        programs=dict.fromkeys(("imap", "lmtp", "lmtpunix"), "reference"),
    )  # fmt: skip
    for name in ("archive", "meta"):
        (server.directory / name).mkdir()
        give_away(server.directory / name)
    server.settings["archivepartition-default"] = str(server.directory / "archive")
    server.settings |= {key: value.format(directory=server.directory) for key, value in settings.items()}
    server.write_configuration()
    server.start()
    fill(server)
    server.stop()
    server.lmtp_socket.unlink(missing_ok=True)
    if not settings:
        age(server, Config.load(str(server.config), "test"))
    yield SavedSpool(server, "archive", "meta")
    server.remove()


@pytest.fixture(scope="module")
def spool() -> Iterator[SavedSpool]:
    with filled() as found:
        yield found


Outcome = tuple[int, bytes, bytes, dict[str, list[str]], bytes]


def run(spool: SavedSpool, kind: str, program: str, *arguments: str) -> Outcome:
    spool.restore()
    done = spool.server.run(program, *arguments, kind=kind, check=False)
    printed = GARBAGE.sub(b"", BOUNDARY.sub(b"BOUNDARY", done.stdout))
    picture = spool.picture()
    found = spool.server.run("reconstruct", "-n", "-G", "-q", kind="reference")
    return done.returncode, printed, done.stderr, picture, found.stdout + found.stderr


def differences(ours: dict[str, list[str]], theirs: dict[str, list[str]]) -> list[str]:
    found = []
    for place in sorted(ours.keys() | theirs.keys()):
        left, right = ours.get(place, []), theirs.get(place, [])
        found += [f"ours: {place}: {line}" for line in left if line not in right]
        found += [f"theirs: {place}: {line}" for line in right if line not in left]
    return found


def same(spool: SavedSpool, program: str, *arguments: str) -> Outcome:
    """What both do."""
    theirs = run(spool, "reference", program, *arguments)
    ours = run(spool, "ours", program, *arguments)
    assert ours[:3] == theirs[:3]
    assert [line for line in differences(ours[3], theirs[3]) if not LEFT_OVER.match(line)] == []
    assert ours[4] == theirs[4]
    return ours


# what a run expunges itself may be older than 0 seconds in it, or not: so -X 0 goes with -a
EXPIRE = (
    "-X 0 -a", "-X 1h", "-X 2.5d", "-X 100", "-E 1", "-E 0 -X 1h", "-E 0", "-t", "-t -a -X 0", "-D 0",
    "-D 1h", "-D 0 -a", "-A 0", "-A 3d", "-A 0 -a", "-A 90", "-x -E 1 -X 0", "-p user/alice -X 1h",
    "-p user/alice/o -X 1h -t", "-p user/alice/ -a -X 0", "-u alice -X 1h -D 0", "-u bob -X 0 -D 0 -A 0",
    "-u nobody -X 0", "-p nothing -X 0", "-A 0 -D 0 -E 0.001s -X 2h -t -c extra",
)  # fmt: skip


@pytest.mark.parametrize("options", EXPIRE)
def test_cyr_expire_does_the_same(spool: SavedSpool, options: str) -> None:
    assert same(spool, "cyr_expire", "-v", *options.split())[0] == 0


@pytest.mark.parametrize("options", ["", "-h", "-X 1x", "-X 1dd", "-X -1", "-u a -p b -X 1", "-Q", "-A"])
def test_cyr_expire_refuses_the_same(spool: SavedSpool, options: str) -> None:
    theirs = spool.server.run("cyr_expire", *options.split(), kind="reference", check=False)
    ours = spool.server.run("cyr_expire", *options.split(), check=False)
    assert (ours.returncode, ours.stdout) == (theirs.returncode, theirs.stdout)
    assert ours.returncode


def test_cyr_expire_needs_a_database_of_deliveries(spool: SavedSpool) -> None:
    spool.restore()
    path = spool.server.directory / "conf/deliver.db"
    path.unlink()
    path.mkdir()
    theirs = spool.server.run("cyr_expire", "-X", "0", kind="reference", check=False)
    ours = spool.server.run("cyr_expire", "-X", "0", check=False)
    assert (ours.returncode, ours.stderr) == (theirs.returncode, theirs.stderr)
    assert ours.returncode == 1


UNEXPUNGE = (
    "-l user/alice", "-l user/alice 3 2 77", "-l user/bob", "-l user/nobody", "-a -v user/alice",
    "-a user/bob", "-t 1h -v user/alice", "-t 3000 -v user/alice", "-t 2w -v user/alice",
    "-u -v user/alice 4 1 2 99", "-a -d -f Label -v user/alice", "-a -f Kept user/alice",
)  # fmt: skip


@pytest.mark.parametrize("options", UNEXPUNGE)
def test_unexpunge_does_the_same(spool: SavedSpool, options: str) -> None:
    assert same(spool, "unexpunge", *options.split())[0] == 0


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ("-a -f bad( user/alice", 31),
        ("-a user/nobody", 20),
        (r"-a -f \Seen user/alice", 70),
        ("-u user/alice", 255),
        ("-a -l user/alice", 255),
        ("user/alice", 255),
    ],
)
def test_unexpunge_fails_with_the_same_code(spool: SavedSpool, options: str, code: int) -> None:
    theirs = run(spool, "reference", "unexpunge", *options.split())
    before = run(spool, "ours", "cyr_info", "version")[3]
    ours = run(spool, "ours", "unexpunge", *options.split())
    assert (ours[:2], ours[0]) == (theirs[:2], code)
    assert ours[3] == before


IPURGE = (
    "-d 1", "-d 1 -f", "-k 2 -f user/alice*", "-d 10 -b 1000 -f", "-d 2 -x -f", "-d 0 -x -f -i",
    "-b 900 -i -f user/alice/%", "-d 1 -X -f", "-d 2 -o", "-d 2 -s -v", "-d 1 -n shared*",
    "-b 0 -f -n user/alice", "-b 0 -M -v shared", "-d 1 -M -f shared/below user/alice/old user/none",
)  # fmt: skip


@pytest.mark.parametrize("options", IPURGE)
def test_ipurge_does_the_same(spool: SavedSpool, options: str) -> None:
    assert same(spool, "ipurge", *options.split())[0] == 0


@pytest.mark.parametrize("options", ["user/alice*", "-v user/bob", "user/alice/% shared", "nothing"])
def test_cyrdump_prints_the_same(spool: SavedSpool, options: str) -> None:
    assert same(spool, "cyrdump", *options.split())[0] == 0


@pytest.mark.long
@pytest.mark.parametrize(
    "settings",
    [
        {"expunge_mode": "semidelayed"},
        {"expunge_mode": "immediate"},
        {"mailbox_legacy_dirs": "yes"},
        {"metapartition-default": "{directory}/meta", "metapartition_files": "index cache header"},
        {"metapartition-default": "{directory}/meta", "metapartition_files": "cache archivecache"},
        {"archive_keepflagged": "yes", "archive_after": "1s"},
        {"delete_mode": "immediate"},
        {"auditlog": "yes"},
    ],
    ids=lambda settings: " ".join(settings.values()).replace("{directory}/", ""),
)
def test_other_settings_make_no_difference(settings: dict[str, str]) -> None:
    with filled(**settings) as spool:
        for command in (
            "cyr_expire -v -X 0 -E 1 -t", "cyr_expire -v -A 0 -D 0", "cyr_expire -v -A 0 -X 0",
            "cyr_expire -v -X 2d", "unexpunge -a -v user/alice", "ipurge -d 1 -f",
        ):  # fmt: skip
            program, *options = command.split()
            assert same(spool, program, *options)[0] == 0, command
