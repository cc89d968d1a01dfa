"""Mailboxes of other servers: who asks with referrals (RFC 2193) is sent there, who does not is refused."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cassandane.clients import ImapClient
from cassandane.instance import Instance
from libcyrus.config import Config
from libcyrus.records import mbtype as mbtypes
from libcyrus.records.mbentry import MboxEntry
from libcyrus.records.mboxlist import Change, Mboxlist

MESSAGE = b"From: a@b.example\r\nSubject: y\r\n\r\nbody text\r\n"
UNAVAILABLE = "Server(s) unavailable to complete operation"
REFERRED = "[REFERRAL imap://;AUTH=*@backend.example.org/{}] Remote mailbox."


@pytest.fixture(scope="module")
def server() -> Iterator[Instance]:
    instance = Instance(services=("imap", "lmtp"))
    instance.start()
    instance.create_user("bob")
    instance.create_user("eve")
    mailboxes = Mboxlist(Config.load(instance.config, "test"))
    with mailboxes.transaction() as change:
        _put(change, "user.bob.remote", mbtypes.REMOTE)
        _put(change, "user.bob.m&AOQ-h &- x", mbtypes.REMOTE)
        _put(change, "user.bob.moving", mbtypes.MOVING)
    mailboxes.close()
    try:
        yield instance
    finally:
        instance.stop()
        instance.remove()


def _put(change: Change, name: str, state: int) -> None:
    change.update(
        MboxEntry(
            name=name,
            mbtype=mbtypes.EMAIL | state,
            uniqueid=f"id-of-{len(name)}",
            partition="default",
            server="backend.example.org",
            acl="bob\tlrswipkxtecda\t",
        )
    )


@pytest.fixture
def bob(server: Instance) -> Iterator[ImapClient]:
    with server.imap("bob") as client:
        yield client


COMMANDS = ("SELECT {}", "EXAMINE {}", "APPEND {} {{3+}}\r\nabc", "DELETE {}")
NEVER = ("STATUS {} (MESSAGES)", "RENAME {} new", "SETACL {} eve lrs", "GETQUOTAROOT {}")


@pytest.mark.parametrize("command", [*COMMANDS, *NEVER])
def test_a_client_that_knows_nothing_of_referrals_is_refused(bob: ImapClient, command: str) -> None:
    reply = bob.command(command.format("remote"))
    assert (reply.status, reply.text) == ("NO", UNAVAILABLE)


@pytest.mark.parametrize("ask", ['RLIST "" *', 'RLSUB "" *', 'LIST (REMOTE) "" *'])
def test_one_that_shows_that_it_does_is_sent_there(bob: ImapClient, ask: str) -> None:
    listed = bob.ok(ask).untagged
    if not ask.startswith("RLSUB"):
        assert 'LIST (\\HasNoChildren) "/" remote' in listed
    for command in COMMANDS:
        assert bob.command(command.format("remote")).text == REFERRED.format("remote")
    for command in NEVER:
        assert bob.command(command.format("remote")).text == UNAVAILABLE
    name = '"m&AOQ-h &- x"'
    assert bob.command(f"SELECT {name}").text == REFERRED.format("m%C3%A4h%20%26%20x")


def test_everybody_is_sent_after_a_mailbox_on_its_way(bob: ImapClient, server: Instance) -> None:
    for command in ("SELECT {}", "STATUS {} (MESSAGES)", "GETACL {}", "MYRIGHTS {}", "SETACL {} eve lrs"):
        assert bob.command(command.format("moving")).text == REFERRED.format("moving")
    assert bob.command("RENAME moving new").text == "Operation is not supported on mailbox"
    with server.imap("eve") as eve:
        assert eve.command("SELECT user/bob/moving").text == "Mailbox does not exist"


def test_copies_do_not_go_to_other_servers(bob: ImapClient) -> None:
    bob.append("INBOX", MESSAGE)
    bob.ok("SELECT INBOX")
    assert bob.command("COPY 1 remote").text == UNAVAILABLE
    assert bob.command("MOVE 1 moving").text == "[CANNOT] Operation is not supported on mailbox"
    assert bob.ok("FETCH 1 UID").untagged


@pytest.mark.imapd_conf(proxyd_disable_mailbox_referrals="yes")
def test_referrals_can_be_switched_off(instance: Instance) -> None:
    with instance.imap("cassandane") as client:
        assert "MAILBOX-REFERRALS" not in client.ok("CAPABILITY").untagged[0]


def test_they_are_announced(bob: ImapClient) -> None:
    assert " MAILBOX-REFERRALS " in bob.ok("CAPABILITY").untagged[0]
