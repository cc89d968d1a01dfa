"""What a search asks for: a frozen tree, whatever protocol it came by (RFC 3501 section 6.4.4).

Strings are as the client sent them, decoded to text but not yet in search form. A tree may be as wide as a
client likes; its depth is for whoever builds it to limit, with ``MAX_DEPTH``, since it is walked recursively.
"""

from __future__ import annotations

import enum
from typing import Final

from libcyrus.base.dataclasses import dataclass

MAX_DEPTH: Final = 100
"""Levels a tree may have."""


class Number(enum.Enum):
    """A number that each message has. Dates are seconds since 1970; ``SENTDATE`` is a local midnight."""

    INTERNALDATE = enum.auto()
    SENTDATE = enum.auto()
    SIZE = enum.auto()
    MODSEQ = enum.auto()
    SAVEDATE = enum.auto()


class Item(enum.Enum):
    """Header text that the cache has a decoded or ready copy of."""

    FROM = enum.auto()
    TO = enum.auto()
    CC = enum.auto()
    BCC = enum.auto()
    SUBJECT = enum.auto()
    MESSAGE_ID = enum.auto()


class Flag(enum.Enum):
    """``SEEN`` and ``RECENT`` are as this user and this session have them."""

    ANSWERED = enum.auto()
    FLAGGED = enum.auto()
    DELETED = enum.auto()
    DRAFT = enum.auto()
    SEEN = enum.auto()
    RECENT = enum.auto()


@dataclass(frozen=True, slots=True)
class All:
    """Every message."""


@dataclass(frozen=True, slots=True)
class And:
    children: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Or:
    children: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Not:
    child: Expr


@dataclass(frozen=True, slots=True)
class Sequence:
    """Message numbers or UIDs, a sequence-set as the client wrote it."""

    text: str
    by_uid: bool


@dataclass(frozen=True, slots=True)
class HasFlag:
    flag: Flag


@dataclass(frozen=True, slots=True)
class Keyword:
    """A user flag, by its name in any case."""

    name: str


@dataclass(frozen=True, slots=True)
class Between:
    """``low <= number < high``; None is no limit."""

    number: Number
    low: int | None = None
    high: int | None = None


@dataclass(frozen=True, slots=True)
class Contains:
    """The item holds the text; an item that the message lacks holds nothing, not even the empty text."""

    item: Item
    text: str


@dataclass(frozen=True, slots=True)
class Header:
    """A field of this name holds the text; the empty text is in every such field."""

    name: bytes
    text: str


@dataclass(frozen=True, slots=True)
class Text:
    """A text part or a header holds the text; with ``body_only`` the message's own header is left out."""

    text: str
    body_only: bool


@dataclass(frozen=True, slots=True)
class ObjectId:
    """The first bytes of the message's GUID (``of_message``), or the id of its conversation."""

    of_message: bool
    value: bytes


@dataclass(frozen=True, slots=True)
class HasSavedate:
    """The mailbox is one that keeps when messages came into it (RFC 8514 section 4.4)."""


@dataclass(frozen=True, slots=True)
class Annotated:
    """An annotation's attribute (RFC 5257 section 4.5) holds the value; None matches one that is not there.

    ``entry`` may have wildcards, ``attribute`` is ``value``, ``value.shared`` or ``value.priv``.
    """

    entry: str
    attribute: str
    value: bytes | None


Expr = (
    All
    | And
    | Or
    | Not
    | Sequence
    | HasFlag
    | Keyword
    | Between
    | Contains
    | Header
    | Text
    | ObjectId
    | HasSavedate
    | Annotated
)


def depth(expr: Expr) -> int:
    """The levels of the tree, counted without recursion."""
    deepest = 0
    waiting = [(expr, 1)]
    while waiting:
        node, level = waiting.pop()
        deepest = max(deepest, level)
        if isinstance(node, And | Or):
            waiting.extend((child, level + 1) for child in node.children)
        elif isinstance(node, Not):
            waiting.append((node.child, level + 1))
    return deepest
