"""The mailboxes that a user's LIST or LSUB patterns find, in the original's order.

Names come by category: the INBOX, the user's own mailboxes, other users', shared ones, and (if they may be
seen) deleted ones; within a category in key order. A pattern that covers only the upper levels of a name
finds that part of it, as often as there are names below. None marks the end of each part of the walk, so that
the listing can close its books.

Other users' mailboxes are not read one by one at each LIST. What the ACLs there give to anybody but the owner
is found in one pass over the database, and kept until the database changes (see ``ForeignNames``); with
``reverseacls`` the database itself has that index.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator

from libcyrus import acl
from libcyrus.auth import AuthState
from libcyrus.base import files
from libcyrus.base.dataclasses import dataclass
from libcyrus.base.glob import Glob
from libcyrus.cyrusdb import Database
from libcyrus.errors import MailboxBadFormat, MailboxBadName
from libcyrus.mboxname import (
    DOMAIN_SEPARATOR,
    HIERARCHY_SEPARATOR,
    MAX_MAILBOX_NAME,
    Category,
    MboxName,
    Namespace,
)

from . import mbtype as mbtypes
from .mbentry import MboxEntry, unpack
from .mboxlist import Mboxlist
from .subscriptions import Subscriptions

_MAX_PARSED = 10000


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who looks at the list, and through which namespace."""

    namespace: Namespace
    userid: str | None
    auth: AuthState | None
    admin: bool = False
    allow_deleted: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """A name that a pattern covers. ``exact``: all of the name, not just a level above it."""

    extname: str
    category: Category
    name: MboxName
    entry: MboxEntry | None
    exact: bool


Record = tuple[bytes, bytes]


class ForeignNames:
    """Mailboxes that somebody other than their owner may be able to see; one object a process.

    The answer is kept for one state of the file (see ``files.settled_state``).

    ``names`` and ``parsed`` remember what database names and records mean, which never changes.
    """

    def __init__(self) -> None:
        self.names: dict[str, MboxName] = {}
        self.parsed: dict[Record, MboxEntry] = {}
        self._state: tuple[int, int, int] | None = None
        self._keys: list[bytes] = []

    def keys(self, mailboxes: Mboxlist) -> list[bytes]:
        """Keys of N records of users' mailboxes, in order."""
        try:
            state = files.settled_state(mailboxes.path)
        except OSError:
            state = None
        if state is None or state != self._state:
            self._keys = self._scan(mailboxes)
            self._state = state
        return self._keys

    def _scan(self, mailboxes: Mboxlist) -> list[bytes]:
        keys = []
        for key, data in mailboxes.db.foreach(b"N"):
            domain, _, path = key[1:].rpartition(b"\x1d")
            if path[:5] == b"user\x1f" and _others_have_rights(domain, path, data):
                keys.append(key)
        return keys


def _others_have_rights(domain: bytes, path: bytes, data: bytes) -> bool:
    """A cheap test that may say yes too often: whether the ACL names anybody but the owner."""
    rights = data.partition(b" A %(")[2].rstrip(b")")
    owner = path[5:].partition(b"\x1f")[0]
    if domain:
        owner += b"@" + domain
    return bool(rights) and (not rights.startswith(owner + b" ") or rights.count(b" ") > 1)


class Finder:
    """Walks mailboxes.db, or a user's subscriptions, for patterns."""

    def __init__(self, mailboxes: Mboxlist, viewer: Viewer, foreign: ForeignNames | None = None) -> None:
        self._mailboxes = mailboxes
        self._rules = mailboxes.rules
        self._viewer = viewer
        self._foreign = foreign or ForeignNames()
        self._globs: list[Glob] = []
        self._collapse = False
        self._subscribed_only = False
        self._db: Database = mailboxes.db
        self._to_key: Callable[[str], bytes] = _name_key
        self._to_dbname: Callable[[bytes], str] = _name_of_key

    def find(self, patterns: list[str]) -> Iterator[Found | None]:
        """What exists and may be seen. Patterns are external names with wildcards."""
        self._subscribed_only = False
        self._db, self._to_key, self._to_dbname = self._mailboxes.db, _name_key, _name_of_key
        return self._walk(patterns)

    def find_subscribed(self, patterns: list[str], subscriptions: Subscriptions) -> Iterator[Found | None]:
        """What is subscribed, whether or not it exists; entries are None."""
        userid = self._viewer.userid
        db = subscriptions.open(userid) if userid is not None else None
        if db is None or userid is None:
            return
        owner = userid
        self._subscribed_only = True
        self._to_key = lambda dbname: subscriptions.key(owner, dbname)
        self._to_dbname = lambda key: subscriptions.dbname(owner, key)
        with db:
            self._db = db
            yield from self._walk(patterns)

    def _walk(self, patterns: list[str]) -> Iterator[Found | None]:
        if not patterns:
            return
        viewer = self._viewer
        space = viewer.namespace
        self._globs = [Glob(pattern, space.separator) for pattern in patterns]
        common = _common_prefix(patterns)
        rest = patterns[0][len(common) :]
        self._collapse = len(patterns) == 1 and rest in ("%", "*%")
        if space.separator == ".":
            common = common.replace(".", HIERARCHY_SEPARATOR).replace("^", ".")
        else:
            common = common.replace(space.separator, HIERARCHY_SEPARATOR)

        inbox = self._inbox_dbname()
        if inbox is not None and not viewer.admin:
            yield from self._personal(inbox)
        domain = self._domain_prefix()
        if viewer.admin or space.user_accessible:
            prefix = space.prefixes[1][:-1]
            if _may_meet(prefix, common):
                yield None
                beyond = common[len(prefix) + 1 :]
                yield from self._other_users(domain, beyond)
        if viewer.admin or space.shared_accessible:
            prefix = space.prefixes[2][:-1]
            if _may_meet(prefix, common):
                yield None
                yield from self._shared(domain)
        deleted = self._rules.deletedprefix + HIERARCHY_SEPARATOR
        if not viewer.admin and viewer.allow_deleted and inbox is not None:
            yield None
            path = inbox.rpartition(DOMAIN_SEPARATOR)[2]
            yield from self._range(Category.OWNERDELETED, f"{domain}{deleted}{path}{HIERARCHY_SEPARATOR}")
        if viewer.admin or (viewer.allow_deleted and space.shared_accessible):
            yield None
            # the admin of a domain sees what is deleted there only
            prefix = domain + deleted if domain or not self._all_domains() else ""
            yield from self._everything(Category.OTHERDELETED, prefix)
        yield None

    # the parts of the walk

    def _personal(self, inbox: str) -> Iterator[Found | None]:
        below = inbox + HIERARCHY_SEPARATOR
        yield from self._one(Category.INBOX, inbox)
        if not self._viewer.namespace.alt:
            yield from self._range(Category.OWNER, below)
            return
        # the same records in four portions; they are read once
        records = list(self._db.foreach(self._to_key(below)))
        place = self._to_key(below + "INBOX")
        under = place + HIERARCHY_SEPARATOR.encode()
        yield from self._matches(Category.INBOXSUB, [one for one in records if one[0].startswith(under)])
        yield None
        yield from self._matches(Category.OWNER, records)
        yield None
        yield from self._matches(Category.ALTINBOX, [one for one in records if one[0] == place])
        yield from self._matches(Category.ALTPREFIX, records)

    def _other_users(self, domain: str, beyond: str) -> Iterator[Found]:
        viewer = self._viewer
        if self._all_domains():
            prefix = ""
        else:
            prefix = f"{domain}user{HIERARCHY_SEPARATOR}{beyond}"
        if self._subscribed_only or viewer.admin:
            yield from self._range(Category.OTHERUSER, prefix)
        elif self._mailboxes.has_racl:
            yield from self._by_racl(Category.OTHERUSER, prefix)
        else:
            start = self._to_key(prefix)
            keys = self._foreign.keys(self._mailboxes)
            yield from self._matches(
                Category.OTHERUSER, self._fetch(key for key in keys if key.startswith(start))
            )

    def _shared(self, domain: str) -> Iterator[Found]:
        if self._subscribed_only or self._all_domains():
            yield from self._range(Category.SHARED, domain)
        elif self._mailboxes.has_racl and not self._viewer.admin:
            yield from self._by_racl(Category.SHARED, domain)
        else:
            yield from self._matches(Category.SHARED, self._shared_records(domain))

    def _shared_records(self, domain: str) -> Iterator[Record]:
        """N records that are nobody's, stepping over the trees of users instead of through them."""
        start = self._to_key(domain)
        skipped = [start + b"user\x1f"]
        if not self._viewer.admin and not self._viewer.allow_deleted:
            skipped.append(start + _name_key(self._rules.deletedprefix)[1:] + b"\x1f")
        # a byte that no name has, and that comes after all others: which one depends on the backend
        behind = max(b"\xff", b"\x7f", key=self._db.compare_key)
        key = start
        while (record := self._db.fetchnext(key)) is not None and record[0].startswith(start):
            key = record[0]
            tree = next((prefix for prefix in skipped if key.startswith(prefix)), None)
            initial = key[: len(start) + 1]
            if tree is not None:
                key = max(key, tree + behind, key=self._db.compare_key)
            elif any(prefix.startswith(initial) for prefix in skipped):
                yield record
            else:
                # no tree to step over: these may be read many at a time
                yield from self._db.foreach(initial)
                key = initial + behind

    def _everything(self, category: Category, prefix: str) -> Iterator[Found]:
        if not self._subscribed_only and not self._viewer.admin and self._mailboxes.has_racl:
            return self._by_racl(category, prefix)
        return self._range(category, prefix)

    def _all_domains(self) -> bool:
        """Whether names of other domains than the viewer's may be found: then no prefix narrows the walk."""
        return self._viewer.namespace.crossdomains or (self._viewer.admin and self._rules.virtdomains)

    def _by_racl(self, category: Category, prefix: str) -> Iterator[Found]:
        auth = self._viewer.auth
        if auth is None:
            return
        names = self._mailboxes.shared_with(auth, users=category is Category.OTHERUSER)
        yield from self._matches(
            category, self._fetch(_name_key(name) for name in names if name.startswith(prefix))
        )

    def _one(self, category: Category, dbname: str) -> Iterator[Found]:
        return self._matches(category, self._fetch([self._to_key(dbname)]))

    def _range(self, category: Category, prefix: str) -> Iterator[Found]:
        return self._matches(category, self._db.foreach(self._to_key(prefix)))

    def _fetch(self, keys: Iterable[bytes]) -> Iterator[Record]:
        for key in keys:
            data = self._db.fetch(key)
            if data is not None:
                yield key, data

    # one record

    def _matches(self, category: Category, records: Iterable[Record]) -> Iterator[Found]:
        viewer = self._viewer
        space = viewer.namespace
        domain = None if viewer.userid is None else self._user_domain()
        same_domain_only = not viewer.admin and not space.crossdomains
        names = self._foreign.names
        if len(names) > _MAX_PARSED:
            names.clear()
        for key, data in records:
            if key[:1] != b"N":
                continue
            dbname = self._to_dbname(key)
            name = names.get(dbname)
            if name is None:
                name = names[dbname] = self._rules.from_db(dbname)
            if same_domain_only and name.domain != domain:
                continue
            if space.category(name, viewer.userid) is not category:
                continue
            extname = space.to_external(name, viewer.userid)
            if extname is None:
                continue
            covered = max(glob.test(extname) for glob in self._globs)
            if covered <= 0:
                continue
            entry = None
            if not self._subscribed_only:
                entry = self._visible(name, (key, data))
                if entry is None:
                    continue
            yield from self._levels(Found(extname, category, name, entry, covered == len(extname)), covered)

    def _visible(self, name: MboxName, record: Record) -> MboxEntry | None:
        parsed = self._foreign.parsed
        known = parsed.get(record)
        if known is None:
            try:
                known = unpack(name.internal, record[1], self._rules)
            except MailboxBadFormat:
                return None
            if len(parsed) > _MAX_PARSED:
                parsed.clear()
            parsed[record] = known
        entry = known
        viewer = self._viewer
        if entry.mbtype & mbtypes.DELETED:
            return None
        if entry.mbtype & mbtypes.INTERMEDIATE:
            return entry if viewer.admin or name.userid == viewer.userid else None
        if viewer.admin or self._mailboxes.acl.myrights(viewer.auth, entry.acl) & acl.LOOKUP:
            return entry
        return None

    def _levels(self, found: Found, covered: int) -> Iterator[Found]:
        """``found`` cut to what the pattern covers; ``x%`` also finds the levels above, which it covers
        whole.
        """
        part = found.extname[:covered]
        if self._collapse:
            separator = self._viewer.namespace.separator
            at = part.find(separator)
            while at >= 0:
                upper = part[:at]
                if max(glob.test(upper) for glob in self._globs) == at:
                    yield Found(upper, found.category, found.name, found.entry, False)
                at = part.find(separator, at + 1)
        yield Found(part, found.category, found.name, found.entry, found.exact)

    # the viewer

    def _user_domain(self) -> str | None:
        userid = self._viewer.userid or ""
        return userid.partition("@")[2] or None

    def _domain_prefix(self) -> str:
        domain = self._user_domain()
        return domain + DOMAIN_SEPARATOR if domain is not None and self._rules.virtdomains else ""

    def _inbox_dbname(self) -> str | None:
        """The user's INBOX; None for a userid that cannot have one."""
        userid = self._viewer.userid
        if not userid:
            return None
        localpart = userid.partition("@")[0] if self._rules.virtdomains else userid
        if self._viewer.namespace.separator in localpart:
            return None
        return f"{self._domain_prefix()}user{HIERARCHY_SEPARATOR}{localpart}"


def _common_prefix(patterns: list[str]) -> str:
    """What all patterns begin with before any wildcard. Raises MailboxBadName if that is no name's length."""
    common = os.path.commonprefix(patterns)
    for at, character in enumerate(common):
        if character in "*%?":
            common = common[:at]
            break
    if len(common) > MAX_MAILBOX_NAME:
        raise MailboxBadName
    return common


def _may_meet(prefix: str, common: str) -> bool:
    """Whether names below ``prefix`` can begin with ``common``."""
    length = min(len(prefix), len(common))
    return prefix[:length] == common[:length]


def _name_key(dbname: str) -> bytes:
    return b"N" + dbname.encode("utf-8", "surrogateescape")


def _name_of_key(key: bytes) -> str:
    return key[1:].decode("utf-8", "surrogateescape")
