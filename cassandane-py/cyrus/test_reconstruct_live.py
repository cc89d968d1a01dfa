"""reconstruct and mbtool by both, while both servers work on the mailbox."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from cassandane.instance import Instance
from cassandane.messages import message

pytestmark = [pytest.mark.reference, pytest.mark.timeout(120)]

MESSAGES = 12
#: index versions that are converted to meanwhile; the session of the server in between goes on
VERSIONS = ("13", "17", "15", "16")


@pytest.fixture
def server() -> Iterator[Instance]:
    server = Instance(services=("imap", "imap2"), programs={"imap": "ours", "imap2": "reference"})
    server.start()
    server.create_user("alice")
    yield server
    server.stop()
    server.remove()


def test_repair_and_conversion_do_not_disturb_anybody(server: Instance) -> None:
    failed: list[BaseException] = []

    def work(service: str) -> None:
        try:
            with server.imap("alice", service=service) as alice:
                alice.ok("SELECT INBOX")
                for number in range(MESSAGES):
                    alice.append("INBOX", message(f"{service} {number}", f"{service} {number}"))
                    alice.ok(rf"STORE * +FLAGS (\Flagged {service})")
        except BaseException as error:
            failed.append(error)

    workers = [threading.Thread(target=work, args=(service,)) for service in ("imap", "imap2")]
    for worker in workers:
        worker.start()
    rounds = 0
    while rounds < len(VERSIONS) or any(worker.is_alive() for worker in workers):
        for kind in ("ours", "reference"):
            said = server.run("reconstruct", "-G", "user/alice", kind=kind).stdout
            assert said == b"user/alice\n", (kind, said)
        said = server.run("reconstruct", "-V", VERSIONS[rounds % len(VERSIONS)], "user/alice").stdout
        assert b"FAILED" not in said
        rounds += 1
    for worker in workers:
        worker.join()
    assert not failed
    for kind in ("ours", "reference"):
        assert server.run("reconstruct", "-n", "-G", "user/alice", kind=kind).stdout == b"user/alice\n"
    for service in ("imap", "imap2"):
        with server.imap("alice", service=service) as alice:
            assert f"{2 * MESSAGES} EXISTS" in alice.ok("SELECT INBOX").untagged
            uids = alice.ok("UID SEARCH ALL").untagged[0].split()[1:]
            assert len(set(uids)) == 2 * MESSAGES
            for name in ("imap", "imap2"):
                found = alice.ok(f'UID SEARCH SUBJECT "{name} "').untagged[0].split()[1:]
                assert len(found) == MESSAGES, name
