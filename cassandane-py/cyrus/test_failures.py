"""Full disk, unreadable files, damaged databases, bad options: a clear answer, and nothing is lost."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cassandane import smalldisk
from cassandane.instance import Instance, program
from cassandane.messages import message


def spool_file(server: Instance, number: int) -> Path:
    (found,) = (server.directory / "spool").rglob(f"{number}.")
    return found


@pytest.fixture
def small_disk() -> Iterator[Instance]:
    """A server whose spool is a file system of 2 MB that nobody else sees."""
    server = Instance()
    server.wrapper = (sys.executable, smalldisk.__file__, str(server.directory / "spool"), "2m")
    server.allowed_log.append("IOERROR|DBERROR")
    server.start()
    try:
        yield server
    except BaseException:
        server.stop(check=False)
        raise
    server.stop()
    server.remove()


def test_a_full_disk_is_a_temporary_failure_and_loses_nothing(small_disk: Instance) -> None:
    server = small_disk
    server.create_user("alice")
    accepted = 0
    with server.lmtp() as lmtp:
        for number in range(30):
            (reply,) = lmtp.deliver(message(f"m{number}", ("x" * 70 + "\r\n") * 2000), "alice")
            if not reply.startswith("250"):
                assert reply.startswith("4"), reply
                break
            accepted += 1
        else:
            raise AssertionError("the disk never filled up")
    assert accepted > 3
    with server.imap("alice") as client:
        assert f"{accepted} EXISTS" in client.ok("SELECT INBOX").untagged
        client.no("APPEND INBOX {}", message("big", ("y" * 70 + "\r\n") * 2000))
        assert f"{accepted} EXISTS" in client.ok("SELECT INBOX").untagged
        assert len(client.ok("FETCH 1:* BODY.PEEK[]").untagged) == accepted
        client.ok(r"STORE 1:* +FLAGS (\Deleted)")
        client.ok("EXPUNGE")
    with server.lmtp() as lmtp:
        (reply,) = lmtp.deliver(message("after", "there is room again"), "alice")
        assert reply.startswith("250"), reply
    assert any("IOERROR" in line for line in server.log_lines())


def test_a_missing_message_file_fails_that_message_only(instance: Instance) -> None:
    instance.allowed_log.append("IOERROR")
    with instance.imap("cassandane") as client:
        client.append("INBOX", message("one"), message("two"), message("three"))
        spool_file(instance, 2).unlink()
        client.ok("SELECT INBOX")
        assert client.ok("FETCH 2 BODY.PEEK[]").untagged == ["OK Message 2 no longer exists"]
        assert len(client.ok("FETCH 1:3 BODY.PEEK[]").grep("^[13] FETCH")) == 2
        assert len(client.ok("FETCH 1:3 (FLAGS ENVELOPE)").untagged) == 3


def test_a_truncated_mailbox_list_is_refused_and_left_alone(instance: Instance) -> None:
    """A twoskip file that lost its end in the middle of a record."""
    instance.allowed_log.append("IOERROR|DBERROR|Fatal")
    path = instance.directory / "conf/mailboxes.db"
    whole = path.read_bytes()
    cut = whole[:100]
    path.write_bytes(cut)
    try:
        done = instance.run("cyr_dbtool", str(path), "twoskip", "show", check=False)
        assert done.returncode != 0
        assert b"Traceback" not in done.stderr
        assert path.read_bytes() == cut
    finally:
        path.write_bytes(whole)
    with instance.imap("cassandane") as client:
        client.ok("SELECT INBOX")


def test_a_damaged_index_record_is_noticed(instance: Instance) -> None:
    instance.allowed_log.append("IOERROR|DBERROR|CRC|crc")
    with instance.imap("cassandane") as client:
        client.append("INBOX", message("one"), message("two"))
        client.ok("CREATE other")
    indexes = (instance.directory / "spool").rglob("cyrus.index")
    (index,) = [path for path in indexes if path.stat().st_size > 300]
    data = bytearray(index.read_bytes())
    data[160 + 112 + 12] ^= 0xFF
    index.write_bytes(data)
    with instance.imap("cassandane") as client:
        client.ok("SELECT INBOX")
        shown = client.ok("FETCH 1:* (UID RFC822.SIZE)").untagged
        assert [line.split()[0] for line in shown] == ["1", "OK"]
        client.no("STORE 2 +FLAGS (Wrong)")
        client.ok("SELECT other")
    assert any("index record corrupted" in line for line in instance.log_lines())
    instance.run("reconstruct", "user/cassandane")
    with instance.imap("cassandane") as client:
        client.ok("SELECT INBOX")
        assert len(client.ok("FETCH 1:* BODY.PEEK[]").untagged) == 2


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("allowplaintext: perhaps\n", "allowplaintext"),
        ("allowplaintext: yes\n", "allowplaintext"),
        ("no colon here\n", "imapd.conf"),
        ("@include: /nonexistent/file\n", "/nonexistent/file"),
    ],
)
def test_a_bad_option_ends_the_program_with_one_clear_line(line: str, said: str) -> None:
    server = Instance()
    server.config.write_text(server.config.read_text() + line)
    for name, argument in (("mbpath", "user/x"), ("ctl_mboxlist", "-d")):
        command = [program("ours", name), "-C", str(server.config), argument]
        done = subprocess.run(command, capture_output=True, text=True, env=server.environment(), timeout=60)
        assert done.returncode == 78, done
        assert said in done.stderr and "Traceback" not in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1
    server.remove()
