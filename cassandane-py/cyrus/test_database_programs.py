"""cvt_cyrusdb, cyr_deny, ctl_deliver, tls_prune beside the original's: same words, outputs, files."""

from __future__ import annotations

import functools
import os
import re
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from cassandane.instance import Instance
from cassandane.tools import TOP, Ran, Tools
from libcyrus import cyrusdb
from libcyrus.cyrusdb import BUILT, Settings

GOLDEN = TOP / "cassandane-py/formats/databases"
open_db = functools.partial(cyrusdb.open_db, settings=Settings(sql_engine="sqlite"))

ROOTS = {b"user.joe": b"%(S (0 100))", b"user.joe.sub": b"%(S (1 200) M (2 3))", b"user-x": b"%()"}
ANY = ROOTS | {b"\xff\xfe": b"high", b"caf\xc3\xa9": b"", b"a b": b"x" * 900}


def same(tools: Tools, words: Sequence[str]) -> Ran:
    ours, theirs = tools.ours(words), tools.theirs(words)
    assert ours == theirs
    return ours


# cvt_cyrusdb


@pytest.mark.reference
@pytest.mark.parametrize("target", BUILT)
@pytest.mark.parametrize("source", BUILT)
def test_every_conversion_gives_what_the_originals_gives(source: str, target: str, tmp_path: Path) -> None:
    tools = Tools(tmp_path, "cvt_cyrusdb", sql_engine="sqlite")
    # SQL of the original carries at most 1,023 bytes, and no quotes
    records = ROOTS if "quotalegacy" in (source, target) else ANY
    for place in ("ours", "theirs"):
        with open_db(source, tmp_path / place / "old/quotas.db", create=True) as database:
            for key, value in records.items():
                database.store(key, value)
        (tmp_path / place / "new").mkdir()
    same(tools, ["@old/quotas.db", source, "@new/quotas.db", target])
    found = []
    for place in ("ours", "theirs"):
        with open_db(target, tmp_path / place / "new/quotas.db") as database:
            found.append(list(database.foreach()))
        assert dict(found[-1]) == records
    assert found[0] == found[1]
    shown = [
        tools.theirs([f"{tmp_path}/{place}/new/quotas.db", target, "show"], program="cyr_dbtool")
        for place in ("ours", "theirs")
    ]
    assert shown[0] == shown[1]
    assert shown[0][1].count(b"\n") == len(records)
    if target != "quotalegacy":
        for place in ("ours", "theirs"):
            assert os.listdir(tmp_path / place / "new") == ["quotas.db"]


@pytest.mark.reference
@pytest.mark.parametrize("target", ["flat", "skiplist", "twoskip"])
@pytest.mark.parametrize("source", ["flat", "skiplist", "twoskip"])
def test_conversions_in_place(source: str, target: str, tmp_path: Path) -> None:
    tools = Tools(tmp_path, "cvt_cyrusdb")
    for place in ("ours", "theirs"):
        with open_db(source, tmp_path / place / "db", create=True) as database:
            for key, value in ANY.items():
                database.store(key, value)
    same(tools, ["@db", source, "@db", target])
    for place in ("ours", "theirs"):
        with open_db(target, tmp_path / place / "db") as database:
            assert dict(database.foreach()) == ANY


@pytest.mark.reference
def test_conversions_that_fail(tmp_path: Path) -> None:
    tools = Tools(tmp_path, "cvt_cyrusdb", sql_engine="sqlite")
    for place in ("ours", "theirs"):
        (tmp_path / place / "junk").write_bytes(b"neither this nor that, and no header at all")
        with open_db("twoskip", tmp_path / place / "good", create=True) as database:
            database.store(b"a", b"1")
    for words in (
        ["relative", "flat", "@b", "flat"],
        ["@a", "flat", "relative", "flat"],
        ["@none", "twoskip", "@b", "flat"],
        ["@junk", "twoskip", "@b", "flat"],
        ["@junk", "skiplist", "@b", "flat"],
        ["@good", "bogus", "@b", "flat"],
        ["@good", "twoskip", "@b", "bogus"],
        ["@good", "twoskip", "@b", "zeroskip"],
        ["@good", "skiplist", "@b", "flat"],
    ):
        same(tools, words)
    assert (tmp_path / "ours/b").read_bytes() == (tmp_path / "theirs/b").read_bytes() == b"a\t1\n"


@pytest.mark.reference
@pytest.mark.parametrize("words", [[], ["/a"], ["/a", "flat", "/b"], ["/a", "flat", "/b", "flat", "more"]])
def test_cvt_cyrusdb_tells_of_its_backends(words: list[str], tmp_path: Path) -> None:
    tools = Tools(tmp_path, "cvt_cyrusdb")
    ours, theirs = tools.ours(words), tools.theirs(words)
    assert ours[:2] == theirs[:2] == (255, b"")
    assert [re.sub(rb" \S*cvt_cyrusdb", b" cvt_cyrusdb", ran[2]) for ran in (ours, theirs)] == [
        b"Usage: cvt_cyrusdb [-C altconfig] <old db> <old db backend> <new db> <new db backend>\n"
        b"Usable Backends:  : flat, skiplist, quotalegacy, sql, twoskip\n"
    ] * 2


# cyr_deny


@pytest.mark.reference
@pytest.mark.parametrize("backend", ["flat", "skiplist", "twoskip"])
def test_denying(backend: str, tmp_path: Path) -> None:
    tools = Tools(tmp_path, "cyr_deny", userdeny_db=backend)
    for words in (
        ["-l"],
        ["-a", "joe"],
        ["joe"],
        ["-l"],
        ["-s", "imap,!pop*", "-m", "not today\tsorry", "ann"],
        ["-s", "im\tap", "bob"],
        ["-m", "", "-s", "", "eve"],
        ["-m", "again", "joe"],
        ["-l"],
        ["-a", "ann"],
        ["-a", "nobody"],
        ["-l"],
    ):
        same(tools, words)
    shown = [["@conf/user_deny.db", backend, "show"]] * 2
    assert tools.theirs(shown[0], program="cyr_dbtool") == tools.ours(shown[1], program="cyr_dbtool")


@pytest.mark.reference
@pytest.mark.parametrize(
    "words", [[], ["-a"], ["-l", "joe"], ["-a", "-l"], ["-a", "-s", "x", "joe"], ["a", "b"], ["-z"], ["-m"]]
)
def test_cyr_deny_wants_sensible_words(words: list[str], tmp_path: Path) -> None:
    tools = Tools(tmp_path, "cyr_deny")
    ours, theirs = tools.ours(words), tools.theirs(words)
    assert ours[:2] == theirs[:2] == (64, b"")
    assert b"Usage: cyr_deny" in ours[2]


def test_denying_ends_sessions() -> None:
    server = Instance(services=("imap",))
    server.start()
    try:
        for name in ("joe", "ann"):
            server.create_user(name)
        with server.imap("joe") as joe, server.imap("ann") as ann:
            joe.ok("SELECT INBOX")
            ann.ok("SELECT INBOX")
            server.run("cyr_deny", "-m", "go away", "joe")
            while not joe.at_end():
                pass
            ann.ok("NOOP")
            with server.imap() as again:
                assert again.command("LOGIN joe secret").status == "NO"
                server.run("cyr_deny", "-a", "joe")
                again.ok("LOGIN joe secret")
    finally:
        server.stop()
        server.remove()


# ctl_deliver


def _deliveries(path: Path) -> None:
    shutil.copy(GOLDEN / "deliver.db", path)
    with open_db("twoskip", path) as database:
        database.store(b"<\xe9\x01>\0.sieve.\0\0", (1_700_000_000).to_bytes(8, "little") + bytes(8))
        database.store(b"<old>\0user.joe\0\0", (1_600_000_000).to_bytes(8, "little"))
        database.store(b"not a key", (1).to_bytes(8, "little"))


@pytest.mark.reference
def test_deliveries_are_printed_alike(tmp_path: Path) -> None:
    tools = Tools(tmp_path, "ctl_deliver")
    for place in ("ours", "theirs"):
        _deliveries(tmp_path / place / "conf/deliver.db")
        _deliveries(tmp_path / place / "other.db")
    for words in (["-d"], ["-d", "-f", "@other.db"], ["-d", "operand"], ["-d", "-f", "@none/new.db"]):
        ours, theirs = tools.ours(words), tools.theirs(words)
        assert ours[0] == theirs[0] == 0
        (first, *lines), (theirs_first, *theirs_lines) = ours[1].split(b"\n"), theirs[1].split(b"\n")
        assert lines == theirs_lines
        assert re.fullmatch(rb"it is NOW: \d{10}", first)
        assert theirs_first.startswith(b"it is NOW: ")
        assert (ours[2], theirs[2]) == (b"", b"")


@pytest.mark.reference
@pytest.mark.parametrize(
    "words",
    [[], ["-r"], ["-d", "-d"], ["-d", "-f", "/a", "-f", "/b"], ["-f", "/a"], ["-d", "-E", "3"], ["x"]],
)
def test_ctl_deliver_wants_sensible_words(words: list[str], tmp_path: Path) -> None:
    tools = Tools(tmp_path, "ctl_deliver")
    ours, theirs = tools.ours(words), tools.theirs(words)
    assert ours[:2] == theirs[:2] == (255, b"")


def test_an_unreadable_database_of_deliveries(tmp_path: Path) -> None:
    tools = Tools(tmp_path, "ctl_deliver", duplicate_db="skiplist")
    (tmp_path / "ours/conf/deliver.db").mkdir()
    assert tools.ours(["-d"]) == (1, b"", b"ctl_deliver: unable to init duplicate delivery database\n")


def test_old_scripts_still_expire_deliveries(tmp_path: Path) -> None:
    tools = Tools(tmp_path, "ctl_deliver")
    for place in ("ours", "theirs"):
        _deliveries(tmp_path / place / "conf/deliver.db")
    assert tools.ours(["-E", "3"])[0] == 0
    with open_db("twoskip", tmp_path / "ours/conf/deliver.db") as database:
        assert database.fetch(b"<old>\0user.joe\0\0") is None
        assert database.fetch(b"not a key") is None


# tls_prune


@pytest.mark.reference
@pytest.mark.parametrize("backend", ["skiplist", "twoskip"])
def test_expired_sessions_go(backend: str, tmp_path: Path) -> None:
    tools = Tools(tmp_path, "tls_prune", tls_sessions_db=backend)
    same(tools, [])
    now = int(time.time())
    for place in ("ours", "theirs"):
        with open_db(backend, tmp_path / place / "conf/tls_sessions.db", create=True) as database:
            for number in range(20):
                expire = now + (1000 if number % 2 else -1000)
                database.store(b"session%d" % number, expire.to_bytes(8, "little") + b"\x30\0")
    assert same(tools, ["an operand"]) == (0, b"", b"")
    for place in ("ours", "theirs"):
        with open_db(backend, tmp_path / place / "conf/tls_sessions.db") as database:
            found = {key for key, _ in database.foreach()}
        assert found == {b"session%d" % number for number in range(1, 20, 2)}


@pytest.mark.reference
def test_tls_prune_fails_as_the_originals(tmp_path: Path) -> None:
    tools = Tools(tmp_path, "tls_prune")
    assert tools.ours(["-z"])[0] == tools.theirs(["-z"])[0] == 255
    for place in ("ours", "theirs"):
        (tmp_path / place / "conf/tls_sessions.db").write_bytes(b"neither this nor that" * 9)
    assert same(tools, []) == (255, b"", b"")
