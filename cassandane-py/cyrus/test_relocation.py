"""relocate_by_id beside the original's: the same output, records and files on equal spools."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from cassandane.instance import Instance, give_away, make_directory
from cassandane.messages import message

pytestmark = pytest.mark.reference

INVOCATIONS: tuple[list[str], ...] = (
    ["-n", "user/joe"], ["-n", "-u", "joe"], ["nosuch"], ["-u", "nosuch"], [], ["-u", "joe", "ann"],
    ["-u", "joe"], ["shared"], ["-q", "user/bob@example.org"],
)  # fmt: skip


@pytest.fixture(params=[{}, {"hashimapspool": "yes", "fulldirhash": "yes"}], ids=["plain", "hashed"])
def spool(request: pytest.FixtureRequest) -> Iterator[Instance]:
    """Everything in the old layout, with metadata and archived messages in places of their own."""
    directory = make_directory()
    for name in ("archive", "meta"):
        (directory / name).mkdir()
        give_away(directory / name)
    settings = {
        "mailbox_legacy_dirs": "yes", "virtdomains": "userid", "archive_enabled": "yes", "archive_days": "0",
        "archivepartition-default": f"{directory}/archive", "metapartition-default": f"{directory}/meta",
        "metapartition_files": "header index", **request.param,
    }  # fmt: skip
    server = Instance(
        directory, imapd_conf=settings, programs={"imap": "reference"}, master="reference", services=("imap",)
    ).start()
    with server.imap("admin") as admin:
        for name in (
            "user/joe", "user/joe/x", "user/joe/x/y", "user/joe/p/q", "user/joe/gone", "user/ann", "shared",
            "shared/a/b", "user/bob@example.org", "user/bob/s@example.org",
        ):  # fmt: skip
            admin.ok(f"CREATE {name}")
        admin.ok("SETACL user/joe/gone admin x")
        admin.ok("DELETE user/joe/gone")
        admin.ok("SETACL user/joe ann lrs")
    with server.imap("joe") as joe:
        joe.append("INBOX", message("one"), message("two"))
        joe.append("x", message("three"))
        joe.ok("SUBSCRIBE x")
    with server.imap("ann") as ann:
        ann.ok('SELECT "Other Users/joe"')
        ann.ok(r"STORE 1 +FLAGS (\Seen)")
    server.stop()
    scripts = directory / "conf/sieve" / ("H/joe" if request.param else "j/joe")
    scripts.mkdir(parents=True)
    (scripts / "a.script").write_text("keep;")
    yield server
    server.remove()


def test_the_same_is_moved_and_told(spool: Instance) -> None:
    saved = spool.directory.with_name(spool.directory.name + ".saved")
    shutil.copytree(spool.directory, saved)
    try:
        found = {}
        for kind in ("reference", "ours"):
            shutil.rmtree(spool.directory)
            shutil.copytree(saved, spool.directory)
            for path in (spool.directory, *spool.directory.rglob("*")):
                give_away(path)
            said = [spool.run("relocate_by_id", *words, kind=kind, check=False) for words in INVOCATIONS]
            lines = [(one.returncode, one.stdout, one.stderr) for one in said]
            found[kind] = lines, records(spool), files(spool.directory)
    finally:
        shutil.rmtree(saved)
    for ours, theirs in zip(found["ours"], found["reference"], strict=True):
        assert ours == theirs
    checked = spool.run("reconstruct", "-n", "-G", kind="reference")
    assert b"-->" not in checked.stdout
    spool.start()
    with spool.imap("ann") as ann:
        ann.ok('SELECT "Other Users/joe"')
        assert ann.ok("SEARCH SEEN").untagged == ["SEARCH 1"]
    with spool.imap("joe") as joe:
        assert joe.ok('LSUB "" *').untagged == ['LSUB () "/" x']
    spool.stop()


def records(spool: Instance) -> str:
    path = str(spool.directory / "conf/mailboxes.db")
    text = spool.run("cyr_dbtool", path, "twoskip", "show", kind="reference").stdout.decode()
    return re.sub(r" M \d+", "", text)


def files(directory: Path) -> dict[str, bytes]:
    """What is in the spools and of the user; the original makes empty databases of calendars too."""
    tops = ("spool", "archive", "meta", "conf/user", "conf/sieve")
    paths = [path for top in tops for path in (directory / top).rglob("*") if path.is_file()]
    found = {}
    for path in sorted(paths):
        name = str(path.relative_to(directory))
        if path.name != "dav.db":
            header = path.name in ("cyrus.header", "a.script") or path.name.endswith(".")
            found[name] = path.read_bytes() if header else b""
    return found
