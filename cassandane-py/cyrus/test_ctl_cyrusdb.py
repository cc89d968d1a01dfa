"""ctl_cyrusdb: recovery at startup, copies, and the same beside the original."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cassandane import reference
from libcyrus import cyrusdb
from libcyrus.config import Config
from libcyrus.records import mbtype
from libcyrus.records.mbentry import MboxEntry
from libcyrus.records.mboxlist import Mboxlist

TOP = Path(__file__).resolve().parents[2]


class Server:
    """A configuration and its directory, without processes."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.conf = directory / "conf"
        self.conf.mkdir(parents=True)
        self.file = directory / "imapd.conf"
        self.configure()

    def configure(self, **options: str) -> None:
        settings = {
            "configdirectory": str(self.conf),
            "defaultpartition": "default",
            "partition-default": str(self.directory / "spool"),
            "cyrus_user": pwd.getpwuid(os.getuid()).pw_name,
            **options,
        }
        self.file.write_text("".join(f"{key}: {value}\n" for key, value in settings.items()))

    @contextmanager
    def mboxlist(self) -> Iterator[Mboxlist]:
        mailboxes = Mboxlist(Config.load(str(self.file), "test"))
        yield mailboxes
        mailboxes.close()

    def ours(self, *words: str) -> tuple[int, str, str]:
        return self._run([sys.executable, str(TOP / "bin/ctl_cyrusdb")], words)

    def theirs(self, *words: str) -> tuple[int, str, str]:
        return self._run([reference.program("ctl_cyrusdb")], words, reference.environment())

    def _run(
        self, program: list[str], words: tuple[str, ...], environment: dict[str, str] | None = None
    ) -> tuple[int, str, str]:
        done = subprocess.run(
            [*program, "-C", str(self.file), *words],
            capture_output=True,
            text=True,
            timeout=60,
            env=environment,
        )
        return done.returncode, done.stdout, done.stderr

    def files(self) -> dict[str, int]:
        """Every file below the configuration directory, with its size."""
        return {
            str(path.relative_to(self.conf)): path.stat().st_size
            for path in self.conf.rglob("*")
            if path.is_file()
        }


@pytest.fixture
def server(tmp_path: Path) -> Server:
    return Server(tmp_path / "server")


@pytest.mark.parametrize("words", [(), ("-r", "-c"), ("-c", "-x"), ("-x",), ("-r", "-r"), ("-z",)])
def test_usage_errors(server: Server, words: tuple[str, ...]) -> None:
    code, output, errors = server.ours(*words)
    assert (code, output) == (255, "")
    assert "Usage: ctl_cyrusdb" in errors
    assert server.files() == {}


def test_recovery_makes_the_mailbox_list(server: Server) -> None:
    assert server.ours("-r") == (0, "", "")
    assert server.files() == {"mailboxes.db": 336, "db/skipstamp": 4}


def test_recovery_without_cleanup_leaves_the_mailbox_list(server: Server) -> None:
    assert server.ours("-r", "-x") == (0, "", "")
    assert server.files() == {"db/skipstamp": 4}


def test_the_stamp_stays_after_a_clean_shutdown(server: Server) -> None:
    stamp = server.conf / "db/skipstamp"
    assert server.ours("-r", "-x")[0] == 0
    stamp.write_bytes(b"mark")
    (server.conf / "db/skipcleanshutdown").touch()
    assert server.ours("-r", "-x")[0] == 0
    assert server.files() == {"db/skipstamp": 4}
    assert stamp.read_bytes() == b"mark"
    assert server.ours("-r", "-x")[0] == 0
    assert stamp.read_bytes() != b"mark"


def test_recovery_removes_reserved_mailboxes(server: Server) -> None:
    left = server.directory / "spool/uuid/i/d/id-reserved"
    left.mkdir(parents=True)
    (left / "1.").write_text("a message")
    with server.mboxlist() as mailboxes:
        mailboxes.update(
            MboxEntry("user.joe", uniqueid="id-good", partition="default", acl="joe\tlrs\t")
        )
        mailboxes.update(
            MboxEntry(
                "user.joe.half",
                mbtype=mbtype.EMAIL | mbtype.RESERVE,
                uniqueid="id-reserved",
                partition="default",
                acl="",
            )
        )
    assert server.ours("-r") == (0, "", "")
    with server.mboxlist() as mailboxes:
        assert [entry.name for entry in mailboxes.all(tombstones=True, intermediates=True)] == ["user.joe"]
        assert mailboxes.get_all("user.joe.half") is None
    assert not left.exists()


def test_recovery_makes_and_drops_reverse_acls(server: Server) -> None:
    with server.mboxlist() as mailboxes:
        mailboxes.update(
            MboxEntry("user.joe", uniqueid="id", partition="default", acl="joe\tlrs\tann\tlr\t")
        )
    server.configure(reverseacls="yes")
    assert server.ours("-r") == (0, "", "")
    with cyrusdb.open_db("twoskip", server.conf / "mailboxes.db") as database:
        assert [key for key, _ in database.foreach(b"A")] == [b"AS\x1e", b"AU\x1eann\x1euser\x1fjoe"]
    server.configure(reverseacls="no")
    assert server.ours("-r") == (0, "", "")
    with cyrusdb.open_db("twoskip", server.conf / "mailboxes.db") as database:
        assert list(database.foreach(b"A")) == []


def test_recovery_converts_to_the_configured_backend(server: Server) -> None:
    with cyrusdb.open_db("twoskip", server.conf / "mailboxes.db", create=True) as database:
        database.store(b"key", b"value")
    server.configure(mboxlist_db="flat")
    assert server.ours("-r", "-x") == (0, "", "")
    assert (server.conf / "mailboxes.db").read_bytes() == b"key\tvalue\n"


def test_a_damaged_mailbox_list_stops_the_start(server: Server) -> None:
    (server.conf / "mailboxes.db").write_bytes(b"\xa1\x02\x8b\x0dtwoskip file" + bytes(100))
    code, _, errors = server.ours("-r")
    assert (code, errors) == (os.EX_TEMPFAIL, "fatal error: can't read mailboxes file\n")
    assert (server.conf / "mailboxes.db").stat().st_size == 116


def test_copies_are_rotated(server: Server) -> None:
    for name, backend in (("mailboxes.db", "twoskip"), ("annotations.db", "twoskip")):
        with cyrusdb.open_db(backend, server.conf / name, create=True) as database:
            database.store(b"a", b"1")
    with cyrusdb.open_db("twoskip", server.conf / "deliver.db", create=True):
        pass
    assert server.ours("-c") == (0, "", "")
    first = {name: size for name, size in server.files().items() if "/" in name}
    assert sorted(first) == ["db.backup1/annotations.db", "db.backup1/mailboxes.db"]
    with cyrusdb.open_db("twoskip", server.conf / "mailboxes.db") as database:
        database.store(b"a", b"2")
    for _ in range(2):
        assert server.ours("-c") == (0, "", "")
    for place in ("db.backup1", "db.backup2"):
        with cyrusdb.open_db("twoskip", server.conf / place / "mailboxes.db") as database:
            assert database.fetch(b"a") == b"2"


def test_copies_that_cannot_be_made_are_an_error(server: Server) -> None:
    (server.conf / "db.backup1").mkdir()
    (server.conf / "db.backup2/in the way").mkdir(parents=True)
    code, output, errors = server.ours("-c")
    assert (code, output, errors) == (1, "", "ctl_cyrusdb: unable to archive environment\n")


def test_good_copies_stay_when_a_database_cannot_be_read(server: Server) -> None:
    with cyrusdb.open_db("twoskip", server.conf / "mailboxes.db", create=True) as database:
        database.store(b"a", b"1")
    assert server.ours("-c") == (0, "", "")
    (server.conf / "mailboxes.db").write_bytes(b"\xa1\x02\x8b\x0dtwoskip file" + bytes(100))
    for _ in range(3):
        assert server.ours("-c")[0] == 1
    with cyrusdb.open_db("twoskip", server.conf / "db.backup1/mailboxes.db") as database:
        assert database.fetch(b"a") == b"1"
    assert sorted(server.files()) == ["db.backup1/mailboxes.db", "mailboxes.db"]


@pytest.mark.reference
@pytest.mark.parametrize("backend", ["flat", "skiplist", "sql", "twoskip"])
def test_every_backend_is_converted_and_copied_as_by_the_original(tmp_path: Path, backend: str) -> None:
    results = []
    for place in ("ours", "theirs"):
        server = Server(tmp_path / place)
        server.configure(
            sql_engine="sqlite",
            quota_db=backend,
            mboxlist_db=backend,
            annotation_db="skiplist" if backend == "twoskip" else "twoskip",
            duplicate_db="skiplist" if backend == "flat" else backend,
        )
        settings = cyrusdb.Settings(sql_engine="sqlite")
        for name in ("mailboxes.db", "quotas.db", "annotations.db", "deliver.db"):
            if backend == "sql" and name != "annotations.db":
                continue  # the original cannot turn a file into a table of its own
            with cyrusdb.open_db("skiplist", server.conf / name, create=True) as database:
                database.store(b"user.joe", b"value")
        (server.conf / "db").mkdir()
        run = server.ours if place == "ours" else server.theirs
        found: list[object] = [run("-r", "-x"), run("-c"), sorted(server.files())]
        for path in sorted(server.conf.glob("**/*.db")):
            kind = cyrusdb.detect(path) or backend
            with cyrusdb.open_db(kind, path, settings=settings) as database:
                found.append((path.name, kind, list(database.foreach())))
        results.append(found)
    assert results[0] == results[1]


def test_a_start_recovers_skiplists(server: Server) -> None:
    """Those of the whole server at once, others when they are opened."""
    server.configure(mboxlist_db="skiplist", duplicate_db="skiplist")
    for name in ("mailboxes.db", "deliver.db"):
        with cyrusdb.open_db("skiplist", server.conf / name, create=True) as database:
            database.store(b"I1", b"%(N x)")
        image = bytearray((server.conf / name).read_bytes())
        image[44:48] = bytes(4)
        (server.conf / name).write_bytes(image)
    assert server.ours("-r") == (0, "", "")
    stamp = int.from_bytes((server.conf / "db/skipstamp").read_bytes())
    content = (server.conf / "mailboxes.db").read_bytes()
    assert int.from_bytes(content[44:48]) >= stamp
    with cyrusdb.open_db(
        "skiplist",
        server.conf / "deliver.db",
        settings=cyrusdb.Settings(skipstamp=str(server.conf / "db/skipstamp")),
    ):
        pass
    assert int.from_bytes((server.conf / "deliver.db").read_bytes()[44:48]) >= stamp


def test_an_unknown_backend_is_refused(server: Server) -> None:
    server.configure(duplicate_db="berkeley")
    code, _, errors = server.ours("-c")
    assert code == os.EX_CONFIG
    assert "berkeley" in errors


@pytest.mark.reference
@pytest.mark.parametrize("words", [("-r",), ("-r", "-x"), ("-c",), (), ("-r", "-c"), ("-c", "-x")])
def test_the_original_does_the_same(tmp_path: Path, words: tuple[str, ...]) -> None:
    results = []
    for place in ("ours", "theirs"):
        server = Server(tmp_path / place)
        with cyrusdb.open_db("twoskip", server.conf / "mailboxes.db", create=True):
            pass
        with cyrusdb.open_db("twoskip", server.conf / "annotations.db", create=True):
            pass
        (server.conf / "db").mkdir()
        code, output, errors = server.ours(*words) if place == "ours" else server.theirs(*words)
        results.append((code, output, bool(errors), server.files()))
    assert results[0] == results[1]


@pytest.mark.reference
@pytest.mark.parametrize("present", [(), ("skipstamp",), ("skipstamp", "skipcleanshutdown")])
@pytest.mark.parametrize("words", [("-r",), ("-c",)])
def test_the_stamp_is_the_originals(tmp_path: Path, words: tuple[str, ...], present: tuple[str, ...]) -> None:
    """Made or left, by recovery only. After a clean shutdown without a stamp only later versions make one."""
    results = []
    for place in ("ours", "theirs"):
        server = Server(tmp_path / place)
        (server.conf / "db").mkdir()
        for name in present:
            (server.conf / "db" / name).write_bytes(b"mark")
        ran = server.ours(*words) if place == "ours" else server.theirs(*words)
        stamp = server.conf / "db/skipstamp"
        kept = stamp.exists() and stamp.read_bytes() == b"mark"
        results.append((ran, sorted(path.name for path in (server.conf / "db").iterdir()), kept))
    assert results[0] == results[1]
