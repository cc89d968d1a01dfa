"""Archiving and unexpunging under sessions that have the mailbox selected, ours and the original's."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator

import pytest

from cassandane.clients import ImapClient
from cassandane.instance import Instance, give_away
from cassandane.messages import message

pytestmark = [pytest.mark.reference, pytest.mark.timeout(300)]

BIG = message("big", "large " * 4000)


@pytest.fixture(scope="module")
def server() -> Iterator[Instance]:
    instance = Instance(
        imapd_conf={
            "expunge_mode": "delayed",
            "archive_enabled": "yes",
            "archive_after": "30d",
            "archive_maxsize": "20",
        },
        services=("imap", "imap2", "lmtp"),
        programs={"imap2": "reference"},
    )
    for name in ("archive", "spool2", "archive2"):
        (instance.directory / name).mkdir()
        give_away(instance.directory / name)
    for name, place in (("", ""), ("second", "2")):
        partition = name or "default"
        instance.settings[f"archivepartition-{partition}"] = str(instance.directory / f"archive{place}")
        instance.settings[f"partition-{partition}"] = str(instance.directory / f"spool{place}")
    instance.write_configuration()
    instance.start()
    try:
        yield instance
    except BaseException:
        instance.stop(check=False)
        raise
    instance.stop()
    instance.remove()


def messages_in(server: Instance, place: str) -> int:
    """How many message files lie below a partition's root."""
    found = (server.directory / place).rglob("*.")
    return len([path for path in found if path.name != "stage." and path.name[:-1].isdigit()])


def fresh_user(server: Instance, name: str, *folders: str) -> None:
    server.create_user(name, *folders)
    with server.imap(name) as client:
        client.append("INBOX", *(message(f"subject {number}", f"body {number}") for number in range(4)))


def texts(client: ImapClient) -> list[str]:
    return [line.split("BODY[TEXT]")[1] for line in client.ok("FETCH 1:* BODY.PEEK[TEXT]").untagged]


@pytest.mark.parametrize("service", ["imap", "imap2"])
def test_a_session_reads_on_while_its_mail_is_archived(server: Instance, service: str) -> None:
    user = f"reader{service}"
    fresh_user(server, user, "copies")
    before = messages_in(server, "archive")
    with server.imap(user, service=service) as client:
        client.ok("SELECT INBOX")
        seen = texts(client)
        assert len(seen) == 4
        server.run("cyr_expire", "-A", "0", "-u", user)
        assert texts(client) == seen
        assert client.ok("SEARCH BODY 2").untagged == ["SEARCH 3"]
        client.ok("COPY 1:2 copies")
        client.ok(r"STORE 1 +FLAGS (\Deleted \Flagged)")
        assert client.ok("EXPUNGE").untagged == ["1 EXPUNGE"]
        assert texts(client) == seen[1:]
        client.ok("SELECT copies")
        assert texts(client) == seen[:2]
    server.run("cyr_expire", "-X", "0", "-A", "0", "-u", user)
    # three of the INBOX and two copies
    assert messages_in(server, "archive") - before == 5
    for kind in ("ours", "reference"):
        done = server.run("reconstruct", "-n", "-G", "-q", "-r", f"user/{user}", kind=kind)
        assert done.stdout + done.stderr == b""
    with server.imap(user, service="imap2" if service == "imap" else "imap") as client:
        client.ok("SELECT INBOX")
        assert texts(client) == seen[1:]


def test_large_mail_goes_to_the_archive_at_once(server: Instance) -> None:
    server.create_user("large")
    before = messages_in(server, "archive")
    with server.lmtp() as lmtp:
        assert lmtp.deliver(BIG, "large")[0].startswith("250")
    assert messages_in(server, "archive") == before + 1
    for service in ("imap", "imap2"):
        with server.imap("large", service=service) as client:
            client.ok("SELECT INBOX")
            assert len(client.ok("FETCH 1 BODY.PEEK[TEXT]").untagged[0]) > 24000
            assert client.ok("SEARCH SUBJECT big BODY large").untagged == ["SEARCH 1"]


def test_archived_mail_moves_with_its_mailbox_and_goes_with_it(server: Instance) -> None:
    fresh_user(server, "mover", "box")
    with server.imap("mover") as client:
        client.append("box", BIG, message("small", "x"))
    before = messages_in(server, "archive"), messages_in(server, "archive2")
    with server.imap("admin") as admin:
        admin.ok("RENAME user/mover/box user/mover/box second")
    assert (messages_in(server, "archive"), messages_in(server, "archive2")) == (before[0] - 1, before[1] + 1)
    with server.imap("mover", service="imap2") as client:
        client.ok("SELECT box")
        assert len(texts(client)) == 2
    with server.imap("mover") as client:
        client.ok("DELETE box")
    server.run("cyr_expire", "-D", "0", "-u", "mover")
    assert (messages_in(server, "archive2"), messages_in(server, "spool2")) == (0, 0)


@pytest.mark.parametrize("service", ["imap", "imap2"])
@pytest.mark.parametrize("kind", ["ours", "reference"])
def test_what_was_expunged_comes_back_under_a_session(server: Instance, service: str, kind: str) -> None:
    user = f"back{service}{kind}"
    fresh_user(server, user)
    with server.imap(user, service=service) as client:
        client.ok("SELECT INBOX")
        client.ok(r"STORE 2:3 +FLAGS (\Deleted Label)")
        client.ok("EXPUNGE")
        done = server.run("unexpunge", "-a", "-d", "-v", f"user/{user}", kind=kind)
        assert done.stdout.decode().splitlines()[-1] == "restored 2 expunged messages"
        assert "4 EXISTS" in client.ok("NOOP").untagged
        assert client.ok("FETCH 1:* (UID FLAGS)").grep("Label") == [
            "3 FETCH (FLAGS (\\Recent Label) UID 5)",
            "4 FETCH (FLAGS (\\Recent Label) UID 6)",
        ]
        assert [text[-9:] for text in texts(client)[2:]] == ["body 1\r\n)", "body 2\r\n)"]
    listed = server.run("unexpunge", "-l", f"user/{user}").stdout
    assert listed == b""


def test_a_quota_counts_what_came_back(server: Instance) -> None:
    fresh_user(server, "full")
    with server.imap("admin") as admin:
        admin.ok("SETQUOTA user/full (MESSAGE 2)")
    with server.imap("full") as client:
        client.ok("SELECT INBOX")
        client.ok(r"STORE 1:3 +FLAGS (\Deleted)")
        client.ok("EXPUNGE")
        assert client.ok("GETQUOTAROOT INBOX").grep("MESSAGE 1 2")
        server.run("unexpunge", "-a", "user/full")
        assert client.ok("GETQUOTAROOT INBOX").grep("MESSAGE 4 2")
    assert server.run("quota", "-f", "-q").stderr == b""


def hammer(server: Instance, service: str, seed: int, kept: list[str], failures: list[str]) -> None:
    """Append, expunge and read for a while; ``kept`` are the subjects of what must be there at the end."""
    chance = random.Random(seed)
    try:
        with server.imap("busy", service=service) as client:
            for number in range(40):
                keep = chance.random() < 0.6
                subject = f"{service} {seed} {number} {'keep' if keep else 'drop'}"
                client.append("INBOX", message(subject, "x" * chance.randrange(100)))
                if keep:
                    kept.append(subject)
                client.ok("SELECT INBOX")
                found = client.ok("SEARCH SUBJECT drop").grep("^SEARCH")[0].split()[1:]
                if found and chance.random() < 0.5:
                    client.ok(f"STORE {chance.choice(found)} +FLAGS (\\Deleted)")
                    client.ok("EXPUNGE")
                reply = client.command("FETCH 1:* (BODY.PEEK[HEADER.FIELDS (SUBJECT)] BODY.PEEK[TEXT])")
                assert reply.text.startswith(("Completed", "No matching messages")), reply
    except Exception as error:
        failures.append(f"{service}: {error!r}")


@pytest.mark.long
def test_all_of_it_at_once_loses_nothing(server: Instance) -> None:
    server.create_user("busy")
    kept: list[str] = []
    failures: list[str] = []
    clients = [
        threading.Thread(target=hammer, args=(server, service, seed, kept, failures))
        for seed, service in enumerate(("imap", "imap2", "imap", "imap2"))
    ]
    for thread in clients:
        thread.start()
    chance = random.Random(5)
    while any(thread.is_alive() for thread in clients):
        kind = chance.choice(("ours", "reference"))
        match chance.randrange(4):
            case 0:
                server.run("cyr_expire", "-X", "0", "-u", "busy", kind=kind)
            case 1:
                server.run("cyr_expire", "-A", "0", "-t", "-u", "busy", kind=kind)
            case 2:
                server.run("unexpunge", "-a", "-d", "user/busy", kind=kind)
            case 3:
                server.run("ipurge", "-f", "-o", "-b", "1", "user/busy", kind=kind)
    for thread in clients:
        thread.join()
    assert failures == []
    with server.imap("busy") as client:
        client.ok("SELECT INBOX")
        there = client.ok("FETCH 1:* BODY.PEEK[HEADER.FIELDS (SUBJECT)]").untagged
    lines = "\n".join(there)
    assert [subject for subject in kept if f"Subject: {subject}\r" not in lines] == []
    server.run("cyr_expire", "-X", "0", "-u", "busy")
    for kind in ("ours", "reference"):
        done = server.run("reconstruct", "-n", "-G", "-q", "user/busy", kind=kind)
        assert done.stdout + done.stderr == b""
