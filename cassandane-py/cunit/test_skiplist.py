"""The skiplist format: golden files of the original, crashes, damage, recovery."""

from __future__ import annotations

import os
import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cassandane import crash
from cassandane.tape import Tape
from libcyrus.base import files
from libcyrus.cyrusdb import Records, Settings, Sync, open_db
from libcyrus.cyrusdb.skiplist import SkiplistDatabase, checkpoint, layout
from libcyrus.cyrusdb.skiplist import stage as staging
from libcyrus.errors import CyrusError, DatabaseCorrupt, IoError, NoSpace

GOLDEN = Path(__file__).parents[1] / "formats/cyrusdb"
Changes = list[tuple[bytes, bytes | None]]


def content(database: Records) -> dict[bytes, bytes]:
    return dict(database.foreach())


def change(database: SkiplistDatabase, changes: Changes) -> None:
    with database.transaction() as transaction:
        for key, value in changes:
            if value is None:
                transaction.delete(key)
            else:
                transaction.store(key, value)


# golden files


RECORDS = {
    b"\xff\xfex": b"eight",
    b"caf\xc3\xa9": b"a value of several words",
    b"high": b"",
    b"user.anna": b"another, longer value",
    b"user.bob": b"two",
}


@pytest.mark.parametrize("name", ["skiplist.db", "skiplist-recovered.db", "skiplist-broken-off.db"])
def test_files_of_the_original(name: str, tmp_path: Path) -> None:
    """In the order of signed bytes."""
    path = shutil.copy(GOLDEN / name, tmp_path / "db")
    with SkiplistDatabase(path) as database:
        database.consistent()
        assert list(database.foreach()) == list(RECORDS.items())
        assert {key: database.fetch(key) for key in RECORDS} == RECORDS
        assert database.fetchnext(b"user") == (b"user.anna", b"another, longer value")
        database.store(b"more", b"1")
        assert content(database) == RECORDS | {b"more": b"1"}


def test_a_file_of_the_original_in_mailbox_order(tmp_path: Path) -> None:
    path = shutil.copy(GOLDEN / "skiplist-mboxsort.db", tmp_path / "db")
    with SkiplistDatabase(path, mboxsort=True) as database:
        assert [key for key, _ in database.foreach()] == [b"user.a", b"user.a.b", b"user.a-b"]
        database.consistent()
    with SkiplistDatabase(path) as database, pytest.raises(DatabaseCorrupt):
        database.consistent()


def test_a_fresh_file_is_as_the_original_makes_it(tmp_path: Path) -> None:
    path = tmp_path / "db"
    SkiplistDatabase(path, create=True).close()
    ours = path.read_bytes()
    header = layout.Header.unpack(ours)
    assert abs(header.last_recovery - time.time()) < 60
    theirs = bytearray((GOLDEN / "skiplist.db").read_bytes()[: header.first])
    for start, size in ((32, 4), (44, 4), (60, 80)):  # current level, time, the dummy's pointers
        theirs[start : start + size] = ours[start : start + size]
    assert ours == theirs


@pytest.mark.parametrize("size", [0, 1, 2, 3, 4, 5, 63, 70_000])
def test_keys_and_values_of_any_size(size: int, tmp_path: Path) -> None:
    with SkiplistDatabase(tmp_path / "db", create=True) as database:
        for key in (b"k" * max(size, 1), b"other"):
            database.store(key, b"v" * size)
        database.repack()
        database.store(b"third", b"w" * size)
        expected = {b"k" * max(size, 1): b"v" * size, b"other": b"v" * size, b"third": b"w" * size}
        assert content(database) == expected
        database.consistent()


# power cuts and crashes


CHANGES: list[Changes] = [
    [(b"key02", b"new value")],
    [(b"key02", None)],
    [(b"key00", None), (b"key15", None)],
    [(b"key005", b"x" * 600), (b"key07", None), (b"key08", b""), (b"key005", b"y")],
    [(b"aaa", b"1"), (b"zzz", b"2"), (b"aaa", None)],
]


@pytest.mark.parametrize("rewrite", [True, False])
@pytest.mark.parametrize("changes", CHANGES)
def test_after_a_power_cut_a_commit_is_there_or_not(
    changes: Changes, rewrite: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As long as the stamp tells that the machine failed."""
    path, crashed = tmp_path / "db", tmp_path / "crashed"
    database = SkiplistDatabase(path, create=True)
    for number in range(16):
        database.store(b"key%02d" % number, b"%d" % number)
    old, before = content(database), path.read_bytes()
    with monkeypatch.context() as patch:
        tape = Tape(patch)
        change(database, changes)
    new = content(database)
    assert len(tape.epochs) == 3
    database.close()
    since = int(time.time()) + 1
    monkeypatch.setattr(time, "time", lambda: since + 1)
    count = 0
    for image in tape.crashes(before):
        crashed.write_bytes(image)
        with SkiplistDatabase(crashed, recovered_since=since, always_checkpoint=rewrite) as recovered:
            recovered.consistent()
            found = content(recovered)
        assert found in (old, new)
        count += 1
    assert count > 5
    assert found == new


@pytest.mark.parametrize("rewrite", [True, False])
def test_a_file_that_lost_its_end_is_what_its_last_whole_commit_left(rewrite: bool, tmp_path: Path) -> None:
    """At every length; a file that lost records of its last checkpoint is refused and left alone."""
    path, cut = tmp_path / "db", tmp_path / "cut"
    states: dict[int, dict[bytes, bytes]] = {}
    with SkiplistDatabase(path, create=True) as database:
        change(database, [(b"key%d" % number, b"old") for number in range(4)])
        database.repack()
        logstart = path.stat().st_size
        states[logstart] = content(database)
        log: list[Changes] = [
            [(b"key1", b"new"), (b"key3", None)],
            [(b"key4", b"x" * 9)],
            [(b"key1", None)],
        ]
        for changes in log:
            change(database, changes)
            states[path.stat().st_size] = content(database)
    whole = path.read_bytes()
    for size in range(1, len(whole) + 1):
        cut.write_bytes(whole[:size])
        options = {"recovered_since": int(time.time()), "always_checkpoint": rewrite}
        old = bytearray(whole[:size])
        if size >= layout.HEADER_SIZE:
            old[44:48] = bytes(4)  # recovered long ago
            cut.write_bytes(old)
        if size < logstart:
            with pytest.raises(DatabaseCorrupt):
                SkiplistDatabase(cut, **options)  # type: ignore[arg-type]
            assert cut.read_bytes() == (old if size >= layout.HEADER_SIZE else whole[:size])
            continue
        with SkiplistDatabase(cut, **options) as database:  # type: ignore[arg-type]
            assert content(database) == states[max(end for end in states if end <= size)]
            database.consistent()
        assert sorted(os.listdir(tmp_path)) == ["cut", "db"]


def test_a_reader_recovers_a_torn_commit_without_any_stamp(tmp_path: Path) -> None:
    path = tmp_path / "db"
    with SkiplistDatabase(path, create=True) as database:
        database.store(b"a", b"1")
        reading = SkiplistDatabase(path)
        transaction = database.transaction()
        transaction.store(b"a", b"2")
        transaction.store(b"b", b"3")
        transaction.break_off()
        assert content(reading) == {b"a": b"1"}
        reading.close()


def _work(path: Path) -> None:
    with SkiplistDatabase(path) as database:
        change(database, [(b"key1", b"new"), (b"key3", None), (b"key9", b"9")])
        database.repack()
        database.store(b"key1", b"newer")


def _recover(path: Path, *, rewrite: bool) -> None:
    with SkiplistDatabase(path, always_checkpoint=rewrite) as database:
        database.fetch(b"key1")


def _dies_everywhere(path: Path, work: Callable[[], None], seen: Callable[[], None]) -> int:
    """Let a process do the work and die before each of its changes to files; returns how many there were."""
    saved = crash.snapshot(path.parent)
    for step in range(200):

        def dying(step: int = step) -> None:
            # or the levels of records, and with them the number of writes, would differ from try to try
            random.seed(1)
            crash.die_at(step)
            work()

        crash.restore(path.parent, saved)
        code = crash.in_child(dying)
        assert code in (0, crash.DIED)
        seen()
        if code == 0:
            return step
    raise AssertionError("no end")


def test_a_process_that_dies_leaves_one_commit_or_the_next(tmp_path: Path) -> None:
    path = tmp_path / "db"
    with SkiplistDatabase(path, create=True) as database:
        change(database, [(b"key%d" % number, b"old") for number in range(6)])
        states = [content(database)]
    states.append(states[0] | {b"key1": b"new", b"key9": b"9"})
    del states[1][b"key3"]
    states.append(states[1] | {b"key1": b"newer"})
    reached = 0

    def look() -> None:
        nonlocal reached
        with SkiplistDatabase(path) as database:
            database.consistent()
            found = states.index(content(database))
        assert found >= reached
        reached = found

    assert _dies_everywhere(path, lambda: _work(path), look) > 15
    assert reached == 2


@pytest.mark.parametrize("rewrite", [True, False])
def test_recovery_that_is_broken_off_is_done_again(rewrite: bool, tmp_path: Path) -> None:
    path = tmp_path / "db"
    with SkiplistDatabase(path, create=True) as database:
        change(database, [(b"key%d" % number, b"old") for number in range(6)])
        expected = content(database)
        transaction = database.transaction()
        transaction.store(b"key1", b"new")
        transaction.delete(b"key4")
        transaction.break_off()

    def look() -> None:
        with SkiplistDatabase(path, always_checkpoint=rewrite) as database:
            assert content(database) == expected
            database.consistent()

    assert _dies_everywhere(path, lambda: _recover(path, rewrite=rewrite), look) >= 4


@pytest.mark.parametrize("room", [0, 3, 16, 40])
def test_a_full_disk_fails_the_commit_and_leaves_the_file(
    room: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "db"
    database = SkiplistDatabase(path, create=True)
    database.store(b"a", b"1")
    before = path.read_bytes()
    real = files.pwrite_all

    def full(fd: int, data: bytes, offset: int) -> None:
        if offset >= len(before):
            real(fd, data[:room], offset)
            raise OSError(28, "No space left on device")
        real(fd, data, offset)

    with monkeypatch.context() as patch:
        patch.setattr(files, "pwrite_all", full)
        with pytest.raises(NoSpace):
            database.store(b"b", b"2")
    assert path.read_bytes() == before
    database.store(b"b", b"3")
    assert content(database) == {b"a": b"1", b"b": b"3"}
    database.close()


@pytest.mark.parametrize("step", range(8))
def test_a_commit_that_fails_at_any_call_is_undone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    database = SkiplistDatabase(tmp_path / "db", create=True)
    change(database, [(b"key%d" % number, b"old") for number in range(8)])
    old = content(database)
    calls = 0

    def failing(real: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object) -> object:
            nonlocal calls
            calls += 1
            if calls == step + 1:
                raise OSError(5, "Input/output error")
            return real(*arguments)

        return call

    with monkeypatch.context() as patch:
        patch.setattr(files, "pwrite_all", failing(files.pwrite_all))
        patch.setattr(os, "fdatasync", failing(os.fdatasync))
        try:
            change(database, [(b"key3", b"new"), (b"key4", None)])
        except IoError:
            assert content(database) == old
        else:
            assert calls <= step
    database.consistent()
    database.store(b"key5", b"new")
    assert database.fetch(b"key5") == b"new"
    database.close()


# damage


def test_damage_before_the_last_commit_is_refused_and_left_alone(tmp_path: Path) -> None:
    """As far as it can be told: there are no checksums. What is refused is never written to."""
    path, bad = tmp_path / "db", tmp_path / "bad"
    with SkiplistDatabase(path, create=True) as database:
        change(database, [(b"key%d" % number, b"old") for number in range(3)])
        database.repack()
        change(database, [(b"key1", b"new"), (b"key2", None)])
        change(database, [(b"key5", b"5")])
    whole = path.read_bytes()
    refused = 0
    for place in range(len(whole) - 4):
        for bit in (0, 3, 7):
            image = bytearray(whole)
            image[place] ^= 1 << bit
            image[44:48] = bytes(4)
            bad.write_bytes(image)
            try:
                with SkiplistDatabase(bad, recovered_since=int(time.time())) as database:
                    database.consistent()
            except DatabaseCorrupt:
                refused += 1
                assert bad.read_bytes() == image
    assert refused > 250
    assert sorted(os.listdir(tmp_path)) == ["bad", "db"]


def test_damaged_pointers_never_hang_or_escape(tmp_path: Path) -> None:
    path, bad = tmp_path / "db", tmp_path / "bad"
    with SkiplistDatabase(path, create=True) as database:
        change(database, [(b"key%02d" % number, b"value") for number in range(20)])
    whole = path.read_bytes()
    chance = random.Random(5)
    offsets = [chance.randrange(0, len(whole), 4) for _ in range(40)] + [0, 4, len(whole), 0xFFFFFFFF]
    for _ in range(600):
        image = bytearray(whole)
        place = chance.randrange(60, len(whole) - 4, 4)
        image[place : place + 4] = chance.choice(offsets).to_bytes(4)
        bad.write_bytes(image)
        try:
            with SkiplistDatabase(bad) as database:
                for number in range(20):
                    database.fetch(b"key%02d" % number)
                list(database.foreach())
                database.store(b"key99", b"x")
                database.delete(b"key03")
                database.consistent()
        except CyrusError as error:
            assert isinstance(error, DatabaseCorrupt)


@pytest.mark.parametrize(
    ("start", "patch"),
    [
        (0, b"\xa1\x02\x8b\x0dskiplist fool"),
        (20, b"\0\0\0\2"),
        (28, b"\0\0\0\x15"),
        (28, b"\0\0\0\0"),
        (28, b"\0\0\0\3"),
        (32, b"\0\0\0\x15"),
        (48, b"\0\0\0\1"),
        (52, b"\0\0\0\1"),
    ],
)
def test_wrong_headers(start: int, patch: bytes, tmp_path: Path) -> None:
    image = bytearray((GOLDEN / "skiplist.db").read_bytes())
    image[start : start + len(patch)] = patch
    path = tmp_path / "db"
    path.write_bytes(image)
    with pytest.raises(DatabaseCorrupt):
        SkiplistDatabase(path)
    assert path.read_bytes() == image


def test_zeros_in_the_log_are_passed_over(tmp_path: Path) -> None:
    """Old versions of the original left some."""
    path = tmp_path / "db"
    with SkiplistDatabase(path, create=True) as database:
        database.store(b"a", b"1")
    with open(path, "ab") as stream:
        stream.write(bytes(24))
    with SkiplistDatabase(path, always_checkpoint=False) as database:
        assert content(database) == {b"a": b"1"}
        database.consistent()


# when to recover, when to rewrite


def test_the_stamp_decides_about_recovery(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, stamp = tmp_path / "db", tmp_path / "skipstamp"
    settings = Settings(skipstamp=str(stamp), skiplist_always_checkpoint=False)

    def open_at(now: int, since: int | None) -> int:
        """Open at a time, with a stamp; when was the last recovery?"""
        monkeypatch.setattr(time, "time", lambda: float(now))
        stamp.unlink(missing_ok=True)
        if since is not None:
            stamp.write_bytes(since.to_bytes(4))
        open_db("skiplist", path, create=True, settings=settings).close()
        return layout.Header.unpack(path.read_bytes()).last_recovery

    monkeypatch.setattr(time, "clock_gettime", lambda _clock: 1000.0)
    assert open_at(50_000, 1) == 50_000
    assert open_at(50_010, 50_000) == 50_000
    assert open_at(50_020, 50_011) == 50_020
    assert open_at(50_030, None) == 50_020  # the machine was started at 49030
    assert open_at(51_030, None) == 51_030  # the machine was started at 50030
    assert open_at(51_040, 60_000) == 51_040  # a stamp of the future
    assert open_at(51_050, 60_000) == 51_050


def test_recovery_rewrites_the_file_if_told_to(tmp_path: Path) -> None:
    for rewrite in (False, True):
        path = tmp_path / str(rewrite)
        with SkiplistDatabase(path, create=True) as database:
            database.store(b"a", b"1")
            database.store(b"a", b"2")
            database.transaction().abort()
        inode, size = path.stat().st_ino, path.stat().st_size
        image = bytearray(path.read_bytes())
        image[44:48] = bytes(4)
        path.write_bytes(image)
        with SkiplistDatabase(path, recovered_since=1, always_checkpoint=rewrite) as database:
            assert content(database) == {b"a": b"2"}
        status = path.stat()
        assert (status.st_ino != inode, status.st_size < size) == (rewrite, rewrite)


def test_a_file_is_rewritten_when_its_log_has_grown(tmp_path: Path) -> None:
    path = tmp_path / "db"
    with SkiplistDatabase(path, create=True) as database:
        for number in range(30):
            database.store(b"key", b"%03d" % number * 200)
        database.maintain()
        assert path.stat().st_size < 1000
        assert layout.Header.unpack(path.read_bytes()).logstart == path.stat().st_size
        assert content(database) == {b"key": b"029" * 200}
    assert os.listdir(tmp_path) == ["db"]


@pytest.mark.parametrize(
    ("settings", "sync", "syncs"),
    [
        (Settings(), Sync.FULL, 2),
        (Settings(), Sync.NONE, 0),
        (Settings(skiplist_unsafe=True), Sync.FULL, 0),
    ],
)
def test_syncs(
    settings: Settings, sync: Sync, syncs: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_db("skiplist", tmp_path / "db", create=True, sync=sync, settings=settings) as database:
        database.store(b"a", b"1")
        tape = Tape(monkeypatch)
        database.store(b"a", b"2")
        assert len(tape.epochs) - 1 == syncs
        database.store(b"a", b"2")
        database.delete(b"none")
        assert len(tape.epochs) - 1 == syncs


def test_a_file_has_a_largest_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with SkiplistDatabase(tmp_path / "db", create=True) as database:
        database.store(b"a", b"1")
        size = os.path.getsize(database.path)
        monkeypatch.setattr(staging, "LARGEST", size + 40)
        with pytest.raises(IoError):
            database.store(b"b", b"x" * 100)
        assert content(database) == {b"a": b"1"}


def test_a_file_built_at_once_is_as_good(tmp_path: Path) -> None:
    records = [(b"%05d" % number, b"v" * (number % 9)) for number in range(5000)]
    checkpoint.build(str(tmp_path / "db"), iter(records))
    with SkiplistDatabase(tmp_path / "db") as database:
        database.consistent()
        assert list(database.foreach()) == records
        assert all(database.fetch(key) == value for key, value in records[::97])


def test_lookups_stay_right_while_two_handles_change_the_file(tmp_path: Path) -> None:
    path = tmp_path / "db"
    one = SkiplistDatabase(path, create=True, sync=Sync.NONE)
    two = SkiplistDatabase(path, sync=Sync.NONE)
    chance = random.Random(7)
    model = {b"%05d" % number: b"%d" % number for number in range(0, 4000, 2)}
    change(one, list(model.items()))
    for step in range(200):
        for _ in range(5):
            key = b"%05d" % chance.randrange(4000)
            assert one.fetch(key) == two.fetch(key) == model.get(key)
        writer = chance.choice([one, two])
        for key in (b"%05d" % chance.randrange(4000), chance.choice(list(model))):
            if chance.random() < 0.5:
                writer.delete(key)
                model.pop(key, None)
            else:
                model[key] = b"step %d" % step
                writer.store(key, model[key])
            assert one.fetch(key) == two.fetch(key) == model.get(key)
        if step % 50 == 25:
            writer.repack()
    assert dict(one.foreach()) == model
    two.consistent()
    one.close()
    two.close()
