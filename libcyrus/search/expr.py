"""What a search asks for: a frozen tree, whatever protocol it came by (RFC 3501 section 6.4.4).

Strings are as the client sent them, decoded to text but not yet in search form. A tree may be as wide as a
client likes; its depth is for whoever builds it to limit, with ``MAX_DEPTH``, since it is walked recursively.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from typing import Final

from libcyrus.base.dataclasses import dataclass
from libcyrus.errors import NoSearchEngine

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
    """Text that messages are searched by most.

    ``DELIVERED_TO`` is what delivery noted of the recipient, ``LIST_ID`` that of a mailing list, by either of
    two fields; these are compared undecoded. ``CONTENT_TYPE`` is the type, the subtype and both with a slash
    between, of any part; ``ATTACHMENT_NAME`` any name that a part has.
    """

    FROM = enum.auto()
    TO = enum.auto()
    CC = enum.auto()
    BCC = enum.auto()
    SUBJECT = enum.auto()
    MESSAGE_ID = enum.auto()
    DELIVERED_TO = enum.auto()
    LIST_ID = enum.auto()
    CONTENT_TYPE = enum.auto()
    ATTACHMENT_NAME = enum.auto()


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
class Fuzzy:
    """Texts in ``child`` may be found by a search engine, however that compares them (RFC 6203)."""

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
    """The item holds the text; an item that the message lacks holds nothing, not even the empty text.

    ``exact`` keeps it from a search engine in any case.
    """

    item: Item
    text: str
    exact: bool = False


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
class SpamScore:
    """The field X-Spam-Score, in hundredths of a point, is at least ``low`` or below ``high``.

    Negative scores are greater than all others, and negative limits greater still, as in the original.
    """

    low: int | None = None
    high: int | None = None


@dataclass(frozen=True, slots=True)
class InFolder:
    """The mailbox is this one, by its internal name."""

    name: str


@dataclass(frozen=True, slots=True)
class ConversationFlag:
    """Messages of the conversation have a counted flag, ``\\Seen`` or ``\\SeenInclTrash``, in any case.

    ``on_all`` of them, or else on at least one. Trash counts for the last of the names only.
    """

    name: str
    on_all: bool = False


@dataclass(frozen=True, slots=True)
class ConversationModseq:
    """The conversation has at least this modseq."""

    low: int


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


_NEVER: Final = Not(All())

Expr = (
    All
    | And
    | Or
    | Not
    | Fuzzy
    | Sequence
    | HasFlag
    | Keyword
    | Between
    | Contains
    | Header
    | Text
    | ObjectId
    | SpamScore
    | InFolder
    | ConversationFlag
    | ConversationModseq
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
        elif isinstance(node, Not | Fuzzy):
            waiting.append((node.child, level + 1))
    return deepest


def nodes(expr: Expr) -> Iterator[Expr]:
    """The expression and all that it is made of."""
    waiting = [expr]
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, And | Or):
            waiting.extend(node.children)
        elif isinstance(node, Not | Fuzzy):
            waiting.append(node.child)


def without_engine(expr: Expr, *, fuzzy: bool) -> Expr:
    """The same without ``Fuzzy``. ``fuzzy`` says that all of it is.

    Raises NoSearchEngine if anything takes a search engine, but for what makes no difference to the whole.
    """
    if not fuzzy and not any(isinstance(node, Fuzzy) for node in nodes(expr)):
        return expr
    folded, needs_engine = _fold(expr, fuzzy)
    if needs_engine:
        raise NoSearchEngine
    return folded


def _fold(expr: Expr, fuzzy: bool) -> tuple[Expr, bool]:
    """What is left when everything that is always true or false is put together; if that takes an engine."""
    match expr:
        case Fuzzy(child):
            return _fold(child, True)
        case Not(child):
            folded, needs_engine = _fold(child, fuzzy)
            return folded.child if isinstance(folded, Not) else Not(folded), needs_engine
        case And(children) | Or(children):
            is_and = isinstance(expr, And)
            decides, idle = (_NEVER, All()) if is_and else (All(), _NEVER)
            kept = []
            needs_engine = False
            for child in children:
                folded, needed = _fold(child, fuzzy)
                if folded == decides:
                    return decides, False
                if folded != idle:
                    kept.append(folded)
                    needs_engine = needs_engine or needed
            if not kept:
                return idle, False
            return And(tuple(kept)) if is_and else Or(tuple(kept)), needs_engine
        case Contains():
            return expr, fuzzy and not expr.exact
        case Text():
            return expr, fuzzy
    return expr, False
