"""RFC 822 address lists, read as leniently as the original does.

The parser never fails: what cannot be understood ends the list. Names keep
their encoded words, quoted strings lose their quotes, comments vanish except
one after an address without angle brackets, which becomes its name.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

UNSPECIFIED_DOMAIN: Final = b"unspecified-domain"
UNKNOWN_USER: Final = b"unknown-user"


class Address(NamedTuple):
    """One entry of a list.

    A group starts with an entry that has a mailbox (the group's name) and no
    domain, and ends with one that has neither.
    """

    name: bytes | None
    route: bytes | None
    mailbox: bytes | None
    domain: bytes | None
    invalid: bool = False


_GROUP_END: Final = Address(None, None, None, None)

# The everyday forms, where nothing needs unfolding, unquoting or repair: NAME <local@domain> and
# local@domain. Anything else goes through the scanner below.
_SIMPLE: Final = re.compile(
    rb"""[ \t]*
    (?: (?: "([^"\\\r\n\x00-\x08\x0b-\x1f\x7f]*[^"\\\r\n\x00-\x08\x0b-\x1f\x7f\ ])" [ \t]*
          | ([^\s"(),:;<>@\\\x00]+(?:\ [^\s"(),:;<>@\\\x00]+)*) [ \t]* )?
        < ([^\s"(),:;<>@\\\x00]+) @ ([A-Za-z0-9\-]+(?:\.[A-Za-z0-9\-]+)*) >
      | ([^\s"(),:;<>@\\\x00]+) @ ([A-Za-z0-9\-]+(?:\.[A-Za-z0-9\-]+)*)
    ) [ \t]* (?: (,) (?:\r\n(?=[ \t]))? | \Z )""",
    re.VERBOSE,
)

_SPACE: Final = b" \t\n\v\f\r"
_BLANK: Final = re.compile(rb"[ \t\n\v\f\r]+")
_PHRASE_RUNS: Final = {
    specials: re.compile(rb'[^" \t\n\v\f\r(' + re.escape(specials) + rb"]+")
    for specials in (b",@<;", b",@<:", b"@>")
}
_QUOTED_RUN: Final = re.compile(rb'[^"\\\x00-\x08\x0a-\x1f\x7f]+')
_DOMAIN_RUN: Final = re.compile(rb"[A-Za-z0-9\-\[\]:]+")
_ROUTE_RUN: Final = re.compile(rb"[A-Za-z0-9\-\[\],@]+")


def parse_list(text: bytes) -> list[Address]:
    """The addresses of one header value, which ends at its first NUL if it has one."""
    found: list[Address] = []
    at = 0
    size = len(text)
    while at < size:
        simple = _SIMPLE.match(text, at)
        if simple is None:
            return _Scanner(text, at, found).run()
        quoted, words, local, domain, bare, bare_domain, _ = simple.groups()
        if bare is not None:
            found.append(Address(None, None, bare, bare_domain))
        else:
            found.append(Address(quoted or words, None, local, domain))
        at = simple.end()
    return found


def full(address: Address, *, lowercase_domain: bool = False) -> bytes | None:
    """``local@domain`` with stand-ins for a missing half; None for a group's end."""
    if address.mailbox is None and address.domain is None:
        return None
    domain = address.domain if address.domain is not None else UNSPECIFIED_DOMAIN
    if lowercase_domain:
        domain = domain.lower()
    return (address.mailbox if address.mailbox is not None else UNKNOWN_USER) + b"@" + domain


def canonical(text: bytes) -> bytes | None:
    """The first address of ``text`` with its domain in lower case, None if there is none."""
    addresses = parse_list(text)
    return full(addresses[0], lowercase_domain=True) if addresses else None


class _Scanner:
    """The careful reading of a list, from a point where the everyday forms end."""

    def __init__(self, text: bytes, at: int, found: list[Address]) -> None:
        end = text.find(b"\0")
        self._text = text if end < 0 else text[:end]
        self._at = at
        self._found = found
        self._invalid = False

    def run(self) -> list[Address]:
        in_group = False
        stop = 32
        while stop:
            phrase, stop = self._phrase(b",@<;" if in_group else b",@<:")
            if stop == 0x3A:
                self._add(None, None, phrase, None)
                in_group = True
            elif stop == 0x40:
                domain, comment, stop = self._domain(keep_comment=True)
                self._add(comment, None, phrase, domain)
                if stop == 0x3B:
                    self._found.append(_GROUP_END)
                    in_group = False
            elif stop == 0x3C:
                stop = self._angle(phrase)
            else:
                if phrase:
                    self._add(None, None, phrase, b"")
                if stop == 0x3B:
                    self._found.append(_GROUP_END)
                    in_group = False
        if in_group:
            self._found.append(_GROUP_END)
        return self._found

    def _angle(self, name: bytes) -> int:
        """Read ``[route:]local@domain>`` after its angle bracket."""
        mailbox, stop = self._phrase(b"@>")
        if stop != 0x40:
            self._add(name, None, mailbox, b"")
            return stop
        route: bytes | None = None
        if not mailbox:
            self._at -= 1
            route, stop = self._route()
            if stop != 0x3A:
                self._add(name, route, b"", b"")
                return self._skip_angle(stop)
            mailbox, stop = self._phrase(b"@>")
            if stop != 0x40:
                self._add(name, route, mailbox, b"")
                return stop
        domain, _, stop = self._domain(keep_comment=False)
        self._add(name, route, mailbox, domain)
        return self._skip_angle(stop)

    def _add(self, name: bytes | None, route: bytes | None, mailbox: bytes, domain: bytes | None) -> None:
        if domain is not None and not domain:
            domain = UNSPECIFIED_DOMAIN
        self._found.append(Address(name or None, route or None, mailbox, domain, self._invalid))

    def _skip_angle(self, stop: int) -> int:
        if stop in (0, 0x3E):
            return stop
        close = self._text.find(b">", self._at)
        if close < 0:
            self._at = len(self._text)
            return 0
        self._at = close + 1
        return 0x3E

    def _take(self) -> int:
        """The next byte, 0 at the end, which may be taken again."""
        if self._at >= len(self._text):
            return 0
        byte = self._text[self._at]
        self._at += 1
        return byte

    def _skip_blank(self) -> None:
        """Pass white space and comments; an open comment reaches to the end."""
        text, size = self._text, len(self._text)
        while self._at < size:
            byte = text[self._at]
            if byte in _SPACE:
                blank = _BLANK.match(text, self._at)
                assert blank is not None
                self._at = blank.end()
            elif byte == 0x28:
                self._at += 1
                self._comment()
            else:
                return

    def _comment(self) -> bytes:
        """Pass a comment after its parenthesis; its text without the outer one."""
        text, size = self._text, len(self._text)
        kept = bytearray()
        depth = 1
        while self._at < size:
            byte = text[self._at]
            self._at += 1
            if byte == 0x5C:
                if self._at >= size:
                    break
                byte = text[self._at]
                self._at += 1
            elif byte == 0x28:
                depth += 1
            elif byte == 0x29:
                depth -= 1
                if not depth:
                    break
            kept.append(byte)
        return bytes(kept)

    def _phrase(self, specials: bytes) -> tuple[bytes, int]:
        """Words up to one of ``specials`` or the end; an unbalanced quote ends everything."""
        text = self._text
        run = _PHRASE_RUNS[specials]
        kept = bytearray()
        self._skip_blank()
        while True:
            plain = run.match(text, self._at)
            if plain is not None:
                kept += plain.group()
                self._at = plain.end()
            byte = self._take()
            if byte == 0x22:
                if not self._quoted(kept):
                    return b"", 0
            elif byte in _SPACE or byte == 0x28:
                self._at -= 1
                self._skip_blank()
                kept.append(0x20)
            else:
                if kept and kept[-1] == 0x20:
                    del kept[-1]
                return bytes(kept), byte

    def _quoted(self, kept: bytearray) -> bool:
        """Read a quoted string after its quote into ``kept``; False when it never closes."""
        text = self._text
        while True:
            plain = _QUOTED_RUN.match(text, self._at)
            if plain is not None:
                kept += plain.group()
                self._at = plain.end()
            byte = self._take()
            if byte == 0:
                return False
            if byte == 0x5C and text[self._at : self._at + 2] == b"\r\n":
                byte = 0x0D
                self._at += 1
            if byte == 0x0D and text[self._at : self._at + 1] == b"\n":
                # a fold is dropped, its blank stays; a line end without one ends the header
                self._at += 1
                if text[self._at : self._at + 1] not in (b" ", b"\t"):
                    return False
                continue
            if byte in (0x0D, 0x0A):
                kept.append(0x20)
            elif byte == 0x22:
                return True
            elif byte == 0x5C:
                byte = self._take()
                if not byte:
                    return False
                kept.append(byte)
            # any other control character is dropped

    def _domain(self, *, keep_comment: bool) -> tuple[bytes, bytes | None, int]:
        """Domain, the comment right after it, and the byte that ended it. Blanks inside it vanish."""
        text = self._text
        kept = bytearray()
        comment: bytes | None = None
        self._skip_blank()
        while True:
            plain = _DOMAIN_RUN.match(text, self._at)
            if plain is not None:
                kept += plain.group()
                self._at = plain.end()
                comment = None
            byte = self._take()
            if byte == 0x2E:
                if kept and kept[-1] != 0x2E:
                    kept.append(byte)
                comment = None
            elif byte == 0x28:
                inside = self._comment()
                comment = inside if keep_comment else None
            elif byte == 0x40:
                # garbage, but the rest of the list may be sound
                self._invalid = True
                kept.append(byte)
                comment = None
            elif byte == 0 or byte not in _SPACE:
                if kept and kept[-1] == 0x2E:
                    del kept[-1]
                return bytes(kept), comment, byte

    def _route(self) -> tuple[bytes, int]:
        """A source route, ``@a,@b``, and the byte that ended it."""
        text = self._text
        kept = bytearray()
        self._skip_blank()
        while True:
            plain = _ROUTE_RUN.match(text, self._at)
            if plain is not None:
                kept += plain.group()
                self._at = plain.end()
            byte = self._take()
            if byte == 0x2E:
                if kept and kept[-1] != 0x2E:
                    kept.append(byte)
            elif byte and (byte in _SPACE or byte == 0x28):
                self._at -= 1
                self._skip_blank()
            else:
                return bytes(kept).rstrip(b".,@"), byte
