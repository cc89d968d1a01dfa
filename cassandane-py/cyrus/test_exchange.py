"""One spool, two servers: what either wrote, the other serves unchanged; both at once lose nothing."""

from __future__ import annotations

import random
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cassandane.clients import ImapClient, LmtpClient
from cassandane.instance import Instance
from cassandane.messages import corpus, message

pytestmark = [pytest.mark.reference, pytest.mark.timeout(300)]

OTHER = {"ours": "reference", "reference": "ours"}
SHARED = '"Other Users/alice/beta"'
FOLDERS = ("alpha", "beta", "beta/below")


@pytest.fixture
def server() -> Iterator[Instance]:
    instance = Instance(imapd_conf={"expunge_mode": "delayed"})
    try:
        yield instance
    except BaseException:
        instance.stop(check=False)
        raise
    instance.stop()
    instance.remove()


def populate(server: Instance) -> None:
    """Mail, flags, rights, quota, subscriptions, expunged messages, copies, a renamed folder."""
    server.create_user("alice", *FOLDERS)
    server.create_user("bob")
    with server.lmtp() as lmtp:
        for number, text in enumerate(corpus(60, seed=5, largest=4000)):
            assert lmtp.deliver(text, "alice", *(["bob"] if number % 7 == 0 else []))[0].startswith("250")
    with server.imap("admin") as admin:
        admin.ok("SETQUOTA user/alice (STORAGE 100000)")
        admin.ok("SETACL user/alice/beta bob lrswipkxte")
        admin.ok("SETACL user/alice/beta -anyone x")
    with server.imap("alice") as alice:
        alice.append("alpha", message("one", "1"), message("two", "2"), flags=r"(\Flagged $Label)")
        alice.ok("SELECT INBOX")
        alice.ok(r"STORE 1:20 +FLAGS (\Seen)")
        alice.ok("STORE 5:9 +FLAGS ($Forwarded Odd)")
        alice.ok("COPY 3:12 alpha")
        alice.ok("MOVE 30:33 beta")
        alice.ok(r"STORE 2,4 +FLAGS (\Deleted)")
        alice.ok("EXPUNGE")
        alice.ok("CREATE gamma")
        alice.ok("RENAME gamma delta")
        alice.ok("SUBSCRIBE alpha")
        alice.ok("SUBSCRIBE delta")
    with server.imap("bob") as bob:
        bob.ok(f"SELECT {SHARED}")
        bob.ok(r"STORE 1 +FLAGS (\Seen)")


def picture(server: Instance) -> dict[str, list[str]]:
    """All that the users and the administrator can see."""
    seen: dict[str, list[str]] = {}
    with server.imap("admin") as admin:
        names = [re.sub(r'^LIST \(.*?\) "/" ', "", line) for line in admin.ok('LIST "" "user/*"').untagged]
        seen["list"] = admin.ok('LIST "" *').untagged
        for name in names:
            seen[f"acl {name}"] = admin.ok(f"GETACL {name}").untagged
            seen[f"root {name}"] = admin.ok(f"GETQUOTAROOT {name}").untagged
    for user, mailboxes in [("alice", ["INBOX", *FOLDERS, "delta"]), ("bob", ["INBOX", SHARED])]:
        with server.imap(user) as client:
            seen[f"list {user}"] = client.ok('LIST "" *').untagged
            seen[f"lsub {user}"] = client.ok('LSUB "" *').untagged
            for name in mailboxes:
                items = "MESSAGES UIDNEXT UIDVALIDITY UNSEEN"
                seen[f"status {user} {name}"] = client.ok(f"STATUS {name} ({items})").untagged
                opened = client.ok(f"EXAMINE {name}")
                seen[f"select {user} {name}"] = opened.grep(r"EXISTS|FLAGS|HIGHESTMODSEQ|UNSEEN")
                fetch = "(UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODYSTRUCTURE BODY.PEEK[])"
                lines = client.ok(f"FETCH 1:* {fetch}").untagged if "0 EXISTS" not in opened.untagged else []
                seen[f"mail {user} {name}"] = [re.sub(r" ?\\Recent", "", line) for line in lines]
    return seen


def check_with_tools(server: Instance) -> None:
    """The original's own programs find nothing wrong with the files."""
    done = server.run("reconstruct", "-n", "-r", "user/alice", "user/bob", kind="reference")
    assert done.stderr == b""
    assert sorted(done.stdout.decode().split()) == sorted(
        ["user/bob", "user/alice", "user/alice/delta", *(f"user/alice/{name}" for name in FOLDERS)]
    )
    assert server.run("ctl_mboxlist", "-v").stdout == b""
    # 3.6.1 looks for name-hashed directories only, and misses its own uuid ones in the same way.
    missed = server.run("ctl_mboxlist", "-v", kind="reference").stdout.decode().splitlines()
    assert all("has a DB entry but no directory on partition" in line for line in missed)
    assert b"ERROR" not in server.run("mbexamine", "-c", "user/alice", kind="reference").stdout
    assert server.run("quota", "-f", "-q", kind="reference").stdout == b""
    for path, backend in databases(server):
        done = server.run("cyr_dbtool", str(path), backend, "consistent", kind="reference")
        assert done.stdout == b"Yes, consistent\n", path


def databases(server: Instance) -> list[tuple[Path, str]]:
    found = []
    for path in sorted((server.directory / "conf").rglob("*.db")):
        head = path.read_bytes()[:20]
        if head.startswith(b"\241\002\213\015twoskip file\0\0\0\0"[:16]):
            found.append((path, "twoskip"))
    assert found
    return found


@pytest.mark.parametrize("writer", ["ours", "reference"])
def test_either_server_serves_what_the_other_wrote(server: Instance, writer: str) -> None:
    server.use(master=writer, programs=writer)
    server.start()
    populate(server)
    before = picture(server)
    server.stop()
    check_with_tools(server)
    server.use(master=OTHER[writer], programs=OTHER[writer])
    server.start()
    assert picture(server) == before
    with server.imap("alice") as alice:
        alice.append("alpha", message("by the other", "by the other"))
        alice.ok("SELECT INBOX")
        alice.ok(r"STORE 1 -FLAGS (\Seen)")
        alice.ok("UID COPY 10 beta/below")
    changed = picture(server)
    server.stop()
    check_with_tools(server)
    server.use(master=writer, programs=writer)
    server.start()
    assert picture(server) == changed


@pytest.mark.parametrize("master", ["ours", "reference"])
def test_both_servers_work_on_one_mailbox_at_once(master: str) -> None:
    """Appends, deliveries, flags and expunges by both, under either master: nothing acknowledged is lost."""
    kinds = {"imap": "ours", "imap2": "reference", "lmtp": "ours", "lmtp2": "reference"}
    server = Instance(
        master=master, services=tuple(kinds), programs=kinds, imapd_conf={"duplicatesuppression": "no"}
    )
    server.start()
    try:
        hammer(server)
    except BaseException:
        server.stop(check=False)
        raise
    server.stop()
    done = server.run("reconstruct", "-n", "-r", "user/alice", kind="reference")
    assert (done.stdout.split(), done.stderr) == ([b"user/alice"], b"")
    assert server.run("quota", "-f", "-q", kind="reference").stdout == b""
    server.remove()


def hammer(server: Instance) -> None:
    server.create_user("alice")
    with server.imap("admin") as admin:
        admin.ok("SETQUOTA user/alice (STORAGE 1000000)")
    acknowledged: list[str] = []
    errors: list[BaseException] = []

    def deliverer(service: str) -> None:
        with server.lmtp(service=service) as lmtp:
            for number in range(40):
                name = f"{service}-{number}"
                (reply,) = lmtp.deliver(message(name, name), "alice")
                assert reply.startswith("250"), reply
                acknowledged.append(name)

    def appender(service: str) -> None:
        with server.imap("alice", service=service) as client:
            for number in range(40):
                name = f"{service}-{number}"
                client.append("INBOX", message(name, name))
                acknowledged.append(name)

    def flagger(service: str) -> None:
        source = random.Random(service)
        with server.imap("alice", service=service) as client:
            client.ok("SELECT INBOX")
            for _ in range(60):
                client.ok("NOOP")
                found = client.ok("UID SEARCH ALL").untagged[-1].split()[1:]
                if found:
                    change = source.choice(["+FLAGS", "-FLAGS"])
                    client.ok(f"UID STORE {source.choice(found)} {change} ({source.choice(['$A', '$B'])})")

    jobs: list[tuple[Callable[[str], None], str]] = [
        (deliverer, "lmtp"), (deliverer, "lmtp2"), (appender, "imap"), (appender, "imap2"),
        (flagger, "imap"), (flagger, "imap2"),
    ]

    def run(job: Callable[[str], None], service: str) -> None:
        try:
            job(service)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=job) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors, errors
    for service in ("imap", "imap2"):
        with server.imap("alice", service=service) as client:
            client.ok("EXAMINE INBOX")
            lines = client.ok("FETCH 1:* (UID BODY.PEEK[HEADER.FIELDS (SUBJECT)])").untagged
            subjects = [match[1] for line in lines if (match := re.search(r"Subject: (\S+)", line))]
            uids = [int(match[1]) for line in lines if (match := re.search(r"UID (\d+)", line))]
            assert sorted(subjects) == sorted(acknowledged)
            assert uids == sorted(set(uids))


def test_clients_can_be_told_apart() -> None:
    """The two greetings differ, so that the tests above do talk to both servers."""
    originals = {"imap2": "reference", "lmtp2": "reference"}
    server = Instance(services=("imap", "imap2", "lmtp", "lmtp2"), programs=originals)
    server.start()
    greetings = []
    for service in ("imap", "imap2"):
        with ImapClient(("127.0.0.1", server.ports[service])) as client:
            greetings.append(client.greeting)
    for service in ("lmtp", "lmtp2"):
        with LmtpClient(("127.0.0.1", server.ports[service])) as lmtp:
            greetings.append(lmtp.greeting)
    server.stop()
    server.remove()
    assert ["-py-" in greeting for greeting in greetings] == [True, False, True, False]
