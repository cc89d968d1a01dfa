"""sievec and sieved beside the original's: same files, same output, same errors."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cassandane import reference
from cassandane.sieve_scripts import Writer
from libcyrus.config import Config
from sieve.bytecode.listing import listing
from sieve.bytecode.reader import read
from sieve.bytecode.regenerate import regenerate
from sieve.compiler import compile_script, rules
from sieve.errors import ScriptErrors
from sieve.parser import Rules

pytestmark = pytest.mark.reference

TOP = Path(__file__).parent.parent.parent
SCRIPTS = TOP / "cassandane-py" / "formats" / "sieve"
GOOD = sorted((SCRIPTS / "good").glob("*.sieve"))
BAD = sorted((SCRIPTS / "bad").glob("*.sieve"))
# the original does not read the argument of "error", and dies of it
CRASHES = {"ihave", "ihave_lists", "rfc5463_error"}


@pytest.fixture
def conf(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "imapd.conf"
    path.write_text(f"configdirectory: {tmp_path}\n")
    yield path


def theirs(program: str, *arguments: str | Path) -> subprocess.CompletedProcess[bytes]:
    command: list[str | Path] = [reference.program(program), *arguments]
    return subprocess.run(command, capture_output=True, env=reference.environment())


def ours(program: str, *arguments: str | Path) -> subprocess.CompletedProcess[bytes]:
    command: list[str | Path] = [sys.executable, "-S", TOP / "bin" / program, *arguments]
    return subprocess.run(command, capture_output=True)


def both(program: str, *arguments: str | Path) -> list[tuple[int, bytes, bytes]]:
    return [
        (done.returncode, done.stdout, done.stderr)
        for done in (run(program, *arguments) for run in (theirs, ours))
    ]


def test_every_script_of_the_corpus_is_as_the_original_compiles_it(conf: Path, tmp_path: Path) -> None:
    for script in GOOD:
        theirs("sievec", "-C", conf, script, tmp_path / "theirs")
        assert (tmp_path / "theirs").read_bytes() == script.with_suffix(".bc").read_bytes(), script.stem


def test_every_error_of_the_corpus_is_as_the_original_tells_it(conf: Path, tmp_path: Path) -> None:
    for script in BAD:
        done = theirs("sievec", "-C", conf, script, tmp_path / "out")
        assert done.stderr == script.with_suffix(".errors").read_bytes(), script.stem


def test_programs_agree(conf: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    good, bad = GOOD[0], BAD[0]
    for arguments in (
        ("-C", conf, good, out),
        ("-C", conf, bad, out),
        ("-C", conf, tmp_path / "missing", out),
        ("-C", conf, good, tmp_path / "missing" / "out"),
        ("-C", tmp_path / "missing", good, out),
    ):
        first, second = both("sievec", *arguments)
        assert second == first, arguments
    assert out.read_bytes() == good.with_suffix(".bc").read_bytes()
    for program, code in (("sievec", 1), ("sieved", 1)):
        assert [done[0] for done in both(program)] == [code, code]
        assert [done[0] for done in both(program, "-x")] == [code, code]


def test_listings_agree() -> None:
    for script in GOOD:
        if script.stem not in CRASHES:
            bytecode = script.with_suffix(".bc")
            done = theirs("sieved", bytecode)
            text = b"\n" + b"".join(listing(read(bytecode.read_bytes())))
            assert (done.returncode, done.stdout) == (0, text), script.stem
    for arguments in ([GOOD[0].with_suffix(".bc")], [GOOD[0]], ["-s", GOOD[0]], ["/nonexistent"]):
        first, second = both("sieved", *arguments)
        assert second == first, arguments


def test_the_original_compiles_regenerated_scripts_to_the_same(conf: Path, tmp_path: Path) -> None:
    for script in GOOD:
        bytecode = script.with_suffix(".bc").read_bytes()
        (tmp_path / "again.sieve").write_bytes(regenerate(read(bytecode)))
        done = theirs("sievec", "-C", conf, tmp_path / "again.sieve", tmp_path / "again.bc")
        assert not done.returncode, (script.stem, done.stderr)
        assert (tmp_path / "again.bc").read_bytes() == bytecode, script.stem
    for name in ("keep.bc", "log.bc"):
        first, second = both("sieved", "-s", GOOD[0].with_name(name))
        assert second == first, name


@pytest.mark.parametrize(
    ("first", "last"), [(0, 120), pytest.param(120, 3000, marks=[pytest.mark.long, pytest.mark.timeout(600)])]
)
def test_generated_scripts_compile_alike(conf: Path, tmp_path: Path, first: int, last: int) -> None:
    """Right ones to the same bytes, wrong ones with the same errors."""
    settings = rules(Config.load(str(conf), "sievec"))
    script, output = tmp_path / "script", tmp_path / "output"
    compiled = 0
    for seed in range(first, last):
        writer = Writer(random.Random(seed))
        text = (writer.broken() if seed % 2 else writer.script()).encode()
        script.write_bytes(text)
        done = theirs("sievec", "-C", conf, script, output)
        if b"address '\"" in done.stderr:
            # an unfinished quotation spoils the addresses behind it
            continue
        try:
            bytecode = compile_script(text, settings)
        except ScriptErrors as error:
            report = f"Unable to parse script: script errors:\r\n{error.report}\n"
            assert done.stderr.decode("utf-8", "surrogateescape") == report, seed
        else:
            assert (done.returncode, done.stderr) == (0, b""), seed
            assert output.read_bytes() == bytecode, seed
            assert regenerated(bytecode, settings) == bytecode, seed
            compiled += 1
    assert compiled > (last - first) // 2


def regenerated(bytecode: bytes, settings: Rules) -> bytes:
    return compile_script(regenerate(read(bytecode)), settings)


def test_standard_input_is_compiled(conf: Path, tmp_path: Path) -> None:
    text = GOOD[0].read_bytes()
    for program, name in ((reference.program("sievec"), "theirs"), (str(TOP / "bin" / "sievec"), "ours")):
        subprocess.run(
            [program, "-C", conf, "-", tmp_path / name], input=text, check=True, env=reference.environment()
        )
    assert (tmp_path / "theirs").read_bytes() == (tmp_path / "ours").read_bytes()
