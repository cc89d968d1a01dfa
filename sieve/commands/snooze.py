"""snooze: put the message away until one of some times of day (draft-ietf-extra-sieve-snooze)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sieve import checks, tags
from sieve.bytecode.opcodes import Op, Weekdays
from sieve.extensions import Extension
from sieve.tree import Action

if TYPE_CHECKING:
    from sieve.parser import Parser


def _weekdays(parser: Parser) -> int:
    """A set of bits from one day or a list of them."""
    days = 0
    for day in parser.listed(lambda: checks.weekday(parser, parser.raw_string())):
        days |= day
    return days


_TAGS: tags.Table = {
    ":mailbox": tags.tag(":mailbox", "mailbox", tags.text),
    **tags.FOLDER,
    ":addflags": tags.tag(":addflags", "addflags", tags.texts, needs=Extension.IMAP4FLAGS),
    ":removeflags": tags.tag(":removeflags", "removeflags", tags.texts, needs=Extension.IMAP4FLAGS),
    ":weekdays": tags.tag(":weekdays", "weekdays", _weekdays),
    ":tzid": tags.tag(":tzid", "tzid", tags.text),
}


def build(parser: Parser, keyword: str) -> Action:
    parser.need(Extension.SNOOZE)
    slots = parser.tagged(_TAGS)
    times = parser.listed(lambda: checks.time_of_day(parser, parser.raw_string()))
    if "mailbox" in slots:
        checks.mailbox(parser, slots["mailbox"])
    return Action(
        Op.SNOOZE,
        (
            slots.get("mailbox"),
            slots.get("mailboxid"),
            slots.get("specialuse"),
            int("create" in slots),
            checks.maybe_flags(parser, slots.get("addflags")),
            checks.maybe_flags(parser, slots.get("removeflags")),
            slots.get("weekdays") or int(Weekdays.ALL),
            slots.get("tzid"),
            tuple(sorted(set(times))),
        ),
    )
