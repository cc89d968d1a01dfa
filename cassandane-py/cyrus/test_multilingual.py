"""Searching mail in many languages: both servers find the same in what each of them was given.

The differences there are, and why:

* a text in a charset that is neither ASCII nor UTF-8 is not found by the original in the last 4096 bytes of a
  part, since it looks at what it found before it converts the rest; ours finds it;
* charsets that no mail is written in (those of IBM's mainframes and of Lotus, ISCII, SCSU, GSM, and the like)
  are read as ASCII by ours.
"""

from __future__ import annotations

import base64
import random
import re
from collections.abc import Iterator

import pytest

from cassandane.clients import ImapClient
from cassandane.instance import Instance
from cassandane.multilingual import Writer, encode
from libcyrus.text import charset, charset_tables

pytestmark = pytest.mark.reference

DATE = '"01-Mar-2015 10:00:00 +0100"'
NOT_READ = re.compile(
    r"ISCII|LMBCS|SCSU|BOCU|gsm|x11|IMAP-|UTF-16,version=1|ISO_2022,locale=ja,version=[34]"
    r"|ibm-(?:9(?:3[035-9]|49|64|71)|13(?:64|71|88|90|99)|16684|5478|33722_P120)_"
)


@pytest.fixture(scope="module")
def pair() -> Iterator[tuple[ImapClient, ImapClient]]:
    """Sessions with ours and with the original, each with mailboxes of its own."""
    ours = Instance(services=("imap",))
    original = Instance(services=("imap",), programs={"imap": "reference"}, master="reference")
    try:
        for server in (ours, original):
            server.start().create_user("a")
        with ours.imap("a") as one, original.imap("a") as other:
            yield one, other
    finally:
        ours.stop()
        original.stop(check=False)
        ours.remove()
        original.remove()


def fill(pair: tuple[ImapClient, ImapClient], mailbox: str, messages: list[bytes]) -> None:
    for client in pair:
        client.ok(f"CREATE {mailbox}")
        # what one refuses the other refuses
        answers = [client.command(f"APPEND {mailbox} {DATE} {{}}", message).status for message in messages]
        assert answers.count("OK") > len(messages) * 0.9
        client.ok(f"EXAMINE {mailbox}")


def found(client: ImapClient, command: str, *texts: bytes) -> list[str]:
    reply = client.command(command, *texts)
    return [*reply.untagged, reply.status, reply.text.partition(" (")[0]]


def test_the_same_is_found_in_a_multilingual_mailbox(pair: tuple[ImapClient, ImapClient]) -> None:
    writer = Writer(20261123)
    fill(pair, "many", [writer.message() for _ in range(100)])
    differences, hits = [], 0
    for name, text in writer.patterns(80):
        keys = ["SUBJECT", "FROM", "TO", "HEADER X-Text", "HEADER Subject", "CC", "BCC"]
        for key in (*keys, *(["BODY", "TEXT"] if hits % 3 else [])):
            ours, original = (found(client, f"SEARCH CHARSET {name} {key} {{}}", text) for client in pair)
            hits += original[0].count(" ")
            if ours != original:
                differences.append((name, text, key, ours, original))
    assert differences == []
    assert hits > 1000


def test_every_charset_says_the_same(pair: tuple[ImapClient, ImapClient]) -> None:
    source = random.Random(7)
    cases = []
    for name in one_name_each():
        known = charset.lookup(name.encode())
        assert known is not None, name
        for raw in octets(source):
            text = re.sub("[\0\r\n]", "", known.decode(raw))
            cases.append((name, raw, text))
    # ten to a message
    field = b"X-T%d: =?%b?B?%b?=\r\n"
    fields = [
        field % (number % 10, name.encode(), base64.b64encode(raw))
        for number, (name, raw, _) in enumerate(cases)
    ]
    messages = [b"".join(fields[at : at + 10]) + b"\r\nx\r\n" for at in range(0, len(fields), 10)]
    fill(pair, "charsets", messages)
    differences, hits = [], 0
    for number, (name, raw, text) in enumerate(cases):
        pieces = [text[at : at + 5].encode("utf-8", "replace") for at in range(0, max(len(text) - 3, 1), 10)]
        key = f" HEADER X-T{number % 10} {{}}" * len(pieces)
        command = f"SEARCH CHARSET UTF-8 {number // 10 + 1}{key}"
        ours, original = (found(client, command, *pieces) for client in pair)
        hits += ours[0] != "SEARCH"
        if ours != original:
            differences.append((name, raw, pieces, ours, original))
    assert differences == []
    assert hits > len(cases) * 0.95


def one_name_each() -> list[str]:
    """A name for each charset that mail may have, ours or one of ICU's."""
    names: dict[str, str] = {}
    spelt = [line.split(" ")[1 if line.startswith("+ ") else 0] for line in charset_tables.NAMES.splitlines()]
    for name in (*charset._ALIASES, *spelt):
        known = charset.lookup(name.encode())
        if known is not None and re.fullmatch(r"[^?*= ]+", name) and not NOT_READ.search(known.canonical):
            names.setdefault(known.canonical, name)
    return sorted(names.values())


def octets(source: random.Random) -> Iterator[bytes]:
    """Texts that mean something in any charset, or nothing in some."""
    yield bytes(range(0xA0, 0x100, 2))
    yield b"\x80\x85 ab[\\]^`{|}~ $@ z" + bytes(source.randrange(0xA1, 0xFF) for _ in range(20))
    if source.random() < 0.3:
        yield b"\x1b$B" + bytes(source.randrange(0x21, 0x7E) for _ in range(10)) + b"\x1b(B end +AOQ- x"


def test_the_end_of_a_text_is_found(pair: tuple[ImapClient, ImapClient]) -> None:
    """The original looks at what it found before it converts the rest."""
    text = encode("Привет мир", "koi8-r")
    fill(pair, "ends", [b"Content-Type: text/plain; charset=koi8-r\r\n\r\n" + text + b"\r\n"])
    ours, original = (found(client, "SEARCH CHARSET KOI8-R BODY {}", text) for client in pair)
    assert (ours[0], original[0]) == ("SEARCH 1", "SEARCH")
