"""Sets, items, keys and flags at random, right and wrong."""

from __future__ import annotations

import random
from collections.abc import Sequence

ODD_SETS = (
    "*:*", "0", "0:3", "3:0", "*", "*:1", "4294967295", "4294967296", "1:4294967295", "5000:*", "1,,2", "1,",
    ",1", "1:", ":1", "1:2:3", "1;2", "a", "-1", "+1", "1.5", "00001", "1,1,1,2:1", "18446744073709551616",
    "1:*,2",
    "$", "()", "(1)", '"1"', "1 ", "9999999999:*", "1:*x", "2,1:3,2", "{1+}\r\n1", "",
)  # fmt: skip
SYSTEM_FLAGS = (r"\Answered", r"\Deleted", r"\Draft", r"\Flagged", r"\Seen")
KEYWORDS = ("$X", "Work", "$Forwarded", "$Junk", "New", "a.b", "x-1")
ODD_FLAGS = (
    r"\Recent",
    r"\Odd",
    "\\",
    "(",
    "a(b",
    "a{b",
    "a%b",
    "a*b",
    'a"b',
    "",
    r"\\Seen",
    "]",
    "a]",
    "NIL",
    "é",
)


def number_set(source: random.Random, count: int) -> str:
    """A set of a few of ``count`` messages; now and then an odd one."""
    low, high = sorted(source.randint(1, count) for _ in range(2))
    low = max(low, high - 12)
    if source.random() < 0.08:
        return source.choice(
            ("*", f"{low}:*" if low > count - 15 else "*:*", f"{count + 3}", f"{count - 2}:*")
        )
    return source.choice((f"{low}:{high}", f"{low}", f"{low},{high},{low}:{low + 3}", f"{high}:{low}"))


def flags(source: random.Random, *, most: int = 3, deleted: bool = True) -> str:
    chosen = source.sample((*SYSTEM_FLAGS, *KEYWORDS), source.randint(0, most))
    return " ".join(flag for flag in chosen if deleted or flag != r"\Deleted")


def some(source: random.Random, items: Sequence[str], most: int) -> list[str]:
    return source.sample(items, source.randint(1, min(most, len(items))))


def prefix(source: random.Random) -> str:
    return source.choice(("", "UID "))


def garbled(source: random.Random, command: str) -> str:
    """The command with something wrong: a word lost, doubled or changed, a sign put in, its end missing."""
    words = command.split(" ")
    at = source.randrange(len(words))
    match source.randrange(9):
        case 0:
            del words[at]
        case 1:
            words.insert(at, words[at])
        case 2:
            words.insert(at, "")
        case 3:
            words[at] = source.choice(ODD_SETS)
        case 4:
            words[at] = words[at][:-1]
        case 5:
            words[at] += source.choice(tuple(")(]}>\"'\\*%x,:"))
        case 6:
            words[at] = words[at].translate({ord("("): "[", ord("["): "("})
        case 7:
            return command[: source.randrange(len(command) + 1)]
        case _:
            words.append(source.choice(("x", "(", ")", "()", '""', "")))
    return " ".join(words)
