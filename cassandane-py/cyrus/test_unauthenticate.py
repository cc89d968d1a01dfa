"""UNAUTHENTICATE (RFC 8437) and XMOVE, with both servers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cassandane.clients import DeflatedSocket
from cassandane.instance import Instance


@pytest.fixture(scope="module", params=["ours", pytest.param("reference", marks=pytest.mark.reference)])
def server(request: pytest.FixtureRequest) -> Iterator[Instance]:
    instance = Instance(programs={"imap": request.param}, master=request.param, services=("imap",)).start()
    instance.create_user("a", "Work")
    yield instance
    instance.stop()
    instance.remove()


def test_an_administrator_becomes_nobody_again(server: Instance) -> None:
    with server.imap("admin") as client:
        assert "UNAUTHENTICATE" in client.ok("CAPABILITY").untagged[0].split()
        client.ok("ENABLE CONDSTORE")
        reply = client.ok("UNAUTHENTICATE")

        assert reply.text.startswith("[CAPABILITY IMAP4rev1 LITERAL+ ID ENABLE ")
        assert reply.text.endswith("] Completed")
        assert client.bad("SELECT INBOX").text == "Please login first"
        client.ok("LOGIN a secret")
        assert client.ok("ENABLE CONDSTORE").untagged == ["ENABLED CONDSTORE"]
        client.ok("SELECT INBOX")
        assert client.bad("UNAUTHENTICATE").text == "Unrecognized command"
        assert "UNAUTHENTICATE" not in client.ok("CAPABILITY").untagged[0].split()


def test_compression_ends_with_the_session(server: Instance) -> None:
    with server.imap("admin") as client:
        plain = client.socket
        client.ok("COMPRESS DEFLATE")
        DeflatedSocket(client)
        client.ok("UNAUTHENTICATE")
        client.socket = plain
        client.ok("LOGIN a secret")


def test_xmove_is_move(server: Instance) -> None:
    with server.imap("a") as client:
        client.append("INBOX", b"Subject: x\r\n\r\nbody\r\n")
        client.ok("SELECT INBOX")
        reply = client.ok("XMOVE 1 Work")

        assert reply.untagged[-1] == "1 EXPUNGE"
        assert reply.untagged[0].startswith("OK [COPYUID ")
