"""What a new message is given beside its text: annotations, and what ``annotation_callout`` says.

The callout is told where the message is, its structure, and the flags and annotations it comes with. Its
answer is a list of pairs, ``+FLAGS``, ``-FLAGS`` or ``ANNOTATION`` and what to add or remove. What it sets,
and what comes along with the message, is set whatever the rights of who delivers.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import Any

from libcyrus import options as opt
from libcyrus.base.dataclasses import replace
from libcyrus.events import callout
from libcyrus.mailbox.mailbox import Mailbox
from libcyrus.message import Message, write

from .store import Setting, plan, store_message
from .target import Target

log = logging.getLogger(__name__)


class Arrival:
    """One new message, of which ``Appender.append`` tells when its file is there and when its record is."""

    def __init__(self, target: Target, message: Message, settings: Sequence[Setting] = ()) -> None:
        """``target`` is the server, for whoever brings the message; ``settings`` come along with it."""
        self._target = replace(target, actor=target.actor.as_admin())
        self._message = message
        self._brought = list(settings)
        self._added: dict[str, dict[str, bytes | None]] = {}

    def placed(self, path: str, flags: Iterable[str]) -> list[str]:
        """Ask the callout, if there is one; the flags that the message is to have."""
        known = list(flags)
        program = self._target.store.config[opt.annotation_callout]
        if not program:
            return known
        answer = callout.ask(program, self._question(path, known))
        if answer is None:
            log.error("Annotation callout failed, ignoring")
            return known
        try:
            for number in range(0, len(answer), 2):
                known = self._take(answer[number], answer[number + 1], known)
        except (ValueError, TypeError, AttributeError, IndexError):
            # what came before it counts
            log.warning("Unexpected data in response from callout %s", program)
        return known

    def recorded(self, mailbox: Mailbox, uid: int) -> None:
        """Set the annotations; to commit is the caller's. Raises as ``plan`` and ``store_message``."""
        target = replace(self._target, mailbox=mailbox, uid=uid)
        added = [Setting(entry, list(values.items())) for entry, values in self._added.items()]
        for settings in (self._brought, added):
            store_message(target, plan(target, settings))

    def _question(self, path: str, flags: list[str]) -> bytes:
        annotations = b" ".join(
            b"%b (%b)"
            % (
                write.nstring(_bytes(setting.entry)),
                b" ".join(
                    b"%b %b" % (write.nstring(_bytes(name)), write.nstring(value or None))
                    for name, value in setting.attributes
                ),
            )
            for setting in self._brought
        )
        return b"(FILENAME %b ANNOTATIONS (%b) FLAGS (%b) BODY %b GUID %b)" % (
            write.nstring(_bytes(path)),
            annotations,
            _bytes(" ".join(flags)),
            write.body_with_places(self._message.body),
            self._message.guid.hex().encode("ascii"),
        )

    def _take(self, key: Any, value: Any, flags: list[str]) -> list[str]:
        """Take one pair of the answer; the flags after it."""
        word = key.upper()
        if word == b"ANNOTATION":
            entry = _text(value[0])
            for attribute, content in value[1:]:
                name = _text(attribute)
                self._forget(entry, name)
                self._added.setdefault(entry, {})[name] = content
            return flags
        if word not in (b"+FLAGS", b"-FLAGS"):
            raise ValueError
        for name in [flag.decode("ascii") for flag in (value if isinstance(value, list) else [value])]:
            others = [flag for flag in flags if flag.lower() != name.lower()]
            if word == b"-FLAGS":
                flags = others
            elif len(others) == len(flags):
                flags = [*flags, name]
        return flags

    def _forget(self, entry: str, attribute: str) -> None:
        """The callout's value takes the place of one that came along."""
        self._brought = [
            Setting(one.entry, [pair for pair in one.attributes if pair[0] != attribute])
            if one.entry == entry
            else one
            for one in self._brought
        ]


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")
