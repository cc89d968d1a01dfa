"""What is sent in one conversation, and how: forms of strings, pipelining, cuts."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, replace

MARK = b"X-END-OF-REPLIES"
"""A command no server knows, whose refusal changes and tells nothing."""

CONTINUE = re.compile(rb"\+ ")
_HOLE = re.compile(rb"\{([!~]?)\}")
_ANNOUNCED = re.compile(rb"\{(\d+)(\+?)\}\r?\n\Z")
_LONGEST = 100_000
"""The largest literal whose missing bytes are made up."""
_ATOM = re.compile(rb"[A-Za-z0-9_./$&'@#=:-]+")
_KEYWORD = re.compile(rb"[A-Za-z]{2,}")
_NEEDS_LITERAL = re.compile(rb"[\0\r\n\x80-\xff]")


@dataclass(frozen=True)
class Delivery:
    """How commands reach the server."""

    name: str
    forms: bool = False
    """Strings as atoms, quoted strings and all kinds of literals, whatever is possible."""
    case: bool = False
    """Letters of the command outside strings in any case."""
    cuts: int = 0
    """In how many more pieces an exchange is sent; -1 for each byte by itself."""
    pipeline: int = 1
    """How many commands are sent at once."""
    bare_newlines: bool = False
    """Lines that end in LF alone."""


AS_IS = Delivery("as it is")
DRESSED = Delivery("dressed", forms=True, case=True)
CUT = Delivery("cut", forms=True, cuts=5)
BYTEWISE = Delivery("byte by byte", cuts=-1)
PIPELINED = Delivery("pipelined", pipeline=6)
BARE = Delivery("bare newlines", bare_newlines=True)
DELIVERIES = (AS_IS, DRESSED, CUT, BYTEWISE, PIPELINED, BARE)


@dataclass(frozen=True)
class Part:
    """Bytes to send, in pieces, and the beginning of the line to wait for behind them."""

    pieces: tuple[bytes, ...]
    wait: re.Pattern[bytes] | None = None


@dataclass(frozen=True)
class Exchange:
    """One or more commands of a session and the end of their replies.

    ``end`` is ``mark`` (the replies end with that to ``MARK``), ``wait`` (with what the last part waits for)
    or ``close`` (with the connection, which is ended behind the last byte). ``then`` names the layer, ``tls``
    or ``deflate``, that both ends begin when the server has agreed.
    """

    by: str
    parts: tuple[Part, ...]
    tag: bytes = b""
    end: str = "mark"
    commands: int = 1
    then: str = ""

    @property
    def sent(self) -> bytes:
        return b"".join(piece for part in self.parts for piece in part.pieces)


class Stream:
    """A conversation being made; sessions begin logged in, as ``user`` unless ``session`` says otherwise."""

    def __init__(
        self, name: str, source: random.Random, *, user: str | None, delivery: Delivery = AS_IS
    ) -> None:
        self.name = f"{name}, {delivery.name}"
        self.source = source
        self.delivery = delivery
        self.users: dict[str, str | None] = {}
        self.box = ""
        """The mailbox that the stream made for itself, if it did."""
        self._user = user
        self._exchanges: list[Exchange] = []
        self._waiting: list[Exchange] = []
        self._count = 0

    @property
    def exchanges(self) -> list[Exchange]:
        self._flush()
        return self._exchanges

    def session(self, name: str, user: str | None) -> None:
        """A session of this user; None for one that is not logged in."""
        self.users[name] = user

    def user_of(self, session: str) -> str | None:
        return self.users.get(session, self._user)

    # what to send

    def say(self, text: str, *values: bytes, by: str = "A") -> None:
        """A command without its tag; ``{}``, ``{!}`` and ``{~}`` stand for the values."""
        tag = self._tag()
        lines = self._dressed(text.encode("latin-1"), list(values))
        self._add(by, tag, tag + b" " + lines + self._newline())

    def raw(self, data: bytes, *, by: str = "A") -> None:
        """These bytes and a line end; a tag is put before them where they begin with a space."""
        tag = self._tag() if data[:1] == b" " else data.split(b" ")[0]
        self._add(by, tag, (tag if data[:1] == b" " else b"") + data + self._newline())

    def ask(self, text: bytes, *answers: bytes, by: str = "A") -> None:
        """A command without its tag, whose continuation requests get these answers, a line each.

        Nothing is sent behind it before the server has replied, since the original loses what comes with
        STARTTLS or a successful AUTHENTICATE.
        """
        self._flush()
        tag = self._tag()
        reply = re.compile(rb"\+ |" + tag + b" ")
        lines = [tag + b" " + text, *answers]
        parts = tuple(Part(self._pieces(line + self._newline()), reply) for line in lines)
        self._exchanges.append(Exchange(by, parts, tag, "wait"))

    def layer(self, text: bytes, kind: str, *, by: str = "A") -> None:
        """A command without its tag that begins a layer, ``tls`` or ``deflate``, if the server agrees."""
        self._flush()
        tag = self._tag()
        part = Part((tag + b" " + text + b"\r\n",), re.compile(tag + b" "))
        self._exchanges.append(Exchange(by, (part,), tag, "wait", then=kind))

    def idle(self, *, by: str = "A") -> None:
        """IDLE, until the server agrees."""
        self._flush()
        tag = self._tag()
        self._exchanges.append(Exchange(by, (Part((tag + b" IDLE\r\n",), CONTINUE),), tag, "wait"))

    def hear(self, pattern: bytes, *, by: str) -> None:
        """Wait for a reply that matches, sent unasked."""
        self._flush()
        self._exchanges.append(Exchange(by, (Part((), re.compile(pattern)),), b"", "wait", 0))

    def done(self, *, by: str = "A") -> None:
        self._flush()
        self._exchanges.append(Exchange(by, (Part((b"DONE\r\n",)),), b"", "mark", 0))

    def cut_off(self, data: bytes, *, by: str = "A", commands: int = 1) -> None:
        """These bytes and no more: the client's side of the connection ends here."""
        self._flush()
        self._exchanges.append(Exchange(by, (Part(self._pieces(data)),), b"", "close", commands))

    # making it

    def _tag(self) -> bytes:
        self._count += 1
        return b"t%d" % self._count

    def _newline(self) -> bytes:
        return b"\n" if self.delivery.bare_newlines else b"\r\n"

    def _add(self, by: str, tag: bytes, data: bytes) -> None:
        parts = self._parts(data)
        exchange = Exchange(by, tuple(parts), tag)
        if self._waiting and self._waiting[-1].by != by or len(parts) > 1:
            self._flush()
        self._waiting.append(exchange)
        if len(parts) > 1 or len(self._waiting) >= self.delivery.pipeline:
            self._flush()

    def _parts(self, data: bytes) -> list[Part]:
        """Cut behind each announcement of a literal that the server has to ask for.

        Where the bytes end inside a literal, the rest of it is made up.
        """
        parts = []
        begin = at = 0
        while at < len(data):
            end = data.find(b"\n", at) + 1 or len(data)
            announced = _ANNOUNCED.search(data, at, end)
            at = end
            if announced is not None:
                if not announced[2]:
                    parts.append(Part(self._pieces(data[begin:end]), CONTINUE))
                    begin = end
                at = min(end + int(announced[1]), end + _LONGEST)
        if at > len(data) or begin == len(data):
            data += b"x" * (at - len(data)) + self._newline()
        parts.append(Part(self._pieces(data[begin:])))
        return parts

    def _flush(self) -> None:
        """Send what waits as one exchange."""
        if self._waiting:
            first = self._waiting[0]
            if len(self._waiting) > 1:
                data = b"".join(exchange.sent for exchange in self._waiting)
                first = replace(first, parts=(Part((data,)),), commands=len(self._waiting))
            self._exchanges.append(first)
            self._waiting.clear()

    def _pieces(self, data: bytes) -> tuple[bytes, ...]:
        if self.delivery.cuts < 0 and len(data) < 400:
            return tuple(data[at : at + 1] for at in range(len(data)))
        cuts = abs(self.delivery.cuts)
        places = sorted(self.source.randrange(len(data) + 1) for _ in range(cuts))
        borders = [0, *places, len(data)]
        return tuple(data[a:b] for a, b in zip(borders, borders[1:], strict=False) if a < b)

    def _dressed(self, text: bytes, values: list[bytes]) -> bytes:
        done = []
        at = 0
        for match in _HOLE.finditer(text):
            done += [self._cased(text[at : match.start()]), self._string(values.pop(0), match[1])]
            at = match.end()
        assert not values, text
        return b"".join([*done, self._cased(text[at:])])

    def _cased(self, text: bytes) -> bytes:
        if not self.delivery.case:
            return text
        choose = self.source.choice
        outside = text.split(b'"')
        for number in range(0, len(outside), 2):
            outside[number] = _KEYWORD.sub(
                lambda word: choose((word[0], word[0].lower(), word[0].title())), outside[number]
            )
        return b'"'.join(outside)

    def _string(self, value: bytes, kind: bytes) -> bytes:
        newline = self._newline()
        if kind == b"~":
            return b"~{%d+}" % len(value) + newline + value
        forms = ["literal", "literal+"] if self.delivery.pipeline == 1 else ["literal+"]
        if kind == b"!":
            forms = forms if self.delivery.forms else ["literal+"]
        elif _NEEDS_LITERAL.search(value):
            forms = forms if self.delivery.forms else forms[-1:]
        elif self.delivery.forms:
            forms = [*forms, "quoted", "quoted"]
            forms += ["atom"] * 4 if _ATOM.fullmatch(value) and value.upper() != b"NIL" else []
        else:
            forms = ["atom" if _ATOM.fullmatch(value) and value.upper() != b"NIL" else "quoted"]
        match self.source.choice(forms):
            case "atom":
                return value
            case "quoted":
                return b'"' + re.sub(rb'(["\\])', rb"\\\1", value) + b'"'
            case "literal":
                return b"{%d}" % len(value) + newline + value
            case _:
                return b"{%d+}" % len(value) + newline + value
