"""getopt(3) as the original's programs use it: options anywhere among the operands, errors not fatal.

The standard library's modules stop at the first mistake and cost a service
more time to import than everything it does before its first connection.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence


def getopt(
    words: Sequence[str], letters: str, program: str
) -> tuple[list[tuple[str, str]], list[str], bool]:
    """Split a command line: options in order, operands in order, and whether all was understood.

    ``letters`` as for getopt(3): a colon after a letter means that it takes a
    value, from the same word or the next. An option without one has ``""``.
    What is not understood is said on standard error and passed over.
    """
    options: list[tuple[str, str]] = []
    operands: list[str] = []
    understood = True
    rest = iter(words)
    for word in rest:
        if word == "--":
            operands += rest
            break
        if word == "-" or not word.startswith("-"):
            operands.append(word)
            continue
        cluster = word[1:]
        while cluster:
            letter, cluster = cluster[0], cluster[1:]
            place = letters.find(letter)
            if letter == ":" or place < 0:
                understood = False
                print(f"{program}: invalid option -- '{letter}'", file=sys.stderr)
            elif letters[place + 1 : place + 2] != ":":
                options.append((letter, ""))
            else:
                value = cluster or next(rest, None)
                cluster = ""
                if value is None:
                    understood = False
                    print(f"{program}: option requires an argument -- '{letter}'", file=sys.stderr)
                else:
                    options.append((letter, value))
    return options, operands, understood


def number(text: str) -> int:
    """The integer at the beginning of ``text``, else 0, as atoi(3)."""
    text = text.lstrip()
    digits = text[1:] if text[:1] in ("-", "+") else text
    end = 0
    while end < len(digits) and digits[end] in "0123456789":
        end += 1
    if not end:
        return 0
    return -int(digits[:end]) if text.startswith("-") else int(digits[:end])
