"""The syntax of imapd.conf: lines, continuations, directives.

A line is ``name: value``. The name is of ASCII letters, digits, ``-`` and
``_``, in any case, at once followed by the colon. Space around the value is
dropped. A line whose first character is ``#`` is a comment. A backslash
directly before the newline joins the next line, in comments too; a file that
ends in such a join loses the line. ``@include: path`` reads another file.

Bytes that are not UTF-8 are kept as surrogates. A NUL ends its line, as it
does in the original.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from libcyrus.errors import Fatal

WHITESPACE = " \t\n\v\f\r"

_NAME_CHARACTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"


# One ``name: value`` and the number of its line; the name is in lower case, the value not empty.
Setting = tuple[str, str, int]


def settings(path: str, prefix: str | None = None) -> Iterator[Setting]:
    """Every setting of ``path`` and the files it includes, in order.

    With ``prefix`` each file is first looked for at ``prefix`` + its path.
    Raises ``Fatal`` (EX_CONFIG) for a file that cannot be read or that is
    included a second time, a malformed line, and an unknown directive.
    """
    return _read(path, prefix, set())


def _read(path: str, prefix: str | None, included: set[str]) -> Iterator[Setting]:
    text = _content(path, prefix)
    if path in included:
        raise Fatal(f"configuration file {path} included twice", os.EX_CONFIG)
    included.add(path)
    for line, number in _logical_lines(text):
        line = line.lstrip(WHITESPACE)
        if not line or line.startswith("#"):
            continue
        name, colon, value = line.partition(":")
        if not colon or not name or name.removeprefix("@").strip(_NAME_CHARACTERS):
            raise Fatal(f"invalid option name on line {number} of configuration file {path}", os.EX_CONFIG)
        name = name.lower()
        value = value.strip(WHITESPACE)
        if not value:
            raise Fatal(f"empty option value on line {number} of configuration file", os.EX_CONFIG)
        if name == "@include":
            yield from _read(value, prefix, included)
        elif name.startswith("@"):
            raise Fatal(f"invalid directive on line {number} of configuration file {path}", os.EX_CONFIG)
        else:
            yield name, value, number


def _content(path: str, prefix: str | None) -> str:
    if prefix is not None:
        try:
            with open(prefix + path, encoding="utf-8", errors="surrogateescape", newline="\n") as file:
                return file.read()
        except OSError:
            pass
    try:
        with open(path, encoding="utf-8", errors="surrogateescape", newline="\n") as file:
            return file.read()
    except (OSError, ValueError) as error:
        reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
        raise Fatal(f"can't open configuration file {path}: {reason}", os.EX_CONFIG) from None


def _logical_lines(text: str) -> Iterator[tuple[str, int]]:
    """Joined lines, each with the number of its last physical line."""
    joined = ""
    *lines, unfinished = text.split("\n")
    for number, line in enumerate(lines, start=1):
        joined += line
        if joined.endswith("\\") and "\0" not in line:
            joined = joined[:-1]
            continue
        yield joined.partition("\0")[0], number
        joined = ""
    if unfinished:
        # no newline follows, so a backslash here joins nothing and is kept
        yield (joined + unfinished).partition("\0")[0], len(lines) + 1
