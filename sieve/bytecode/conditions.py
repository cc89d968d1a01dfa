"""The tests of a compiled script, an immutable object each. ``program`` makes them."""

from __future__ import annotations

from typing import Union

from libcyrus.base.dataclasses import dataclass
from sieve.bytecode.opcodes import Tag

Strings = tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Match:
    """How values are compared.

    ``kind`` is IS, CONTAINS, MATCHES, REGEX, LIST, COUNT or VALUE; the last two have a ``relation``
    (GT, GE, LT, LE, EQ, NE); ``collation`` is ASCIICASEMAP, OCTET or ASCIINUMERIC.
    """

    kind: Tag
    relation: Tag | None
    collation: Tag


@dataclass(frozen=True, slots=True)
class Always:
    """"true" and "false"."""

    value: bool


@dataclass(frozen=True, slots=True)
class Not:
    test: Condition


@dataclass(frozen=True, slots=True)
class AnyOf:
    tests: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class AllOf:
    tests: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Exists:
    headers: Strings


@dataclass(frozen=True, slots=True)
class Size:
    over: bool
    size: int


@dataclass(frozen=True, slots=True)
class Address:
    """``index`` as in Header; ``part`` is ALL, LOCALPART, DOMAIN, USER or DETAIL."""

    index: int
    match: Match
    part: Tag
    headers: Strings
    patterns: Strings


@dataclass(frozen=True, slots=True)
class Envelope:
    match: Match
    part: Tag
    fields: Strings
    patterns: Strings


@dataclass(frozen=True, slots=True)
class Header:
    """``index`` is 0 for all fields of a name, else counted from the first or, negative, from the last."""

    index: int
    match: Match
    headers: Strings
    patterns: Strings


@dataclass(frozen=True, slots=True)
class Body:
    """``transform`` is RAW, TEXT or CONTENT (RFC 5173)."""

    match: Match
    transform: Tag
    offset: int
    types: Strings
    patterns: Strings


@dataclass(frozen=True, slots=True)
class Date:
    """``zone`` is "+hhmm", or None for the server's; ``original`` takes that of the field (RFC 5260)."""

    index: int
    zone: bytes | None
    original: bool
    match: Match
    part: Tag
    header: bytes
    patterns: Strings


@dataclass(frozen=True, slots=True)
class CurrentDate:
    zone: bytes | None
    match: Match
    part: Tag
    patterns: Strings


@dataclass(frozen=True, slots=True)
class HasFlag:
    """Without variables the internal one (RFC 5232 section 4)."""

    match: Match
    variables: Strings
    patterns: Strings


@dataclass(frozen=True, slots=True)
class String:
    match: Match
    strings: Strings
    patterns: Strings


@dataclass(frozen=True, slots=True)
class MailboxExists:
    names: Strings


@dataclass(frozen=True, slots=True)
class MailboxIdExists:
    ids: Strings


@dataclass(frozen=True, slots=True)
class SpecialUseExists:
    """Without a mailbox any of the user's (RFC 8579 section 3)."""

    mailbox: bytes | None
    uses: Strings


@dataclass(frozen=True, slots=True)
class Metadata:
    """Of a mailbox, or the server's where that is None (RFC 5490)."""

    match: Match
    mailbox: bytes | None
    annotation: bytes
    patterns: Strings


@dataclass(frozen=True, slots=True)
class MetadataExists:
    mailbox: bytes | None
    annotations: Strings


@dataclass(frozen=True, slots=True)
class Environment:
    match: Match
    item: bytes
    patterns: Strings


@dataclass(frozen=True, slots=True)
class ValidExtList:
    names: Strings


@dataclass(frozen=True, slots=True)
class ValidNotifyMethod:
    uris: Strings


@dataclass(frozen=True, slots=True)
class NotifyMethodCapability:
    match: Match
    uri: bytes
    capability: bytes
    patterns: Strings


@dataclass(frozen=True, slots=True)
class Ihave:
    names: Strings


@dataclass(frozen=True, slots=True)
class Duplicate:
    """``value`` is a header's name, or the id itself if ``unique`` (RFC 7352)."""

    unique: bool
    value: bytes
    handle: bytes
    seconds: int
    last: bool


@dataclass(frozen=True, slots=True)
class JmapQuery:
    query: bytes


Condition = Union[  # noqa: UP007 - refers to itself by way of the classes above
    Always, Not, AnyOf, AllOf, Exists, Size, Address, Envelope, Header, Body, Date, CurrentDate,
    HasFlag, String, MailboxExists, MailboxIdExists, SpecialUseExists, Metadata, MetadataExists,
    Environment, ValidExtList, ValidNotifyMethod, NotifyMethodCapability, Ihave, Duplicate, JmapQuery,
]  # fmt: skip
