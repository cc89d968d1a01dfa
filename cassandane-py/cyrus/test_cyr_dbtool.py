"""cyr_dbtool beside the original's: same commands, same output; one file written by both, at once."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from cassandane import reference
from cassandane.instance import wait_for
from cassandane.tools import Ran, Tools
from libcyrus import cyrusdb
from libcyrus.cyrusdb import Database, Settings
from libcyrus.cyrusdb.skiplist import layout as skiplist_layout
from libcyrus.cyrusdb.skiplist import stage as skiplist_stage
from libcyrus.cyrusdb.twoskip import layout, stage

pytestmark = pytest.mark.reference

TOP = Path(__file__).resolve().parents[2]
Command = tuple[Sequence[str], bytes]
# backends whose files have a structure of their own
LINKED = ("skiplist", "twoskip")


@pytest.fixture
def tools(tmp_path: Path) -> Tools:
    return Tools(tmp_path, "cyr_dbtool", sql_engine="sqlite")


def stamp(tools: Tools) -> None:
    """Let the original believe that the machine did not fail, or it recovers each skiplist it opens."""
    for place in ("ours", "theirs"):
        (tools.directory / place / "conf/db").mkdir()
        (tools.directory / place / "conf/db/skipstamp").write_bytes((1).to_bytes(4))


@pytest.mark.parametrize("backend", ["skiplist", "sql", "twoskip"])
def test_every_action_prints_what_the_original_prints(tools: Tools, backend: str) -> None:
    commands: list[Command] = [
        (["relative", backend, "show"], b""),
        (["@a", backend, "show"], b""),
        (["-n", "@a", backend, "set", "a", "1"], b""),
        (["@a", backend, "set", "b", ""], b""),
        (["@a", backend, "show"], b""),
        (["@a", backend, "get", "zz"], b""),
        (["@a", backend, "get", "a"], b""),
        (["@a", backend, "set"], b"k1\tv1\nk2\tv2\tx\nk3\n\tno key\n\nk5\t4"),
        (["@a", backend, "show", "k"], b""),
        (["@a", backend, "get"], b"k1\nk9\nk2\n"),
        (["@a", backend, "consistency"], b""),
        (["@a", backend, "consistent"], b""),
        (["@a", backend, "repack"], b""),
        (["@a", backend, "bogus"], b""),
        (["@a", "bogus", "show"], b""),
        (["@a", backend, "delete", "none"], b""),
        (["@a", backend, "delete"], b"k1\nk2\n"),
        (["-T", "@a", backend, "set"], b"t1\tv1\nt2\tv2\n"),
        (["-T", "-t", "@a", backend, "delete", "t1"], b""),
        (["@a", backend, "show"], b""),
    ]
    if backend in LINKED:
        commands += [
            (["-M", "-n", "@m", backend, "set"], b"user.a-b\tq\nuser.a.b\tzz\nuser.a\t1\n"),
            (["-M", "@m", backend, "show"], b""),
        ]
    if backend == "skiplist":
        commands.remove((["@a", backend, "repack"], b""))  # which the original dies of, always
    for words, stdin in commands:
        assert tools.ours(words, stdin) == tools.theirs(words, stdin), words


def test_every_action_on_text_files(tools: Tools) -> None:
    commands: list[Command] = [
        (["-n", "@f", "flat", "set", "user.a", "x\ty"], b""),
        (["@f", "flat", "set"], b"user.a-b\tq\nuser.b\t\xff\xfe\n"),
        (["@f", "flat", "show"], b""),
        (["@f", "flat", "show", "user.a"], b""),
        (["@f", "flat", "delete", "user.a"], b""),
        (["@f", "flat", "dump"], b""),
        (["@f", "flat", "repack"], b""),
        (["@f", "flat", "consistent"], b""),
        (["-n", "@q/quotas.db", "quotalegacy", "set", "user.joe", "%(S (0 100))"], b""),
        (["@q/quotas.db", "quotalegacy", "set", "user.anna", "123 456"], b""),
        (["@q/quotas.db", "quotalegacy", "show"], b""),
        (["@q/quotas.db", "quotalegacy", "get", "user.anna"], b""),
        (["@q/quotas.db", "quotalegacy", "delete", "user.joe"], b""),
        (["@q/quotas.db", "quotalegacy", "show"], b""),
    ]
    for words, stdin in commands:
        assert tools.ours(words, stdin) == tools.theirs(words, stdin), words
    for name in ("f", "q/quota/a/user.anna"):
        ours = (tools.directory / "ours" / name).read_bytes()
        assert ours == (tools.directory / "theirs" / name).read_bytes()


@pytest.mark.parametrize(
    "script",
    [
        b'SHOW\nSET a "x y"\nGET a\nSET {3+}\r\na\r\n {4+}\r\n\0\1\2%\nSHOW\n',
        b"SET a 1\nBEGIN\nDELETE a\nGET a\nABORT\nGET a\nBEGIN\nSET q NIL\nCOMMIT\nSHOW\n",
        b"BEGIN\nSET n 1\nSET m 2\nSHOW n\nCOMMIT\nSHOW\nGET nope\n\n\nGET n\n",
        b'SET q NIL\nGET q\nSET w "a%b"\nSET z "q\\"q"\nSHOW "" \nGET z',
        b'SET a ""\nGET a\nSET b {0+}\r\n\nSHOW\n',
        b"SET long " + b"x" * 1500 + b"\nSHOW\n",
        b'SET long "' + b"y " * 800 + b'"\nSHOW\n',
        b"COMMIT\n",
        b"ABORT\n",
        b"BEGIN\nBEGIN\n",
        b"FOO x\n",
        b"SET r (x\n",
        b'SET r "x\n',
        b"SET r {x}\n",
        b"GET a b c\n",
    ],
)
@pytest.mark.parametrize("backend", LINKED)
def test_batch_answers_as_the_original_does(tools: Tools, script: bytes, backend: str) -> None:
    words = ["-n", "@a", backend, "batch"]
    assert tools.ours(words, script) == tools.theirs(words, script)


@pytest.mark.parametrize("name", ["twoskip.db", "twoskip-repacked.db", "twoskip-mboxsort.db"])
@pytest.mark.parametrize("level", [[], ["2"], ["3"], ["x"]])
def test_dump_prints_what_the_original_prints(tools: Tools, name: str, level: list[str]) -> None:
    for place in ("ours", "theirs"):
        shutil.copy(TOP / "cassandane-py/formats/cyrusdb" / name, tools.directory / place)
    words = ["-M"] * ("mboxsort" in name) + [f"@{name}", "twoskip", "dump", *level]
    assert tools.ours(words) == tools.theirs(words)


def test_every_level_and_byte_is_dumped_alike(tools: Tools, monkeypatch: pytest.MonkeyPatch) -> None:
    levels = iter(range(1, layout.MAXLEVEL + 1))
    monkeypatch.setattr(stage, "random_level", lambda: next(levels))
    with cyrusdb.open_db("twoskip", tools.directory / "ours/a", create=True) as database:
        for number in range(layout.MAXLEVEL):
            database.store(b"key\0%d" % number, bytes(range(number, 256, 7)))
        database.delete(b"key\0005")
    shutil.copy(tools.directory / "ours/a", tools.directory / "theirs/a")
    words = ["@a", "twoskip", "dump", "3"]
    assert tools.ours(words) == tools.theirs(words)


def test_every_level_of_a_skiplist_is_dumped_alike(tools: Tools, monkeypatch: pytest.MonkeyPatch) -> None:
    levels = iter(range(1, skiplist_layout.MAXLEVEL + 1))
    monkeypatch.setattr(skiplist_stage, "random_level", lambda _maxlevel: next(levels))
    with cyrusdb.open_db("skiplist", tools.directory / "ours/a", create=True) as database:
        for number in range(skiplist_layout.MAXLEVEL):
            database.store(b"key\0%d" % number, bytes(range(number, 256, 7)))
        database.delete(b"key\0005")
        database.repack()
        database.store(b"key\0004", b"")
        database.delete(b"key\0003")
    shutil.copy(tools.directory / "ours/a", tools.directory / "theirs/a")
    stamp(tools)
    words = ["@a", "skiplist", "dump", "3"]
    assert tools.ours(words) == tools.theirs(words)


@pytest.mark.parametrize("words", [[], ["@a"], ["@a", "twoskip"]])
def test_too_few_operands_are_a_usage_error(tools: Tools, words: list[str]) -> None:
    ours, theirs = tools.ours(words), tools.theirs(words)
    assert ours[:2] == theirs[:2] == (255, b"")
    assert b"Usage: " in ours[2]


@pytest.mark.parametrize("backend", LINKED)
def test_a_crash_of_either_is_recovered_by_the_other(tools: Tools, backend: str) -> None:
    """The original recovers a skiplist file before it writes to it; to read, only if the stamp says so."""
    stamp(tools)
    run: tuple[tuple[Callable[..., Ran], str], ...] = ((tools.ours, "ours"), (tools.theirs, "theirs"))
    for breaking, place in run:
        path = tools.directory / place / "a"
        assert breaking(["-n", "@a", backend, "set", "key", "value"])[0] == 0
        assert breaking(["@a", backend, "damage"])[0] == os.EX_SOFTWARE
        for mending, elsewhere in run:
            copy = tools.directory / elsewhere / "b"
            shutil.copy(path, copy)
            assert mending(["@b", backend, "set", "more", ""])[0] == 0
            assert mending(["@b", backend, "delete", "more"])[0] == 0
            assert mending(["@b", backend, "show"]) == (0, b"key\tvalue\n", b"")
            assert mending(["@b", backend, "consistent"]) == (0, b"Yes, consistent\n", b"")


@pytest.mark.parametrize("missing", [1, 8, 23, 120, 200, 300])
def test_a_file_that_lost_its_end_is_rescued_alike(tools: Tools, missing: int) -> None:
    """Where the original stops dead instead, at a deletion for one, there is nothing to compare."""
    content = (TOP / "cassandane-py/formats/cyrusdb/twoskip.db").read_bytes()
    for place in ("ours", "theirs"):
        (tools.directory / place / "a").write_bytes(content[:-missing])
    ours, theirs = tools.ours(["@a", "twoskip", "show"]), tools.theirs(["@a", "twoskip", "show"])
    assert ours == theirs
    assert theirs[0] == 0
    assert tools.ours(["@a", "twoskip", "consistent"]) == (0, b"Yes, consistent\n", b"")


def _fill(database: Database, seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(40):
        with database.transaction() as changes:
            for _ in range(chance.randrange(1, 12)):
                key = b"key%d" % chance.randrange(60)
                if chance.random() < 0.3:
                    changes.delete(key)
                else:
                    changes.store(key, b"v" * chance.choice([0, 1, 5, 90, 700]))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("backend", ["flat", "skiplist", "sql", "twoskip"])
def test_the_original_reads_what_we_write(tools: Tools, backend: str, seed: int) -> None:
    settings = Settings(sql_engine="sqlite")
    with cyrusdb.open_db(backend, tools.directory / "theirs/a", create=True, settings=settings) as database:
        _fill(database, seed)
        expected = b"".join(cyrusdb.dump_text(database))
    assert tools.theirs(["@a", backend, "show"]) == (0, expected, b"")
    assert tools.theirs(["@a", backend, "consistent"]) == (0, b"Yes, consistent\n", b"")
    if backend != "skiplist":
        assert tools.theirs(["@a", backend, "repack"])[0] == 0
    with cyrusdb.open_db(backend, tools.directory / "theirs/a", settings=settings) as database:
        database.consistent()
        assert b"".join(cyrusdb.dump_text(database)) == expected


@pytest.mark.parametrize("backend", ["flat", "skiplist", "twoskip"])
def test_both_write_one_file_at_once(tools: Tools, backend: str) -> None:
    """Nobody's change is lost, through repacks of either."""
    path = tools.directory / "theirs/a"
    database = cyrusdb.open_db(backend, path, create=True)
    database.store(b"start", b"")
    rounds = 150
    script = [
        b"BEGIN\nSET their%03d %b\nSET both {%d+}\r\n%b\nDELETE gone%d\nCOMMIT\n"
        % (number, b"t" * (number % 50 + 1), 300, b"B" * 300, number)
        for number in range(rounds)
    ]
    conf = str(tools.conf("theirs"))
    other = subprocess.Popen(
        [reference.program("cyr_dbtool"), "-C", conf, str(path), backend, "batch"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=reference.environment(),
    )
    assert other.stdin is not None
    other.stdin.write(b"".join(script[: rounds // 2]))
    other.stdin.flush()
    # the original recovers a skiplist when it opens it, and takes away what was committed while it waited
    wait_for(lambda: database.fetch(b"their000"), "the original does not write")
    for number in range(rounds):
        if number == rounds // 3:
            other.stdin.write(b"".join(script[rounds // 2 :]))
            other.stdin.flush()
        with database.transaction() as changes:
            changes.store(b"our%03d" % number, b"o" * (number % 70))
            changes.store(b"both", b"A" * 300)
        if number % 40 == 0:
            database.repack()
        assert database.fetch(b"our%03d" % number) == b"o" * (number % 70)
    answer = other.communicate(timeout=60)
    assert (other.returncode, *answer) == (0, b"", b"")
    database.consistent()
    found = dict(database.foreach())
    expected = {b"our%03d" % number: b"o" * (number % 70) for number in range(rounds)}
    expected |= {b"their%03d" % number: b"t" * (number % 50 + 1) for number in range(rounds)}
    assert {key: value for key, value in found.items() if key not in (b"start", b"both")} == expected
    database.close()
    assert tools.theirs(["@a", backend, "consistent"]) == (0, b"Yes, consistent\n", b"")


@pytest.mark.parametrize("checkpoint", ["yes", "no"])
def test_a_skiplist_that_lost_its_end_is_recovered_alike(tools: Tools, checkpoint: str) -> None:
    """Without a checkpoint even to the byte, but for the time of recovery."""
    tools.configure(skiplist_always_checkpoint=checkpoint)
    stamp(tools)
    whole = (TOP / "cassandane-py/formats/cyrusdb/skiplist.db").read_bytes()
    for missing in (0, 1, 4, 7, 12, 40, 60, 100):
        image = bytearray(whole[: len(whole) - missing])
        image[44:48] = bytes(4)  # recovered long ago
        for place in ("ours", "theirs"):
            (tools.directory / place / "a").write_bytes(image)
        ours, theirs = tools.ours(["@a", "skiplist", "show"]), tools.theirs(["@a", "skiplist", "show"])
        assert ours == theirs
        assert tools.theirs(["@a", "skiplist", "consistent"]) == (0, b"Yes, consistent\n", b"")
        if checkpoint == "no":
            left, right = (
                bytearray((tools.directory / place / "a").read_bytes()) for place in ("ours", "theirs")
            )
            left[44:48] = right[44:48] = bytes(4)
            assert left == right


@pytest.mark.parametrize("backend", LINKED)
def test_the_original_killed_at_work_leaves_whole_commits(tools: Tools, backend: str) -> None:
    """We go on where it died, and it where we stopped."""
    stamp(tools)
    path = tools.directory / "theirs/a"
    chance = random.Random(11)
    number = 0
    database = cyrusdb.open_db(backend, path, create=True)
    for _ in range(12):
        other = subprocess.Popen(
            [reference.program("cyr_dbtool"), "-C", str(tools.conf("theirs")), str(path), backend, "batch"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=reference.environment(),
        )
        assert other.stdin is not None
        assert other.stdout is not None
        commits = [
            b"BEGIN\nSET one %d\nSET two %d\nSET k%d x\nDELETE k%d\nCOMMIT\nGET one\n"
            % (count, count, count % 30, (count * 7) % 30)
            for count in range(number + 1, number + 400)
        ]
        other.stdin.write(b"".join(commits))
        other.stdin.flush()
        for _ in range(chance.randrange(1, 60)):
            number = int(other.stdout.readline().removeprefix(b"one "))
        other.kill()
        for line in other.communicate()[0].split(b"\n")[:-1]:
            number = int(line.removeprefix(b"one "))
        one, two = database.fetch(b"one"), database.fetch(b"two")
        assert one == two
        # what it had not yet told of may be there too
        assert int(one or b"") >= number
        number = int(one or b"")
        database.consistent()
        number += 1
        with database.transaction() as changes:
            changes.store(b"one", b"%d" % number)
            changes.store(b"two", b"%d" % number)
    database.close()
    assert tools.theirs(["@a", backend, "get", "two"]) == (0, b"%d\n" % number, b"")
    assert tools.theirs(["@a", backend, "consistent"]) == (0, b"Yes, consistent\n", b"")


@pytest.mark.parametrize("convert", [[], ["-c"]])
@pytest.mark.parametrize("wanted", [*LINKED, "zeroskip"])
@pytest.mark.parametrize("found", LINKED)
def test_a_file_of_another_backend_is_taken_or_converted_alike(
    tools: Tools, found: str, wanted: str, convert: list[str]
) -> None:
    stamp(tools)
    for place in ("ours", "theirs"):
        with cyrusdb.open_db(found, tools.directory / place / "a", create=True) as database:
            _fill(database, 1)
    words = [*convert, "@a", wanted, "show"]
    ours = tools.ours(words)
    assert ours == tools.theirs(words)
    assert ours[0] == (os.EX_CONFIG if wanted == "zeroskip" else 0)
    kinds = [cyrusdb.detect(tools.directory / place / "a") for place in ("ours", "theirs")]
    assert kinds[0] == kinds[1]
