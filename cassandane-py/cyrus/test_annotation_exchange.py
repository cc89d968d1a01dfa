"""Annotations in the files: both servers write the same, and each reads what the other wrote."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator

import pytest

from cassandane.clients import ImapClient
from cassandane.instance import Instance, give_away

pytestmark = pytest.mark.reference

VENDOR = "/vendor/cmu/cyrus-imapd"
MAILBOXES = ("INBOX", "a", "b", "b/c")
SETTINGS = {"annotation_allow_undefined": "yes", "expunge_mode": "immediate"}
MAILBOX_ENTRIES = (
    "/comment", "/sort", "/thread", "/checkperiod", f"{VENDOR}/duplicatedeliver", f"{VENDOR}/sortorder",
    f"{VENDOR}/sharedseen", f"{VENDOR}/pop3showafter", "/vendor/example/undefined", "/specialuse",
)  # fmt: skip
VALUES = (
    '"1"', '"22"', "NIL", '"true"', '"some text"', '"Junk"', '{5}', '"01-Feb-2020 10:00:00 +0100"',
    f'"{"long" * 100}"',
)  # fmt: skip
_ID = re.compile(r"\b[0-9a-z]{24}\b|[0-9a-f]{8}-[0-9a-f-]{27}")


def operations(seed: int, count: int) -> Iterator[str]:
    """Commands of a user; those about messages need a selected mailbox, which they name before a bar."""
    source = random.Random(seed)
    for _ in range(count):
        mailbox = source.choice(MAILBOXES)
        kind = source.randrange(10)
        tree = source.choice(("private", "shared"))
        value = source.choice(VALUES).replace("{5}", "{5+}\r\na\0\r\n\xff")
        if kind < 4:
            yield f"SETMETADATA {mailbox} (/{tree}{source.choice(MAILBOX_ENTRIES)} {value})"
        elif kind < 7:
            # of several messages the original changes those before the one that breaks the quota
            number = source.randint(1, 5)
            entry = source.choice(("/comment", "/altsubject", "/vendor/example/mine"))
            attribute = source.choice(("value.priv", "value.shared"))
            yield f"{mailbox}|STORE {number} ANNOTATION ({entry} ({attribute} {value}))"
        elif kind == 7:
            yield (
                f"APPEND {mailbox} ANNOTATION (/comment (value.priv {value} value.shared {value})) "
                "{9+}\r\nA: b\r\n\r\nc"
            )
        elif kind == 8:
            verb = source.choice(("COPY", "MOVE"))
            yield f"{mailbox}|{verb} {source.randint(1, 5)} {source.choice(MAILBOXES)}"
        elif source.random() < 0.7:
            yield f"{mailbox}|EXPUNGE {source.randint(1, 5)}"
        else:
            yield from ("RENAME a moved", "SETMETADATA moved (/shared/comment NIL)", "RENAME moved a")


def perform(client: ImapClient, operation: str) -> str:
    """Carry out one operation; the kind of answer."""
    mailbox, bar, command = operation.rpartition("|")
    if not bar or mailbox not in MAILBOXES:
        return client.command(operation.encode("latin-1")).status
    client.ok(f"SELECT {mailbox}")
    try:
        if command.startswith("EXPUNGE"):
            client.command(f"STORE {command.split()[1]} +FLAGS.SILENT (\\Deleted)")
            command = "EXPUNGE"
        return client.command(command.encode("latin-1")).status
    finally:
        client.ok("UNSELECT")


def seen_by(client: ImapClient) -> list[str]:
    """All annotations of all mailboxes and messages, and what they take of the quota."""
    lines = client.ok("GETQUOTAROOT INBOX").untagged
    for mailbox in MAILBOXES:
        entries = " ".join(f"/{tree}{entry}" for entry in MAILBOX_ENTRIES for tree in ("private", "shared"))
        lines += client.ok(f"GETMETADATA {mailbox} ({entries} /shared{VENDOR}/annotsize)").untagged
        client.ok(f"EXAMINE {mailbox}")
        lines += client.command("FETCH 1:* (UID ANNOTATION (* value))").untagged
        lines += client.ok(f"STATUS {mailbox} (HIGHESTMODSEQ MESSAGES)").untagged
    return lines


def fill(server: Instance) -> None:
    server.start()
    server.create_user("bob", "a", "b", "b/c")
    with server.imap("bob") as client:
        for mailbox in MAILBOXES:
            client.append(mailbox, *[b"A: b\r\n\r\nc"] * 4)
    with server.imap("admin") as client:
        client.ok("SETQUOTA user/bob (X-ANNOTATION-STORAGE 3)")


def dumped(server: Instance, kind: str) -> list[str]:
    """The records of annotations.db and of every cyrus.annotations, by the original's or our tool."""
    lines = []
    for path in [
        server.directory / "conf/annotations.db",
        *sorted(server.directory.glob("spool*/**/cyrus.annotations"), key=lambda path: owner(server, path)),
    ]:
        shown = server.run("cyr_dbtool", str(path), "twoskip", "show", kind=kind).stdout
        records = shown.decode("latin-1").splitlines()
        lines += sorted(_ID.sub(lambda match: owner_of_id(server, match[0]), record) for record in records)
    return lines


def owner(server: Instance, path: object) -> str:
    found = _ID.search(str(path))
    assert found is not None
    return owner_of_id(server, found[0])


def owner_of_id(server: Instance, uniqueid: str) -> str:
    names: dict[str, str] = server.__dict__.setdefault("names_of_ids", {})
    if not names:
        with server.imap("admin") as client:
            for line in client.ok(f'GETMETADATA "*" /shared{VENDOR}/uniqueid').untagged:
                found = re.fullmatch(r'METADATA "?([^" ]+)"? \(\S+ "(\S+)"\)', line)
                assert found is not None, line
                names[found[2]] = found[1]
    return names.get(uniqueid, uniqueid)


@pytest.mark.parametrize("seed", [1, 2])
def test_equal_commands_make_equal_records(seed: int) -> None:
    servers = [
        Instance(services=("imap",), imapd_conf=SETTINGS),
        Instance(services=("imap",), programs={"imap": "reference"}, master="reference", imapd_conf=SETTINGS),
    ]
    try:
        for server in servers:
            fill(server)
        with servers[0].imap("bob") as ours, servers[1].imap("bob") as original:
            for operation in operations(seed, 150):
                assert perform(ours, operation) == perform(original, operation), operation
            assert seen_by(ours) == seen_by(original)
        assert dumped(servers[0], "ours") == dumped(servers[1], "reference")
        assert dumped(servers[0], "reference") == dumped(servers[1], "ours")
        for kind in ("ours", "reference"):
            done = servers[0].run("reconstruct", "-n", "-r", "user/bob", kind=kind)
            assert b"annot" not in done.stdout + done.stderr
    finally:
        for server in servers:
            server.stop(check=False)
    for server in servers:
        server.remove()


MOVES = (
    "RENAME user/bob/a user/bob/a second",
    "RENAME user/bob/a user/bob/elsewhere",
    "RENAME user/bob/b/c user/bob/c",
    "RENAME user/bob user/joe",
    "SETACL user/joe/b admin x",
    "DELETE user/joe/b",
    "CREATE user/joe/b",
)


def test_annotations_go_where_the_mailbox_goes() -> None:
    """To another partition, another name, another user; and away with it."""
    servers = [
        Instance(services=("imap",), imapd_conf=SETTINGS),
        Instance(services=("imap",), programs={"imap": "reference"}, master="reference", imapd_conf=SETTINGS),
    ]
    try:
        for server in servers:
            second = server.directory / "spool2"
            second.mkdir()
            give_away(second)
            server.settings |= {
                "partition-second": str(second), "allowusermoves": "yes", "delete_mode": "immediate",
            }  # fmt: skip
            server.write_configuration()
            fill(server)
        with servers[0].imap("bob") as ours, servers[1].imap("bob") as original:
            for operation in operations(21, 80):
                assert perform(ours, operation) == perform(original, operation), operation
        for number in range(len(MOVES)):
            for server in servers:
                with server.imap("admin") as admin:
                    admin.ok(MOVES[number])
                server.__dict__.pop("names_of_ids", None)
            assert dumped(servers[0], "ours") == dumped(servers[1], "reference"), MOVES[number]
        owned = [server.imap("joe") for server in servers]
        for mailbox in ("INBOX", "elsewhere", "c", "b"):
            told = []
            for client in owned:
                client.ok(f"EXAMINE {mailbox}")
                told.append(client.command("FETCH 1:* (UID ANNOTATION (* value))").untagged)
                sizes = f"GETMETADATA {mailbox} (/shared{VENDOR}/annotsize /shared/comment /private/comment)"
                told[-1] += client.ok(sizes).untagged
            assert told[0] == told[1]
    finally:
        for server in servers:
            server.stop(check=False)
    for server in servers:
        server.remove()


@pytest.mark.parametrize("seed", [3])
def test_each_server_reads_what_the_other_wrote(seed: int) -> None:
    server = Instance(services=("imap", "imap2"), programs={"imap2": "reference"}, imapd_conf=SETTINGS)
    source = random.Random(seed)
    try:
        fill(server)
        clients = [server.imap("bob"), server.imap("bob", service="imap2")]
        for number, operation in enumerate(operations(seed, 150)):
            perform(source.choice(clients), operation)
            if number % 10 == 0 and "moved" not in operation:
                assert seen_by(clients[0]) == seen_by(clients[1]), operation
        assert seen_by(clients[0]) == seen_by(clients[1])
        assert dumped(server, "ours") == dumped(server, "reference")
    finally:
        server.stop(check=False)
    server.remove()
