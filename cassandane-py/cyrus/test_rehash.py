"""rehash beside the original's: the same output and the same places on equal spools."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from cassandane import reference
from cassandane.instance import TOP, Instance, give_away, make_directory, service_user
from cassandane.messages import message

pytestmark = pytest.mark.reference

LEGACY = {"mailbox_legacy_dirs": "yes", "virtdomains": "userid"}
TRIALS: tuple[list[str], ...] = (
    ["-n"], ["-n", "-F", "-I"], ["-v"], [], ["-F"], ["-v", "-i"], ["-v", "-F", "-I"], ["-f", "-i"],
)  # fmt: skip


@pytest.fixture(scope="module")
def spool() -> Iterator[Instance]:
    """Written without any hashing of partitions, by name, with domains."""
    directory = make_directory()
    (directory / "meta").mkdir()
    give_away(directory / "meta")
    settings = {
        **LEGACY, "metapartition_files": "header index", "metapartition-default": f"{directory}/meta",
        "sievedir": f"{directory}/sieve",
    }  # fmt: skip
    server = Instance(
        directory, imapd_conf=settings, programs={"imap": "reference"}, master="reference", services=("imap",)
    ).start()
    with server.imap("admin") as admin:
        for name in (
            "user/joe", "user/joe/x/y", "user/ann", "user/9lives", "user/dot.ted", "user/gone", "shared",
            "shared/a/b", "user/bob@example.org", "user/bob/s@example.org", "pub@example.org",
        ):  # fmt: skip
            admin.ok(f"CREATE {name}")
        admin.ok("SETACL user/gone admin x")
        admin.ok("DELETE user/gone")
        for root in ("user/joe", "shared", "user/bob@example.org"):
            admin.ok(f"SETQUOTA {root} (STORAGE 1000)")
        admin.ok("SETACL user/joe ann lrs")
    with server.imap("joe") as joe:
        joe.append("INBOX", message("one"))
        joe.ok("SUBSCRIBE x/y")
    server.stop()
    for path in ("sieve/j/joe", "sieve/domain/e/example.org/b/bob"):
        (directory / path).mkdir(parents=True)
        (directory / path / "a.script").write_text("keep;")
    (directory / "spool/b").mkdir(exist_ok=True)
    yield server
    server.remove()


def rehash(spool: Instance, kind: str, *words: str) -> tuple[int, bytes, bytes]:
    """The original refuses to run as root, and its package leaves it outside of the other programs."""
    command = [str(TOP / "bin/rehash")]
    if kind == "reference":
        command = ["perl", str(Path(reference.program("master")).parents[1] / "upgrade/rehash")]
    if not os.geteuid():
        user = service_user()
        command = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", *command]
    done = subprocess.run(
        [*command, *words, str(spool.config)], capture_output=True, env=spool.environment(), cwd="/"
    )
    return done.returncode, done.stdout, done.stderr


def places(directory: Path) -> list[str]:
    return sorted(
        str(path.relative_to(directory))
        for top in ("conf", "spool", "meta", "sieve")
        for path in (directory / top).rglob("*")
    )


@pytest.mark.parametrize("settings", [{}, {"fulldirhash": "yes"}, {"hashimapspool": "yes"}], ids=str)
def test_the_same_is_moved_and_told(spool: Instance, settings: dict[str, str]) -> None:
    """Back and forth through all ways of hashing, and then to what the configuration says."""
    saved = spool.directory.with_name(spool.directory.name + ".saved")
    shutil.copytree(spool.directory, saved)
    before = dict(spool.settings)
    try:
        found = {}
        for kind in ("reference", "ours"):
            put_back(spool, saved)
            spool.settings = {**before, **settings}
            spool.write_configuration()
            found[kind] = [(rehash(spool, kind, *words), places(spool.directory)) for words in (*TRIALS, [])]
        for words, ours, theirs in zip((*TRIALS, []), found["ours"], found["reference"], strict=True):
            assert ours == theirs, words
        check(spool)
    finally:
        put_back(spool, saved)
        shutil.rmtree(saved)
        spool.settings = before
        spool.write_configuration()


def put_back(spool: Instance, saved: Path) -> None:
    shutil.rmtree(spool.directory)
    shutil.copytree(saved, spool.directory)
    for path in (spool.directory, *spool.directory.rglob("*")):
        give_away(path)


def check(spool: Instance) -> None:
    assert spool.run("ctl_mboxlist", "-v").stdout == b""
    assert spool.run("quota", "-f", "-q", kind="reference").stderr == b""
    spool.start()
    with spool.imap("joe") as joe:
        joe.ok("SELECT INBOX")
        assert joe.ok('LSUB "" *').untagged == ['LSUB () "/" x/y']
    spool.stop()


def test_what_is_in_two_places_is_left_to_the_administrator(spool: Instance) -> None:
    twice = spool.directory / "conf/user/J/joe.sub"
    twice.parent.mkdir()
    twice.write_bytes(b"")
    give_away(twice.parent)
    try:
        said = [rehash(spool, kind, "-n") for kind in ("reference", "ours")]
    finally:
        shutil.rmtree(twice.parent)
    # what Perl exits with then is left to chance
    assert said[0][0] and said[1][0] == 255
    assert {one[2].partition(b" - ")[0][:10] for one in said} == {b"FOUND BOTH"}
    assert said[0][1] == said[1][1]


def test_directories_by_unique_id_stay(tmp_path: Path) -> None:
    server = Instance(services=("imap",)).start()
    server.create_user("joe")
    with server.imap("joe") as joe:
        joe.append("INBOX", message("one"))
        joe.ok("SUBSCRIBE INBOX")
    server.stop()
    before = [name for name in places(server.directory) if "uuid" in name]
    assert rehash(server, "ours", "-F", "-I")[0] == 0
    assert [name for name in places(server.directory) if "uuid" in name] == before
    server.remove()
