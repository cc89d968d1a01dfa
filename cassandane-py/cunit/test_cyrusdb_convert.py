"""Turning a database of any backend into any other: every pair, under lock, whatever dies in between."""

from __future__ import annotations

import functools
import os
from pathlib import Path

import pytest

from cassandane import crash
from libcyrus import cyrusdb
from libcyrus.base import files, lock_order
from libcyrus.cyrusdb import BUILT, Settings
from libcyrus.errors import CyrusError, DatabaseCorrupt, Fatal, InternalError

SETTINGS = Settings(sql_engine="sqlite")
FILES = tuple(backend for backend in BUILT if backend != "quotalegacy")
open_db = functools.partial(cyrusdb.open_db, settings=SETTINGS)
convert_file = functools.partial(cyrusdb.convert_file, settings=SETTINGS)

ROOTS = {b"user.alice": b"%(S (0 100))", b"user.bob": b"%(S (1 200) M (2 3))", b"shared": b"%()"}
# keys that each backend puts into another order
ANY = {b"a.b": b"\0\t\n\r\xff", b"a-b": b"", b"\xff": b"1", b"\x80x": b"2", b"~": b"v" * 5000, b"\0": b"n"}


@pytest.mark.parametrize("target", BUILT)
@pytest.mark.parametrize("source", BUILT)
def test_every_pair(source: str, target: str, tmp_path: Path) -> None:
    records = ROOTS if "quotalegacy" in (source, target) else ANY
    (tmp_path / "old").mkdir()
    with open_db(source, tmp_path / "old/quotas.db", create=True) as old:
        for key, value in records.items():
            old.store(key, value)
        convert_file(old, tmp_path / "new/quotas.db", target)
        assert dict(old.foreach()) == records
    with open_db(target, tmp_path / "new/quotas.db") as new:
        new.consistent()
        assert new.backend == target
        assert dict(new.foreach()) == records
        assert all(new.fetch(key) == value for key, value in records.items())
        assert [key for key, _ in new.foreach()] == sorted(records, key=new.compare_key)
        new.store(b"user.more", b"%()")
        assert new.fetch(b"user.more") == b"%()"
    if target != "quotalegacy":
        assert os.listdir(tmp_path / "new") == ["quotas.db"]


@pytest.mark.parametrize("target", FILES)
@pytest.mark.parametrize("source", FILES)
def test_every_pair_in_its_place(source: str, target: str, tmp_path: Path) -> None:
    path = tmp_path / "db"
    with open_db(source, path, create=True) as old:
        for key, value in ANY.items():
            old.store(key, value)
        convert_file(old, path, target)
    with open_db(target, path) as new:
        assert (new.backend, dict(new.foreach())) == (target, ANY)
    assert os.listdir(tmp_path) == ["db"]


@pytest.mark.parametrize("mboxsort", [False, True])
def test_many_records_keep_their_order(mboxsort: bool, tmp_path: Path) -> None:
    records = {b"user.n%d%c" % (number, number % 256): b"%d" % number for number in range(3000)}
    before = cyrusdb.open_db("twoskip", tmp_path / "0", create=True, mboxsort=mboxsort)
    with before.transaction() as changes:
        for key, value in records.items():
            changes.store(key, value)
    for number, backend in enumerate(("skiplist", "flat", "twoskip", "skiplist", "sql", "twoskip")):
        path = tmp_path / str(number + 1)
        with before:
            convert_file(before, path, backend, mboxsort=mboxsort)
        before = open_db(backend, path, mboxsort=mboxsort)
        before.consistent()
        assert dict(before.foreach()) == records
    before.close()


@pytest.mark.parametrize("wanted", FILES)
@pytest.mark.parametrize("found", ["skiplist", "twoskip"])
def test_opening_converts_or_takes_what_there_is(found: str, wanted: str, tmp_path: Path) -> None:
    path = tmp_path / "db"
    with open_db(found, path, create=True) as database:
        database.store(b"a", b"\t\n1")
    with open_db(wanted, path) as database:
        assert (database.backend, database.fetch(b"a")) == (found, b"\t\n1")
    with open_db(wanted, path, convert=True) as database:
        assert (database.backend, database.fetch(b"a")) == (wanted, b"\t\n1")
    assert os.listdir(tmp_path) == ["db"]


@pytest.mark.parametrize("wanted", ["skiplist", "sql", "twoskip"])
def test_what_nobody_recognises_is_refused_and_left_alone(wanted: str, tmp_path: Path) -> None:
    path = tmp_path / "db"
    content = b"a line of text\tthat is long enough for a header of any backend, and for a second\n" * 5
    path.write_bytes(content)
    with pytest.raises(DatabaseCorrupt):
        open_db(wanted, path, convert=True)
    assert path.read_bytes() == content
    assert os.listdir(tmp_path) == ["db"]


@pytest.mark.parametrize("backend", ["zeroskip", "berkeley"])
def test_backends_that_are_not_there_are_refused(backend: str, tmp_path: Path) -> None:
    database = open_db("flat", tmp_path / "db", create=True)
    with database, pytest.raises(Fatal, match=f"cyrusdb backend {backend} not supported") as failure:
        convert_file(database, tmp_path / "new", backend)
    assert failure.value.code == os.EX_CONFIG
    assert os.listdir(tmp_path) == ["db"]


def test_a_damaged_source_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "db"
    with open_db("twoskip", path, create=True) as database:
        for number in range(50):
            database.store(b"key%d" % number, b"value")
    image = bytearray(path.read_bytes())
    image[image.index(b"key7value") + 6] ^= 1
    path.write_bytes(image)
    with pytest.raises(CyrusError):
        open_db("skiplist", path, convert=True)
    assert path.read_bytes() == image
    assert os.listdir(tmp_path) == ["db"]


@pytest.mark.parametrize("target", FILES)
@pytest.mark.parametrize("source", ["skiplist", "twoskip"])
def test_whoever_dies_leaves_the_one_or_the_other(source: str, target: str, tmp_path: Path) -> None:
    path = tmp_path / "dir/db"
    with open_db(source, path, create=True) as database:
        for key, value in ANY.items():
            database.store(key, value)
    saved = crash.snapshot(path.parent)
    for step in range(50):

        def dying(step: int = step) -> None:
            crash.die_at(step)
            open_db(target, path, convert=True).close()

        crash.restore(path.parent, saved)
        code = crash.in_child(dying)
        with open_db(target, path) as database:
            assert dict(database.foreach()) == ANY
        if code == 0:
            break
    assert code == 0
    assert step > 2 or source == target


def test_two_processes_convert_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second waits, and finds the work done."""
    monkeypatch.setattr(lock_order, "check", lambda fd: None)
    path = tmp_path / "db"
    for wanted in FILES:
        path.unlink(missing_ok=True)
        found = "twoskip" if wanted == "skiplist" else "skiplist"
        with open_db(found, path, create=True) as database:
            for number in range(200):
                database.store(b"key%d" % number, b"value")
        starting, go = os.pipe()
        children = []
        for _ in range(4):
            pid = os.fork()
            if not pid:
                code = 1
                try:
                    os.read(starting, 1)
                    with open_db(wanted, path, convert=True) as database:
                        code = 0 if len(list(database.foreach())) == 200 else 2
                        code = code if database.backend == wanted else 3
                finally:
                    os._exit(code)
            children.append(pid)
        os.write(go, b"1234")
        assert [os.waitpid(pid, 0)[1] for pid in children] == [0] * 4
        os.close(starting)
        os.close(go)
        with open_db(wanted, path) as database:
            assert (database.backend, len(list(database.foreach()))) == (wanted, 200)
    assert os.listdir(tmp_path) == ["db"]


def test_a_writer_waits_until_the_file_is_converted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is written to a file that is about to be replaced."""
    monkeypatch.setattr(lock_order, "check", lambda fd: None)
    path = tmp_path / "db"
    with open_db("twoskip", path, create=True) as database:
        database.store(b"a", b"1")
    converting = open_db("twoskip", path)
    waiting = open_db("twoskip", path)
    reader, writer = os.pipe()

    def rename(old: str, new: str) -> None:
        pid = os.fork()
        if not pid:
            os.write(writer, b"x")
            try:
                waiting.store(b"b", b"2")
            except CyrusError:
                os._exit(7)
            os._exit(0)
        os.read(reader, 1)
        real(old, new)
        children.append(pid)

    children: list[int] = []
    real = os.rename
    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", rename)
        with converting:
            convert_file(converting, path, "skiplist")
    assert os.waitstatus_to_exitcode(os.waitpid(children[0], 0)[1]) == 7
    os.close(reader)
    os.close(writer)
    waiting.close()
    with open_db("skiplist", path) as database:
        assert dict(database.foreach()) == {b"a": b"1"}


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "db"
    with open_db("twoskip", path, create=True) as database:
        database.store(b"a", b"1")

    def full(fd: int, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    for target in ("skiplist", "flat"):
        with monkeypatch.context() as patch, open_db("twoskip", path) as database:
            patch.setattr(files, "write_all", full)
            with pytest.raises(CyrusError):
                convert_file(database, path, target)
        assert os.listdir(tmp_path) == ["db"]
        with open_db("twoskip", path) as database:
            assert dict(database.foreach()) == {b"a": b"1"}


def test_a_transaction_of_the_source_is_in_the_way(tmp_path: Path) -> None:
    database = open_db("twoskip", tmp_path / "db", create=True)
    with database, database.transaction(), pytest.raises(InternalError):
        convert_file(database, tmp_path / "new", "flat")
    assert os.listdir(tmp_path) == ["db"]
