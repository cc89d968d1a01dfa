"""Databases of every backend in the hands of several processes: forked, killed, reading meanwhile."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from cassandane import crash
from cassandane.databases import FILES, Open, open_db, opener
from libcyrus.base import lock_order
from libcyrus.cyrusdb import Database


@pytest.fixture(autouse=True)
def many_handles(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test may hold a database in two handles, as no program does."""
    monkeypatch.setattr(lock_order, "check", lambda fd: None)


@pytest.fixture(params=FILES)
def file_opener(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    with opener(request.param, tmp_path) as open_one:
        yield open_one


def test_a_handle_works_on_both_sides_of_fork(file_opener: Open) -> None:
    """A child that shared the parent's descriptor would share its locks, too."""
    database = file_opener()
    if database.backend == "sql":
        return  # SQLite's library may not be forked in the middle of a transaction
    database.store(b"parent", b"1")
    transaction = database.transaction()
    transaction.store(b"parent", b"2")
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        status = 1
        try:
            os.write(writer, b"waiting")
            other = open_db(database.backend, database.path)
            other.store(b"child", other.fetch(b"parent") or b"")
            status = 0
        finally:
            os._exit(status)
    assert os.read(reader, 7) == b"waiting"
    transaction.commit()
    assert os.waitpid(child, 0)[1] == 0
    os.close(reader)
    os.close(writer)
    assert database.fetch(b"parent") == b"2"
    assert database.fetch(b"child") in (b"1", b"2")  # the child may read before or after the commit


def test_an_inherited_handle_is_opened_again_in_the_child(file_opener: Open) -> None:
    database = file_opener()
    database.store(b"count", b"0")
    children = []
    for _ in range(4):
        child = os.fork()
        if not child:
            status = 1
            try:
                for _ in range(25):
                    with database.transaction() as changes:
                        changes.store(b"count", b"%d" % (int(changes.fetch(b"count") or b"") + 1))
                status = 0
            finally:
                os._exit(status)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * 4
    assert database.fetch(b"count") == b"100"


def _count_up(database: Database, acknowledged: int) -> None:
    """Commit 1, 2, 3... under several keys at once; tell of each."""
    number = int(database.fetch(b"key0") or b"0")
    while True:
        number += 1
        with database.transaction() as changes:
            for key in range(5):
                changes.store(b"key%d" % key, b"%d" % number)
            changes.store(b"once%d" % number, b"x" * (number % 300))
            changes.delete(b"once%d" % (number - 3))
        if number % 7 == 0:
            database.repack()
        os.write(acknowledged, number.to_bytes(4))


def test_killed_writers_lose_nothing_and_break_nothing(file_opener: Open) -> None:
    """A reader meanwhile never sees half of a commit."""
    reading = file_opener()
    chance = random.Random(3)
    for _ in range(8):
        reader, writer = os.pipe()
        child = os.fork()
        if not child:
            os.close(reader)
            try:
                _count_up(open_db(reading.backend, reading.path), writer)
            finally:
                os._exit(1)
        os.close(writer)
        for _ in range(chance.randrange(1, 20)):
            last = int.from_bytes(os.read(reader, 4))
            with reading.transaction(shared=True) as view:
                values = {data for _, data in view.foreach(b"key")}
            assert len(values) == 1
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        while rest := os.read(reader, 4):
            last = int.from_bytes(rest)
        os.close(reader)
        with file_opener(create=False) as database:
            database.consistent()
            found = {data for _, data in database.foreach(b"key")}
        assert found in ({b"%d" % last}, {b"%d" % (last + 1)})


@pytest.mark.parametrize("backend", ["flat", "quotalegacy", "skiplist", "twoskip"])
def test_a_process_that_dies_in_a_commit_leaves_the_old_or_the_new(backend: str, tmp_path: Path) -> None:
    """Whichever write, sync or rename it was; quota roots one by one."""
    path = tmp_path / "db/quotas.db"
    old = {b"user.a": b"%(S (0 1))", b"user.b": b"%(S (0 2))", b"user.c": b"%(S (0 3))"}
    new = {b"user.a": b"%(S (5 1))", b"user.c": b"%(S (0 3))", b"user.d": b"%()"}
    with open_db(backend, path, create=True) as database:
        for key, value in old.items():
            database.store(key, value)
    saved = crash.snapshot(path.parent)
    seen = []
    for step in range(60):

        def dying(step: int = step) -> None:
            crash.die_at(step)
            with open_db(backend, path) as database, database.transaction() as changes:
                for key in old.keys() | new.keys():
                    if key in new:
                        changes.store(key, new[key])
                    else:
                        changes.delete(key)

        crash.restore(path.parent, saved)
        code = crash.in_child(dying)
        with open_db(backend, path) as database:
            database.consistent()
            found = dict(database.foreach())
            assert {key: database.fetch(key) for key in found} == found
        if backend == "quotalegacy":
            if found.get(b"user.d") == b"":
                del found[b"user.d"]  # an empty file: about to be made
            assert all(found.get(key) in (old.get(key), new.get(key)) for key in old.keys() | new.keys())
        else:
            assert found in (old, new)
            seen.append(found)
        if code == 0:
            break
    assert (code, found) == (0, new)
    assert step > 2
    assert seen == sorted(seen, key=lambda state: state == new)


def test_walks_and_lookups_while_others_write_and_repack(file_opener: Open) -> None:
    """In another process: each walk gives every key that stays, once, and in order."""
    database = file_opener()
    with database.transaction() as changes:
        for number in range(600):
            changes.store(b"stays%03d" % number, b"x")
    stop, stopping = os.pipe()
    child = os.fork()
    if not child:
        code = 1
        try:
            os.set_blocking(stop, False)
            other = open_db(database.backend, database.path)
            for number in range(10_000):
                with other.transaction() as changes:
                    changes.store(b"stays%03d" % (number % 600), b"%d" % number)
                    changes.store(b"new%d" % (number % 50), b"y" * (number % 90))
                    changes.delete(b"new%d" % ((number * 7) % 50))
                if number % 9 == 0:
                    other.repack()
                try:
                    code = 0 if os.read(stop, 1) else 1
                    break
                except BlockingIOError:
                    continue
            else:
                code = 0  # SQLite makes readers wait long for a writer that never rests
        finally:
            os._exit(code)
    for _ in range(6):
        keys = [key for key, _ in database.foreach(b"stays")]
        assert keys == [b"stays%03d" % number for number in range(600)]
        assert all(database.fetch(key) is not None for key in keys[::50])
        following = database.fetchnext(b"stays100")
        assert following is not None
        assert following[0] == b"stays101"
    os.write(stopping, b"x")
    assert os.waitpid(child, 0)[1] == 0
    os.close(stop)
    os.close(stopping)
    database.consistent()
