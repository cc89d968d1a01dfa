"""Quota roots in files of their own: where they lie, and what is in them."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import pytest

from libcyrus import cyrusdb
from libcyrus.cyrusdb import Settings
from libcyrus.cyrusdb.quotalegacy import QuotaLegacyDatabase, pack, unpack
from libcyrus.errors import Again, DatabaseCorrupt, InternalError, IoError


def opened(
    tmp_path: Path, *, mboxsort: bool = False, fulldirhash: bool = False, virtdomains: bool = False
) -> QuotaLegacyDatabase:
    return QuotaLegacyDatabase(
        tmp_path / "quotas.db",
        create=True,
        mboxsort=mboxsort,
        fulldirhash=fulldirhash,
        virtdomains=virtdomains,
    )


def tree(top: Path) -> dict[str, bytes]:
    return {str(path.relative_to(top)): path.read_bytes() for path in top.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("value", "content"),
    [
        (b"%(S (0 100))", b"%(S (0 100))\n"),
        (b"123 456", b"123\n456\n"),
        (b"123 456 %(M (1 2))", b"123\n456 %(M (1 2))\n"),
        (b"0 -1", b"0\n-1\n"),
        (b"", b"\n"),
    ],
)
def test_values_and_files(value: bytes, content: bytes) -> None:
    assert pack(value) == content
    assert unpack(content) == value


def test_an_empty_file_is_an_empty_value_and_an_unended_one_an_error() -> None:
    assert unpack(b"") == b""
    with pytest.raises(DatabaseCorrupt):
        unpack(b"%(S (0 100))")


@pytest.mark.parametrize(
    ("root", "fulldirhash", "virtdomains", "path"),
    [
        ("user.joe", False, False, "quota/j/user.joe"),
        ("user.joe.sub", False, False, "quota/j/user.joe.sub"),
        ("shared", False, False, "quota/s/shared"),
        ("user.9to5", False, False, "quota/q/user.9to5"),
        ("user.joe", True, False, "quota/B/user.joe"),
        ("example.com!user.joe", False, False, "quota/c/example.com!user.joe"),
        ("example.com!user.joe", False, True, "domain/e/example.com/quota/j/user.joe"),
        ("example.com!shared", False, True, "domain/e/example.com/quota/s/shared"),
        ("example.com!", False, True, "domain/e/example.com/quota/root"),
    ],
)
def test_where_a_root_lies(
    tmp_path: Path, root: str, fulldirhash: bool, virtdomains: bool, path: str
) -> None:
    database = opened(tmp_path, fulldirhash=fulldirhash, virtdomains=virtdomains)
    database.store(root.encode(), b"%(S (0 1))")
    assert tree(tmp_path) == {path: b"%(S (0 1))\n"}
    assert list(database.foreach()) == [(root.encode(), b"%(S (0 1))")]
    assert database.fetch(root.encode()) == b"%(S (0 1))"
    database.delete(root.encode())
    assert tree(tmp_path) == {}


def test_foreach_over_domains(tmp_path: Path) -> None:
    roots = [b"user.joe", b"user.ann", b"a.org!user.joe", b"a.org!", b"b.org!user.zoe", b"b.org!x"]
    with opened(tmp_path, virtdomains=True) as database:
        for root in roots:
            database.store(root, b"%" + root)
        assert [root for root, _ in database.foreach()] == sorted(roots)
        assert [root for root, _ in database.foreach(b"user.")] == [b"user.ann", b"user.joe"]
        assert [root for root, _ in database.foreach(b"user.j")] == [b"user.joe"]
        assert [root for root, _ in database.foreach(b"a.org!")] == [b"a.org!", b"a.org!user.joe"]
        assert [root for root, _ in database.foreach(b"b")] == [b"b.org!user.zoe", b"b.org!x"]
        assert database.fetchnext(b"a.org!") == (b"a.org!user.joe", b"%a.org!user.joe")


@pytest.mark.parametrize("key", [b"../x", b"user.a/b", b"", b"..", b"a\0b", b"../evil!x", b"..!x"])
def test_a_key_cannot_leave_the_directory(tmp_path: Path, key: bytes) -> None:
    database = opened(tmp_path / "in", virtdomains=True)
    for attempt in (lambda: database.store(key, b"1 2"), lambda: database.fetch(key)):
        with pytest.raises(InternalError):
            attempt()  # type: ignore[no-untyped-call]
    assert tree(tmp_path) == {}


def test_an_abandoned_transaction_leaves_no_file(tmp_path: Path) -> None:
    database = opened(tmp_path)
    database.store(b"user.old", b"%1")
    transaction = database.transaction()
    transaction.store(b"user.new", b"%1")
    transaction.store(b"user.old", b"%2")
    transaction.abort()
    assert tree(tmp_path) == {"quota/o/user.old": b"%1\n"}


def test_what_the_original_is_just_writing_is_not_a_root(tmp_path: Path) -> None:
    database = opened(tmp_path)
    database.store(b"user.joe", b"%1")
    (tmp_path / "quota/j/user.joe.NEW").write_bytes(b"%half a va")
    assert list(database.foreach()) == [(b"user.joe", b"%1")]
    database.store(b"user.joe.NEW", b"%a mailbox of that name")
    assert [root for root, _ in database.foreach()] == [b"user.joe", b"user.joe.NEW"]


def test_a_damaged_root_is_not_read_but_can_be_stored_again(tmp_path: Path) -> None:
    database = opened(tmp_path)
    database.store(b"user.joe", b"%1")
    (tmp_path / "quota/j/user.joe").write_bytes(b"%half a va")
    for reading in (database, database.transaction()):
        with pytest.raises(DatabaseCorrupt):
            reading.fetch(b"user.joe")
    database.close()
    database.store(b"user.joe", b"%2")
    assert database.fetch(b"user.joe") == b"%2"


def test_a_root_is_overwritten_while_it_is_as_long_as_before(tmp_path: Path) -> None:
    with QuotaLegacyDatabase(tmp_path / "quotas.db", create=True) as db:
        db.store(b"user.a", b"%(S (100 5))")
        file = tmp_path / "quota/a/user.a"
        first = file.stat().st_ino
        with open(file, "rb") as reader:
            db.store(b"user.a", b"%(S (999 5))")
            assert file.stat().st_ino == first
            db.store(b"user.a", b"%(S (1000 5))")
            assert file.stat().st_ino != first
            assert reader.read() == b"%(S (999 5))\n"
        db.make_lasting(b"user.a")
        assert db.fetch(b"user.a") == b"%(S (1000 5))"
        db.store(b"user.a", b"%" + b"x" * 600)
        second = file.stat().st_ino
        db.store(b"user.a", b"%" + b"y" * 600)
        assert file.stat().st_ino != second, "this may be torn"


def test_two_processes_count_one_root_together(tmp_path: Path) -> None:
    database = opened(tmp_path)
    children = []
    for _ in range(3):
        child = os.fork()
        if not child:
            status = 1
            try:
                done = 0
                while done < 30:
                    with suppress(Again), database.transaction() as changes:
                        used = int((changes.fetch(b"user.joe") or b"0 0").split()[0])
                        changes.store(b"user.joe", b"%d 0" % (used + 1))
                        done += 1
                status = 0
            finally:
                os._exit(status)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0, 0]
    assert database.fetch(b"user.joe") == b"90 0"


def test_mailbox_order(tmp_path: Path) -> None:
    with opened(tmp_path, mboxsort=True) as database:
        for root in (b"a-b", b"a.b", b"a"):
            database.store(root, b"%")
        assert [root for root, _ in database.foreach()] == [b"a", b"a.b", b"a-b"]


def test_a_missing_directory_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(IoError):
        cyrusdb.open_db("quotalegacy", tmp_path / "none/quotas.db")


def test_through_open_db(tmp_path: Path) -> None:
    settings = Settings(fulldirhash=True)
    database = cyrusdb.open_db("quotalegacy", tmp_path / "quotas.db", create=True, settings=settings)
    database.store(b"user.joe", b"1 2")
    database.consistent()
    database.repack()
    assert list(database.dump()) == []
    assert tree(tmp_path) == {"quota/B/user.joe": b"1\n2\n"}
