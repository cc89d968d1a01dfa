"""The judge of what servers tell: it must find fault where there is one, and nowhere else."""

from __future__ import annotations

import pytest

from cassandane.legality import Command, Illegal, Registry, View, members, parse

SELECTED = (
    "3 EXISTS", "1 RECENT", r"FLAGS (\Answered \Flagged \Draft \Deleted \Seen $a)", "OK [UIDVALIDITY 1] Ok",
    "OK [UIDNEXT 9] Ok", "OK [HIGHESTMODSEQ 20] Ok",
)  # fmt: skip
KNOWN = (r"1 FETCH (UID 2 FLAGS (\Seen))", "2 FETCH (UID 4 FLAGS ())", r"3 FETCH (UID 5 FLAGS (\Recent $a))")
CONDSTORE = (Command("ENABLE"), ["ENABLED CONDSTORE"], "OK Completed")
QRESYNC = (Command("ENABLE"), ["ENABLED QRESYNC"], "OK Completed")
NOOP = Command("NOOP")
FETCH = Command("FETCH", sequence="1:3")

Step = tuple[Command, list[str], str]


def play(*steps: Step, registry: Registry | None = None, known: bool = True) -> View:
    """A session that selected a mailbox of three messages, and knows them, after more steps."""
    view = View(registry or Registry(), "alice")
    enabled = [step for step in steps if step[0].name == "ENABLE"]
    first: list[Step] = [(Command("SELECT", mailbox="one"), list(SELECTED), "OK [READ-WRITE] Completed")]
    if known:
        first.append((Command("FETCH", sequence="1:3"), list(KNOWN), "OK Completed"))
    for command, lines, end in [*enabled, *first, *(step for step in steps if step not in enabled)]:
        view.begin(command)
        for line in lines:
            view.untagged(line.encode("latin-1"))
        status, _, text = end.partition(" ")
        view.tagged(status, text)
    return view


LEGAL: dict[str, list[Step]] = {
    "expunge": [(NOOP, ["2 EXPUNGE", "2 FETCH (UID 5 FLAGS (\\Recent))"], "OK Completed")],
    "expunge by a UID command": [(Command("FETCH", True, "2"), ["2 EXPUNGE"], "OK Completed")],
    "arrival": [(FETCH, ["4 EXISTS", "1 RECENT", "4 FETCH (UID 9)"], "OK Completed")],
    "vanished": [QRESYNC, (NOOP, ["VANISHED 2,5", "1 FETCH (UID 4 FLAGS () MODSEQ (21))"], "OK Completed")],
    "earlier": [
        QRESYNC,
        (Command("FETCH", True, "1:9", vanished=True), ["VANISHED (EARLIER) 1,3"], "OK Completed"),
    ],
    "search": [(Command("SEARCH"), ["SEARCH 1 3 (MODSEQ 20)"], "OK Completed")],
    "uid search": [(Command("SEARCH", True), ["SEARCH 2 5"], "OK Completed")],
    "thread": [(Command("THREAD"), ["THREAD (1 (2)(3))"], "OK Completed")],
    "modified": [
        CONDSTORE,
        (Command("STORE", sequence="1:2", unchangedsince=5), [], "OK [MODIFIED 1:2] Completed"),
    ],
    "move": [
        (
            Command("MOVE", sequence="1:2", mailbox="two"),
            ["OK [COPYUID 7 2,4 1:2] Completed", "1 EXPUNGE", "1 EXPUNGE"],
            "OK Completed",
        ),
    ],
    "another mailbox": [
        (Command("SELECT", mailbox="two"), ["OK [CLOSED] Ok", "0 EXISTS"], "OK [READ-WRITE] Completed")
    ],
}  # fmt: skip

ILLEGAL: dict[str, list[Step]] = {
    "a number too many": [(FETCH, ["4 FETCH (FLAGS ())"], "OK Completed")],
    "fewer messages": [(NOOP, ["2 EXISTS"], "OK Completed")],
    "expunge of nothing": [(NOOP, ["4 EXPUNGE"], "OK Completed")],
    "more recent than messages": [(NOOP, ["4 RECENT"], "OK Completed")],
    "another uid": [(FETCH, ["1 FETCH (UID 3)"], "OK Completed")],
    "a uid out of order": [(NOOP, ["4 EXISTS", "4 FETCH (UID 5)"], "OK Completed")],
    "expunge during fetch": [(FETCH, ["1 EXPUNGE"], "OK Completed")],
    "expunge during search": [(Command("SEARCH"), ["SEARCH 1", "1 EXPUNGE"], "OK Completed")],
    "expunge to qresync": [QRESYNC, (NOOP, ["1 EXPUNGE"], "OK Completed")],
    "vanished to all others": [CONDSTORE, (NOOP, ["VANISHED 2"], "OK Completed")],
    "vanished, a stranger": [QRESYNC, (NOOP, ["VANISHED 3"], "OK Completed")],
    "vanished during store": [QRESYNC, (Command("STORE", sequence="1"), ["VANISHED 2"], "OK Completed")],
    "earlier, unasked": [QRESYNC, (NOOP, ["VANISHED (EARLIER) 1"], "OK Completed")],
    "earlier, and still here": [
        QRESYNC,
        (Command("FETCH", True, "1:9", vanished=True), ["VANISHED (EARLIER) 2"], "OK Completed"),
    ],
    "a flag nobody told of": [(FETCH, ["1 FETCH (FLAGS ($b))"], "OK Completed")],
    "a flag twice": [(FETCH, ["1 FETCH (FLAGS ($a $a))"], "OK Completed")],
    "recent no more": [(FETCH, ["3 FETCH (FLAGS ($a))"], "OK Completed")],
    "recent later": [(FETCH, [r"1 FETCH (FLAGS (\Recent))"], "OK Completed")],
    "modseq to who knows none": [(FETCH, ["1 FETCH (FLAGS () MODSEQ (3))"], "OK Completed")],
    "modseq that falls": [
        CONDSTORE,
        (NOOP, ["1 FETCH (FLAGS () MODSEQ (9))", "1 FETCH (FLAGS ($a) MODSEQ (8))"], "OK Completed"),
    ],
    "flags without modseq": [CONDSTORE, (NOOP, ["1 FETCH (FLAGS ())"], "OK Completed")],
    "flags without uid": [QRESYNC, (NOOP, ["1 FETCH (FLAGS () MODSEQ (9))"], "OK Completed")],
    "two states at one modseq": [
        CONDSTORE,
        (NOOP, ["1 FETCH (FLAGS () MODSEQ (9))", "1 FETCH (FLAGS ($a) MODSEQ (9))"], "OK Completed"),
    ],
    "found beyond": [(Command("SEARCH"), ["SEARCH 4"], "OK Completed")],
    "found a stranger": [(Command("SEARCH", True), ["SEARCH 3"], "OK Completed")],
    "found twice": [(Command("SORT"), ["SORT 1 1"], "OK Completed")],
    "found nothing to say": [(Command("SEARCH"), [], "OK Completed")],
    "threads of strangers": [(Command("THREAD", True), ["THREAD (2 (3)(5))"], "OK Completed")],
    "another's result": [(Command("SEARCH", tag="a"), ['ESEARCH (TAG "b") ALL 1'], "OK Completed")],
    "a wrong count": [(Command("SEARCH", tag="a"), ['ESEARCH (TAG "a") COUNT 3 ALL 1'], "OK Completed")],
    "a result unasked": [(NOOP, ["SEARCH 1"], "OK Completed")],
    "modified, unasked": [(Command("STORE", sequence="1"), [], "OK [MODIFIED 1] Completed")],
    "modified, another": [
        CONDSTORE,
        (Command("STORE", sequence="1", unchangedsince=5), [], "OK [MODIFIED 2] Completed"),
    ],
    "moved and here": [
        (
            Command("MOVE", sequence="1", mailbox="two"),
            ["OK [COPYUID 7 2 1] Completed"],
            "OK Completed",
        ),
    ],
    "copied what nobody asked for": [
        (Command("COPY", sequence="1", mailbox="two"), [], "OK [COPYUID 7 4 1] Completed"),
    ],
    "copies out of order": [
        (Command("COPY", sequence="1:2", mailbox="two"), [], "OK [COPYUID 7 2,4 2,1] Completed"),
    ],
    "another mailbox, not told": [
        (Command("SELECT", mailbox="two"), ["0 EXISTS"], "OK [READ-WRITE] Completed")
    ],
    "highest modseq that falls": [(Command("EXPUNGE"), [], "OK [HIGHESTMODSEQ 19] Completed")],
}  # fmt: skip


@pytest.mark.parametrize("steps", LEGAL.values(), ids=LEGAL.keys())
def test_what_is_legal(steps: list[Step]) -> None:
    play(*steps)


@pytest.mark.parametrize("steps", ILLEGAL.values(), ids=ILLEGAL.keys())
def test_what_is_not(steps: list[Step]) -> None:
    with pytest.raises(Illegal):
        play(*steps)


def test_recent_is_for_one_session() -> None:
    registry = Registry()
    play(registry=registry)
    with pytest.raises(Illegal, match="two sessions"):
        play(registry=registry)


def test_what_was_told_to_be_gone_stays_gone() -> None:
    registry = Registry()
    play((NOOP, ["1 EXPUNGE"], "OK Completed"), registry=registry)
    with pytest.raises(Illegal, match="told to be gone"):
        play(registry=registry)


def test_a_uid_is_one_message() -> None:
    registry = Registry()
    play((FETCH, ["1 FETCH (BODY[] {12}\r\nSubject: a\r\n)"], "OK Completed"), registry=registry)
    other = [(FETCH, ["1 FETCH (UID 2 BODY[] {12}\r\nSubject: b\r\n)"], "OK Completed")]
    with pytest.raises(Illegal, match="UID 2 of one"):
        play(*other, registry=registry, known=False)


def test_silence_changes_what_the_client_knows() -> None:
    flags = frozenset(["$a"])
    silent = Command("STORE", sequence="1:2", operation="+", flags=flags, silent=True)
    view = play((silent, [r"2 FETCH (FLAGS ($a \Flagged))"], "OK Completed"))
    assert view.selected is not None
    assert view.selected.picture() == {2: {"\\Seen", "$a"}, 4: {"$a", "\\Flagged"}, 5: {"$a"}}


def test_resynchronisation() -> None:
    known = {1: frozenset(["$a"]), 2: frozenset[str](), 3: frozenset[str]()}
    again = Command("SELECT", mailbox="two", cached=known)
    lines = [
        "OK [CLOSED] Ok",
        "2 EXISTS",
        "FLAGS ($a)",
        "VANISHED (EARLIER) 2:3",
        "2 FETCH (UID 4 FLAGS () MODSEQ (3))",
    ]
    view = play(QRESYNC, (again, lines, "OK [READ-WRITE] Completed"))
    assert view.selected is not None
    assert view.selected.picture() == {1: {"$a"}, 4: frozenset()}
    with pytest.raises(Illegal, match="after resynchronisation"):
        play(QRESYNC, (again, [*lines[:3], lines[4]], "OK [READ-WRITE] Completed"))


def test_reading_responses() -> None:
    assert parse(b'(FLAGS (\\Seen) BODY[HEADER.FIELDS (A B)] {3}\r\n)") X "a \\" b")') == [
        ["FLAGS", ["\\Seen"], "BODY[HEADER.FIELDS (A B)]", b')")', "X", b'a \\" b']
    ]
    labels = (
        b"BODY[1.HEADER.FIELDS (a[b] c)]<0>",
        b'BODY[HEADER.FIELDS ("x)]" d)]',
        b"BODY[TEXT]",
        b"BINARY[1]",
    )
    for label in labels:
        assert parse(b"(%b NIL UID 3)" % label) == [[label.decode(), "NIL", "UID", "3"]]
    with pytest.raises(Illegal):
        parse(b"(FLAGS (a)")
    assert members("4,2:1,5:*", 7) == [4, 1, 2, 5, 6, 7]
