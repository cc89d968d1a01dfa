"""chk_cyrus and mbtool against the original."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from cassandane.instance import Instance, give_away
from cassandane.messages import message

pytestmark = [pytest.mark.reference, pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def server() -> Iterator[Instance]:
    """A stopped server with alice's legacy mailboxes, one of them damaged, and a shared one by id."""
    services = ("imap", "lmtpunix")
    server = Instance(
        imapd_conf={"mailbox_legacy_dirs": "yes", "conversations": "yes"}, master="reference",
        services=services, programs=dict.fromkeys(services, "reference"),
    )  # fmt: skip
    server.start()
    server.create_user("alice", "sub.one")
    server.create_user("bob")
    with server.imap("alice") as alice:
        for number in range(1, 5):
            alice.append("INBOX", message(f"number {number}", str(number)))
        alice.ok('SETMETADATA INBOX (/shared/comment "kept")')
        alice.ok("SETACL INBOX bob lrs")
    with server.imap("bob") as bob:
        bob.ok('SELECT "Other Users/alice"')
        bob.ok(r"STORE 2:3 +FLAGS (\Seen)")
    server.stop()
    server.lmtp_socket.unlink(missing_ok=True)
    (inbox(server) / "2.").unlink()
    (inbox(server) / "9.").write_bytes(b"From: x@example.org\r\n\r\nx\r\n")
    (inbox(server) / "notes").write_bytes(b"")
    give_away(inbox(server) / "9.")
    yield server
    server.remove()


def inbox(server: Instance) -> Path:
    return server.directory / "spool/user/alice"


@pytest.mark.parametrize(
    "arguments",
    [(), ("-M", "user.alice"), ("-M", "user/alice"), ("-P", "default"), ("-P", "no"), ("more",)],
)
def test_chk_cyrus_says_the_same_and_changes_nothing(server: Instance, arguments: tuple[str, ...]) -> None:
    before = sorted((path.name, path.read_bytes()) for path in inbox(server).glob("*") if path.is_file())
    theirs = server.run("chk_cyrus", *arguments, kind="reference")
    ours = server.run("chk_cyrus", *arguments)
    assert (ours.stdout, ours.stderr) == (theirs.stdout, theirs.stderr)
    after = sorted((path.name, path.read_bytes()) for path in inbox(server).glob("*") if path.is_file())
    assert after == before
    if arguments == ():
        assert b"uid 2 not found" in ours.stdout


@pytest.mark.parametrize("arguments", [("-x",), ("-M", "a", "-P", "b"), ("-P",)])
def test_chk_cyrus_usage(server: Instance, arguments: tuple[str, ...]) -> None:
    theirs = server.run("chk_cyrus", *arguments, kind="reference", check=False)
    assert server.run("chk_cyrus", *arguments, check=False).returncode == theirs.returncode == 255


@pytest.mark.parametrize("arguments", [(), ("-r",), ("-t",), ("-r", "-t", "x"), ("x",)])
def test_mbtool_usage(server: Instance, arguments: tuple[str, ...]) -> None:
    theirs = server.run("mbtool", *arguments, kind="reference", check=False)
    assert server.run("mbtool", *arguments, check=False).returncode == theirs.returncode == 64


def test_mbtool_corrects_dates_alike(server: Instance) -> None:
    saved = server.directory / "saved.index"
    index = inbox(server) / "cyrus.index"
    shutil.copy(index, saved)
    results = []
    for kind in ("reference", "ours"):
        shutil.copy(saved, index)
        done = server.run("mbtool", "-t", "user/alice*", kind=kind)
        again = server.run("mbtool", "-t", "user/alice*", kind="reference")
        results.append((done.stdout, again.stdout))
    shutil.copy(saved, index)
    assert results[0] == results[1]
    assert results[0][0].count(b" => ") == 4
    assert results[0][1].count(b" => ") == 0


def test_mbtool_gives_a_new_id_with_what_belongs_to_it(server: Instance) -> None:
    before = uniqueid(server)
    done = server.run("mbtool", "-r", "user/alice")
    assert done.stdout == b"Working on user/alice...\n"
    after = uniqueid(server)
    assert after != before
    assert server.run("mbexamine", "user/alice", kind="reference").stdout.count(after.encode()) == 1
    for program, arguments in (("reconstruct", ("-n", "-q")), ("ctl_mboxlist", ("-v",))):
        said = server.run(program, *arguments, *(["user/alice/*"] if program == "reconstruct" else []))
        assert before.encode() not in said.stdout
    found = server.run("cyr_dbtool", str(listing(server)), "twoskip", "show", kind="reference").stdout
    assert before.encode() not in found and f"I{after}".encode() in found
    for kind in ("reference", "ours"):
        audit = server.run("ctl_conversationsdb", "-v", "-A", "alice", kind=kind, check=False)
        assert (audit.returncode, audit.stderr) == (0, b""), kind
        assert b"is OK" in audit.stdout, kind
    server.start()
    with server.imap("bob") as bob:
        bob.ok('SELECT "Other Users/alice"')
        flags = bob.ok("UID FETCH 3:4 (FLAGS)").untagged
        assert ["\\Seen" in line for line in flags] == [True, False]
        assert bob.ok("GETMETADATA \"Other Users/alice\" /shared/comment").grep("kept")
    server.stop()
    server.lmtp_socket.unlink(missing_ok=True)


def uniqueid(server: Instance) -> str:
    text = (inbox(server) / "cyrus.header").read_bytes().decode("latin-1")
    return text.partition(" I ")[2].split(" ")[0]


def listing(server: Instance) -> Path:
    return server.directory / "conf/mailboxes.db"


def test_mbtool_leaves_ids_that_are_directories(server: Instance) -> None:
    server.settings["mailbox_legacy_dirs"] = "no"
    server.write_configuration()
    server.start()
    server.create_user("carol")
    server.stop()
    server.lmtp_socket.unlink(missing_ok=True)
    theirs = server.run("mbtool", "-r", "user/carol", kind="reference")
    assert server.run("mbtool", "-r", "user/carol").stdout == theirs.stdout
    assert theirs.stdout.endswith(b"Non-legacy mailbox, cannot reid: user/carol")
