"""How generated conversations are put on the wire, and which rows they have to show."""

from __future__ import annotations

import random

import pytest

from cassandane.conversations import mailboxes, rows, selected
from cassandane.conversations.masking import Mask
from cassandane.conversations.servers import Heard
from cassandane.conversations.stream import AS_IS, BYTEWISE, CUT, DRESSED, PIPELINED, Delivery, Stream


def stream(delivery: Delivery = AS_IS) -> Stream:
    return Stream("a test", random.Random(1), user="ann", delivery=delivery)


def test_strings_are_atoms_where_they_may_and_literals_where_they_must() -> None:
    made = stream()
    made.say("SEARCH SUBJECT {} TEXT {} BODY {}", b"word", b"two words", b"line\r\n")
    assert made.exchanges[0].sent == b't1 SEARCH SUBJECT word TEXT "two words" BODY {6+}\r\nline\r\n\r\n'


def test_a_literal_is_sent_when_the_server_asks_for_it() -> None:
    made = stream()
    made.raw(b" APPEND INBOX {9}\r\n{3}\r\n{3+}")
    parts = made.exchanges[0].parts
    assert [b"".join(part.pieces) for part in parts] == [b"t1 APPEND INBOX {9}\r\n", b"{3}\r\n{3+}\r\n"]
    assert parts[0].wait is not None and parts[1].wait is None


@pytest.mark.parametrize("sync", ["", "+"])
def test_what_is_missing_of_a_literal_is_made_up(sync: str) -> None:
    made = stream()
    made.raw(f" SEARCH BODY {{5{sync}}}".encode())
    assert made.exchanges[0].sent == f"t1 SEARCH BODY {{5{sync}}}\r\nxxxxx\r\n".encode()


def test_pipelined_commands_are_one_exchange() -> None:
    made = stream(PIPELINED)
    for _ in range(8):
        made.say("NOOP")
    made.say("NOOP", by="B")
    assert [(one.by, one.commands) for one in made.exchanges] == [("A", 6), ("A", 2), ("B", 1)]


@pytest.mark.parametrize("delivery", [CUT, BYTEWISE])
def test_cut_commands_are_whole(delivery: Delivery) -> None:
    made = stream(delivery)
    made.raw(b" FETCH 1:* (FLAGS UID)")
    (part,) = made.exchanges[0].parts
    assert len(part.pieces) > 2 and b"".join(part.pieces) == b"t1 FETCH 1:* (FLAGS UID)\r\n"


def test_letters_of_strings_keep_their_case() -> None:
    made = stream(DRESSED)
    for _ in range(20):
        made.say('SEARCH SUBJECT "Some Words" BODY {}', b"Other")
    said = [one.sent for one in made.exchanges]
    assert all(b'"Some Words"' in one and b"Other" in one for one in said)
    assert len({one.split(b" ")[1] for one in said}) > 1


def test_chance_values_are_told_apart() -> None:
    mask = Mask()
    lines = [b"* OK [UIDVALIDITY 7]", b"a OK [APPENDUID 7 1]", b"b OK [APPENDUID 8 1]"]
    assert list(map(mask, lines)) == [
        b"* OK [UIDVALIDITY V0]",
        b"a OK [APPENDUID V0 1]",
        b"b OK [APPENDUID V1 1]",
    ]
    assert mask(b'INTERNALDATE " 1-Feb-2020 10:00:00 +0000"') == b'INTERNALDATE " 1-Feb-2020 10:00:00 +0000"'


def heard(sent: bytes, *lines: bytes) -> Heard:
    made = stream()
    made.raw(sent)
    return Heard("a test", made.exchanges[0], list(lines), list(lines))


@pytest.mark.parametrize(
    ("kind", "item", "sent", "reply"),
    [
        ("fetch-item", "FLAGS", b"t FETCH 1 (UID FLAGS)", b"* 1 FETCH (UID 1 FLAGS ())"),
        (
            "fetch-item",
            "BODY.PEEK[<section>]<partial>",
            b"t FETCH 1 BODY.PEEK[1]",
            b"* 1 FETCH (BODY[1] NIL)",
        ),
        ("search-key", "sequence-set", b"t SEARCH 1:3", b"t OK Completed"),
        ("append-data", "literal8 ~{n}", b"t APPEND INBOX ~{1+}\r\nx", b"t OK Completed"),
        ("untagged-response", "EXISTS", b"t NOOP", b"* 3 EXISTS"),
        ("response-code", "CLOSED", b"t SELECT x", b"* OK [CLOSED] Ok"),
    ],
)
def test_a_row_is_shown_by_what_was_sent_and_accepted(
    kind: str, item: str, sent: bytes, reply: bytes
) -> None:
    row = rows.Row(kind, item, (), "")
    assert rows.shown(row, heard(sent, reply))
    assert not rows.shown(row, heard(b"t NOOP", b"t OK Completed"))


def test_each_row_is_shown_by_a_family_or_says_why_not() -> None:
    families = {family.name for family in selected.FAMILIES} | set(mailboxes.FAMILIES)
    assert [str(row) for row in rows.read() if not (row.shown_by or row.why_not)] == []
    assert {name for row in rows.read() for name in row.shown_by} <= families
