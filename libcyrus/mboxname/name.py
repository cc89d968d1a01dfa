"""Mailbox names in the forms that stay inside the server.

*Internal* names (``user.joe.lists``, ``example.org!user.joe``, ``DELETED.user.joe.lists.65A0F3B2``) separate
their parts with ``.`` and spell a dot inside a part ``^``. *Database* names are the keys of mailboxes.db
without the leading ``N``: parts separated by 0x1F, the domain by 0x1D, dots as they are. A *userid* is the
owner, with ``@domain`` unless that is the default one. What users see is in ``namespace``.
"""

from __future__ import annotations

import time
from functools import cached_property

from libcyrus import options as opt
from libcyrus.base.dataclasses import dataclass, field, replace
from libcyrus.config import Config

DOMAIN_SEPARATOR = "\x1d"
HIERARCHY_SEPARATOR = "\x1f"
MAX_MAILBOX_NAME = 490
DOT = "^"
_MOST_LATELY = 256


@dataclass(frozen=True)
class NameRules:
    """The options that decide what a mailbox name means; one object for a process."""

    deletedprefix: str = "DELETED"
    defaultdomain: str | None = "internal"
    virtdomains: bool = False
    fulldirhash: bool = False
    hashimapspool: bool = False

    @classmethod
    def from_config(cls, config: Config) -> NameRules:
        return cls(
            deletedprefix=config[opt.deletedprefix] or "",
            defaultdomain=config[opt.defaultdomain],
            virtdomains=config[opt.virtdomains] != "off",
            fulldirhash=config[opt.fulldirhash],
            hashimapspool=config[opt.hashimapspool],
        )

    @cached_property
    def empty(self) -> MboxName:
        return MboxName(self)

    def domain(self, domain: str | None) -> str | None:
        """``domain``, or None where it is the default one, which names never carry."""
        return None if domain == self.defaultdomain else domain

    @cached_property
    def _lately(self) -> dict[str, MboxName]:
        """What ``from_internal`` was asked for: one session asks for the same few names all the time."""
        return {}

    def from_internal(self, name: str) -> MboxName:
        lately = self._lately
        known = lately.get(name)
        if known is None:
            domain, mark, rest = name.partition("!")
            if mark:
                known = self._from_parts(self.domain(domain), split(rest, "."), escaped=True)
            else:
                known = self._from_parts(None, split(name, "."), escaped=True)
            if len(lately) >= _MOST_LATELY:
                lately.clear()
            lately[name] = known
        return known

    def from_db(self, dbname: str) -> MboxName:
        """The name a mailboxes.db key stands for; ``dbname`` is the key without its type letter."""
        domain, mark, rest = dbname.partition(DOMAIN_SEPARATOR)
        if not mark:
            return self._from_parts(None, split(dbname, HIERARCHY_SEPARATOR))
        return self._from_parts(self.domain(domain), split(rest, HIERARCHY_SEPARATOR))

    def from_userid(self, userid: str | None) -> MboxName:
        """The user's INBOX (an empty name for no user)."""
        if not userid:
            return self.empty
        localpart, mark, domain = userid.rpartition("@")
        if not mark:
            return MboxName(self, localpart=userid)
        return MboxName(self, localpart=localpart, domain=self.domain(domain))

    def inbox(self, userid: str, *boxes: str) -> str:
        """The internal name of a user's INBOX, or of the mailbox ``boxes`` below it."""
        name = self.from_userid(userid)
        return replace(name, boxes=boxes).internal if boxes else name.internal

    def _from_parts(self, domain: str | None, parts: list[str], *, escaped: bool = False) -> MboxName:
        if escaped:
            parts = [part.replace(DOT, ".") if DOT in part else part for part in parts]
        deleted = 0
        localpart = None
        if len(parts) > 2 and parts[0] == self.deletedprefix:
            deleted = hex_prefix(parts.pop())
            del parts[0]
        if len(parts) > 1 and parts[0] == "user":
            localpart = parts[1]
            del parts[:2]
        return MboxName(self, localpart, domain, tuple(parts), deleted)


@dataclass(frozen=True)
class MboxName:
    """One mailbox's name taken apart.

    ``localpart`` is None for shared mailboxes; ``boxes`` is the path below the INBOX or the shared root, real
    dots included; ``deleted`` is the time (seconds) of a delayed delete, 0 otherwise.
    """

    rules: NameRules = field(compare=False, repr=False)
    localpart: str | None = None
    domain: str | None = None
    boxes: tuple[str, ...] = ()
    deleted: int = 0

    @property
    def userid(self) -> str | None:
        """The owner; None for shared mailboxes."""
        if self.localpart is None or self.domain is None:
            return self.localpart
        return f"{self.localpart}@{self.domain}"

    @cached_property
    def internal(self) -> str:
        path = ".".join(part.replace(".", DOT) for part in self._parts())
        return f"{self.domain}!{path}" if self.domain is not None else path

    @cached_property
    def dbname(self) -> str:
        path = HIERARCHY_SEPARATOR.join(self._parts(escape_deleted=False))
        return f"{self.domain}{DOMAIN_SEPARATOR}{path}" if self.domain is not None else path

    def _parts(self, *, escape_deleted: bool = True) -> list[str]:
        parts = []
        if self.deleted:
            parts.append(self.rules.deletedprefix)
        if self.localpart is not None:
            parts += ("user", self.localpart)
        parts += self.boxes
        if self.deleted:
            parts.append(f"{self.deleted & 0xFFFFFFFF:X}")
        return parts

    @property
    def is_inbox(self) -> bool:
        """A user's INBOX that is not deleted."""
        return self.localpart is not None and not self.boxes and not self.deleted

    @property
    def is_user(self) -> bool:
        """Any mailbox of a user that is not deleted."""
        return self.localpart is not None and not self.deleted

    def with_boxes(self, *boxes: str) -> MboxName:
        return replace(self, boxes=boxes)

    def child(self, box: str) -> MboxName:
        return replace(self, boxes=(*self.boxes, box))

    def parent(self) -> MboxName | None:
        """The name one level up: None at the INBOX or the shared root.

        The parent of INBOX.INBOX.x is INBOX: exactly ``INBOX`` below an INBOX is no mailbox of its own.
        """
        if not self.boxes:
            return None
        boxes = self.boxes[:-1]
        return replace(self, boxes=() if boxes == ("INBOX",) else boxes)

    def to_deleted(self, when: int | None = None) -> MboxName:
        """The name under which a delayed delete keeps this mailbox."""
        return replace(self, deleted=int(time.time()) if when is None else when)

    def downcase(self) -> MboxName:
        """The same with its owner in lower case (ASCII letters only)."""
        return replace(self, localpart=lower(self.localpart), domain=lower(self.domain))


def split(text: str, separator: str) -> list[str]:
    """The parts of a name; empty ones do not exist."""
    return [part for part in text.split(separator) if part]


def lower(text: str | None) -> str | None:
    if text is None or text.islower():
        return text
    return "".join(c.lower() if "A" <= c <= "Z" else c for c in text)


def hex_prefix(text: str) -> int:
    """The number that C's strtoul(text, NULL, 16) reads: as many hex digits as there are, else 0."""
    text = text.strip()
    if text[:2] in ("0x", "0X"):
        text = text[2:]
    digits = 0
    while digits < len(text) and text[digits] in "0123456789abcdefABCDEF":
        digits += 1
    return int(text[:digits], 16) if digits else 0


def is_prefix(longer: str, shorter: str) -> bool:
    """Whether internal name ``longer`` is ``shorter`` or below it."""
    return longer.startswith(shorter) and longer[len(shorter) : len(shorter) + 1] in ("", ".")
