"""The names that users see, and the way between them and internal names.

There are two views. In the standard one a user's mailboxes are ``INBOX`` and below it, other users' are
``user.NAME``, and everything else is shared. In the alternative one (``altnamespace``) a user's mailboxes are
at the top beside INBOX, others' below ``userprefix``, the shared ones below ``sharedprefix``; what would
collide with those words is below ``altprefix``. Admins always have the standard view. The separator is ``/``
with ``unixhierarchysep``, otherwise ``.`` with dots inside a part written ``^``.
"""

from __future__ import annotations

import enum

from libcyrus import options as opt
from libcyrus.base.dataclasses import dataclass, field
from libcyrus.config import Config
from libcyrus.errors import NamespaceBadPrefix

from .name import MboxName, NameRules, hex_prefix, split

MAX_NAMESPACE_PREFIX = 40
_KNOWN_USERS = 1000


class Category(enum.IntEnum):
    """Which corner of a user's view a mailbox is in; the order in which LIST goes through them."""

    INBOX = 1
    INBOXSUB = 2
    ALTINBOX = 3
    ALTPREFIX = 4
    OWNER = 5
    OTHERUSER = 6
    SHARED = 7
    OWNERDELETED = 8
    OTHERDELETED = 9


@dataclass(frozen=True)
class Namespace:
    """One user's (or an admin's) view of the names. Make it with ``from_config``."""

    rules: NameRules
    separator: str = "/"
    alt: bool = False
    admin: bool = False
    userprefix: str = "Other Users"
    sharedprefix: str = "Shared Folders"
    altprefix: str = "Alt Folders"
    crossdomains: bool = False
    crossdomains_onlyother: bool = False
    user_accessible: bool = True
    shared_accessible: bool = True
    _domains: dict[str | None, str | None] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def from_config(cls, config: Config, *, admin: bool = False) -> Namespace:
        """Raises NamespaceBadPrefix when the options' prefixes cannot be told apart."""
        space = cls(
            rules=NameRules.from_config(config),
            separator="/" if config[opt.unixhierarchysep] else ".",
            alt=config[opt.altnamespace] and not admin,
            admin=admin,
            userprefix=config[opt.userprefix] or "",
            sharedprefix=config[opt.sharedprefix] or "",
            altprefix=config[opt.altprefix] or "",
            crossdomains=config[opt.crossdomains] and not admin,
            crossdomains_onlyother=config[opt.crossdomains_onlyother],
            user_accessible=not config[opt.disable_user_namespace],
            shared_accessible=not config[opt.disable_shared_namespace],
        )
        if space.alt:
            space._check_prefixes()
        return space

    def _check_prefixes(self) -> None:
        for prefix in (self.userprefix, self.sharedprefix):
            if not 0 < len(prefix) < MAX_NAMESPACE_PREFIX or self.separator in prefix:
                raise NamespaceBadPrefix
        if f"{self.userprefix}{self.separator}".startswith(self.sharedprefix):
            raise NamespaceBadPrefix

    @property
    def prefixes(self) -> tuple[str, str, str]:
        """What NAMESPACE answers: the personal, other users' and shared prefixes with their separator."""
        if self.alt:
            return "", self.userprefix + self.separator, self.sharedprefix + self.separator
        return "INBOX" + self.separator, "user" + self.separator, ""

    def category(self, name: MboxName, userid: str | None) -> Category:
        if name.localpart is None:
            return Category.SHARED
        mine = name.userid == userid
        if name.deleted:
            return Category.OWNERDELETED if mine else Category.OTHERDELETED
        if not mine:
            return Category.OTHERUSER
        if not name.boxes:
            return Category.INBOX
        if self.alt:
            top = name.boxes[0]
            if top == "INBOX":
                return Category.ALTINBOX if len(name.boxes) == 1 else Category.INBOXSUB
            if top.upper() == "INBOX" or top in (self.userprefix, self.sharedprefix, self.altprefix):
                return Category.ALTPREFIX
        return Category.OWNER

    # internal -> external

    def to_external(self, name: MboxName | str, userid: str | None) -> str | None:
        """What ``userid`` calls a mailbox; None where this view has no name for it."""
        if isinstance(name, str):
            name = self.rules.from_internal(name)
        parts = self._alt_parts(name, userid) if self.alt else self._standard_parts(name, userid)
        if parts is None:
            return None
        if self.separator == ".":
            parts = [part.replace(".", "^") for part in parts]
        external = self.separator.join(parts)
        if self.rules.virtdomains and self.admin and name.domain is not None:
            external += "@" + name.domain
        return external

    def _alt_parts(self, name: MboxName, userid: str | None) -> list[str] | None:
        boxes = list(name.boxes)
        if name.deleted:
            return None
        if name.localpart is None:
            if not boxes:
                return None
            if boxes == ["user"]:
                return [self.userprefix]
            boxes[0] = self._with_domain(boxes[0], name, userid)
            return [self.sharedprefix, *boxes]
        if name.userid != userid:
            return [self.userprefix, self._with_domain(name.localpart, name, userid), *boxes]
        if not boxes:
            return ["INBOX"]
        top = boxes[0]
        if top.upper() == "INBOX":
            hidden = len(boxes) == 1 or top != "INBOX"
        else:
            hidden = top in (self.userprefix, self.sharedprefix, self.altprefix)
        return [self.altprefix, *boxes] if hidden else boxes

    def _standard_parts(self, name: MboxName, userid: str | None) -> list[str] | None:
        boxes = list(name.boxes)
        prefix = [self.rules.deletedprefix] if name.deleted else []
        suffix = [f"{name.deleted & 0xFFFFFFFF:X}"] if name.deleted else []
        foreign = not (self.rules.virtdomains and self.admin) and name.domain != self._domain_of(userid)
        if name.localpart is None:
            if not boxes or boxes[0].upper() == "INBOX" or foreign:
                return None
            return [*prefix, *boxes, *suffix]
        if name.deleted or name.userid != userid:
            if foreign and not self.crossdomains:
                return None
            return [*prefix, "user", self._with_domain(name.localpart, name, userid), *boxes, *suffix]
        return ["INBOX", *boxes]

    def _with_domain(self, part: str, name: MboxName, userid: str | None) -> str:
        if not self.crossdomains:
            return part
        if self.crossdomains_onlyother and name.domain == self._domain_of(userid):
            return part
        return f"{part}@{name.domain if name.domain is not None else self.rules.defaultdomain}"

    def _domain_of(self, userid: str | None) -> str | None:
        if userid not in self._domains:
            if len(self._domains) > _KNOWN_USERS:
                self._domains.clear()
            self._domains[userid] = self.rules.from_userid(userid).domain
        return self._domains[userid]

    # external -> internal

    def from_external(self, external: str, userid: str | None) -> MboxName | None:
        """The mailbox a user means; None where a ``/``, ``^`` or NUL stands that no name may have.

        Names starting with a backslash (special uses) are not handled here; see records.mboxlist.
        """
        if "\0" in external:
            return None
        user = self.rules.from_userid(userid)
        domain: str | None = None
        if self.rules.virtdomains and self.admin:
            path, mark, given = external.rpartition("@")
            if mark:
                external = path
                domain = self.rules.domain(given)
            else:
                domain = user.domain
        elif not self.crossdomains:
            domain = user.domain

        boxes = split(external, self.separator)
        if self.separator == "/":
            if "^" in external:
                return None
        else:
            if "/" in external:
                return None
            boxes = [box.replace("^", ".") for box in boxes]
        if not boxes:
            return MboxName(self.rules, domain=domain)
        if self.alt:
            return self._from_alt(boxes, user, domain)
        return self._from_standard(boxes, user, domain)

    def internal(self, external: str, userid: str | None) -> str | None:
        """from_external() as an internal name; None for what cannot be one or is empty."""
        name = self.from_external(external, userid)
        return (name.internal or None) if name is not None else None

    def _from_alt(self, boxes: list[str], user: MboxName, domain: str | None) -> MboxName:
        top = boxes[0]
        own_domain = user.domain if self.crossdomains else domain
        if top == self.altprefix:
            return MboxName(self.rules, user.localpart, own_domain, tuple(boxes[1:]))
        if top == self.userprefix:
            return self._from_user(boxes[1:], user, domain)
        if top == self.sharedprefix:
            boxes = boxes[1:]
            if self.crossdomains:
                if boxes and "@" in boxes[0]:
                    boxes[0], _, given = boxes[0].rpartition("@")
                    domain = self.rules.domain(given)
                elif self.crossdomains_onlyother:
                    domain = user.domain
            return MboxName(self.rules, None, domain, tuple(boxes))
        if top.upper() == "INBOX":
            boxes = [] if len(boxes) == 1 else ["INBOX", *boxes[1:]]
        return MboxName(self.rules, user.localpart, own_domain, tuple(boxes))

    def _from_standard(self, boxes: list[str], user: MboxName, domain: str | None) -> MboxName:
        if boxes[0].upper() == "INBOX":
            own_domain = user.domain if self.crossdomains else domain
            return MboxName(self.rules, user.localpart, own_domain, tuple(boxes[1:]))
        deleted = 0
        if self.admin and boxes[0] == self.rules.deletedprefix:
            boxes = boxes[1:]
            if not boxes:
                return MboxName(self.rules, domain=domain)
            deleted = hex_prefix(boxes[-1])
            boxes = boxes[:-1]
            if not boxes:
                return MboxName(self.rules, domain=domain, deleted=deleted)
        if boxes[0] == "user":
            return self._from_user(boxes[1:], user, domain, deleted)
        if (self.rules.virtdomains and not self.admin) or self.crossdomains:
            domain = user.domain
        return MboxName(self.rules, None, domain, tuple(boxes), deleted)

    def _from_user(self, boxes: list[str], user: MboxName, domain: str | None, deleted: int = 0) -> MboxName:
        if not boxes:
            return MboxName(self.rules, None, domain, (), deleted)
        localpart = boxes[0]
        if self.crossdomains:
            if "@" in localpart:
                localpart, _, given = localpart.rpartition("@")
                domain = self.rules.domain(given)
            elif self.crossdomains_onlyother:
                domain = user.domain
        return MboxName(self.rules, localpart, domain, tuple(boxes[1:]), deleted)

    # recipients (LMTP addresses)

    def from_recipient(self, address: str) -> MboxName:
        """The mailbox an address ``user+detail@domain`` names. ``detail`` is already modified UTF-7.

        An address without a local part before the plus has an empty ``localpart``.
        """
        localpart, mark, given = address.rpartition("@")
        domain = None
        if not mark:
            localpart = address
        elif self.rules.virtdomains:
            domain = self.rules.domain(given)
        localpart, _, detail = localpart.partition("+")
        return MboxName(self.rules, localpart, domain, tuple(split(detail, self.separator)))
