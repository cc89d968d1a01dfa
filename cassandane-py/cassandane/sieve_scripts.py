"""Sieve scripts made up by chance: all commands and tests with all their tags, right or slightly wrong."""

from __future__ import annotations

import random
from collections.abc import Callable

EXTENSIONS = (
    "comparator-i;ascii-numeric encoded-character envelope fileinto regex copy body environment variables "
    "vacation relational imap4flags subaddress date index editheader ereject reject enotify notify mailbox "
    "mboxmetadata servermetadata redirect-deliverby redirect-dsn vacation-seconds include duplicate "
    "special-use fcc mailboxid vnd.cyrus.log vnd.cyrus.snooze"
).split()

_WORDS = (
    "a", "INBOX.x", "Subject", "X-Spam", "hello world", "${a}", "${1}", "b*c?", r"\\Seen", r"\"q\"",
    "\u00e4\u20ac", "", "two\r\nlines\r\n", "${hex:41}", "10",
)  # fmt: skip
_HEADERS = ("Subject", "X-Spam-Flag", "received", "List-Id")
_ADDRESS_HEADERS = ("from", "To", "CC", "resent-from", "reply-to")
_ADDRESSES = ("a@b.example", "Foo Bar <x@y>", '\\"a b\\"@c', "u@[1.2.3.4]")
_FLAGS = (r"\\Seen", r"\\flagged", "Junk", r"\\Seen foo", "$x", "foo")
_IDENTIFIERS = ("a", "b_1", "_x")
_RELATIONS = ("gt", "ge", "lt", "le", "eq", "ne")
_PARTS = "year month day date julian hour minute second time iso8601 std11 zone weekday".split()
_DEEPEST = 4


class Writer:
    """Scripts by ``chance``, the same ones for the same seed."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance

    def script(self) -> str:
        """A script that compiles."""
        names = ", ".join(f'"{name}"' for name in EXTENSIONS if name != "variables" or self.maybe())
        self.variables = '"variables"' in names
        return f"require [{names}];\n" + self.block(0)

    def broken(self) -> str:
        """A script with something taken out, put in, or put elsewhere; all ASCII.

        Other bytes outside of strings are the end of the script for the original.
        """
        words = self.script().encode("ascii", "ignore").decode().split(" ")
        for _ in range(self.chance.choice((1, 1, 2, 3))):
            place = self.chance.randrange(len(words))
            match self.chance.randrange(4):
                case 0:
                    del words[place]
                case 1:
                    words.insert(place, self.chance.choice(words))
                case 2:
                    words[place] = self.chance.choice(words)
                case _:
                    other = self.chance.randrange(len(words))
                    words[place], words[other] = words[other], words[place]
        return " ".join(words)

    # pieces

    def maybe(self, often: float = 0.5) -> bool:
        return self.chance.random() < often

    def quoted(self, words: tuple[str, ...] | list[str] = _WORDS) -> str:
        return f'"{self.chance.choice(words)}"'

    def text(self) -> str:
        if self.maybe(0.1):
            return "text:\n..dotted\r\n.x\nlast\n.\n"
        return self.quoted()

    def strings(self, words: tuple[str, ...] | list[str] = _WORDS) -> str:
        if self.maybe():
            return self.quoted(words)
        return "[" + ", ".join(self.quoted(words) for _ in range(self.chance.randrange(1, 4))) + "]"

    def tags(self, *choices: Callable[[], str]) -> str:
        """Some of these, each once, in any order."""
        chosen = [choice() for choice in choices if self.maybe(0.4)]
        self.chance.shuffle(chosen)
        return "".join(f" {tag}" for tag in chosen if tag)

    def one(self, *choices: str) -> Callable[[], str]:
        return lambda: self.chance.choice(choices)

    def number(self) -> str:
        return self.chance.choice(("0", "1", "7", "100", "10K", "3M"))

    def match(self, *, listing: bool = False) -> str:
        """Match type and comparator that go together, in either order."""
        kind = self.chance.choice(("", ":is", ":contains", ":matches", ":count", ":value"))
        comparator = self.chance.choice(("", "i;octet", "i;ascii-casemap", "i;ascii-numeric"))
        if kind in (":count", ":value"):
            comparator = "i;ascii-numeric" if kind == ":count" else comparator
            kind += f" {self.quoted(_RELATIONS)}"
        elif kind not in ("", ":is") and comparator == "i;ascii-numeric":
            comparator = ""
        both = [kind, f':comparator "{comparator}"' if comparator else ""]
        self.chance.shuffle(both)
        return " ".join(word for word in both if word)

    def index(self) -> str:
        return self.chance.choice((":index 2", ":index 1 :last", ":last :index 3"))

    def filing(self) -> tuple[Callable[[], str], ...]:
        where = self.one(r':specialuse "\\Junk"', ':mailboxid "F1"')
        return self.one(":create"), lambda: f":flags {self.strings(_FLAGS)}", where

    # commands

    def block(self, depth: int) -> str:
        return "".join(self.command(depth) + "\n" for _ in range(self.chance.randrange(0, 5)))

    def command(self, depth: int) -> str:
        if depth < _DEEPEST and self.maybe(0.35):
            text = f"if {self.test(depth)} {{ {self.block(depth + 1)} }}"
            while self.maybe(0.3):
                text += f" elsif {self.test(depth)} {{ {self.block(depth + 1)} }}"
            return text + (f" else {{ {self.block(depth + 1)} }}" if self.maybe(0.4) else "")
        return self.chance.choice((self.plain, self.filed, self.sent, self.marked, self.edited))() + " ;"

    def plain(self) -> str:
        include = self.tags(self.one(":personal", ":global"), self.one(":once"), self.one(":optional"))
        return self.chance.choice(
            (
                "stop", "discard", "keep", "return", f"log {self.text()}", f"reject {self.text()}",
                f"ereject {self.text()}", f'include{include} "s"',
            )
        )  # fmt: skip

    def filed(self) -> str:
        if self.maybe(0.3):
            return f"keep :flags {self.strings(_FLAGS)}"
        if self.maybe(0.7):
            return f"fileinto{self.tags(self.one(':copy'), *self.filing())} {self.text()}"
        create, _, where = self.filing()
        tags = self.tags(
            lambda: f":mailbox {self.text()}", create, where,
            lambda: f":addflags {self.strings(_FLAGS)}", lambda: f":removeflags {self.strings(_FLAGS)}",
            lambda: f":weekdays {self.strings(['0', '3', '6'])}",
            self.one(':tzid "Europe/Berlin"'),
        )  # fmt: skip
        return f"snooze{tags} {self.strings(['00:00:00', '12:30:59', '9:5:1'])}"

    def sent(self) -> str:
        match self.chance.randrange(4):
            case 0:
                tags = self.tags(self.one(":copy"), self.one(':notify "NEVER"', ':notify "DELAY, failure"'))
                if self.maybe():
                    tags += self.chance.choice(
                        (" :bytimerelative 30", ' :bytimeabsolute "2027-01-02T03:04:05Z"')
                    )
                    tags += self.tags(self.one(':bymode "notify"'), self.one(":bytrace"))
                return f"redirect{tags} {self.quoted(_ADDRESSES)}"
            case 1:
                tags = self.tags(
                    self.one(":days 9", ":seconds 300000"), lambda: f":subject {self.text()}",
                    lambda: f":from {self.quoted(_ADDRESSES)}",
                    lambda: f":addresses {self.strings(_ADDRESSES)}",
                    self.one(":mime"), lambda: f":handle {self.text()}",
                )  # fmt: skip
                if self.maybe(0.3):
                    tags += f" :fcc {self.text()}" + self.tags(*self.filing())
                return f"vacation{tags} {self.text()}"
            case 2:
                tags = self.tags(
                    lambda: f":from {self.text()}", self.one(':importance "1"', ':importance "3"'),
                    lambda: f":message {self.text()}", lambda: f":options {self.strings()}",
                )  # fmt: skip
                return f'notify{tags} "mailto:a@b"'
            case _:
                tags = self.tags(
                    lambda: f":method {self.text()}", lambda: f":id {self.text()}",
                    self.one(":low", ":normal", ":high"), lambda: f":message {self.text()}",
                    lambda: f":options {self.strings()}",
                )  # fmt: skip
                return f"notify{tags}" if self.maybe() else f"denotify{self.tags(self.one(':low', ':high'))}"

    def marked(self) -> str:
        variable = f" {self.quoted(_IDENTIFIERS)}" if self.variables and self.maybe() else ""
        name = self.chance.choice(("setflag", "addflag", "removeflag"))
        return self.chance.choice((f"{name}{variable} {self.strings(_FLAGS)}", "mark", "unmark"))

    def edited(self) -> str:
        if self.variables and self.maybe():
            tags = self.tags(
                self.one(":lower", ":upper"), self.one(":lowerfirst", ":upperfirst"),
                self.one(":quotewildcard", ":quoteregex"), self.one(":encodeurl"), self.one(":length"),
            )  # fmt: skip
            return f"set{tags} {self.quoted(_IDENTIFIERS)} {self.text()}"
        if self.maybe():
            return f'addheader{self.tags(self.one(":last"))} "X-New" {self.text()}'
        values = f" {self.strings()}" if self.maybe() else ""
        return f'deleteheader{self.tags(self.match, self.index)} "X-Old"{values}'

    # tests

    def test(self, depth: int) -> str:
        if depth < _DEEPEST and self.maybe(0.3):
            tests = ", ".join(self.test(depth + 1) for _ in range(self.chance.randrange(1, 4)))
            return self.chance.choice((f"not {self.test(depth + 1)}", f"anyof ({tests})", f"allof ({tests})"))
        part = self.one(":all", ":localpart", ":domain", ":user", ":detail")
        zone = self.one(':zone "+0130"')
        any_zone = self.one(":originalzone", ':zone "-0100"')
        transform = self.one(":raw", ":text", ':content "text/plain"')
        addresses = f"{self.strings(_ADDRESS_HEADERS)} {self.strings()}"
        plain = [
            "true", "false", f"exists {self.strings(_HEADERS)}", f"size :over {self.number()}",
            f"size :under {self.number()}",
            f"header{self.tags(self.match, self.index)} {self.strings(_HEADERS)} {self.strings()}",
            f"address{self.tags(self.match, self.index, part)} {addresses}",
            f"envelope{self.tags(self.match, part)} {self.strings(['from', 'TO', 'auth'])} {self.strings()}",
            f"body{self.tags(self.match, transform)} {self.strings()}",
            f"environment{self.tags(self.match)} {self.text()} {self.strings()}",
            f"hasflag{self.tags(self.match)} {self.strings(_FLAGS)}",
            f"date{self.tags(self.match, self.index, any_zone)} "
            f"{self.quoted(_HEADERS)} {self.quoted(_PARTS)} {self.strings()}",
            f"currentdate{self.tags(self.match, zone)} {self.quoted(_PARTS)} {self.strings()}",
            f"valid_notify_method {self.strings()}",
            f"notify_method_capability{self.tags(self.match)} {self.text()} {self.text()} {self.strings()}",
            f"mailboxexists {self.strings()}", f"mailboxidexists {self.strings()}",
            f"metadata{self.tags(self.match)} {self.text()} {self.text()} {self.strings()}",
            f"metadataexists {self.text()} {self.strings()}",
            f"servermetadata{self.tags(self.match)} {self.text()} {self.strings()}",
            f"servermetadataexists {self.strings()}", f"specialuse_exists {self.strings()}",
            f"specialuse_exists {self.quoted()} {self.strings()}", self.duplicate(),
        ]  # fmt: skip
        if self.variables:
            plain += [
                f"string{self.tags(self.match)} {self.strings()} {self.strings()}",
                f"hasflag{self.tags(self.match)} {self.strings(_IDENTIFIERS)} {self.strings(_FLAGS)}",
            ]
        return self.chance.choice(plain)

    def duplicate(self) -> str:
        return "duplicate" + self.tags(
            lambda: f":handle {self.text()}", lambda: f":uniqueid {self.text()}",
            lambda: f":seconds {self.number()}", self.one(":last"),
        )  # fmt: skip
