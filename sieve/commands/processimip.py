"""processimip: act on a meeting's invitation (vnd.cyrus.imip). Not offered until there are calendars."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sieve import checks, tags
from sieve.bytecode.opcodes import Imip, Op
from sieve.extensions import Extension
from sieve.tags import conflict
from sieve.tree import Action

if TYPE_CHECKING:
    from sieve.parser import Parser

_FLAGS = {
    "invitesonly": Imip.INVITES_ONLY,
    "updatesonly": Imip.UPDATES_ONLY,
    "deletecanceled": Imip.DELETE_CANCELED,
}
_TAGS: tags.Table = {
    ":invitesonly": tags.tag(
        ":invitesonly",
        "invitesonly",
        excludes={
            "updatesonly": conflict(":invitesonly", ":updatesonly"),
            "deletecanceled": conflict(":invitesonly", ":deletecanceled"),
        },
    ),
    ":updatesonly": tags.tag(
        ":updatesonly",
        "updatesonly",
        excludes={
            "invitesonly": conflict(":invitesonly", ":updatesonly"),
            "calendarid": conflict(":updatesonly", ":calendarid"),
        },
    ),
    ":deletecanceled": tags.tag(
        ":deletecanceled",
        "deletecanceled",
        excludes={"invitesonly": conflict(":invitesonly", ":deletecanceled")},
    ),
    ":calendarid": tags.tag(
        ":calendarid",
        "calendarid",
        tags.text,
        excludes={"updatesonly": conflict(":updatesonly", ":calendarid")},
    ),
    ":outcome": tags.tag(":outcome", "outcome", tags.text, needs=Extension.VARIABLES),
    ":errstr": tags.tag(":errstr", "errstr", tags.text, needs=Extension.VARIABLES),
}


def build(parser: Parser, keyword: str) -> Action:
    parser.need(Extension.IMIP)
    slots = parser.tagged(_TAGS)
    for name in ("outcome", "errstr"):
        if name in slots:
            checks.identifier(parser, slots[name])
    flags = sum(flag for name, flag in _FLAGS.items() if name in slots)
    return Action(Op.PROCESSIMIP, (flags, slots.get("calendarid"), slots.get("outcome"), slots.get("errstr")))
