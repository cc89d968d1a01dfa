"""The twoskip file: its bytes, files of the original, crashes and damage at every point."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from zlib import crc32

import pytest

from cassandane.tape import Tape
from libcyrus import cyrusdb
from libcyrus.base import files
from libcyrus.cyrusdb import Sync
from libcyrus.cyrusdb.twoskip import TwoskipDatabase, layout
from libcyrus.cyrusdb.twoskip.layout import Header, Record
from libcyrus.errors import DatabaseCorrupt, NoSpace

FORMATS = Path(__file__).parents[1] / "formats/cyrusdb"
STATE = {b"alpha": b"ONE", b"beta": b"two", b"delta": b""}

HEADER = bytes.fromhex(
    "a1028b0d74776f736b69702066696c6500000000"  # 0   magic
    "00000001"  # 20  version
    "0000000000000001"  # 24  generation
    "0000000000000003"  # 32  num_records
    "0000000000000150"  # 40  repack_size
    "00000000000002f8"  # 48  current_size
    "00000000"  # 56  flags
    "1f491c9a"  # 60  crc32
)
RECORD = bytes.fromhex(
    "2b03"  # 0   '+', level 3
    "0005"  # 2   keylen
    "00000003"  # 4   vallen
    "00000000000001f8"  # 8   lowest list, older pointer or newer
    "00000000000001a0"  # 16  lowest list, the other
    "00000000000001f8"  # 24  list 1
    "0000000000000000"  # 32  list 2
    "610a52a2"  # 40  crc32 of the head
    "91a2a715"  # 44  crc32 of the tail
    "616c706861"  # 48  alpha
    "6f6e65"  # 53  one
)


# the bytes


def test_header_reads_and_writes_the_same_bytes() -> None:
    header = Header.unpack(HEADER)
    assert header == Header(
        generation=1, num_records=3, repack_size=0x150, current_size=0x2F8, flags=0, version=1
    )
    assert header.pack() == HEADER


@pytest.mark.parametrize("place", range(64))
def test_a_flipped_bit_in_the_header_is_noticed(place: int) -> None:
    damaged = bytearray(HEADER)
    damaged[place] ^= 4
    with pytest.raises(DatabaseCorrupt):
        Header.unpack(bytes(damaged))


def test_a_later_version_is_refused() -> None:
    header = Header.unpack(HEADER)
    header.version = 2
    with pytest.raises(DatabaseCorrupt, match="version"):
        Header.unpack(header.pack())


def test_record_reads_and_writes_the_same_bytes() -> None:
    record = layout.read_record(bytes(0x150) + RECORD, 0x150, 0x150 + len(RECORD))
    assert (record.type, record.level, record.key, record.value_size) == (ord("+"), 3, b"alpha", 3)
    assert record.pointers == [0x1F8, 0x1A0, 0x1F8, 0]
    assert record.size == len(RECORD)
    assert record.pack_head() + layout.pack_tail(b"alpha", b"one") == RECORD
    assert layout.read_value(bytes(0x150) + RECORD, record) == b"one"


@pytest.mark.parametrize("place", range(len(RECORD)))
def test_a_flipped_bit_in_a_record_is_noticed(place: int) -> None:
    damaged = bytearray(RECORD)
    damaged[place] ^= 1
    with pytest.raises(DatabaseCorrupt):
        layout.read_value(bytes(damaged), layout.read_record(bytes(damaged), 0, len(damaged)))


@pytest.mark.parametrize("size", range(len(RECORD)))
def test_a_record_cut_short_is_noticed(size: int) -> None:
    with pytest.raises(DatabaseCorrupt):
        layout.read_record(RECORD[:size], 0, size)


@pytest.mark.parametrize(("key_size", "value_size"), [(0xFFFF, 1), (70000, 0), (3, 5), (0xFFFE, 0)])
def test_long_keys_have_their_length_in_eight_bytes(key_size: int, value_size: int) -> None:
    key, value = b"k" * key_size, b"v" * value_size
    tail = layout.pack_tail(key, value)
    head = layout.pack_head(layout.RECORD, 1, key_size, value_size, [0, 24], crc32(tail))
    assert len(head) == 32 + (8 if key_size >= 0xFFFF else 0)
    assert not (len(head) + len(tail)) % 8
    record = layout.read_record(head + tail, 0, len(head) + len(tail))
    assert (record.key, layout.read_value(head + tail, record)) == (key, value)


def test_an_empty_database_has_the_bytes_of_the_original() -> None:
    header, content = layout.fresh_file()
    assert (header.current_size, header.repack_size, header.num_records) == (0x150, 0x150, 0)
    assert content[:64] == header.pack()
    assert content[64:72] == b"=\x1f\0\0\0\0\0\0"
    assert content[72:328] == bytes(256)
    assert len(content) == 0x150


@pytest.mark.parametrize(
    ("pointers", "end", "expected"),
    [((0, 0), 100, 0), ((8, 16), 100, 16), ((16, 8), 100, 16), ((8, 200), 100, 8), ((200, 8), 100, 8)],
)
def test_the_lowest_list_believes_no_pointer_beyond_the_end(
    pointers: tuple[int, int], end: int, expected: int
) -> None:
    assert layout.lowest(*pointers, end) == expected


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([0, 0], [0, 500]),
        ([8, 16], [500, 16]),
        ([16, 8], [16, 500]),
        ([400, 8], [500, 8]),
        ([8, 400], [8, 500]),
    ],
)
def test_a_commit_overwrites_the_older_pointer_or_its_own(before: list[int], after: list[int]) -> None:
    record = Record(0, layout.RECORD, 1, b"", 0, before, 0, 0, 0)
    record.point(0, 500, committed=300)
    assert record.pointers == after


def test_padding_keeps_what_is_rewritten_of_a_head_in_one_block() -> None:
    for size in range(32, 512, 8):
        for offset in range(0x150, 0x150 + 1024, 8):
            start = offset + len(layout.padding(offset, size))
            if size <= 504:
                assert (start + 8) // 512 == (start + size - 1) // 512, (offset, size)
    assert layout.padding(0x1E8, 40) == layout.BLANK * 2  # as the original did in twoskip.db


def test_levels_are_halved_each_time() -> None:
    levels = [layout.random_level() for _ in range(20000)]
    assert min(levels) == 1
    assert max(levels) <= layout.MAXLEVEL
    for level, share in ((1, 0.5), (2, 0.25), (3, 0.125)):
        assert abs(levels.count(level) / len(levels) - share) < 0.03


# files of the original


@pytest.fixture
def golden(tmp_path: Path) -> Callable[[str], Path]:
    def copy(name: str) -> Path:
        path = tmp_path / name
        path.write_bytes((FORMATS / name).read_bytes())
        return path

    return copy


@pytest.mark.parametrize("name", ["twoskip.db", "twoskip-repacked.db", "twoskip-broken-off.db"])
def test_files_of_the_original_are_read(golden: Callable[[str], Path], name: str) -> None:
    with cyrusdb.open_db("twoskip", golden(name)) as database:
        database.consistent()
        assert dict(database.foreach()) == STATE
        assert {key: database.fetch(key) for key in STATE} == STATE
        database.store(b"gamma", b"4")
        database.delete(b"alpha")
        database.consistent()
        assert list(database.foreach()) == [(b"beta", b"two"), (b"delta", b""), (b"gamma", b"4")]


def test_a_file_in_mailbox_order_is_read(golden: Callable[[str], Path]) -> None:
    path = golden("twoskip-mboxsort.db")
    with cyrusdb.open_db("twoskip", path, mboxsort=True) as database:
        database.consistent()
        assert list(database.foreach()) == [(b"user.a", b"3"), (b"user.a.b", b"2"), (b"user.a-b", b"1")]
    with cyrusdb.open_db("twoskip", path) as database, pytest.raises(DatabaseCorrupt):
        database.consistent()


def test_a_flat_file_of_the_original_is_read_and_rewritten(golden: Callable[[str], Path]) -> None:
    path = golden("flat.db")
    with cyrusdb.open_db("flat", path) as database:
        database.consistent()
        assert list(database.foreach()) == [
            (b"user.a", b"3"),
            (b"user.a.b", b"tab\there"),
            (b"user.a-b", b"1"),
            (b"\xff x", b"a\\b"),
        ]
        database.store(b"z", b"")
        database.delete(b"z")
    assert path.read_bytes() == (FORMATS / "flat.db").read_bytes()


def test_dump_shows_the_file_as_the_original_does(golden: Callable[[str], Path]) -> None:
    with cyrusdb.open_db("twoskip", golden("twoskip.db")) as database:
        lines = list(database.dump(3))
    assert lines[0] == "HEADER: v=1 fl=0 num=3 sz=(000002F8/00000150)"
    assert lines[1:4] == ["00000040 DUMMY kl=0 dl=0 lvl=31 ()", "\t00000240 ", lines[3]]
    assert lines[3].startswith("\t00000150 00000240 00000000 ")
    assert lines[7:14] == [
        "\tv=()",
        "00000150 RECORD kl=5 dl=3 lvl=3 (alpha)",
        "\t000001F8 ",
        "\t000001A0 000001F8 00000000 ",
        "\tv=(one)",
        "00000188 COMMIT start=00000150",
        "000001A0 RECORD kl=5 dl=5 lvl=1 (gamma)",
    ]
    assert "000001E8 BLANK" in lines
    assert "00000288 DELETE ptr=00000000" in lines


# crashes


CHANGES: list[list[tuple[bytes, bytes | None]]] = [
    [(b"key02", b"new value")],
    [(b"key02", None)],
    [(b"key00", None), (b"key15", None)],
    [(b"key005", b"x" * 600), (b"key07", None), (b"key08", b""), (b"key005", b"y")],
    [(b"aaa", b"1"), (b"zzz", b"2"), (b"aaa", None)],
]


def _content(database: cyrusdb.Records) -> dict[bytes, bytes]:
    return dict(database.foreach())


def _change(database: cyrusdb.Database, changes: list[tuple[bytes, bytes | None]]) -> None:
    with database.transaction() as transaction:
        for key, value in changes:
            if value is None:
                transaction.delete(key)
            else:
                transaction.store(key, value)


@pytest.mark.parametrize("changes", CHANGES)
def test_after_a_power_cut_a_commit_is_there_or_not(
    changes: list[tuple[bytes, bytes | None]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The state is the old or the new one, and the new one for sure after the last sync."""
    path, crashed = tmp_path / "db", tmp_path / "crashed"
    database = cyrusdb.open_db("twoskip", path, create=True)
    for number in range(16):
        database.store(b"key%02d" % number, b"%d" % number)
    old, before = _content(database), path.read_bytes()
    with monkeypatch.context() as patch:
        tape = Tape(patch)
        _change(database, changes)
    new = _content(database)
    assert len(tape.epochs) == 4
    assert tape.epochs[3] == []
    database.close()
    count = 0
    for image in tape.crashes(before):
        crashed.write_bytes(image)
        with cyrusdb.open_db("twoskip", crashed) as recovered:
            recovered.consistent()
            found = _content(recovered)
        assert found in (old, new)
        count += 1
    assert count > 10
    assert found == new


def test_not_waiting_for_the_last_sync_risks_no_more_than_the_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for sync, syncs in ((Sync.FULL, 3), (Sync.ORDERED, 2), (Sync.NONE, 0)):
        with cyrusdb.open_db("twoskip", tmp_path / sync.value, create=True, sync=sync) as database:
            database.store(b"a", b"1")
            with monkeypatch.context() as patch:
                tape = Tape(patch)
                _change(database, [(b"a", b"2"), (b"b", b"3")])
            assert len(tape.epochs) - 1 == syncs


def test_what_changes_nothing_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with cyrusdb.open_db("twoskip", tmp_path / "db", create=True) as database:
        database.store(b"a", b"1")
        with monkeypatch.context() as patch:
            tape = Tape(patch)
            database.store(b"a", b"1")
            database.delete(b"b")
            _change(database, [(b"a", b"1")])
            transaction = database.transaction()
            transaction.store(b"a", b"2")
            transaction.abort()
        assert tape.epochs == [[]]


def test_what_follows_the_last_commit_is_dropped(tmp_path: Path) -> None:
    """A process that died before it set the dirty flag leaves only a tail."""
    path = tmp_path / "db"
    with cyrusdb.open_db("twoskip", path, create=True) as database:
        database.store(b"a", b"1")
    good = path.read_bytes()
    for junk in (b"x", b"\0" * 8, RECORD, RECORD[:30]):
        path.write_bytes(good + junk)
        with cyrusdb.open_db("twoskip", path) as database:
            assert _content(database) == {b"a": b"1"}
        assert path.read_bytes() == good


def test_a_file_cut_at_any_length_gives_an_earlier_commit_or_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "db"
    states: list[dict[bytes, bytes]] = [{}]
    first: list[tuple[bytes, bytes | None]] = [(b"key%02d" % n, b"%d" % n) for n in range(8)]
    with cyrusdb.open_db("twoskip", path, create=True) as database:
        for changes in (first, *CHANGES):
            _change(database, changes)
            states.append(_content(database))
    whole = path.read_bytes()
    rescued = 0
    for size in range(1, len(whole), 4):
        path.write_bytes(whole[:size])
        try:
            with cyrusdb.open_db("twoskip", path) as database:
                database.consistent()
                assert _content(database) in states[1:]
                rescued += 1
        except DatabaseCorrupt:
            assert path.read_bytes() == whole[:size]
            assert os.listdir(tmp_path) == ["db"]
    assert rescued > 50


def test_damage_in_the_middle_costs_at_most_its_commit(tmp_path: Path) -> None:
    """Found by a read, it is an error; found by recovery, the other commits are kept."""
    path = tmp_path / "db"
    with cyrusdb.open_db("twoskip", path, create=True) as database:
        for number in range(20):
            database.store(b"key%02d" % number, b"value%02d" % number)
        database.delete(b"key03")
    whole = path.read_bytes()
    place = whole.index(b"value07")
    path.write_bytes(whole[:place] + b"X" + whole[place + 1 :])
    with cyrusdb.open_db("twoskip", path) as database:
        assert database.fetch(b"key06") == b"value06"
        with pytest.raises(DatabaseCorrupt):
            database.fetch(b"key07")
        with pytest.raises(DatabaseCorrupt):
            _content(database)
        with pytest.raises(DatabaseCorrupt):
            database.repack()
    head = whole.index(b"key07value07") - 24
    path.write_bytes(whole[:head] + b"\xff" * 8 + whole[head + 8 : -8])
    with cyrusdb.open_db("twoskip", path) as database:
        found = _content(database)
    assert b"key07" not in found
    assert {b"key%02d" % n for n in range(20) if n not in (3, 7)} <= set(found)


@pytest.mark.parametrize("content", [b"x", b"\0" * 400, b"a\tb\n", HEADER[:63], HEADER])
def test_what_is_no_twoskip_file_is_refused_and_left_alone(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "db"
    path.write_bytes(content)
    with pytest.raises(DatabaseCorrupt):
        TwoskipDatabase(path, create=True)
    assert path.read_bytes() == content


def test_an_empty_file_becomes_a_database(tmp_path: Path) -> None:
    path = tmp_path / "db"
    path.touch()
    with cyrusdb.open_db("twoskip", path) as database:
        database.store(b"a", b"1")
        assert _content(database) == {b"a": b"1"}


def test_a_full_disk_fails_the_commit_and_leaves_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "db"
    database = cyrusdb.open_db("twoskip", path, create=True)
    database.store(b"a", b"1")
    before = path.read_bytes()
    real = files.pwrite_all

    def full(fd: int, data: bytes, offset: int) -> None:
        if offset >= len(before):
            real(fd, data[:16], offset)
            raise OSError(28, "No space left on device")
        real(fd, data, offset)

    with monkeypatch.context() as patch:
        patch.setattr(files, "pwrite_all", full)
        with pytest.raises(NoSpace):
            database.store(b"b", b"2")
    assert path.read_bytes() == before
    database.store(b"b", b"3")
    assert _content(database) == {b"a": b"1", b"b": b"3"}
    database.close()


# repacking


def test_a_file_is_repacked_when_it_has_doubled(tmp_path: Path) -> None:
    path = tmp_path / "db"
    with cyrusdb.open_db("twoskip", path, create=True) as database:
        for number in range(30):
            database.store(b"key", b"%03d" % number * 200)
        assert Header.unpack(path.read_bytes()).generation == 1
        assert path.stat().st_size > 16834
        database.maintain()
        header = Header.unpack(path.read_bytes())
        assert (header.generation, header.num_records) == (2, 1)
        # the commit record, with the filler before it that keeps it within one disk block
        assert header.current_size == path.stat().st_size
        assert header.current_size - header.repack_size in (24, 32)
        assert _content(database) == {b"key": b"029" * 200}
    with cyrusdb.open_db("twoskip", path) as database:
        for number in range(60):
            database.store(b"key", b"%d" % number * 200)
    assert Header.unpack(path.read_bytes()).generation == 3
    assert os.listdir(tmp_path) == ["db"]


def test_a_walk_goes_on_while_others_repack_and_change(tmp_path: Path) -> None:
    path = tmp_path / "db"
    one = cyrusdb.open_db("twoskip", path, create=True)
    two = cyrusdb.open_db("twoskip", path)
    _change(one, [(b"%04d" % number, b"x") for number in range(3000)])
    seen = []
    for key, _ in one.foreach():
        seen.append(key)
        if len(seen) % 500 == 0:
            two.repack()
            two.store(b"%04d" % (len(seen) % 2000 + 900), b"y")
    assert seen == [b"%04d" % number for number in range(3000)]
    one.close()
    two.close()


def test_lookups_stay_right_while_two_handles_change_the_file(tmp_path: Path) -> None:
    """A handle remembers records; any commit, its own or not, makes it forget."""
    path = tmp_path / "db"
    one = cyrusdb.open_db("twoskip", path, create=True, sync=Sync.NONE)
    two = cyrusdb.open_db("twoskip", path, sync=Sync.NONE)
    chance = random.Random(7)
    model = {b"%05d" % number: b"%d" % number for number in range(0, 4000, 2)}
    _change(one, list(model.items()))
    for step in range(400):
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
        if step % 100 == 50:
            writer.repack()
    assert dict(one.foreach()) == model
    two.consistent()
    one.close()
    two.close()


class _Interrupted(Exception):
    """What a signal handler may raise anywhere."""


@pytest.mark.parametrize("step", range(6))
def test_a_commit_that_is_interrupted_is_there_or_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    """The same handle goes on, and does not believe what it had not written yet."""
    database = cyrusdb.open_db("twoskip", tmp_path / "db", create=True)
    for number in range(8):
        database.store(b"key%d" % number, b"old")
    old = _content(database)
    real_write, real_sync = files.pwrite_all, os.fdatasync
    calls = 0

    def interrupt() -> None:
        nonlocal calls
        calls += 1
        if calls > step:
            raise _Interrupted

    def write(fd: int, data: bytes, offset: int) -> None:
        interrupt()
        real_write(fd, data, offset)

    def sync(fd: int) -> None:
        interrupt()
        real_sync(fd)

    with monkeypatch.context() as patch:
        patch.setattr(files, "pwrite_all", write)
        patch.setattr(os, "fdatasync", sync)
        with pytest.raises(_Interrupted):
            _change(database, [(b"key3", b"new"), (b"key4", None)])
    assert _content(database) == old
    database.consistent()
    database.store(b"key5", b"new")
    assert database.fetch(b"key5") == b"new"
    database.close()


def test_a_remembered_value_gives_way_to_what_another_process_commits(tmp_path: Path) -> None:
    path = str(tmp_path / "db")
    with TwoskipDatabase(path, create=True) as mine, TwoskipDatabase(path) as other:
        assert mine.fetch(b"k") is mine.fetch(b"k") is None
        other.store(b"k", b"1")
        assert mine.fetch(b"k") == mine.fetch(b"k") == b"1"
        other.store(b"k", b"2")
        assert mine.fetch(b"k") == mine.fetch(b"k") == b"2"
        other.repack()
        other.delete(b"k")
        assert mine.fetch(b"k") is None
        mine.store(b"k", b"3")
        assert mine.fetch(b"k") == mine.fetch(b"k") == b"3"
        with suppress(RuntimeError), mine.transaction() as changes:
            changes.store(b"k", b"4")
            assert mine.fetch(b"k") == b"4"
            raise RuntimeError
        assert mine.fetch(b"k") == b"3"


def test_no_remembered_value_is_given_out_of_a_file_that_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "db"
    with TwoskipDatabase(str(path), create=True) as database:
        database.store(b"k", b"1")
        assert database.fetch(b"k") == b"1"
        with TwoskipDatabase(str(tmp_path / "new"), create=True) as new:
            new.store(b"k", b"2")
        (tmp_path / "new").rename(path)
        assert database.fetch(b"k") == b"2"
