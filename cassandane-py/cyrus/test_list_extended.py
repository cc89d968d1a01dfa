"""LIST-EXTENDED with STATUS, MYRIGHTS, METADATA and SPECIAL-USE, and XLIST, answer as the original does."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from cassandane.clients import ImapClient
from cassandane.instance import Instance

pytestmark = pytest.mark.reference

SELECTIONS = (
    "", "()", "(SUBSCRIBED)", "(SUBSCRIBED REMOTE)", "(SPECIAL-USE)", "(RECURSIVEMATCH SUBSCRIBED)",
    "(REMOTE)", "(VENDOR.CMU-DAV)", "(VENDOR.FM-INCLUDE-NONEXISTENT)", "(VENDOR.CMU-INCLUDE-DELETED)",
    "(SUBSCRIBED SPECIAL-USE)",
)  # fmt: skip
RETURNS = (
    "", "RETURN ()", "RETURN (SUBSCRIBED)", "RETURN (CHILDREN)", "RETURN (SPECIAL-USE)", "RETURN (MYRIGHTS)",
    "RETURN (STATUS (MESSAGES UIDNEXT SIZE))", "RETURN (METADATA (/shared/comment /private/comment))",
    "RETURN (SUBSCRIBED CHILDREN SPECIAL-USE MYRIGHTS)", "RETURN (METADATA /shared/comment STATUS (UNSEEN))",
)  # fmt: skip
PATTERNS = (
    '"" *',
    '"" %',
    '"" (INBOX Work/*)',
    '"" (*)',
    "Work (% Deep*)",
    '"" ("Other Users/*" A*)',
)
MALFORMED = (
    'LIST (', 'LIST (FOO) "" *', 'LIST (SUBSCRIBED', 'LIST (SUBSCRIBED "" *', 'LIST (RECURSIVEMATCH) "" *',
    'LIST () ', 'LIST () ""', 'LIST () "" ', 'LIST () "" (a', 'LIST () "" * RETURN',
    'LIST "" * RETURN ', 'LIST "" * RETURN (', 'LIST "" * RETURN (FOO)', 'LIST "" * RETURN (STATUS)',
    'LIST "" * RETURN (METADATA (/comment))', 'LIST "" * RETURN () x', 'LIST ( SUBSCRIBED) "" *',
    'LIST (SUBSCRIBED ) "" *', 'LIST "" (* ) RETURN ()', 'LIST(SUBSCRIBED) "" *', 'XLIST', 'XLIST ""',
    'XLIST "" ""', 'XLIST "" *', 'XLIST "" %', 'XLIST (SUBSCRIBED) "" *', 'XLIST "" * RETURN (CHILDREN)',
    'LIST (METADATA (MAXSIZE 3)) "" * RETURN (METADATA (/shared/comment))',
    'LIST (METADATA (DEPTH infinity)) "" * RETURN (METADATA (/shared))',
)  # fmt: skip


@pytest.fixture(scope="module", params=["yes", "no"])
def server(request: pytest.FixtureRequest) -> Iterator[Instance]:
    """Both servers on one spool, in both namespaces."""
    instance = Instance(
        imapd_conf={"altnamespace": request.param, "delete_mode": "delayed", "allowdeleted": "yes"},
        programs={"imap": "reference", "imap2": "ours"},
        master="reference",
        services=("imap", "imap2"),
    ).start()
    instance.create_user("a")
    instance.create_user("b", "Shared", "Shared/Deep/Deeper")
    top = "" if request.param == "yes" else "INBOX/"
    with instance.imap("a") as client:
        for name in (
            "Work",
            "Work/One",
            "Work/Gap/Two",
            "Sent (\\Sent)",
            "Trash (\\Trash)",
            "Archive",
            "Gone",
            "Deep/er",
        ):
            folder, _, use = name.partition(" ")
            client.ok(f"CREATE {top}{folder}" + (f" (USE {use})" if use else ""))
        for name in (
            "INBOX",
            f"{top}Work/One",
            f"{top}Sent",
            f"{top}Missing/Folder",
            f"{top}Gone",
            f"{top}Deep",
        ):
            client.command(f"SUBSCRIBE {name}")
        client.ok(f"DELETE {top}Gone")
        client.append(f"{top}Work", b"Subject: x\r\n\r\nbody\r\n", b"Subject: y\r\n\r\nbody\r\n")
        client.ok(f'SETMETADATA {top}Work (/shared/comment "long comment" /private/comment "p")')
    with instance.imap("b") as client:
        top = "" if request.param == "yes" else "INBOX/"
        client.ok(f"SETACL {top}Shared a lr")
        client.ok(f"SETACL {top}Shared/Deep/Deeper a lr")
    with instance.imap("admin") as client:
        for name in ("pool", "pool/cars", "pool/cars/red"):
            client.ok(f"CREATE {name}")
            client.ok(f"SETACL {name} anyone lrp")
    yield instance
    instance.stop()
    instance.remove()


def differences(server: Instance, user: str, commands: list[str]) -> list[tuple[str, object, object]]:
    found = []
    with server.imap(user) as original, server.imap(user, service="imap2") as ours:
        for command in commands:
            replies = [_reply(client, command) for client in (original, ours)]
            if replies[0] != replies[1]:
                found.append((command, *replies))
    return found


def _reply(client: ImapClient, command: str) -> tuple[list[str], str, str]:
    reply = client.command(command)
    # how many names were looked at is told too; how long it took is not for comparison
    # the original takes the rest of some malformed lines for another command
    untagged = [line for line in reply.untagged if line != "BAD Invalid tag"]
    return untagged, reply.status, reply.text.partition("(")[0]


@pytest.mark.parametrize("user", ["a", "b", "admin"])
def test_every_option(server: Instance, user: str) -> None:
    commands = [
        " ".join(part for part in ("LIST", selection, PATTERNS[number % len(PATTERNS)], returned) if part)
        for number, (selection, returned) in enumerate(itertools.product(SELECTIONS, RETURNS))
    ]
    commands += [f"LIST {selection} {pattern}" for selection in SELECTIONS[1:] for pattern in PATTERNS]
    if user == "admin":
        # who may see a mailbox and not read it is told of its messages by the original (see below)
        commands = [command for command in commands if "STATUS" not in command]

    assert differences(server, user, commands) == []


def test_malformed_commands(server: Instance) -> None:
    assert differences(server, "a", list(MALFORMED)) == []


def test_who_may_not_read_is_told_no_status(instance: Instance) -> None:
    """RFC 5819 section 2; the original tells all the same."""
    instance.create_user("a")
    instance.create_user("b")
    with instance.imap("b") as owner:
        owner.ok("SETACL INBOX a l")
    with instance.imap("a") as client:
        reply = client.ok('LIST "" "Other Users/*" RETURN (STATUS (MESSAGES))')

    assert reply.untagged == [r'LIST (\Noselect \HasNoChildren) "/" "Other Users/b"']
