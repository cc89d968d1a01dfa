"""Commands put together at random, most of them wrong: ours and the original answer them alike.

LIST is left out where the original would take it for the extended form (RFC 5258), which we do not have.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator

import pytest

from cassandane.clients import ImapClient
from cassandane.instance import Instance

pytestmark = pytest.mark.reference

COMMANDS = 500
# the one form of APPEND, since a refused one can leave the original in the middle of its line
_APPEND = "APPEND INBOX {23+}\r\nSubject: x\r\n\r\nhello you"
MESSAGE = b"From: a@b.example\r\nSubject: y\r\n\r\nbody text\r\n"

_NAMES = (
    "NOOP", "SELECT", "EXAMINE", "CREATE", "DELETE", "RENAME", "SUBSCRIBE", "UNSUBSCRIBE", "LSUB", "STATUS",
    "CHECK", "FETCH", "STORE", "COPY", "MOVE", "SEARCH", "EXPUNGE", "UID FETCH", "UID STORE",
    "UID COPY", "UID MOVE", "UID SEARCH", "UID EXPUNGE", "GETACL", "SETACL", "DELETEACL", "MYRIGHTS",
    "LISTRIGHTS", "GETQUOTA", "GETQUOTAROOT", "NAMESPACE", "CAPABILITY", "UNSELECT", "SELECT INBOX",
    "SELECT INBOX", "FETCH 1:*", "STORE 1", "SEARCH", 'LIST ""', "NONSENSE", "UID", "UID NONSENSE",
    "SETMETADATA", "SETANNOTATION", "GETANNOTATION", "SEARCH RETURN (COUNT)",
    "UID SEARCH RETURN (MIN MAX)", "SEARCH RETURN ()", "SEARCH RETURN",

)  # fmt: skip
_WORDS = (
    "INBOX", "INBOX/a", "a", '"a b"', '""', "*", "%", ")", "NIL", "1", "1:*", "2,4", "FLAGS", "+FLAGS",
    "-FLAGS.SILENT", "\\Flagged", "kw", "ALL", "UNSEEN", "SUBJECT", "x", "NOT", "OR", "SEEN", "SINCE",
    "1-Jan-2020", '"1-Jan-2020"', "lrs", "+w", "anyone", "ENVELOPE", "BODY", "BODY[]", "BODY.PEEK[TEXT]",
    "BODY[1]<0.5>", "RFC822.SIZE", "BODYSTRUCTURE", "UID", "KEYWORD", "LARGER", "10", "HEADER",
    "FROM", "CHARSET", "UTF-8", "{3+}\r\nabc", "{9+}\r\nhello you", "{0+}\r\n", '"x',
    "FAST", "FULL", "TEXT", "BODY[1.MIME]", "BODY[HEADER]", "RFC822", "BODY[0]", "BODY[5]", "OLD", "NEW",
    "RECENT", "ON", "BEFORE", "SMALLER", "BCC", '"a\\"b"',
)  # fmt: skip
_LISTS = (
    "(", "()", "(FLAGS)", "(FLAGS UID)", "(\\Seen)", "(\\Deleted)", "(kw kw2)", "(MESSAGES)",
    "(MESSAGES UNSEEN RECENT UIDNEXT)", "(COUNT)", "(MIN MAX)", "BODY[HEADER.FIELDS (Subject)]",
    "(UID BODY.PEEK[HEADER])", '(/private/comment "x")', '(/shared/comment NIL)', '"/comment"',
    '("value.priv" "y")', '(ANNOTATION (/comment value))', '(/comment (value.priv "z"))', "ANNOTATION",
    '(/shared/vendor/cmu/cyrus-imapd/expire "3")',
)  # fmt: skip
_MASKS = (
    (r" \(\d+\.\d+ secs?( \d+ calls)?\)", ""),
    (r" \(\d+ msgs? in [^)]*\)", ""),
    (r"MAILBOXID \([^)]*\)", "MAILBOXID"),
    (r"(UIDVALIDITY|APPENDUID|COPYUID) \d+", r"\1"),
    (r"CAPABILITY .*", "CAPABILITY"),
    (r'INTERNALDATE "[^"]*"', "INTERNALDATE"),
)


def commands(seed: int) -> Iterator[str]:
    source = random.Random(seed)
    for number in range(COMMANDS):
        if number % 20 == 0:
            yield _APPEND
        name = source.choice(_NAMES)
        words = _WORDS if name.startswith("LIST ") else _WORDS + _LISTS
        arguments = source.choices(words, k=source.choice((0, 1, 1, 2, 2, 2, 3, 3, 4)))
        yield " ".join([name, *arguments])


@pytest.mark.parametrize("seed", range(1, 7))
def test_random_commands_are_answered_alike(seed: int) -> None:
    servers = [
        Instance(services=("imap",)),
        Instance(services=("imap",), programs={"imap": "reference"}, master="reference"),
    ]
    try:
        clients = []
        for server in servers:
            server.start()
            server.create_user("bob")
            client = server.imap("bob")
            client.append("INBOX", MESSAGE, MESSAGE, MESSAGE)
            client.ok("SELECT INBOX")
            clients.append(client)
        for number, command in enumerate(commands(seed)):
            ours, original = (answers(client, f"t{number}", command) for client in clients)
            assert ours == original, command
    finally:
        for server in servers:
            server.stop(check=server is servers[0])
    for server in servers:
        server.remove()


def answers(client: ImapClient, tag: str, command: str) -> list[str]:
    client.send(f"{tag} {command}\r\n".encode())
    lines = []
    while True:
        line = client.response().decode("latin-1")
        for pattern, replacement in _MASKS:
            line = re.sub(pattern, replacement, line)
        lines.append(line)
        if line.startswith((f"{tag} ", "* BAD")):
            return lines
