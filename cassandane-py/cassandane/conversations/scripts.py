"""Conversations written down, and how they are made to fit a configuration and a delivery.

``scripts/NAME.txt`` is a line a command: who says it, and the command without its tag. Names of mailboxes
are marked (see ``spelling``); ``\\r``, ``\\n``, ``\\0`` and ``\\xNN`` are octets that a line cannot hold. A
line that begins with who and ``+`` answers the continuation request of that one's last command, a command
behind ``!tls`` or ``!deflate`` begins that layer. Who begins with ``anon`` is not logged in, ``bob#2`` is a
second session of bob. Lines of dashes separate streams. Each family has its own users: the names of ``USERS``
and ``shared`` get the family's name behind them.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from cassandane.conversations.spelling import Spelling
from cassandane.conversations.stream import AS_IS, BYTEWISE, CUT, DRESSED, PIPELINED, Stream

USERS = ("ann", "bob", "eve")
_DIRECTORY = Path(__file__).parent / "scripts"
_LINE = re.compile(r"([\w#@.%]+)(:|\+|!tls|!deflate) ?(.*)")
_USER = re.compile(rf"\b({'|'.join(USERS)}|(?<![\w/])shared)\b")
_ESCAPE = re.compile(r"\\(r|n|0|x[0-9a-f]{2})")
_OCTETS = {"r": "\r", "n": "\n", "0": "\0"}
DELIVERIES = (AS_IS, DRESSED, CUT, PIPELINED, AS_IS, BYTEWISE)


def names() -> list[str]:
    return sorted(path.stem for path in _DIRECTORY.glob("*.txt"))


def streams(name: str, spelling: Spelling) -> Callable[[random.Random], Iterator[Stream]]:
    """The streams of a script; the seed decides how they are delivered."""

    def make(source: random.Random) -> Iterator[Stream]:
        text = (_DIRECTORY / f"{name}.txt").read_text()
        for number, script in enumerate(re.split(r"(?m)^-+\n", text)):
            yield _stream(f"{name} {number}", name, script, spelling, source)

    return make


def _stream(title: str, name: str, script: str, spelling: Spelling, source: random.Random) -> Stream:
    lines = [line for line in script.splitlines() if line and not line.startswith("# ")]
    answers = any(_split(line)[1] == "+" for line in lines)
    # what is sent behind a command that asks for more would be its answer
    deliveries = [one for one in DELIVERIES if one.pipeline == 1 or not answers]
    if "METADATA" in script:
        # the original does not take a NIL that comes byte by byte for what it is
        deliveries.remove(BYTEWISE)
    delivery = source.choice(deliveries)
    stream = Stream(title, source, user=None, delivery=delivery)
    at = 0
    while at < len(lines):
        who, kind, said = _split(lines[at])
        at += 1
        more = []
        while at < len(lines) and _split(lines[at])[1] == "+":
            more.append(octets(_split(lines[at])[2]))
            at += 1
        user = None if who.startswith("anon") else own_user(who.partition("#")[0], name)
        stream.session(who, user)
        text, values = spelling.taken_out(user or "", _USER.sub(rf"\1{name}", said))
        if kind[0] == "!":
            stream.layer(octets(text), kind[1:], by=who)
        elif more or text.startswith(("AUTHENTICATE", "STARTTLS")):
            stream.ask(octets(text), *more, by=who)
        else:
            stream.say(octets(text).decode("latin-1"), *values, by=who)
    return stream


def own_user(user: str, family: str) -> str:
    return user + family if user in USERS else user


def _split(line: str) -> tuple[str, str, str]:
    found = _LINE.fullmatch(line)
    assert found is not None, line
    return found[1], found[2], found[3]


def octets(text: str) -> bytes:
    def octet(found: re.Match[str]) -> str:
        return _OCTETS.get(found[1]) or chr(int(found[1][1:], 16))

    return _ESCAPE.sub(octet, text).encode("latin-1")
