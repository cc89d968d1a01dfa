"""Tagged arguments of commands and tests, declared: what a tag takes, where that goes, what it needs.

A command has a table from tags to functions that read the tag's argument and put it into *slots*; most are
made here. They complain at once: of a tag given twice, else of an extension that is not required, else
of another tag that excludes this one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from sieve import checks
from sieve.bytecode.opcodes import Tag
from sieve.extensions import Extension
from sieve.messages import (
    CONFLICTING_TAGS,
    DUPLICATE_TAG,
    MISSING_REQUIRE,
    MISSING_TAG,
    MULTIPLE_TAGS,
)

if TYPE_CHECKING:
    from sieve.parser import Parser

Slots = dict[str, Any]
Take = Callable[["Parser", Slots], None]
Table = Mapping[str, Take]

_LAST_ALONE = "last"


def tag(
    name: str,
    slot: str,
    read: Callable[[Parser], Any] | None = None,
    *,
    needs: Extension | None = None,
    excludes: Mapping[str, str] | None = None,
) -> Take:
    """A tag whose argument ``read`` gets, None for a switch.

    ``excludes`` maps other slots to what is said if they are taken.
    """

    def take(parser: Parser, slots: Slots) -> None:
        value = True if read is None else read(parser)
        if slot in slots:
            parser.report(DUPLICATE_TAG.format(name))
        elif needs is not None and not parser.supports(needs):
            parser.report(MISSING_REQUIRE.format(needs.value))
        else:
            for other, text in (excludes or {}).items():
                if other in slots:
                    parser.report(text)
                    break
        slots[slot] = value

    return take


def conflict(first: str, second: str) -> str:
    return CONFLICTING_TAGS.format(first, second)


def text(parser: Parser) -> bytes:
    return parser.string()


def texts(parser: Parser) -> list[bytes]:
    return parser.strings()


def number(parser: Parser) -> int:
    return parser.number()


COPY: Table = {":copy": tag(":copy", "copy", needs=Extension.COPY)}
CREATE: Table = {":create": tag(":create", "create", needs=Extension.MAILBOX)}
FLAGS: Table = {":flags": tag(":flags", "flags", texts, needs=Extension.IMAP4FLAGS)}
FOLDER: Table = {
    ":specialuse": tag(
        ":specialuse",
        "specialuse",
        text,
        needs=Extension.SPECIAL_USE,
        excludes={"mailboxid": conflict(":specialuse", ":mailboxid")},
    ),
    ":mailboxid": tag(
        ":mailboxid",
        "mailboxid",
        text,
        needs=Extension.MAILBOXID,
        excludes={"specialuse": conflict(":mailboxid", ":specialuse")},
    ),
    **CREATE,
}
_FCC_ARGUMENTS = ("create", "flags", "specialuse", "mailboxid")
FCC: Table = {":fcc": tag(":fcc", "fcc", text, needs=Extension.FCC), **FLAGS, **FOLDER}


def fcc_without_folder(slots: Slots) -> bool:
    """Whether there are arguments to ``:fcc`` and no ``:fcc``."""
    return "fcc" not in slots and not slots.keys().isdisjoint(_FCC_ARGUMENTS)


def one_of(slot: str, what: str, value: int, needs: Extension | None = None) -> Take:
    """One of several tags that stand for ``value``; ``what`` they are called together."""

    def take(parser: Parser, slots: Slots) -> None:
        if needs is not None:
            parser.need(needs)
        if slot in slots:
            parser.report(MULTIPLE_TAGS.format(what))
        slots[slot] = value

    return take


# comparators and match types


def _relational(match: Tag) -> Take:
    def take(parser: Parser, slots: Slots) -> None:
        relation = parser.choice()
        if slots.get("match") not in (Tag.COUNT, Tag.VALUE):
            parser.need(Extension.RELATIONAL)
        if "match" in slots:
            parser.report(MULTIPLE_TAGS.format("match-type"))
        slots["match"] = match
        slots["relation"] = relation

    return take


def _list(parser: Parser, slots: Slots) -> None:
    if slots.get("match") != Tag.LIST:
        parser.need(Extension.EXTLISTS)
    if "match" in slots:
        parser.report(MULTIPLE_TAGS.format("match-type"))
    slots["match"] = Tag.LIST


def _comparator(parser: Parser, slots: Slots) -> None:
    collation = parser.choice()
    if collation == Tag.ASCIINUMERIC:
        parser.need(Extension.NUMERIC)
    if "collation" in slots:
        parser.report(DUPLICATE_TAG.format(":comparator"))
    slots["collation"] = collation


MATCH: Table = {
    ":is": one_of("match", "match-type", Tag.IS),
    ":contains": one_of("match", "match-type", Tag.CONTAINS),
    ":matches": one_of("match", "match-type", Tag.MATCHES),
    ":regex": one_of("match", "match-type", Tag.REGEX, Extension.REGEX),
    ":count": _relational(Tag.COUNT),
    ":value": _relational(Tag.VALUE),
}
LIST: Table = {":list": _list}
COMPARATOR: Table = {":comparator": _comparator}


def comparator(parser: Parser, slots: Slots) -> tuple[int, int, int]:
    """Match type, relation and collation, with their defaults (RFC 5228 section 2.7)."""
    match = slots.get("match", Tag.IS)
    collation = slots.get("collation", Tag.ASCIICASEMAP)
    checks.comparison(parser, match, collation)
    return match, slots.get("relation", -1), collation


def patterns(parser: Parser, slots: Slots, given: list[bytes], *, utf8: bool = False) -> tuple[int, int, int]:
    """The comparator for ``given``, and they checked for it."""
    if utf8 and not checks.all_utf8(parser, given):
        return slots.get("match", -1), slots.get("relation", -1), slots.get("collation", -1)
    words = comparator(parser, slots)
    if words[0] == Tag.REGEX:
        checks.regexes(parser, given, words[2])
    return words


# :index and :last (RFC 5260 section 6)


def _index(parser: Parser, slots: Slots) -> None:
    value = parser.number()
    before = slots.get("index", 0)
    if before == _LAST_ALONE:
        slots["index"] = -value
    elif before != 0:
        parser.report(DUPLICATE_TAG.format(":index"))
    else:
        slots["index"] = value


def _last(parser: Parser, slots: Slots) -> None:
    before = slots.get("index", 0)
    if before == _LAST_ALONE or before < 0:
        parser.report(DUPLICATE_TAG.format(":last"))
    elif before > 0:
        slots["index"] = -before
    else:
        slots["index"] = _LAST_ALONE


def _with_index_extension(take: Take) -> Take:
    def checked(parser: Parser, slots: Slots) -> None:
        take(parser, slots)
        if slots.get("index", 0) != 0:
            parser.need(Extension.INDEX)

    return checked


HEADER_INDEX: Table = {":index": _index, ":last": _last}
INDEX: Table = {name: _with_index_extension(take) for name, take in HEADER_INDEX.items()}


def index(parser: Parser, slots: Slots) -> int:
    """What ``:index`` and ``:last`` come to: negative counts from the end. Complains of ``:last`` alone."""
    value = slots.get("index", 0)
    if value == _LAST_ALONE:
        parser.report(MISSING_TAG.format(":index"))
        return 0
    return int(value)
