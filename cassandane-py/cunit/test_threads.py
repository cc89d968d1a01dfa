"""Base subjects and the threading algorithms, without a mailbox (RFC 5256)."""

from __future__ import annotations

import random

import pytest

from libcyrus.search.base_subject import base_subject
from libcyrus.search.threads import ALGORITHMS, ThreadMessage, pack


@pytest.mark.parametrize(
    ("subject", "text", "replies"),
    [
        (b"cheese", b"CHEESE", 0),
        (b"Re: cheese", b"CHEESE", 1),
        (b"re [7] : Fwd:  fw : cheese (FWD) ", b"CHEESE", 10),
        (b"[list] Re: [other] cheese", b"CHEESE", 1),
        (b"[list]", b"[LIST]", 0),
        (b"[Fwd: [Fwd: cheese]]", b"CHEESE", 2),
        (b"Re: [x", b"[X", 1),
        (b"", b"", 0),
        (b"Re:", b"", 1),
        ("é".encode(), "é".encode(), 0),
        (b"Re[99999999999999999999]: a", b"A", 1),
        (b"(fwd)(fwd)", b"", 2),
        (b"reality", b"REALITY", 0),
    ],
)
def test_base_subject(subject: bytes, text: bytes, replies: int) -> None:
    assert base_subject(subject) == (text, replies)


def message(place: int, *references: int, subject: bytes = b"S", reply: bool = True) -> ThreadMessage:
    ids = [b"%d" % reference for reference in references]
    return ThreadMessage(place, b"%d" % place, ids, subject, reply, 1000 + place, 1000 + place)


def threaded(algorithm: str, *messages: ThreadMessage) -> bytes:
    return pack(ALGORITHMS[algorithm](messages), lambda one: one.place)


def test_the_example_of_the_rfc() -> None:
    """RFC 5256 section 4: (2)(3 6 (4 23)(44 7 96))."""
    found = threaded(
        "REFS",
        message(2),
        message(3),
        message(6, 3),
        message(4, 3, 6),
        message(23, 3, 6, 4),
        message(44, 3, 6),
        message(7, 44),
        message(96, 44, 7),
    )

    assert found == b"(2)(3 6 (4 23)(44 7 96))"


def test_missing_parents_hold_their_children_together() -> None:
    assert threaded("REFS", message(1, 9), message(2, 9)) == b"((1)(2))"
    assert threaded("REFS", message(1, 8, 9), message(2, 8)) == b"((1)(2))"
    assert threaded("REFS", message(1, 8, 9)) == b"(1)"


def test_loops_are_not_made() -> None:
    assert threaded("REFS", message(1, 2), message(2, 1)) == b"(2 1)"
    assert threaded("REFS", message(1, 1)) == b"(1)"


def test_duplicate_ids_stay_apart() -> None:
    twin = ThreadMessage(2, b"1", [], b"S", False, 1002, 1002)

    assert threaded("REFS", message(1), twin, message(3, 1)) == b"(2)(1 3)"


def test_threads_of_one_subject_come_together() -> None:
    first, reply = message(1, reply=False), message(2)

    assert threaded("REFERENCES", first, reply) == b"(1 2)"
    assert threaded("REFERENCES", message(1), message(2)) == b"((1)(2))"
    assert threaded("ORDEREDSUBJECT", message(1), message(2), message(3, subject=b"T")) == b"(1 2)(3)"


@pytest.mark.parametrize("algorithm", sorted(ALGORITHMS))
def test_every_message_is_in_one_place_however_wild_the_references(algorithm: str) -> None:
    rnd = random.Random(1)
    for _ in range(200):
        messages = [
            message(
                place,
                *(rnd.randrange(12) for _ in range(rnd.randrange(4))),
                subject=rnd.choice([b"", b"A", b"B"]),
                reply=rnd.random() < 0.5,
            )
            for place in range(10)
        ]
        text = threaded(algorithm, *messages).decode()
        numbers = text.replace("(", " ").replace(")", " ").split()
        assert sorted(map(int, numbers)) == list(range(10))
        assert text.count("(") == text.count(")")


@pytest.mark.parametrize("step", [1, -1])
def test_a_deep_thread_needs_no_deep_stack(step: int) -> None:
    count = 20000
    messages = [message(place, place - step) for place in range(count)]

    text = threaded("REFS", *messages[::step])

    assert len(text.split()) == count
