"""idled between daemons of either kind: everyone wakes everyone, long before the next poll."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import pytest

from cassandane.clients import ImapClient
from cassandane.instance import Instance, wait_for

KINDS = ("ours", "reference")
SETTINGS = {"imapidlepoll": "1h"}


def started(idled: str, imap: str, lmtp: str) -> Instance:
    server = Instance(
        imapd_conf=SETTINGS, programs={"imap": imap, "lmtp": lmtp}, master=imap, services=("imap", "lmtp")
    )
    server.start_lines = (f'idled cmd="{server.command(idled, "idled")}"',)
    server.write_configuration()
    return server.start()


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Iterator[Instance]:
    instance = started(*getattr(request, "param", ("ours", "ours", "ours")))
    instance.create_user("joe", "Work")
    yield instance
    instance.stop()
    instance.remove()


def idle(client: ImapClient) -> None:
    client.send(b"i IDLE\r\n")
    assert client.line() == b"+ idling"


def wake(server: Instance) -> None:
    """A change may come before the client's announcement has got to idled; a later one will not."""
    with server.imap("joe") as client, server.lmtp() as lmtp:
        client.ok("SELECT INBOX")
        idle(client)
        wait_for(
            lambda: any((server.directory / "conf/socket").glob("idle.*")), "the idler's socket to be there"
        )
        for number in (1, 2, 3):
            message = b"From: a@example.org\r\nSubject: %d\r\n\r\n%d\r\n" % (number, number)
            assert lmtp.deliver(message, "joe")[0].startswith("250")
            assert client.line() == b"* %d EXISTS" % number
            assert client.line() == b"* %d RECENT" % number
        client.send(b"DONE\r\n")
        assert client.finish(b"i").status == "OK"


def test_a_delivery_wakes_an_idler(server: Instance) -> None:
    wake(server)


@pytest.mark.reference
@pytest.mark.parametrize(
    "server", [kinds for kinds in product(KINDS, repeat=3) if kinds != ("ours",) * 3], indirect=True
)
def test_everyone_wakes_everyone(server: Instance) -> None:
    """idled, imapd and lmtpd of either kind."""
    wake(server)


@pytest.mark.parametrize(
    "server",
    [("ours", "ours", "ours"), pytest.param(("reference", "ours", "ours"), marks=pytest.mark.reference)],
    indirect=True,
)
def test_the_end_of_service_is_told_to_idlers(server: Instance) -> None:
    with server.imap("joe") as client:
        client.ok("SELECT INBOX")
        idle(client)
        wait_for(
            lambda: any((server.directory / "conf/socket").glob("idle.*")), "the idler's socket to be there"
        )
        (server.directory / "conf/msg/shutdown").write_text("Going down\n")

        assert client.line() == b"* BYE [ALERT] Going down"
        assert client.at_end()
    (server.directory / "conf/msg/shutdown").unlink()


def test_idled_leaves_no_socket_and_no_process(server: Instance) -> None:
    server.stop()

    assert not (server.directory / "conf/socket/idle").exists()
