"""Cyrus's own commands: giving up commands, warming up, reconstructing; and what is for other servers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from cassandane.clients import Reply
from cassandane.instance import Instance, wait_for

MESSAGE = b"From: a@b.example\r\nSubject: y\r\n\r\nbody text\r\n"


@pytest.fixture(scope="module")
def server() -> Iterator[Instance]:
    instance = Instance(services=("imap",), imapd_conf={"xbackup_enabled": "yes"})
    instance.allowed_log = ["XFER: cannot move", "XBACKUP: cannot connect"]
    instance.start()
    instance.create_user("bob")
    instance.create_user("eve")
    try:
        yield instance
    finally:
        instance.stop()
        instance.remove()


def test_a_user_gives_up_a_command_of_another_session(server: Instance) -> None:
    with server.imap("bob") as long, server.imap("bob") as other, server.imap("eve") as stranger:
        long.send(b"f XFOREVER\r\n")
        assert long.line() == b"* FOREVER 1"
        assert [line for line in _processes(server) if line.endswith(b"\tbob\t\tXforever")]
        stranger.ok("XKILLMY XFOREVER")
        other.ok("XKILLMY search")
        other.ok("XKILLMY xforever")
        lines: list[bytes] = []
        while not lines or lines[-1].startswith(b"* "):
            lines.append(long.line())
        assert lines[-1] == b"f NO Command cancelled by user"
        # what was asked of one command does not end the next
        long.ok("NOOP")
        wait_for(lambda: not [line for line in _processes(server) if b"Xforever" in line], "still listed")


def test_the_process_list_shows_what_takes_long(server: Instance) -> None:
    with server.imap("bob") as imap:
        imap.ok("SELECT INBOX")
        imap.send(b"i IDLE\r\n")
        assert imap.line() == b"+ idling"
        assert [line for line in _processes(server) if line.endswith(b"\tbob\tuser.bob\tIdle")]
        imap.send(b"DONE\r\n")
        assert imap.line() == b"i OK Completed"
        imap.ok("NOOP")
        assert [line for line in _processes(server) if line.endswith(b"\tbob\tuser.bob\t")]


def _processes(server: Instance) -> list[bytes]:
    return [path.read_bytes().split(b"\n")[0] for path in Path(server.directory, "conf/proc").iterdir()]


@pytest.mark.parametrize(
    ("command", "reply"),
    [
        ("XWARMUP INBOX ()", "OK Completed (T sec)"),
        ("XWARMUP INBOX (all uids 1:*)", "OK Completed (T sec)"),
        ("XWARMUP INBOX (index conversations annotations search)", "OK Completed (T sec)"),
        ("XWARMUP INBOX", "BAD syntax error in Xwarmup"),
        ("XWARMUP INBOX (index) x", "BAD syntax error in Xwarmup"),
        ("XWARMUP INBOX (uids x)", "BAD syntax error in Xwarmup"),
        ("XWARMUP user/eve (all)", "NO Mailbox does not exist (T sec)"),
        ("XMEID phone", "OK Completed"),
        ("XSTATS x", "BAD Unexpected extra arguments to Xstats"),
        ("XMEID", "BAD Missing required argument to Xmeid"),
        ("XKILLMY", "BAD Missing required argument to Xkillmy"),
        ("XFOREVER x", "BAD Unexpected extra arguments to Xforever"),
        ("RECONSTRUCT INBOX", "NO Permission denied"),
        ("RECONSTRUCT INBOX x", "BAD Unexpected extra arguments to Reconstruct"),
        ("XFER INBOX other", "NO Permission denied"),
        ("XFER INBOX", "BAD Missing required argument to Xfer"),
        ("MUPDATEPUSH INBOX", "NO Permission denied"),
        ("DUMP INBOX", "NO Permission denied"),
        ("DUMP INBOX x", "BAD Unexpected extra arguments to Dump"),
        ("UNDUMP INBOX {3+}\r\nabc", "NO Permission denied"),
        ("XBACKUP user/bob", "NO Permission denied"),
        ("XAPPLEPUSHSERVICE aps-version 2", "BAD Unrecognized command"),
        ("SYNCGET USER bob", "BAD Unrecognized command"),
        ("NETSCAPE", "BAD Unrecognized command"),
        ("XCONVFETCH", "BAD Unrecognized command"),
    ],
)
def test_what_users_are_told(server: Instance, command: str, reply: str) -> None:
    with server.imap("bob") as imap:
        assert _answer(imap.command(command)) == reply
        imap.ok("NOOP")


@pytest.mark.parametrize(
    ("command", "reply"),
    [
        ("XFER user/bob other", "NO Server(s) unavailable to complete operation"),
        ("XFER user/bob mail.example.org", "NO Invalid server requested"),
        ("XFER user/nobody other", "NO Mailbox does not exist"),
        ("XFER user/bob/x other", "NO Operation is not supported on mailbox"),
        ("RENAME user/bob user/bob other!default", "NO Server(s) unavailable to complete operation"),
        ("MUPDATEPUSH user/bob", "NO Server(s) unavailable to complete operation"),
        ("XBACKUP user/nobody", "NO Mailbox does not exist"),
        ("XBACKUP user/bob", "NO Server(s) unavailable to complete operation"),
        ("DUMP user/bob", "NO This server neither makes nor reads dumps of mailboxes"),
        ("RECONSTRUCT user/nobody", "NO Mailbox does not exist"),
    ],
)
def test_what_administrators_are_told(server: Instance, command: str, reply: str) -> None:
    with server.imap("admin") as admin:
        assert _answer(admin.command(command)) == reply


def test_an_administrator_reconstructs_over_the_wire(server: Instance) -> None:
    with server.imap("bob") as imap, server.imap("admin") as admin:
        imap.ok("CREATE lost")
        imap.append("lost", MESSAGE)
        path = server.run("mbpath", "user/bob/lost").stdout.decode().strip()
        Path(path, "1.").unlink()
        admin.ok("RECONSTRUCT user/bob/lost")
        assert imap.ok("STATUS lost (MESSAGES)").untagged == ["STATUS lost (MESSAGES 0)"]
        admin.ok("RECONSTRUCT user/bob RECURSIVE")
        admin.ok("SETACL user/bob admin lrswipkxtea")
        admin.ok("SELECT user/bob")
        assert admin.command("RECONSTRUCT user/bob").text == "Mailbox is locked"


def test_counters_of_work_rise(server: Instance) -> None:
    names = (
        "CONV_LOAD CONV_SAVE CONV_GET_MODSEQ CONV_NEW MSGDATA_LOAD MESSAGE_MAP SEARCH_EVALUATE SEARCH_HEADER"
        " SEARCH_CACHE_HEADER SEARCH_BODY SEARCH_TRIVIAL SEARCH_RESULT"
    )
    with server.imap("bob") as imap:
        imap.append("INBOX", MESSAGE, MESSAGE)
        imap.ok("SELECT INBOX")
        before = imap.ok("XSTATS").untagged[0].split()
        assert " ".join(before[1::2]) == names
        imap.ok("SEARCH BODY nothing")
        imap.ok("SORT (SUBJECT) UTF-8 ALL")
        after = imap.ok("XSTATS").untagged[0].split()
        risen = {name for name, a, b in zip(after[1::2], before[2::2], after[2::2], strict=True) if a != b}
        assert risen == {"MSGDATA_LOAD", "MESSAGE_MAP", "SEARCH_EVALUATE"}


def _answer(reply: Reply) -> str:
    return re.sub(r"\(\d+\.\d+ sec\)", "(T sec)", f"{reply.status} {reply.text}")
