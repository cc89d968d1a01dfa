"""vacation: answer that one is away (RFC 5230, :seconds RFC 6131, :fcc RFC 8580)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sieve import checks, tags
from sieve.bytecode.opcodes import Op
from sieve.extensions import Extension
from sieve.messages import DUPLICATE_TAG, MISSING_TAG
from sieve.tags import Slots, Take
from sieve.tree import Action, Argument

if TYPE_CHECKING:
    from sieve.parser import Parser

_DAY = 86400
_DEFAULT = 7 * _DAY


def _period(tag: str, unit: int, needs: Extension | None) -> Take:
    def take(parser: Parser, slots: Slots) -> None:
        count = parser.number()
        if needs is not None:
            parser.need(needs)
        if "seconds" in slots:
            parser.report(DUPLICATE_TAG.format(tag))
        slots["seconds"] = count * unit

    return take


_TAGS: tags.Table = {
    ":days": _period(":days", _DAY, None),
    ":seconds": _period(":seconds", 1, Extension.VACATION_SECONDS),
    ":subject": tags.tag(":subject", "subject", tags.text),
    ":from": tags.tag(":from", "from", tags.text),
    ":addresses": tags.tag(":addresses", "addresses", tags.texts),
    ":mime": tags.tag(":mime", "mime"),
    ":handle": tags.tag(":handle", "handle", tags.text),
    **tags.FCC,
}


def build(parser: Parser, keyword: str) -> Action:
    parser.need(Extension.VACATION)
    slots = parser.tagged(_TAGS)
    message = parser.string()
    _check(parser, slots, message)
    rules = parser.rules
    # a period out of the administrator's bounds is moved into them, here already
    seconds = min(max(slots.get("seconds", _DEFAULT), rules.vacation_min), rules.vacation_max)
    fcc: tuple[Argument, ...] = ()
    if "fcc" in slots:
        flags = checks.maybe_flags(parser, slots.get("flags"))
        fcc = (int("create" in slots), flags, slots.get("specialuse"), slots.get("mailboxid"))
    return Action(
        Op.VACATION,
        (
            slots.get("addresses", []),
            slots.get("subject"),
            message,
            seconds,
            int("mime" in slots),
            slots.get("from"),
            slots.get("handle"),
            slots.get("fcc"),
            *fcc,
        ),
    )


def _check(parser: Parser, slots: Slots, message: bytes) -> None:
    for name in ("handle", "subject"):
        if name in slots:
            checks.utf8(parser, slots[name])
    if "from" in slots:
        checks.address(parser, slots["from"])
    all(checks.address(parser, address) for address in slots.get("addresses", ()))
    if "mime" not in slots:
        checks.utf8(parser, message)
    if "fcc" in slots:
        checks.mailbox(parser, slots["fcc"])
    elif tags.fcc_without_folder(slots):
        parser.report(MISSING_TAG.format(":fcc"))
