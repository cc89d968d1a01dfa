"""COMPRESS=DEFLATE (RFC 4978), with both servers."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

import pytest

from cassandane.clients import DeflatedSocket
from cassandane.instance import Instance

MESSAGE = b"From: a@example.org\r\nSubject: x\r\n\r\n" + b"The same line again.\r\n" * 2000


@pytest.fixture(scope="module", params=["ours", pytest.param("reference", marks=pytest.mark.reference)])
def server(request: pytest.FixtureRequest) -> Iterator[Instance]:
    instance = Instance(programs={"imap": request.param}, master=request.param, services=("imap",)).start()
    instance.create_user("a")
    yield instance
    instance.stop()
    instance.remove()


def test_a_compressed_session(server: Instance) -> None:
    with server.imap("a") as client:
        assert "COMPRESS=DEFLATE" in client.ok("CAPABILITY").untagged[0].split()
        assert client.no("COMPRESS GZIP").text == "Unknown COMPRESS algorithm: GZIP"
        assert client.ok("COMPRESS deflate").text == "deflate active"
        wire = DeflatedSocket(client)
        assert "COMPRESS=DEFLATE" not in client.ok("CAPABILITY").untagged[0].split()
        reply = client.bad("COMPRESS DEFLATE")
        assert reply.text == "[COMPRESSIONACTIVE] DEFLATE active via COMPRESS"

        for _ in range(4):
            client.append("INBOX", MESSAGE)
        client.ok("SELECT INBOX")
        before = wire.received
        bodies = client.ok("FETCH 1:4 BODY.PEEK[TEXT]").untagged

        assert [body.count("The same line again.") for body in bodies] == [2000] * 4
        assert wire.received - before < len(MESSAGE) / 10


def test_commands_sent_behind_compress_are_deflated_already(instance: Instance) -> None:
    """RFC 4978 section 3; the original takes them for plain text and waits for ever."""
    instance.create_user("a")
    with instance.imap("a") as client:
        deflater = zlib.compressobj(6, zlib.DEFLATED, -15)
        more = deflater.compress(b"x NOOP\r\n") + deflater.flush(zlib.Z_SYNC_FLUSH)
        client.send(b"y COMPRESS DEFLATE\r\n" + more)

        assert client.line() == b"y OK DEFLATE active"
        DeflatedSocket(client)
        assert client.line().startswith(b"x OK ")


def test_what_is_not_deflate_ends_the_session_only(server: Instance) -> None:
    with server.imap("a") as client:
        client.ok("COMPRESS DEFLATE")
        client.send(b"\xff" * 100)
        while client.socket.recv(65536):
            pass
    with server.imap("a") as other:
        other.ok("NOOP")
