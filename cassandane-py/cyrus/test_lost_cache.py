"""What is damaged in cyrus.cache is computed again, by either server."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cassandane.instance import Instance
from cassandane.messages import corpus

ITEMS = "FETCH 1:* (UID ENVELOPE BODYSTRUCTURE BODY.PEEK[HEADER.FIELDS (SUBJECT FROM DATE)])"


def cut(path: Path, size: int) -> None:
    os.truncate(path, size // 2)


def cut_to_nothing(path: Path, size: int) -> None:
    os.truncate(path, 0)


def zero_the_end(path: Path, size: int) -> None:
    os.truncate(path, size // 2)
    os.truncate(path, size)


@pytest.mark.reference
@pytest.mark.parametrize("reader", ["imap", "imap2"])
@pytest.mark.parametrize("damage", [cut, cut_to_nothing, zero_the_end])
def test_messages_whose_cache_is_lost_read_as_before(reader: str, damage: object) -> None:
    assert callable(damage)
    server = Instance(services=("imap", "imap2", "lmtp"), programs={"imap2": "reference"})
    server.allowed_log.append("IOERROR")
    server.start()
    try:
        server.create_user("cassandane")
        with server.lmtp() as lmtp:
            for text in corpus(10, seed=3, largest=3000):
                assert lmtp.deliver(text, "cassandane")[0].startswith("250")
        with server.imap("cassandane") as imap:
            imap.ok("SELECT INBOX")
            before = imap.ok(ITEMS).untagged
        (path,) = (server.directory / "spool").rglob("cyrus.cache")
        damage(path, path.stat().st_size)
        with server.imap("cassandane", service=reader) as imap:
            imap.ok("SELECT INBOX")
            assert imap.ok(ITEMS).untagged == before
        with server.lmtp() as lmtp:
            assert lmtp.deliver(corpus(1, seed=4)[0], "cassandane")[0].startswith("250")
        with server.imap("cassandane", service=reader) as imap:
            imap.ok("SELECT INBOX")
            after = imap.ok(ITEMS).untagged
            assert after[: len(before)] == before
            assert len(after) == len(before) + 1
    except BaseException:
        server.stop(check=False)
        raise
    server.stop()
    server.remove()
