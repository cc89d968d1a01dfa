"""From a line to commands: words, quotes, variables, redirections and semicolons, as sh(1) has them."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from libcyrus.base.dataclasses import dataclass, field

_SPECIAL = frozenset("&<>;")
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_REDIRECTION = re.compile(r"(\d*)(<|>>|>)(&?)")


class SyntaxMistake(Exception):
    """The line cannot be understood; the text says why."""


@dataclass(frozen=True, slots=True)
class Redirection:
    """``fd`` is opened on the file ``target``, or made a copy of another descriptor (``-``: closed)."""

    fd: int
    mode: str
    target: str
    copies: bool


@dataclass(slots=True)
class Command:
    """``text`` is what was written, for commands that are not ours."""

    words: list[str] = field(default_factory=list)
    redirections: list[Redirection] = field(default_factory=list)
    text: str = ""


def split(line: str, variables: Mapping[str, str] = os.environ) -> list[Command]:
    """The commands of a line. Raises SyntaxMistake."""
    commands = [Command()]
    position = start = 0
    pending: tuple[int, str, bool] | None = None
    while position < len(line):
        char = line[position]
        if char.isspace():
            position += 1
        elif char == "#" and not commands[-1].words and pending is None:
            break
        elif char == ";":
            if pending is not None:
                raise SyntaxMistake("syntax error: a redirection needs a file")
            commands[-1].text = line[start:position].strip()
            position = start = position + 1
            commands.append(Command())
        elif found := _REDIRECTION.match(line, position):
            if pending is not None:
                raise SyntaxMistake(f"syntax error: cannot deal with `{found[2]}' here")
            default = 0 if found[2] == "<" else 1
            pending = (int(found[1] or default), found[2], bool(found[3]))
            position = found.end()
        elif char == "&":
            raise SyntaxMistake("syntax error: cannot deal with `&' here")
        else:
            word, position = _word(line, position, variables)
            if pending is None:
                commands[-1].words.append(word)
                continue
            fd, mode, copies = pending
            if copies and word != "-" and not word.isdecimal():
                raise SyntaxMistake(f"invalid file descriptor `{word}'")
            commands[-1].redirections.append(Redirection(fd, mode, word, copies))
            pending = None
    if pending is not None:
        raise SyntaxMistake("syntax error: a redirection needs a file")
    commands[-1].text = line[start:].strip()
    return [command for command in commands if command.words]


def _word(line: str, position: int, variables: Mapping[str, str]) -> tuple[str, int]:
    """One word, which may be made of quoted and unquoted parts, and where it ends."""
    pieces: list[str] = []
    quote = ""
    while position < len(line):
        char = line[position]
        if quote:
            if char == quote:
                quote = ""
                position += 1
                continue
        elif char.isspace() or char in _SPECIAL:
            break
        elif char in "'\"":
            quote = char
            position += 1
            continue
        if char == "\\" and quote != "'" and position + 1 < len(line):
            pieces.append(line[position + 1])
            position += 2
        elif quote != "'" and (found := _VARIABLE.match(line, position)):
            pieces.append(variables.get(found[1] or found[2], ""))
            position = found.end()
        else:
            pieces.append(char)
            position += 1
    if quote:
        raise SyntaxMistake(f"syntax error: unmatched {quote}")
    return "".join(pieces), position
