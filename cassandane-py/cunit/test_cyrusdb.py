"""One suite over every cyrusdb backend, and a random walk beside a dict."""

from __future__ import annotations

import functools
import os
import random
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from cassandane import crash
from libcyrus import cyrusdb
from libcyrus.base import lock_order
from libcyrus.cyrusdb import Database, Settings
from libcyrus.errors import (
    AlreadyExists,
    DatabaseCorrupt,
    Fatal,
    InternalError,
    IoError,
    NotFound,
)

ALL = ("flat", "quotalegacy", "skiplist", "sql", "twoskip")
FILES = ("flat", "skiplist", "sql", "twoskip")
Open = Callable[..., Database]

open_db = functools.partial(cyrusdb.open_db, settings=Settings(sql_engine="sqlite"))

# what every backend can hold: names of quota roots, values of theirs
RECORDS = {
    b"user.alice": b"%(S (0 100))",
    b"user.bob": b"%(S (1 200) M (2 3))",
    b"user.bob.sub": b"%()",
    b"user.carol": b"",
    b"shared": b"%(S (12345678901 -1))",
}


@pytest.fixture(autouse=True)
def many_handles(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test may hold a database in two handles, as no program does."""
    monkeypatch.setattr(lock_order, "check", lambda fd: None)


@pytest.fixture(params=ALL)
def opener(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    yield from _opener(request.param, tmp_path)


@pytest.fixture(params=FILES)
def file_opener(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    """Backends that hold any bytes."""
    yield from _opener(request.param, tmp_path)


def _opener(backend: str, directory: Path) -> Iterator[Open]:
    opened: list[Database] = []

    def open_one(name: str = "test.db", *, create: bool = True, mboxsort: bool = False) -> Database:
        path = directory / backend / name
        opened.append(open_db(backend, path, create=create, mboxsort=mboxsort))
        return opened[-1]

    yield open_one
    for database in opened:
        database.close()


def test_a_missing_database_is_not_found(tmp_path: Path) -> None:
    for backend in FILES:
        with pytest.raises(NotFound):
            open_db(backend, tmp_path / "none" / backend)
        assert not (tmp_path / "none").exists()
    with pytest.raises(IoError):
        open_db("quotalegacy", tmp_path / "none" / "quotas.db")


def test_creating_makes_directories(tmp_path: Path) -> None:
    for backend in ALL:
        with open_db(backend, tmp_path / backend / "a/b/db", create=True) as database:
            assert list(database.foreach()) == []


@pytest.mark.parametrize("backend", ["zeroskip", "berkeley"])
def test_backends_that_are_not_built_are_refused_by_name(backend: str, tmp_path: Path) -> None:
    with pytest.raises(Fatal, match=f"cyrusdb backend {backend} not supported") as failure:
        open_db(backend, tmp_path / "db", create=True)
    assert failure.value.code == os.EX_CONFIG


def test_records_come_back_and_outlive_the_handle(opener: Open) -> None:
    with opener() as database:
        for key, data in RECORDS.items():
            database.store(key, data)
        assert {key: database.fetch(key) for key in RECORDS} == RECORDS
        assert database.fetch(b"user.none") is None
    with opener(create=False) as database:
        assert dict(database.foreach()) == RECORDS


def test_two_handles_see_each_other(opener: Open) -> None:
    one, two = opener(), opener()
    one.store(b"user.a", b"%1")
    assert two.fetch(b"user.a") == b"%1"
    two.store(b"user.a", b"%2")
    two.store(b"user.b", b"%3")
    assert one.fetch(b"user.a") == b"%2"
    one.repack()
    two.delete(b"user.b")
    assert dict(one.foreach()) == {b"user.a": b"%2"}


def test_two_databases_are_apart(opener: Open) -> None:
    one, two = opener("one/db"), opener("two/db")
    one.store(b"user.a", b"%1")
    two.store(b"user.a", b"%2")
    assert (one.fetch(b"user.a"), two.fetch(b"user.a")) == (b"%1", b"%2")


def test_create_refuses_an_old_key(opener: Open) -> None:
    database = opener()
    database.create(b"user.a", b"%1")
    with pytest.raises(AlreadyExists):
        database.create(b"user.a", b"%2")
    assert database.fetch(b"user.a") == b"%1"


def test_delete(opener: Open) -> None:
    database = opener()
    for key, data in RECORDS.items():
        database.store(key, data)
    for key in RECORDS:
        database.delete(key)
        assert database.fetch(key) is None
    database.delete(b"user.a")
    with pytest.raises(NotFound):
        database.delete(b"user.a", force=False)
    assert list(database.foreach()) == []


def test_an_exception_abandons_the_transaction(opener: Open) -> None:
    database = opener()
    database.store(b"user.a", b"%1")
    with pytest.raises(ZeroDivisionError), database.transaction() as changes:
        changes.store(b"user.a", b"%2")
        changes.store(b"user.b", b"%3")
        changes.delete(b"user.a")
        _ = 1 // 0
    assert dict(database.foreach()) == {b"user.a": b"%1"}
    database.store(b"user.c", b"%4")
    assert database.fetch(b"user.c") == b"%4"


def test_a_transaction_sees_its_own_changes_and_keeps_them_together(opener: Open) -> None:
    database, other = opener(), opener()
    database.store(b"user.a", b"%1")
    with database.transaction() as changes:
        changes.store(b"user.b", b"%2")
        changes.delete(b"user.a")
        changes.store(b"user.c", b"%3")
        changes.store(b"user.c", b"%4")
        assert changes.fetch(b"user.a") is None
        assert changes.fetchnext(b"") == (b"user.b", b"%2")
        assert changes.fetchnext(b"user.b") == (b"user.c", b"%4")
        assert list(changes.foreach()) == [(b"user.b", b"%2"), (b"user.c", b"%4")]
        assert database.fetch(b"user.c") == b"%4"
        with pytest.raises(InternalError):
            database.store(b"user.d", b"")
    assert list(other.foreach()) == [(b"user.b", b"%2"), (b"user.c", b"%4")]
    with pytest.raises(InternalError):
        changes.store(b"user.d", b"")
    with pytest.raises(InternalError):
        changes.commit()
    changes.abort()


def test_a_shared_transaction_reads_only(opener: Open) -> None:
    one, two = opener(), opener()
    one.store(b"user.a", b"%1")
    with one.transaction(shared=True) as reading, two.transaction(shared=True) as also:
        assert reading.fetch(b"user.a") == also.fetch(b"user.a") == b"%1"
        with pytest.raises(InternalError):
            reading.store(b"user.a", b"")
        with pytest.raises(InternalError):
            reading.delete(b"user.a")


def test_foreach_gives_a_prefix_in_order(opener: Open) -> None:
    database = opener()
    names = [b"user.a", b"user.a.b", b"user.a.c", b"user.ab", b"user.b", b"other", b"user"]
    for name in names:
        database.store(name, b"%" + name)
    assert [key for key, _ in database.foreach()] == sorted(names, key=database.compare_key)
    assert [key for key, _ in database.foreach(b"user.a")] == sorted(names[:4], key=database.compare_key)
    assert [key for key, _ in database.foreach(b"user.a.")] == [b"user.a.b", b"user.a.c"]
    assert list(database.foreach(b"nobody")) == []
    assert database.fetchnext(b"user.a.b") == (b"user.a.c", b"%user.a.c")
    assert database.fetchnext(b"user.a.bb") == (b"user.a.c", b"%user.a.c")
    assert database.fetchnext(b"zz") is None


@pytest.mark.parametrize("in_transaction", [False, True])
def test_foreach_sees_what_its_caller_changes_behind_the_cursor(opener: Open, in_transaction: bool) -> None:
    database = opener()
    for number in range(40):
        database.store(b"user.x%02d" % number, b"%")
    seen = []

    def walk(records: cyrusdb.Records) -> None:
        for key, data in records.foreach(b"user.x"):
            seen.append((key, data))
            if key == b"user.x05":
                records.delete(b"user.x06")
                records.store(b"user.x07", b"%new")
                records.store(b"user.x055", b"%between")
                records.store(b"user.x01", b"%too late")
                records.delete(b"user.x05")

    if in_transaction:
        with database.transaction() as changes:
            walk(changes)
    else:
        walk(database)
    keys = [key for key, _ in seen]
    expected = [b"user.x%02d" % number for number in range(40)]
    expected.remove(b"user.x06")
    if database.backend != "quotalegacy":  # which lists its directory once
        expected.insert(6, b"user.x055")
    assert keys == expected
    assert (b"user.x07", b"%new") in seen
    assert (b"user.x01", b"%too late") not in seen


def test_foreach_survives_deleting_everything(opener: Open) -> None:
    database = opener()
    for number in range(100):
        database.store(b"user.x%02d" % number, b"%")
    count = 0
    for key, _ in database.foreach():
        database.delete(key)
        count += 1
    assert count == 100
    assert list(database.foreach()) == []


def test_any_bytes_are_kept(file_opener: Open) -> None:
    database = file_opener()
    strings = [bytes([n]) for n in range(256)] + [b"a\tb\nc\rd\0e\xfff", b"\xff\xff\0", b"x" * 70000]
    with database.transaction() as changes:
        for string in strings:
            changes.store(string, string[::-1])
    with file_opener() as again:
        assert all(again.fetch(string) == string[::-1] for string in strings)
        assert len(list(again.foreach())) == len(strings)
        again.consistent()
    assert [key for key, _ in database.foreach(b"\xff")] == sorted(
        (string for string in strings if string.startswith(b"\xff")), key=database.compare_key
    )


def test_an_empty_key_is_refused(opener: Open) -> None:
    database = opener()
    with pytest.raises(InternalError):
        database.store(b"", b"x")
    assert database.fetch(b"user.a") is None


def test_many_records(file_opener: Open) -> None:
    database = file_opener()
    expected = {}
    with database.transaction() as changes:
        for number in range(5000):
            key = b"key%d" % (number * 7919 % 5000)
            expected[key] = b"value%d" % number * (number % 5)
            changes.store(key, expected[key])
        for number in range(0, 5000, 3):
            changes.delete(b"key%d" % number)
            del expected[b"key%d" % number]
    assert dict(database.foreach()) == expected
    assert [key for key, _ in database.foreach()] == sorted(expected, key=database.compare_key)
    database.consistent()
    database.repack()
    database.consistent()
    assert dict(database.foreach()) == expected


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


def test_text_dumps_go_out_and_in(file_opener: Open) -> None:
    database, copy = file_opener("one"), file_opener("two")
    database.store(b"a", b"1\t2")
    database.store(b"b", b"")
    lines = list(cyrusdb.dump_text(database))
    assert lines == [b"a\t1\t2\n", b"b\t\n"]
    copy.store(b"gone", b"x")
    cyrusdb.undump_text(copy, [b"# comment\n", b"\n", *lines, b"gone\n"])
    assert dict(copy.foreach()) == {b"a": b"1\t2", b"b": b""}
    cyrusdb.truncate(copy)
    assert list(copy.foreach()) == []


@pytest.mark.parametrize(
    "content",
    [b"no tab\n", b"a\t1\nno tab\n", b"a\t1\n\nb\t2\n", b"a\t1\nb", b"\n"],
    ids=["no tab", "second", "empty line", "cut short", "only LF"],
)
def test_a_damaged_flat_file_is_refused_and_left_alone(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "flat"
    path.write_bytes(content)
    with pytest.raises(DatabaseCorrupt):
        open_db("flat", path)
    assert path.read_bytes() == content


def test_a_flat_file_written_by_hand_may_lack_its_last_newline(tmp_path: Path) -> None:
    path = tmp_path / "flat"
    path.write_bytes(b"b\t2\na\t1")
    with open_db("flat", path) as database:
        assert list(database.foreach()) == [(b"a", b"1"), (b"b", b"2")]
        database.store(b"c", b"3")
    assert path.read_bytes() == b"a\t1\nb\t2\nc\t3\n"


KEYS = st.sampled_from([b"a", b"a.b", b"a-b", b"b", b"ba", b"user.x", b"\xff", b"\t", b"z" * 300])
VALUES = st.binary(max_size=40)


class Walk(RuleBasedStateMachine):
    """Anything a caller may do, beside a dict."""

    backend = "twoskip"
    mboxsort = False

    @initialize()
    def begin(self) -> None:
        self.directory = tempfile.TemporaryDirectory()
        self.path = os.path.join(self.directory.name, "db")
        self.model: dict[bytes, bytes] = {}
        self.database = self.open()

    def open(self) -> Database:
        return open_db(self.backend, self.path, create=True, mboxsort=self.mboxsort)

    @rule(key=KEYS, value=VALUES)
    def store(self, key: bytes, value: bytes) -> None:
        self.database.store(key, value)
        self.model[key] = value

    @rule(key=KEYS)
    def delete(self, key: bytes) -> None:
        self.database.delete(key)
        self.model.pop(key, None)

    @rule(changes=st.lists(st.tuples(KEYS, st.none() | VALUES), max_size=12), commit=st.booleans())
    def transaction(self, changes: list[tuple[bytes, bytes | None]], commit: bool) -> None:
        model = self.model.copy()
        transaction = self.database.transaction()
        for key, value in changes:
            if value is None:
                transaction.delete(key)
                model.pop(key, None)
            else:
                transaction.store(key, value)
                model[key] = value
            assert transaction.fetch(key) == value
        rank = self.database.compare_key
        assert list(transaction.foreach()) == sorted(model.items(), key=lambda item: rank(item[0]))
        if commit:
            transaction.commit()
            self.model = model
        else:
            transaction.abort()

    @rule()
    def reopen(self) -> None:
        self.database.close()
        self.database = self.open()

    @rule()
    def repack(self) -> None:
        self.database.repack()

    @rule(key=KEYS, value=VALUES)
    def crash(self, key: bytes, value: bytes) -> None:
        """Die inside a commit; only linked files have an inside."""
        if self.backend in ("skiplist", "twoskip"):
            transaction = self.database.transaction()
            transaction.store(key, value)
            transaction.break_off()  # type: ignore[attr-defined]

    @invariant()
    def same_as_the_dict(self) -> None:
        rank = self.database.compare_key
        items = sorted(self.model.items(), key=lambda item: rank(item[0]))
        assert list(self.database.foreach()) == items
        self.database.consistent()
        for place, (key, value) in enumerate(items):
            assert self.database.fetch(key) == value
            assert self.database.fetchnext(key) == (items[place + 1] if place + 1 < len(items) else None)

    def teardown(self) -> None:
        self.database.close()
        self.directory.cleanup()


class WalkFlat(Walk):
    backend = "flat"


class WalkSkiplist(Walk):
    backend = "skiplist"


class WalkSql(Walk):
    backend = "sql"


class WalkMailboxOrder(Walk):
    mboxsort = True


class WalkSkiplistMailboxOrder(WalkSkiplist):
    mboxsort = True


_SETTINGS = settings(
    max_examples=25, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
TestWalk = Walk.TestCase
TestWalkFlat = WalkFlat.TestCase
TestWalkSkiplist = WalkSkiplist.TestCase
TestWalkSql = WalkSql.TestCase
TestWalkMailboxOrder = WalkMailboxOrder.TestCase
TestWalkSkiplistMailboxOrder = WalkSkiplistMailboxOrder.TestCase
TestWalk.settings = TestWalkFlat.settings = TestWalkSkiplist.settings = TestWalkSql.settings = _SETTINGS
TestWalkMailboxOrder.settings = TestWalkSkiplistMailboxOrder.settings = _SETTINGS
