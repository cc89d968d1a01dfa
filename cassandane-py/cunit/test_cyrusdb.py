"""One suite over every cyrusdb backend: what one process may expect of a database."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from cassandane.databases import ALL, FILES, Open, open_db, opener
from libcyrus import cyrusdb
from libcyrus.base import lock_order
from libcyrus.errors import (
    AlreadyExists,
    DatabaseCorrupt,
    Fatal,
    InternalError,
    IoError,
    NotFound,
)

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
def any_opener(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    with opener(request.param, tmp_path) as open_one:
        yield open_one


@pytest.fixture(params=FILES)
def file_opener(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    with opener(request.param, tmp_path) as open_one:
        yield open_one


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


def test_records_come_back_and_outlive_the_handle(any_opener: Open) -> None:
    with any_opener() as database:
        for key, data in RECORDS.items():
            database.store(key, data)
        assert {key: database.fetch(key) for key in RECORDS} == RECORDS
        assert database.fetch(b"user.none") is None
    with any_opener(create=False) as database:
        assert dict(database.foreach()) == RECORDS


def test_two_handles_see_each_other(any_opener: Open) -> None:
    one, two = any_opener(), any_opener()
    one.store(b"user.a", b"%1")
    assert two.fetch(b"user.a") == b"%1"
    two.store(b"user.a", b"%2")
    two.store(b"user.b", b"%3")
    assert one.fetch(b"user.a") == b"%2"
    one.repack()
    two.delete(b"user.b")
    assert dict(one.foreach()) == {b"user.a": b"%2"}


def test_two_databases_are_apart(any_opener: Open) -> None:
    one, two = any_opener("one/db"), any_opener("two/db")
    one.store(b"user.a", b"%1")
    two.store(b"user.a", b"%2")
    assert (one.fetch(b"user.a"), two.fetch(b"user.a")) == (b"%1", b"%2")


def test_create_refuses_an_old_key(any_opener: Open) -> None:
    database = any_opener()
    database.create(b"user.a", b"%1")
    with pytest.raises(AlreadyExists):
        database.create(b"user.a", b"%2")
    assert database.fetch(b"user.a") == b"%1"


def test_delete(any_opener: Open) -> None:
    database = any_opener()
    for key, data in RECORDS.items():
        database.store(key, data)
    for key in RECORDS:
        database.delete(key)
        assert database.fetch(key) is None
    database.delete(b"user.a")
    with pytest.raises(NotFound):
        database.delete(b"user.a", force=False)
    assert list(database.foreach()) == []


def test_an_exception_abandons_the_transaction(any_opener: Open) -> None:
    database = any_opener()
    database.store(b"user.a", b"%1")
    with pytest.raises(ZeroDivisionError), database.transaction() as changes:
        changes.store(b"user.a", b"%2")
        changes.store(b"user.b", b"%3")
        changes.delete(b"user.a")
        _ = 1 // 0
    assert dict(database.foreach()) == {b"user.a": b"%1"}
    database.store(b"user.c", b"%4")
    assert database.fetch(b"user.c") == b"%4"


def test_a_transaction_sees_its_own_changes_and_keeps_them_together(any_opener: Open) -> None:
    database, other = any_opener(), any_opener()
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


def test_a_shared_transaction_reads_only(any_opener: Open) -> None:
    one, two = any_opener(), any_opener()
    one.store(b"user.a", b"%1")
    with one.transaction(shared=True) as reading, two.transaction(shared=True) as also:
        assert reading.fetch(b"user.a") == also.fetch(b"user.a") == b"%1"
        with pytest.raises(InternalError):
            reading.store(b"user.a", b"")
        with pytest.raises(InternalError):
            reading.delete(b"user.a")


def test_foreach_gives_a_prefix_in_order(any_opener: Open) -> None:
    database = any_opener()
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
def test_foreach_sees_what_its_caller_changes_behind_the_cursor(
    any_opener: Open, in_transaction: bool
) -> None:
    database = any_opener()
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


def test_foreach_survives_deleting_everything(any_opener: Open) -> None:
    database = any_opener()
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


def test_an_empty_key_is_refused(any_opener: Open) -> None:
    database = any_opener()
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
