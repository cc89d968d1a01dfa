"""notify: tell of the message elsewhere (RFC 5435), also in the older draft's form, with its denotify.

One keyword has two forms: with a method as its last argument it is RFC 5435's, without it the draft's; which
tags were right is known at the end only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sieve import checks, tags
from sieve.bytecode.opcodes import Op, Tag
from sieve.extensions import Extension
from sieve.lexer import STRING
from sieve.messages import DUPLICATE_TAG, MISSING_TAG, UNEXPECTED_TAG
from sieve.tags import Slots
from sieve.tree import Action

if TYPE_CHECKING:
    from sieve.parser import Parser

_DEFAULT_METHOD = b"default"
_DEFAULT_MESSAGE = b"$from$: $subject$"


def _importance(parser: Parser, slots: Slots) -> None:
    priority = parser.choice()
    if "priority" in slots:
        parser.report(DUPLICATE_TAG.format(":importance"))
    slots["priority"] = priority


_PRIORITY: tags.Table = {
    ":low": tags.one_of("priority", "priority", Tag.LOW),
    ":normal": tags.one_of("priority", "priority", Tag.NORMAL),
    ":high": tags.one_of("priority", "priority", Tag.HIGH),
}
_TAGS: tags.Table = {
    ":from": tags.tag(":from", "from", tags.text),
    ":importance": _importance,
    **tags.FCC,
    ":id": tags.tag(":id", "id", tags.text),
    ":method": tags.tag(":method", "method", tags.text),
    **_PRIORITY,
    ":message": tags.tag(":message", "message", tags.text),
    ":options": tags.tag(":options", "options", tags.texts),
}


def notify(parser: Parser, keyword: str) -> Action:
    slots = parser.tagged(_TAGS)
    if parser.peek() == STRING:
        method: bytes | None = parser.string()
        _check_new(parser, slots)
        op, third = Op.ENOTIFY, slots.get("from")
    else:
        _check_old(parser, slots)
        method = slots.get("method", _DEFAULT_METHOD)
        op, third = Op.NOTIFY, slots.get("id")
    return Action(
        op,
        (
            method,
            third,
            slots.get("options", []),
            slots.get("priority", Tag.NORMAL),
            slots.get("message", _DEFAULT_MESSAGE),
        ),
    )


def _check_new(parser: Parser, slots: Slots) -> None:
    parser.need(Extension.ENOTIFY)
    _exclude(parser, slots, "id", "method")
    if "fcc" in slots:
        checks.mailbox(parser, slots["fcc"])
    elif tags.fcc_without_folder(slots):
        parser.report(MISSING_TAG.format(":fcc"))


def _check_old(parser: Parser, slots: Slots) -> None:
    parser.need(Extension.NOTIFY)
    _exclude(parser, slots, "from", "fcc", "create", "flags", "specialuse")


def _exclude(parser: Parser, slots: Slots, *names: str) -> None:
    for name in names:
        if name in slots:
            parser.report(UNEXPECTED_TAG.format(f":{name}"))


def denotify(parser: Parser, keyword: str) -> Action:
    parser.need(Extension.NOTIFY)
    slots: Slots = {}
    while True:
        parser.tags_into(_PRIORITY, slots)
        match = tags.MATCH.get(parser.peek())
        if match is None:
            break
        parser.shift()
        match(parser, slots)
        slots["pattern"] = parser.string()
    kind, relation, _ = tags.comparator(parser, slots)
    pattern = slots.get("pattern")
    if pattern is not None:
        tags.patterns(parser, slots, [pattern])
    return Action(Op.DENOTIFY, (slots.get("priority", Tag.ANY), kind, relation, pattern))
