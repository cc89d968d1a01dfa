"""GETMETADATA and SETMETADATA: annotations of mailboxes and the server (RFC 5464).

Entries begin with ``/shared`` or ``/private``. The options of GETMETADATA are taken before and behind the
mailbox, since the RFC shows both, and several mailboxes may be named in a list. As always, an entry that is
asked for in one of the two trees is told of both if the other tree is asked for anything.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

from imap.imapd import annotating
from imap.imapd.parse import CR, LF, LPAREN, RPAREN, SP, ParseError, Parser
from imap.imapd.response import Ok, Outcome
from imap.imapd.session import Session
from libcyrus.annotations import Found, Setting, fetch
from libcyrus.annotations.fetch import VALUE_PRIVATE, VALUE_SHARED
from libcyrus.base.dataclasses import dataclass, field
from libcyrus.errors import MailboxNonexistent

_PREFIXES = {"/shared": VALUE_SHARED, "/private": VALUE_PRIVATE}
_OF_ATTRIBUTE = {attribute: prefix.encode() for prefix, attribute in _PREFIXES.items()}
_BAD_PREFIX = "entry must begin with /shared or /private"
_ENTRY = "Missing metadata entry"
_PLACE = "metadata entry"
_MAX_ENTRY = 489
_NUMBER = re.compile(r"[ \t\v\f\r\n]*([+-]?[0-9]{1,19})\Z")
_DEPTHS = {"0": "", "1": "/%", "infinity": "/*"}


@dataclass(frozen=True, slots=True)
class Options:
    """``maxsize`` in octets or None; ``below`` is the wildcard that stands for DEPTH."""

    maxsize: int | None = None
    below: str = ""


@dataclass(frozen=True, slots=True)
class GetArgs:
    """``mailboxes`` are names, or with ``is_pattern`` one pattern; none is the server."""

    mailboxes: list[str]
    is_pattern: bool
    entries: list[str]
    attributes: frozenset[str]
    options: Options = field(default_factory=Options)


@dataclass(frozen=True, slots=True)
class SetArgs:
    """``values`` as (entry with its prefix, value)."""

    pattern: str
    values: list[tuple[str, bytes | None]]


@dataclass(slots=True)
class _Words:
    words: list[str]
    is_pattern: bool


def parse_get(parser: Parser) -> GetArgs:
    parser.sp()
    lists: list[_Words] = []
    while len(lists) < 3:
        lists.append(_string_or_list(parser))
        if parser.at_eol():
            break
        # what else may follow does not matter
        if not parser.accept(SP) and not parser.accept(RPAREN):
            raise ParseError(_ENTRY)
    parser.skip_line()
    options = Options()
    if len(lists) == 3:
        given = [_options(words.words) for words in lists[:2]]
        if all(given):
            raise ParseError("Too many option lists for Getmetadata")
        at = next((number for number, found in enumerate(given) if found), None)
        if at is None:
            raise ParseError("Missing arguments to Getmetadata")
        options = given[at] or options
        del lists[at]
    if len(lists) < 2:
        raise ParseError("Missing arguments to Getmetadata")
    entries, attributes = _entries(lists[1].words, options.below)
    return GetArgs(lists[0].words, lists[0].is_pattern, entries, attributes, options)


def parse_options(parser: Parser) -> Options:
    """GETMETADATA's options behind LIST's selection option METADATA; what makes no sense is none."""
    return _options(_string_or_list(parser).words) or Options()


def parse_entries(parser: Parser) -> list[str]:
    """Entries with their prefixes, as LIST's return option METADATA has them."""
    return _string_or_list(parser).words


def _string_or_list(parser: Parser) -> _Words:
    """A string, or strings in parentheses; the end of the line stands for none."""
    if parser.peek() in (CR, LF):
        return _Words([], True)
    if not parser.accept(LPAREN):
        word = _string(parser)
        return _Words([word], "*" in word or "%" in word)
    words = []
    while True:
        words.append(_string(parser))
        parser.check_arguments()
        if not parser.accept(SP):
            break
    if not parser.accept(RPAREN):
        raise ParseError("Missing close paren in metadata entry list ")
    return _Words(words, False)


def _string(parser: Parser) -> str:
    return os.fsdecode(annotating.string(parser.astring, _ENTRY, _PLACE))


def _options(words: list[str]) -> Options | None:
    """The options that these words are; None if they are something else."""
    maxsize, below = None, ""
    if not words or len(words) % 2:
        return None
    for name, value in zip(words[::2], words[1::2], strict=True):
        if name.upper() == "MAXSIZE":
            number = _NUMBER.match(value)
            if number is None:
                return None
            # -1 has always meant no limit
            maxsize = None if int(number[1]) == -1 else int(number[1]) % 2**64
        elif name.upper() == "DEPTH":
            depth = _DEPTHS.get(value.lower())
            if depth is None:
                return None
            below = depth
        else:
            return None
    return Options(maxsize, below)


def _entries(names: Iterable[str], below: str) -> tuple[list[str], frozenset[str]]:
    entries: list[str] = []
    attributes = set()
    for name in names:
        entry, attribute = _split(name.lower())
        attributes.add(attribute)
        entry = entry[:_MAX_ENTRY]
        entries.append(entry)
        if below:
            entries.append(entry + below)
    return entries, frozenset(attributes)


def _split(name: str) -> tuple[str, str]:
    """``/shared/comment`` as the entry ``/comment`` and its attribute. Raises ParseError."""
    for prefix, attribute in _PREFIXES.items():
        if name == prefix or name.startswith(prefix + "/"):
            return name[len(prefix) :], attribute
    raise ParseError(_BAD_PREFIX)


def split_entries(names: Iterable[str], options: Options) -> tuple[list[str], frozenset[str]]:
    """Entries and attributes to fetch. Raises ParseError for a name outside of both trees."""
    return _entries(names, options.below)


def get(session: Session, args: GetArgs) -> Ok:
    output = Output(session, args.options.maxsize)
    if not args.mailboxes or args.mailboxes == [""]:
        output.tell("", fetch(annotating.target(session), args.entries, args.attributes))
        return output.completed()
    if args.is_pattern:
        names = annotating.matching(session, args.mailboxes[0])
    else:
        names = [session.internal_name(name) for name in args.mailboxes]
    for name in names:
        if not name:
            raise MailboxNonexistent
        with session.process.store.open(name, write=False) as mailbox:
            found = fetch(annotating.target(session, mailbox), args.entries, args.attributes)
        output.tell(session.external_name(name), found)
    return output.completed()


class Output:
    """Tells values, except those over ``maxsize`` octets."""

    def __init__(self, session: Session, maxsize: int | None) -> None:
        self._session = session
        self._maxsize = maxsize
        self._biggest = 0

    def tell(self, name: str, found: Iterable[Found]) -> None:
        values: list[tuple[bytes, bytes | None]] = []
        for one in found:
            for attribute, value in one.attributes:
                size = len(value or b"")
                if self._maxsize is not None and size > self._maxsize:
                    self._biggest = max(self._biggest, size)
                    continue
                values.append((_OF_ATTRIBUTE[attribute] + os.fsencode(one.entry), value))
        if values:
            self._session.out.metadata(name, values)

    def completed(self) -> Ok:
        # a value just one octet too long was never told
        if self._maxsize is not None and self._biggest > self._maxsize + 1:
            return Ok(code=f"METADATA LONGENTRIES {self._biggest}")
        return Ok()


def parse_set(parser: Parser) -> SetArgs:
    parser.sp()
    pattern = parser.mailbox()
    parser.sp()
    if not parser.accept(LPAREN):
        raise ParseError("Missing metadata entry list")
    values = []
    while True:
        name = _string(parser)
        parser.check_arguments()
        if not parser.accept(SP):
            raise ParseError(_ENTRY)
        value = annotating.string(parser.binary_nstring, "Missing metadata value", _PLACE)
        parser.check_arguments()
        values.append((name, value))
        if not parser.accept(SP):
            break
    if not parser.accept(RPAREN):
        raise ParseError("Missing close paren in metadata entry list ")
    parser.eol()
    return SetArgs(pattern, values)


def set_metadata(session: Session, args: SetArgs) -> Outcome:
    # clients that log in as user+dav mean upper case as they write it
    exact = (session.magicplus or "").lower() == "+dav"
    entries: dict[str, list[tuple[str, bytes | None]]] = {}
    for name, value in args.values:
        entry, attribute = _split(name if exact else name.lower())
        entries.setdefault(entry, []).append((attribute, value))
    settings = [Setting(entry, attributes) for entry, attributes in entries.items()]
    return annotating.store(session, args.pattern, settings)
