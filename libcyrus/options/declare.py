"""How an imapd.conf option is declared.

One constructor per type of the configuration language. Each returns an
``Option`` that carries the Python type of its value, so that ``config[option]``
is typed: SWITCH ``bool``, INT ``int``, STRING, ENUM and STRINGLIST ``str`` (or
``str | None`` where there is no default), BITFIELD ``frozenset[str]``,
DURATION ``int`` seconds.

``since`` is the release that last changed what the option means or defaults
to; ``deprecated`` the release that retired it, ``use`` the option that took its
place. ``channel`` options may also be written ``CHANNEL_name``, one value for
each replication channel. ``unit`` tells what a bare number counts; for a
duration it is one of ``d``, ``h``, ``m`` and ``s``.
"""

from __future__ import annotations

from enum import Enum
from typing import Any, Generic, TypeVar, overload

from libcyrus.options.durations import parse_duration

T_co = TypeVar("T_co", covariant=True)


class Kind(Enum):
    """The types of the configuration language."""

    STRING = "string"
    INT = "integer"
    SWITCH = "switch"
    ENUM = "enum"
    STRINGLIST = "stringlist"
    BITFIELD = "bitfield"
    DURATION = "duration"


class Option(Generic[T_co]):
    """One declared option; its identity is the key of ``Config``."""

    __slots__ = (
        "aliases",
        "allowed",
        "channel",
        "default",
        "default_text",
        "deprecated",
        "doc",
        "kind",
        "name",
        "since",
        "unit",
        "use",
    )

    def __init__(
        self,
        name: str,
        kind: Kind,
        default: T_co,
        *,
        default_text: str | None,
        since: str,
        doc: str,
        unit: str = "",
        allowed: tuple[str, ...] = (),
        aliases: dict[str, str] | None = None,
        channel: bool = False,
        deprecated: str | None = None,
        use: str | None = None,
    ) -> None:
        self.name = name
        self.kind = kind
        self.default = default
        self.default_text = default_text
        self.since = since
        self.doc = doc
        self.unit = unit
        self.allowed = allowed
        self.aliases = aliases
        self.channel = channel
        self.deprecated = deprecated
        self.use = use

    def __repr__(self) -> str:
        return f"<option {self.name}>"


def switch(name: str, default: bool, *, since: str, doc: str, **more: Any) -> Option[bool]:
    return Option(
        name, Kind.SWITCH, default, default_text="yes" if default else "no", since=since, doc=doc, **more
    )


def integer(name: str, default: int, *, since: str, doc: str, **more: Any) -> Option[int]:
    return Option(name, Kind.INT, default, default_text=str(default), since=since, doc=doc, **more)


@overload
def string(name: str, default: str, *, since: str, doc: str, **more: Any) -> Option[str]: ...
@overload
def string(name: str, default: None, *, since: str, doc: str, **more: Any) -> Option[str | None]: ...
def string(name: str, default: str | None, *, since: str, doc: str, **more: Any) -> Option[Any]:
    return Option(name, Kind.STRING, default, default_text=default, since=since, doc=doc, **more)


def enum(
    name: str, default: str, allowed: tuple[str, ...], *, since: str, doc: str, **more: Any
) -> Option[str]:
    """One of ``allowed``; yes, true, t and 1 stand for ``on``, their opposites for ``off``."""
    return Option(
        name, Kind.ENUM, default, default_text=default, allowed=allowed, since=since, doc=doc, **more
    )


@overload
def stringlist(
    name: str, default: str, allowed: tuple[str, ...], *, since: str, doc: str, **more: Any
) -> Option[str]: ...
@overload
def stringlist(
    name: str, default: None, allowed: tuple[str, ...], *, since: str, doc: str, **more: Any
) -> Option[str | None]: ...
def stringlist(
    name: str, default: str | None, allowed: tuple[str, ...], *, since: str, doc: str, **more: Any
) -> Option[Any]:
    """One of ``allowed``, exactly as written there."""
    return Option(
        name, Kind.STRINGLIST, default, default_text=default, allowed=allowed, since=since, doc=doc, **more
    )


def bitfield(
    name: str, default: tuple[str, ...], allowed: tuple[str, ...], *, since: str, doc: str, **more: Any
) -> Option[frozenset[str]]:
    """Any of ``allowed``, separated by space; ``aliases`` maps old names to theirs."""
    return Option(
        name,
        Kind.BITFIELD,
        frozenset(default),
        default_text=" ".join(default),
        allowed=allowed,
        since=since,
        doc=doc,
        **more,
    )


def duration(name: str, default: str | None, *, unit: str, since: str, doc: str, **more: Any) -> Option[int]:
    """A length of time; no default reads as 0."""
    return Option(
        name,
        Kind.DURATION,
        0 if default is None else parse_duration(default, unit),
        default_text=default,
        unit=unit,
        since=since,
        doc=doc,
        **more,
    )
