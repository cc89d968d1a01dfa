"""The ways to lay out a spool: what either server wrote in each, the other serves and changes."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from cassandane.instance import Instance, give_away, make_directory
from cassandane.messages import corpus, message

pytestmark = [pytest.mark.reference, pytest.mark.timeout(300)]

OTHER = {"ours": "reference", "reference": "ours"}
LAYOUTS = {
    "by name": {"mailbox_legacy_dirs": "yes"},
    "by name, hashed": {"mailbox_legacy_dirs": "yes", "hashimapspool": "yes", "fulldirhash": "yes"},
    "with archive": {
        "archive_enabled": "yes", "archivepartition-default": "{}/second", "archive_maxsize": "1",
    },
    "with metapartition": {
        "metapartition_files": "header index cache annotations",
        "metapartition-default": "{}/second",
    },
    "with archive and its own cache": {
        "archive_enabled": "yes", "archivepartition-default": "{}/second", "archive_maxsize": "1",
        "metapartition_files": "archivecache", "metapartition-default": "{}/third",
    },
}  # fmt: skip
EVERYTHING = "(UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODYSTRUCTURE BODY.PEEK[])"


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Iterator[Instance]:
    directory = make_directory()
    for name in ("second", "third"):
        (directory / name).mkdir()
        give_away(directory / name)
    layout = {key: value.format(directory) for key, value in LAYOUTS[request.param].items()}
    instance = Instance(directory, imapd_conf={"expunge_mode": "immediate", **layout})
    try:
        yield instance
    except BaseException:
        instance.stop(check=False)
        raise
    instance.stop()
    instance.remove()


def run_as(server: Instance, kind: str) -> None:
    server.stop()
    server.use(master=kind, programs=kind)
    server.start()


def populate(server: Instance) -> None:
    server.create_user("alice", "sub")
    with server.imap("admin") as admin:
        admin.ok("SETQUOTA user/alice (STORAGE 100000)")
    with server.lmtp() as lmtp:
        for text in corpus(8, seed=3, largest=3000):
            assert lmtp.deliver(text, "alice")[0].startswith("250")
    with server.imap("alice") as alice:
        alice.append("sub", message("one", "1"), flags=r"(\Flagged Work)")
        alice.ok("SELECT INBOX")
        alice.ok("COPY 1:5 sub")
        alice.ok(r"STORE 2 +FLAGS (\Deleted)")
        alice.ok("EXPUNGE")


def change(server: Instance) -> None:
    with server.imap("alice") as alice:
        alice.append("sub", message("two", "2"))
        alice.ok("SELECT sub")
        alice.ok("MOVE 3 INBOX")
        alice.ok(r"STORE 1 +FLAGS (\Deleted)")
        alice.ok("EXPUNGE")


def mail(server: Instance) -> list[str]:
    with server.imap("alice") as alice:
        lines = []
        for name in ("INBOX", "sub"):
            alice.ok(f"EXAMINE {name}")
            lines += alice.ok(f"FETCH 1:* {EVERYTHING}").untagged
        return [re.sub(r" ?\\Recent", "", line) for line in lines]


def check(server: Instance) -> None:
    """Both reconstructs read every message and find nothing wrong, and quotas are right."""
    for kind in ("reference", "ours"):
        done = server.run("reconstruct", "-n", "-G", "-r", "user/alice", kind=kind)
        assert (done.stdout, done.stderr) == (b"user/alice\nuser/alice/sub\n", b"")
    assert server.run("quota", "-f", "-q", kind="reference").stdout == b""
    assert b"INCORRECT" not in server.run("mbexamine", "-q", kind="reference").stdout


@pytest.mark.parametrize("writer", ["ours", "reference"])
@pytest.mark.parametrize("server", LAYOUTS, indirect=True)
def test_either_server_goes_on_with_the_others_layout(server: Instance, writer: str) -> None:
    run_as(server, writer)
    populate(server)
    before = mail(server)
    check(server)

    run_as(server, OTHER[writer])
    assert mail(server) == before
    change(server)
    after = mail(server)
    check(server)

    run_as(server, writer)
    assert mail(server) == after


@pytest.mark.parametrize("server", ["by name"], indirect=True)
@pytest.mark.parametrize("arguments", [("-f", "user/alice"), ("-p", "default", "user/alice/sub")])
def test_a_directory_without_records_becomes_a_mailbox_again(
    server: Instance, arguments: tuple[str, ...]
) -> None:
    """The original crashes at both of these."""
    run_as(server, "reference")
    populate(server)
    server.stop()
    listing = str(server.directory / "conf/mailboxes.db")
    before = server.run("cyr_dbtool", listing, "twoskip", "show", kind="reference").stdout
    uniqueid = re.search(rb"^Nuser\x1falice\x1fsub\t%\(T el I (\w+)", before, re.MULTILINE)
    assert uniqueid is not None
    for key in ("Nuser\x1falice\x1fsub", f"I{uniqueid[1].decode()}"):
        server.run("cyr_dbtool", listing, "twoskip", "delete", key, kind="reference")
    assert server.run("reconstruct", *arguments).stdout.endswith(b"user/alice/sub\n")
    records = server.run("cyr_dbtool", listing, "twoskip", "show", kind="reference").stdout
    assert b"I" + uniqueid[1] + b"\t" in records
    checked = server.run("reconstruct", "-n", "-G", "user/alice/sub", kind="reference")
    assert checked.stdout == b"user/alice/sub\n"
