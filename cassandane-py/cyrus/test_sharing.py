"""Our programs and the original's at work on one user at once: nothing is lost or out of order."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from cassandane.clients import ImapClient
from cassandane.instance import Instance
from cassandane.messages import message

pytestmark = [pytest.mark.reference, pytest.mark.timeout(1800)]

KINDS = {"imap": "ours", "imap2": "reference", "lmtp": "ours", "lmtp2": "reference"}
IMAP = ("imap", "imap2")
FOLDERS = ("one", "two")
PROGRAMS = [
    ("quota", "-f", "-q"),
    ("cyr_expire", "-E", "1", "-X", "0", "-D", "0"),
    ("reconstruct", "-n", "user/alice"),
    ("ctl_cyrusdb", "-c"),
    ("unexpunge", "-l", "user/alice"),
]


@dataclass
class World:
    """What was acknowledged, by all threads."""

    server: Instance
    rounds: int
    stored: set[str] = field(default_factory=set)
    removed: set[str] = field(default_factory=set)
    moved: set[str] = field(default_factory=set)
    flagged: dict[str, set[str]] = field(default_factory=dict)
    errors: list[BaseException] = field(default_factory=list)
    busy: threading.Event = field(default_factory=threading.Event)


def deliver(world: World, service: str) -> None:
    for number in range(world.rounds):
        name = f"{service}-{number}"
        recipient = ("alice", "alice+one")[number % 2]
        with world.server.lmtp(service=service) as lmtp:
            (reply,) = lmtp.deliver(message(name, name), recipient)
        assert reply.startswith("250"), reply
        world.stored.add(name)


def append(world: World, service: str) -> None:
    """To the INBOX, to a folder that is renamed all the time, and copies and moves between them."""
    with world.server.imap("alice", service=service) as client:
        for number in range(world.rounds):
            name = f"{service}-{number}"
            if number % 3:
                client.append("INBOX", message(name, name))
                world.stored.add(name)
            elif client.command("APPEND two {}", message(name, name)).status == "OK":
                world.stored.add(name)
            if number % 5 == 4:
                client.ok("SELECT INBOX")
                uids = found(client, f'SUBJECT "{name}"')
                if uids:
                    world.moved.add(name)
                    client.command(f"UID MOVE {uids[0]} one")


def flag(world: World, service: str) -> None:
    """Each message gets this server's flag once; it must keep it."""
    word = "$" + service
    with world.server.imap("alice", service=service) as client:
        client.ok("SELECT INBOX")
        for _ in range(world.rounds):
            uids = found(client, f"UNKEYWORD {word}")[:3]
            if uids:
                client.ok(f"UID STORE {','.join(uids)} +FLAGS ({word})")
                names = subjects(client, ",".join(uids))
                world.flagged.setdefault(word, set()).update(names)


def remove(world: World, service: str) -> None:
    """Messages of its own, one by one."""
    with world.server.imap("alice", service=service) as client:
        for number in range(world.rounds):
            name = f"gone-{service}-{number}"
            client.append("INBOX", message(name, name))
            client.ok("SELECT INBOX")
            (uid,) = found(client, f'SUBJECT "{name}"')
            client.ok(rf"UID STORE {uid} +FLAGS.SILENT (\Deleted)")
            client.ok(f"UID EXPUNGE {uid}")
            world.removed.add(name)


def rename(world: World, service: str) -> None:
    """A folder to and fro; the other server does the same, so that every second attempt fails."""
    with world.server.imap("alice", service=service) as client:
        for _ in range(world.rounds // 2):
            client.command("RENAME two three")
            client.command("RENAME three two")


def watch(world: World, service: str) -> None:
    """Highest modseq and next uid never fall."""
    last = (0, 0)
    with world.server.imap("alice", service=service) as client:
        while world.busy.is_set():
            (line,) = client.ok("STATUS INBOX (HIGHESTMODSEQ UIDNEXT)").grep("STATUS")
            (modseq,) = re.findall(r"HIGHESTMODSEQ (\d+)", line)
            (uidnext,) = re.findall(r"UIDNEXT (\d+)", line)
            now = (int(modseq), int(uidnext))
            assert now[0] >= last[0] and now[1] >= last[1], (last, now)
            last = now


def administer(world: World, kind: str) -> None:
    while world.busy.is_set():
        for name, *arguments in PROGRAMS:
            # a mailbox that is renamed just then is gone for them; they must not stumble otherwise
            done = world.server.run(name, *arguments, kind=kind, check=False)
            assert b"Traceback" not in done.stderr and done.returncode >= 0, (kind, name, done)


def found(client: ImapClient, criterion: str) -> list[str]:
    return client.ok(f"UID SEARCH {criterion}").untagged[-1].split()[1:]


def subjects(client: ImapClient, uids: str) -> dict[str, str]:
    """Flags by subject."""
    lines = client.ok(f"UID FETCH {uids} (FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])").untagged
    shown = {}
    for line in lines:
        subject = re.search(r"Subject: (\S+)", line)
        if subject:
            shown[subject[1]] = line
    return shown


def run_all(world: World) -> None:
    jobs: list[tuple[Callable[[World, str], None], str]] = []
    for service in IMAP:
        jobs += [(append, service), (flag, service), (remove, service), (rename, service)]
    jobs += [(deliver, "lmtp"), (deliver, "lmtp2")]
    helpers: list[tuple[Callable[[World, str], None], str]] = [
        (watch, "imap"), (watch, "imap2"), (administer, "ours"), (administer, "reference"),
    ]  # fmt: skip

    def run(job: Callable[[World, str], None], which: str) -> None:
        try:
            job(world, which)
        except BaseException as error:
            world.errors.append(error)

    world.busy.set()
    threads = [threading.Thread(target=run, args=job) for job in jobs]
    aides = [threading.Thread(target=run, args=job) for job in helpers]
    for thread in threads + aides:
        thread.start()
    for thread in threads:
        thread.join()
    world.busy.clear()
    for thread in aides:
        thread.join()
    assert not world.errors, world.errors


def check(world: World) -> None:
    server = world.server
    pictures = []
    for service in IMAP:
        seen: dict[str, str] = {}
        with server.imap("alice", service=service) as client:
            for folder in ("INBOX", *FOLDERS, "three"):
                if client.command(f"EXAMINE {folder}").status != "OK":
                    continue
                uids = [int(uid) for uid in found(client, "ALL")]
                assert uids == sorted(set(uids))
                shown = subjects(client, "1:*") if uids else {}
                assert len(shown) == len(uids)
                assert not seen.keys() & shown.keys()
                seen |= shown
        pictures.append(seen)
        assert seen.keys() == world.stored, world.stored ^ seen.keys()
        for word, names in world.flagged.items():
            # the original copies and expunges in two steps: a flag set in between is lost
            names -= {name for name in world.moved if name.startswith("imap2-")}
            lost = [name for name in names & seen.keys() if word not in seen[name]]
            assert not lost, (word, lost)
    server.stop()
    for kind in ("reference", "ours"):
        done = server.run("reconstruct", "-n", "-r", "user/alice", kind=kind)
        folders = {b"user/alice", b"user/alice/one", b"user/alice/two", b"user/alice/three"}
        assert set(done.stdout.split()) <= folders, done.stdout
        done = server.run("quota", "-f", "-q", kind=kind)
        assert (done.stdout, done.stderr) == (b"", b"")
        if server.settings.get("conversations") == "yes":
            done = server.run("ctl_conversationsdb", "-A", "-v", "alice", kind=kind)
            wrong = re.findall(r"(?m)^(?:REAL|TEMP|ONLY).*", done.stdout.decode("latin-1"))
            # the original at times forgets the count of unseen messages in a folder
            wrong = [line for line in wrong if ' "F' not in line]
            assert not wrong, (kind, wrong)


def share(settings: dict[str, str], master: str, rounds: int) -> None:
    server = Instance(
        master=master,
        services=tuple(KINDS),
        programs=KINDS,
        imapd_conf={"duplicatesuppression": "no", **settings},
    )
    # what one program removes, another may be about to look at
    server.allowed_log.append(r"cyr_expire|reconstruct\[|unexpunge|ctl_cyrusdb\[")
    server.start()
    try:
        server.create_user("alice", *FOLDERS)
        with server.imap("admin") as admin:
            admin.ok("SETQUOTA user/alice (STORAGE 1000000)")
        world = World(server, rounds)
        run_all(world)
        check(world)
    except BaseException:
        server.stop(check=False)
        raise
    server.remove()


# Not immediate: two imapd of the original can then wait for each other, one with the name lock of a mailbox
# for the namespace, the other with the namespace for the name, to repack. The kernel ends that (EDEADLK)
# only as long as no request of ours, which it leaves out of its search, is in the queue.
CONFIGURATIONS = [
    {"expunge_mode": "delayed"},
    {"expunge_mode": "delayed", "conversations": "yes"},
]


@pytest.mark.parametrize("settings", CONFIGURATIONS, ids=str)
def test_two_suites_share_a_user(settings: dict[str, str]) -> None:
    share(settings, "ours", rounds=12)


@pytest.mark.long
@pytest.mark.parametrize("master", ["ours", "reference"])
@pytest.mark.parametrize("settings", CONFIGURATIONS, ids=str)
def test_two_suites_share_a_user_for_long(settings: dict[str, str], master: str) -> None:
    share(settings, master, rounds=150)
