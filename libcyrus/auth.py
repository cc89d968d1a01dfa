"""Who a user is when rights are looked up: a userid and the groups it belongs to.

This is the ``unix`` mechanism of ``auth_mech``: groups come from the system's group database, and only
when ``unix_group_enable`` is on. The identifier ``anyone`` fits everybody, ``group:NAME`` the members
of NAME, everything else the user of exactly that name.
"""

from __future__ import annotations

import grp
import os
import pwd
from collections.abc import Callable

from libcyrus import options as opt
from libcyrus.base.dataclasses import dataclass, field
from libcyrus.config import Config
from libcyrus.errors import Fatal

ANONYMOUS = "anonymous"
MAX_IDENTIFIER = 80

# Not allowed: controls, DEL and 8-bit, and what is magic in mutf7 (&), LIST patterns (% *), paths (/),
# passwd files (:) or shells (?).
_FORBIDDEN = frozenset(map(chr, (*range(0x20), *range(0x7F, 0x100)))) | frozenset("%&*/:?")

# What AuthState.member_of answers, the original's numbers.
NOT_MEMBER, EVERYBODY, IN_GROUP, IS_USER = range(4)


@dataclass(slots=True, unsafe_hash=True)
class AuthState:
    """A canonical userid, and its groups as ``lookup`` finds them when an identifier first asks for one.

    Few ACLs name groups, and looking them up costs more than the rest of a login.
    """

    userid: str
    lookup: Callable[[str], tuple[str, ...]] | None = field(default=None, compare=False)
    _groups: tuple[str, ...] | None = field(default=None, compare=False, repr=False)

    @property
    def groups(self) -> tuple[str, ...]:
        """The names of the user's groups, without ``group:``."""
        if self._groups is None:
            self._groups = self.lookup(self.userid) if self.lookup is not None else ()
        return self._groups

    def member_of(self, identifier: str) -> int:
        """How ``identifier`` of an ACL or an admins list fits: 0 not, 1 anyone, 2 by a group, 3 by name."""
        if identifier == "anyone":
            return EVERYBODY
        if identifier == self.userid:
            return IS_USER
        if identifier.startswith("group:") and identifier[6:] in self.groups:
            return IN_GROUP
        return NOT_MEMBER

    def is_a(self, identifiers: str | None) -> bool:
        """Whether any of the white-space separated ``identifiers`` (``admins``, ``proxyservers``) fits."""
        return any(self.member_of(identifier) for identifier in (identifiers or "").split())


ANONYMOUS_STATE = AuthState(ANONYMOUS)


def canonify_id(identifier: str, *, tolower: bool) -> str | None:
    """The canonical form of a userid or ACL identifier, or None when it is not a legal one.

    ``group:NAME`` is legal when the system knows the group. ``tolower`` is option ``username_tolower``.
    """
    if len(os.fsencode(identifier)) > MAX_IDENTIFIER or "\0" in identifier:
        return None
    if identifier.startswith("group:"):
        try:
            return "group:" + grp.getgrnam(identifier[6:]).gr_name
        except KeyError:
            return None
    if tolower:
        identifier = "".join(c.lower() if "A" <= c <= "Z" else c for c in identifier)
    if any(c in _FORBIDDEN or ord(c) > 0xFF for c in identifier):
        return None
    return identifier


def new_state(config: Config, userid: str) -> AuthState | None:
    """The state of a user who logged in as ``userid``; None if that is not a legal userid."""
    mechanism = config[opt.auth_mech]
    if mechanism != "unix":
        raise Fatal(f"auth_mech {mechanism} is not supported", os.EX_CONFIG)
    canonical = canonify_id(userid, tolower=config[opt.username_tolower])
    if canonical is None or canonical.startswith("group:"):
        return None
    if not config[opt.unix_group_enable]:
        return AuthState(canonical)
    return AuthState(canonical, _unix_groups)


def _unix_groups(userid: str) -> tuple[str, ...]:
    try:
        own = pwd.getpwnam(userid).pw_gid
    except KeyError:
        # a user without an account may still be listed in the group file
        return tuple(group.gr_name for group in grp.getgrall() if userid in group.gr_mem)
    names = []
    for gid in os.getgrouplist(userid, own):
        try:
            names.append(grp.getgrgid(gid).gr_name)
        except KeyError:
            continue
    return tuple(names)
