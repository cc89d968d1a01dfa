"""A full disk when mail with scripts arrives: a temporary failure, nothing half there, and all well later."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest
from cyrus.test_timsieved import Client

from cassandane import smalldisk
from cassandane.clients import LmtpClient
from cassandane.instance import Instance
from cassandane.messages import message

SCRIPTS = {
    "plain": "",
    "filing": 'require "fileinto"; fileinto "INBOX/a"; keep;',
    "editing": 'require "editheader"; addheader "X-Seen" "yes"; keep;',
    "making": 'require ["fileinto", "mailbox"]; fileinto :create "INBOX/new";',
}
BIG = ("x" * 70 + "\r\n") * 2000


@pytest.fixture
def server() -> Iterator[Instance]:
    """The spool is a file system of 3 MB that nobody else sees."""
    instance = Instance(
        services=("imap", "lmtp", "sieve"), imapd_conf={"autocreate_quota": "0", "expunge_mode": "immediate"}
    )
    instance.wrapper = (sys.executable, smalldisk.__file__, str(instance.directory / "spool"), "3m")
    instance.allowed_log.append("IOERROR|DBERROR")
    instance.start()
    try:
        yield instance
    except BaseException:
        instance.stop(check=False)
        raise
    instance.stop()
    instance.remove()


def counts(server: Instance, user: str) -> dict[str, int]:
    """Messages by mailbox, each of them whole."""
    found = {}
    with server.imap(user) as imap:
        for line in imap.ok('LIST "" "*"').untagged:
            name = line.rsplit(" ", 1)[1].strip('"')
            exists = imap.ok(f"EXAMINE {name}").grep(r"^\d+ EXISTS")
            found[name] = int(exists[0].split()[0])
            texts = imap.ok("UID FETCH 1:* BODY.PEEK[]").grep("FETCH")
            assert len(texts) == found[name]
            assert all(text.endswith("\r\n)") for text in texts)
    return found


def fill(lmtp: LmtpClient) -> None:
    """Until not even a small one has room."""
    for size in (2000, 200, 20, 1):
        for number in range(100):
            (reply,) = lmtp.deliver(message(f"fill {size} {number}", ("y" * 70 + "\r\n") * size), "filler")
            if not reply.startswith("250"):
                assert reply.startswith("4"), reply
                break
        else:
            raise AssertionError("the disk never filled up")


def test_scripts_on_a_full_disk(server: Instance) -> None:
    for user in ("filler", *SCRIPTS):
        with server.imap(user) as imap:
            imap.ok("CREATE INBOX/a")
    for user, script in SCRIPTS.items():
        if script:
            client = Client(server)
            client.log_in(user)
            data = script.encode()
            assert client.say(b'PUTSCRIPT "s" {%d+}\r\n%b' % (len(data), data)) == b"OK\r\n"
            assert client.say(b'SETACTIVE "s"') == b"OK\r\n"
            client.sock.close()
    with server.lmtp() as lmtp:
        fill(lmtp)
        before = {user: counts(server, user) for user in SCRIPTS}
        text = message("late", BIG)
        for user in SCRIPTS:
            for _ in range(2):
                (reply,) = lmtp.deliver(text, user)
                assert reply.startswith("4"), f"{user}: {reply}"
        after = {user: counts(server, user) for user in SCRIPTS}
        for user in SCRIPTS:
            assert sum(after[user].values()) == sum(before[user].values()), user
    with server.imap("filler") as imap:
        imap.ok("SELECT INBOX")
        imap.ok(r"STORE 1:* +FLAGS.SILENT (\Deleted)")
        imap.ok("EXPUNGE")
    with server.lmtp() as lmtp:
        replies = lmtp.deliver(message("late", BIG), *SCRIPTS)
        assert all(reply.startswith("250") for reply in replies), replies
    assert counts(server, "plain")["INBOX"] == 1
    filing = counts(server, "filing")
    assert (filing["INBOX"], filing["INBOX/a"]) == (1, 1)
    assert counts(server, "editing")["INBOX"] == 1
    assert counts(server, "making")["INBOX/new"] == 1
