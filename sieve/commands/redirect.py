"""redirect: send the message to another address.

RFC 5228 section 4.2 with :copy (RFC 3894), :list (RFC 6134), :bytime..., :bymode, :bytrace, :notify and :ret
(RFC 6009). Whether a list exists is known to whom the script runs for, so names of lists are not looked at.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from libcyrus.base import times
from sieve import checks, tags
from sieve.bytecode.opcodes import Op
from sieve.extensions import Extension
from sieve.lexer import readable
from sieve.messages import DUPLICATE_TAG, MISSING_TAG
from sieve.tags import Slots, Take, conflict
from sieve.tree import Action

if TYPE_CHECKING:
    from sieve.parser import Parser

_NOTIFY_WORDS = frozenset({b"success", b"failure", b"delay"})


def _deliver_by(take: Take) -> Take:
    return _needing(Extension.REDIRECT_DELIVERBY, take)


def _needing(extension: Extension, take: Take) -> Take:
    """The extension is asked for each time, and after all else."""

    def checked(parser: Parser, slots: Slots) -> None:
        take(parser, slots)
        parser.need(extension)

    return checked


def _relative(parser: Parser, slots: Slots) -> None:
    seconds = parser.number()
    if slots.get("bytime", b"")[:1].isdigit():
        parser.report(conflict(":bytimerelative", ":bytimeabsolute"))
    elif "bytime" in slots:
        parser.report(DUPLICATE_TAG.format(":bytimerelative"))
    slots["bytime"] = b"+%d" % seconds


def _absolute(parser: Parser, slots: Slots) -> None:
    time = parser.string()
    if slots.get("bytime", b"")[:1].isdigit():
        parser.report(DUPLICATE_TAG.format(":bytimeabsolute"))
    elif "bytime" in slots:
        parser.report(conflict(":bytimeabsolute", ":bytimerelative"))
    slots["bytime"] = time


_TAGS: tags.Table = {
    **tags.COPY,
    ":list": tags.tag(":list", "list", needs=Extension.EXTLISTS),
    ":bytimerelative": _deliver_by(_relative),
    ":bytimeabsolute": _deliver_by(_absolute),
    ":bymode": _deliver_by(tags.tag(":bymode", "bymode", tags.text)),
    ":bytrace": _deliver_by(tags.tag(":bytrace", "bytrace")),
    ":notify": _needing(Extension.REDIRECT_DSN, tags.tag(":notify", "notify", tags.text)),
    ":ret": _needing(Extension.REDIRECT_DSN, tags.tag(":ret", "ret", tags.text)),
}


def build(parser: Parser, keyword: str) -> Action:
    slots = parser.tagged(_TAGS)
    address = parser.string()
    if "list" not in slots:
        checks.address(parser, address)
    if "bytime" not in slots and ("bymode" in slots or "bytrace" in slots):
        parser.report(MISSING_TAG.format(":bytimerelative OR :bytimeabsolute"))
    if not parser.supports(Extension.VARIABLES):
        _check_values(parser, slots)
    return Action(
        Op.REDIRECT,
        (
            slots.get("bytime"),
            slots.get("bymode"),
            int("bytrace" in slots),
            slots.get("notify"),
            slots.get("ret"),
            int("list" in slots),
            int("copy" in slots),
            address,
        ),
    )


def _check_values(parser: Parser, slots: Slots) -> None:
    """Values that are no variables must be those of RFC 6009 sections 4 and 5."""
    time, mode = slots.get("bytime"), slots.get("bymode")
    if time is not None:
        if not time.startswith(b"+") and times.from_iso8601(readable(time)) is None:
            parser.report(f"string '{readable(time)}': not a valid DELIVERBY time value")
        if mode is not None and mode.lower() not in (b"notify", b"return"):
            parser.report(f"string '{readable(mode)}': not a valid DELIVERBY mode value")
    if "notify" in slots:
        _check_notify(parser, slots["notify"])
    ret = slots.get("ret")
    if ret is not None and ret.lower() not in (b"full", b"hdrs"):
        parser.report(f"string '{readable(ret)}': not a valid DSN RET value")


def _check_notify(parser: Parser, value: bytes) -> None:
    never = False
    for word in value.split(b","):
        word = word.strip()
        if not word:
            continue
        if word.lower() == b"never":
            never = True
        elif never:
            parser.report("DSN NOTIFY value 'NEVER' MUST be used by itself")
            return
        elif word.lower() not in _NOTIFY_WORDS:
            parser.report(f"string '{readable(word)}': not a valid DSN NOTIFY value")
            return
