"""Access control lists: rights, their letters, and the text that mailboxes.db and cyrus.header hold.

An ACL is ``identifier TAB rights TAB`` repeated. A leading ``-`` on the identifier makes the rights
negative. In memory rights are a bit mask. RFC 4314 split the old letters ``c`` and ``d`` in two
(``k`` ``x``, and ``t`` ``e``); both are understood and both are written. Which of the old letters
covers deleting a mailbox is option ``deleteright``.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator
from functools import lru_cache

from libcyrus import options as opt
from libcyrus.auth import ANONYMOUS_STATE, AuthState, canonify_id
from libcyrus.config import Config
from libcyrus.errors import InvalidIdentifier, InvalidRights

LOOKUP = 0x000001
READ = 0x000002
SETSEEN = 0x000004
WRITE = 0x000008
INSERT = 0x000010
POST = 0x000020
CREATE = 0x000040
DELETEMBOX = 0x000080
DELETEMSG = 0x000100
EXPUNGE = 0x000200
ADMIN = 0x000400
ANNOTATEMSG = 0x000800
USER1 = 0x001000
USER2 = 0x002000
USER3 = 0x004000
USER4 = 0x008000
USER5 = 0x010000
USER6 = 0x020000
USER7 = 0x040000
USER8 = 0x080000
USER9 = 0x100000
USER0 = 0x200000

ALL = 0x000FFF
FULL = 0x3FFFFF
# what EXAMINE takes away
READ_WRITE = SETSEEN | WRITE | INSERT | DELETEMSG | EXPUNGE | ANNOTATEMSG

_LETTERS = {
    "l": LOOKUP, "r": READ, "s": SETSEEN, "w": WRITE, "i": INSERT, "p": POST, "k": CREATE,
    "x": DELETEMBOX, "t": DELETEMSG, "e": EXPUNGE, "a": ADMIN, "n": ANNOTATEMSG,
    "0": USER0, "1": USER1, "2": USER2, "3": USER3, "4": USER4,
    "5": USER5, "6": USER6, "7": USER7, "8": USER8, "9": USER9,
}  # fmt: skip
_ORDER = "lrswipkxte" + "cd" + "an0123456789"
RIGHTS = frozenset("lrswipckxtedan0123456789")
"""Every letter that is a right."""


class Mode(enum.Enum):
    SET = enum.auto()
    ADD = enum.auto()
    REMOVE = enum.auto()


class AclRules:
    """How this server reads and writes rights: ``deleteright`` and the rights that come unasked."""

    __slots__ = ("admin_implies_write", "deleteright", "implicit_owner_rights", "username_tolower")

    def __init__(
        self,
        *,
        deleteright: str = "c",
        admin_implies_write: bool = False,
        implicit_owner_rights: str = "lkxan",
        username_tolower: bool = True,
    ) -> None:
        self.deleteright = deleteright[:1]
        self.admin_implies_write = admin_implies_write
        self.username_tolower = username_tolower
        self.implicit_owner_rights = parse_rights(implicit_owner_rights, self.deleteright)

    @classmethod
    def from_config(cls, config: Config) -> AclRules:
        return cls(
            deleteright=config[opt.deleteright] or "",
            admin_implies_write=config[opt.acl_admin_implies_write],
            implicit_owner_rights=config[opt.implicit_owner_rights] or "",
            username_tolower=config[opt.username_tolower],
        )

    def parse(self, rights: str) -> int:
        """The mask of a string of letters; letters that mean nothing are left out."""
        return parse_rights(rights, self.deleteright)

    def format(self, mask: int) -> str:
        """The letters of a mask in the order of RFC 4314, old letters included."""
        return format_rights(mask, self.deleteright)

    def myrights(self, auth: AuthState | None, acl: str | None) -> int:
        """What ``auth`` (None: the anonymous user) may do by ``acl``."""
        auth = auth or ANONYMOUS_STATE
        positive = negative = 0
        for identifier, rights in entries(acl or ""):
            if identifier.startswith("-"):
                if auth.member_of(identifier[1:]):
                    negative |= parse_rights(rights, self.deleteright)
            elif auth.member_of(identifier):
                positive |= parse_rights(rights, self.deleteright)
        if self.admin_implies_write and positive & ADMIN:
            positive |= READ_WRITE
        return positive & ~negative

    def change(
        self, acl: str, identifier: str, mode: Mode, mask: int, canon: Callable[[str, int], int] | None = None
    ) -> str:
        """``acl`` with the rights of ``identifier`` set to, raised by or lowered by ``mask``.

        ``canon(identifier, rights)`` has the last word on the rights, for an owner keeps some whatever is
        asked; for a negative identifier it is asked about the complement. An entry left without rights
        goes away. Raises InvalidIdentifier.
        """
        sign = "-" if identifier.startswith("-") else ""
        canonical = canonify_id(identifier[len(sign) :], tolower=self.username_tolower)
        if canonical is not None:
            identifier = sign + canonical
        elif mask:
            raise InvalidIdentifier
        if not identifier:
            raise InvalidIdentifier

        held = list(entries(acl))
        place = next((n for n, entry in enumerate(held) if entry[0] == identifier), len(held))
        old = parse_rights(held[place][1], self.deleteright) if place < len(held) else 0
        match mode:
            case Mode.ADD:
                mask |= old
            case Mode.REMOVE:
                mask = old & ~mask
        if canon is not None:
            mask = ~canon(identifier[1:], ~mask) if sign else canon(identifier, mask)
        held[place : place + 1] = [(identifier, self.format(mask & FULL))] if mask & FULL else []
        return join(held)

    def ensure_owner(self, owner: str) -> Callable[[str, int], int]:
        """A ``canon`` for change(): ``owner`` keeps the implicit rights."""
        return lambda identifier, mask: mask | self.implicit_owner_rights if identifier == owner else mask


def entries(acl: str) -> Iterator[tuple[str, str]]:
    """The (identifier, rights) pairs of an ACL; an unfinished pair at its end is ignored."""
    fields = acl.split("\t")
    for n in range(0, len(fields) - 2, 2):
        yield fields[n], fields[n + 1]


def join(pairs: list[tuple[str, str]]) -> str:
    """The ACL text of (identifier, rights) pairs."""
    return "".join(f"{identifier}\t{rights}\t" for identifier, rights in pairs)


def check_rights(rights: str) -> None:
    """Raise InvalidRights, with the words a client reads, on a letter that is no right.

    A leading ``+`` or ``-`` is the mode of SETACL and is skipped.
    """
    for letter in rights[1:] if rights[:1] in ("+", "-") and rights else rights:
        if letter not in RIGHTS:
            raise InvalidRights(f"The {letter} right is not supported")


@lru_cache(maxsize=512)
def parse_rights(rights: str, deleteright: str = "c") -> int:
    """The mask of a string of letters. An old letter counts only if none of its new ones is there."""
    mask = legacy_create = legacy_delete = 0
    for letter in rights:
        mask |= _LETTERS.get(letter, 0)
        if letter == "c":
            legacy_create |= CREATE
        elif letter == "d":
            legacy_delete |= DELETEMSG | EXPUNGE
        if letter == deleteright:
            if letter == "c":
                legacy_create |= DELETEMBOX
            elif letter == "d":
                legacy_delete |= DELETEMBOX
            else:
                mask |= DELETEMBOX
    if not mask & legacy_create:
        mask |= legacy_create
    if not mask & legacy_delete:
        mask |= legacy_delete
    return mask


@lru_cache(maxsize=512)
def format_rights(mask: int, deleteright: str = "c") -> str:
    """The letters of a mask, an old letter wherever one of its new ones is."""
    bits = dict(_LETTERS)
    bits["c"] = CREATE | (DELETEMBOX if deleteright == "c" else 0)
    bits["d"] = DELETEMSG | EXPUNGE | (DELETEMBOX if deleteright == "d" else 0)
    return "".join(letter for letter in _ORDER if mask & bits[letter])
