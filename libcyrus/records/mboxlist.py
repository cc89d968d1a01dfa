"""mailboxes.db: which mailboxes there are, where, and who may do what in them.

Beside the two records of each mailbox (see ``mbentry``) there may be reverse ACL keys without value,
``AU<1E>identifier<1E>dbname`` for users' mailboxes and ``AS<1E>...`` for shared ones; the bare key
``AS<1E>`` says that they are kept. Whoever changes the list holds the namespace lock of the owners of the
names concerned (see ``mailbox.namelock``): that is what makes reading before writing safe. All records of
one change are written in one transaction.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from libcyrus import cyrusdb
from libcyrus import options as opt
from libcyrus.acl import AclRules
from libcyrus.acl import entries as acl_entries
from libcyrus.auth import AuthState
from libcyrus.base.dataclasses import replace
from libcyrus.base.xlog import NOTICE, xsyslog
from libcyrus.config import Config
from libcyrus.cyrusdb import Database, Transaction
from libcyrus.errors import CyrusError, Fatal, MailboxBadFormat, MailboxNonexistent, MailboxReserved
from libcyrus.mboxname import DOMAIN_SEPARATOR, HIERARCHY_SEPARATOR, MboxName, NameRules

from . import mbtype as mbtypes
from .mbentry import FormerName, MboxEntry, pack_id, pack_name, unpack

log = logging.getLogger(__name__)

FILENAME = "mailboxes.db"
_RECORD_SEPARATOR = "\x1e"
_HAS_RACL = b"AS\x1e"
_MOST_SEEN = 256


class Mboxlist:
    """The open list. Reads see every committed change of other processes."""

    def __init__(self, config: Config, path: str | None = None) -> None:
        """Open the database, created when missing. Raises Fatal (EX_TEMPFAIL) when it cannot be opened."""
        self.config = config
        self.rules = NameRules.from_config(config)
        self.acl = AclRules.from_config(config)
        self.path = path or config[opt.mboxlist_db_path] or f"{config.directory}/{FILENAME}"
        self._auditlog = config[opt.auditlog]
        self._admins = frozenset((config[opt.admins] or "").split())
        self.sessionid = ""
        # names looked up lately: key, value and what that says, as long as the database gives out this value
        self._seen: dict[str, tuple[bytes, bytes, MboxEntry]] = {}
        try:
            self.db: Database = cyrusdb.open_db(
                config[opt.mboxlist_db],
                self.path,
                create=True,
                settings=cyrusdb.Settings.from_config(config),
            )
        except CyrusError as error:
            xsyslog(log, logging.ERROR, "DBERROR: error opening mailboxes list", fname=self.path,
                    reason=str(error))  # fmt: skip
            raise Fatal("can't read mailboxes file", os.EX_TEMPFAIL) from error
        self.has_racl = self.db.fetch(_HAS_RACL) is not None

    def close(self) -> None:
        self.db.close()

    # one mailbox

    def lookup(self, name: str) -> MboxEntry:
        """The mailbox ``name`` (internal).

        Raises MailboxNonexistent (also for tombstones and intermediates) or MailboxReserved.
        """
        entry = self.lookup_all(name)
        if entry.mbtype & mbtypes.RESERVE:
            raise MailboxReserved
        if entry.mbtype & (mbtypes.DELETED | mbtypes.INTERMEDIATE):
            raise MailboxNonexistent
        return entry

    def lookup_all(self, name: str) -> MboxEntry:
        """Whatever is recorded under ``name``, tombstones and places in the tree included."""
        seen = self._seen.get(name)
        key = b"N" + _bytes(self.rules.from_internal(name).dbname) if seen is None else seen[0]
        data = self.db.fetch(key) if len(key) > 1 else None
        if data is None:
            raise MailboxNonexistent
        if seen is not None and seen[1] is data:
            return seen[2]
        entry = unpack(self.rules.from_db(_str(key[1:])).internal, data, self.rules)
        if len(self._seen) >= _MOST_SEEN:
            self._seen.clear()
        self._seen[name] = (key, data, entry)
        return entry

    def get(self, name: str) -> MboxEntry | None:
        """lookup(), with None for a mailbox that does not exist."""
        try:
            return self.lookup(name)
        except MailboxNonexistent:
            return None

    def get_all(self, name: str) -> MboxEntry | None:
        """lookup_all(), with None for a name that nothing is known of."""
        try:
            return self.lookup_all(name)
        except MailboxNonexistent:
            return None

    def lookup_uniqueid(self, uniqueid: str) -> MboxEntry:
        """The I record: the mailbox of that id under its present name, with its former names."""
        return self._fetch_id(self.db, uniqueid)

    def name_of_uniqueid(self, uniqueid: str) -> str | None:
        """The present name of a mailbox that is not deleted."""
        try:
            entry = self.lookup_uniqueid(uniqueid)
        except (MailboxNonexistent, MailboxReserved, MailboxBadFormat):
            return None
        return None if entry.deleted else entry.name

    def inbox(self, userid: str) -> MboxEntry:
        """The INBOX of a user. Raises MailboxNonexistent."""
        return self.lookup(self.rules.inbox(userid))

    def parent(self, name: str, *, allow_all: bool = False) -> MboxEntry | None:
        """The nearest mailbox above ``name``; with ``allow_all`` a tombstone or intermediate will do."""
        above = self.rules.from_internal(name).parent()
        while above is not None:
            entry = self.get_all(above.internal) if allow_all else self.get(above.internal)
            if entry is not None:
                return entry
            above = above.parent()
        return None

    def has_children(self, name: str) -> bool:
        """Whether a mailbox that exists is below ``name``."""
        return next(self.tree(name, root=False), None) is not None

    def _fetch(self, records: Database | Transaction, dbname: str) -> MboxEntry:
        if not dbname:
            raise MailboxNonexistent
        data = records.fetch(b"N" + _bytes(dbname))
        if data is None:
            raise MailboxNonexistent
        return unpack(self.rules.from_db(dbname).internal, data, self.rules)

    def _fetch_id(
        self, records: Database | Transaction, uniqueid: str | None, *, reserved: bool = False
    ) -> MboxEntry:
        data = records.fetch(b"I" + _bytes(uniqueid)) if uniqueid else None
        if data is None or not uniqueid:
            raise MailboxNonexistent
        entry = unpack(None, data, self.rules)
        if entry.mbtype & mbtypes.RESERVE and not reserved:
            raise MailboxReserved
        return replace(entry, uniqueid=uniqueid)

    # many mailboxes

    def tree(
        self,
        name: str,
        *,
        root: bool = True,
        children: bool = True,
        deleted: bool = False,
        tombstones: bool = False,
        intermediates: bool = False,
    ) -> Iterator[MboxEntry]:
        """``name`` and what is below it, in key order; ``deleted`` adds what delayed deletes left of them."""
        parsed = self.rules.from_internal(name)
        dbname = parsed.dbname
        wanted = _Wanted(tombstones, intermediates)
        if root:
            data = self.db.fetch(b"N" + _bytes(dbname)) if dbname else None
            if data is not None:
                yield from self._entries([(b"N" + _bytes(dbname), data)], wanted)
        if children:
            yield from self._below(dbname + HIERARCHY_SEPARATOR, wanted)
        if deleted:
            yield from self._below(self._deleted_prefix(dbname), wanted)

    def user_tree(
        self,
        userid: str,
        *,
        root: bool = True,
        deleted: bool = False,
        tombstones: bool = False,
        intermediates: bool = False,
    ) -> Iterator[MboxEntry]:
        """tree() of a user's INBOX."""
        return self.tree(self.rules.inbox(userid), root=root, deleted=deleted, tombstones=tombstones,
                         intermediates=intermediates)  # fmt: skip

    def all(
        self, prefix: str = "", *, tombstones: bool = False, intermediates: bool = False
    ) -> Iterator[MboxEntry]:
        """Every mailbox whose name begins with the internal ``prefix`` (which may end inside a part)."""
        # not by way of the parts, since the last one need not be whole
        domain, mark, path = prefix.rpartition("!")
        path = path.replace(".", HIERARCHY_SEPARATOR).replace("^", ".")
        if mark and self.rules.domain(domain) is not None:
            path = domain + DOMAIN_SEPARATOR + path
        return self._below(path, _Wanted(tombstones, intermediates))

    def shared_with(self, auth: AuthState, *, users: bool) -> list[str]:
        """Database names of mailboxes (users' or shared) that reverse ACL keys give to ``auth``, sorted."""
        found: set[str] = set()
        for identifier in (auth.userid, *(f"group:{group}" for group in auth.groups), "anyone"):
            prefix = _bytes(_racl_key(users, identifier, ""))
            found.update(_str(key[len(prefix) :]) for key, _ in self.db.foreach(prefix))
        return sorted(found, key=_bytes)

    def _deleted_prefix(self, dbname: str) -> str:
        domain, mark, path = dbname.rpartition(DOMAIN_SEPARATOR)
        return f"{domain}{mark}{self.rules.deletedprefix}{HIERARCHY_SEPARATOR}{path}{HIERARCHY_SEPARATOR}"

    def _below(self, prefix: str, wanted: _Wanted) -> Iterator[MboxEntry]:
        return self._entries(self.db.foreach(b"N" + _bytes(prefix)), wanted)

    def _entries(
        self, records: Iterator[tuple[bytes, bytes]] | list[tuple[bytes, bytes]], wanted: _Wanted
    ) -> Iterator[MboxEntry]:
        for key, data in records:
            entry = self.entry_of_record(key, data)
            if entry is not None and not entry.mbtype & wanted.unwanted:
                yield entry

    def entry_of_record(self, key: bytes, data: bytes) -> MboxEntry | None:
        """What an N record says; None if it makes no sense."""
        try:
            return unpack(self.rules.from_db(_str(key[1:])).internal, data, self.rules)
        except MailboxBadFormat:
            return None

    # changes

    def update(self, entry: MboxEntry) -> None:
        """Write the records of ``entry`` under its name. See the module for the lock to hold."""
        with self.transaction() as change:
            change.update(entry)

    def delete(self, name: str) -> None:
        """Forget ``name`` without a tombstone."""
        with self.transaction() as change:
            change.delete(name)

    @contextmanager
    def transaction(self) -> Iterator[Change]:
        """Several changes at once: all of them happen at the end of the block, or none."""
        with self.db.transaction() as txn:
            change = Change(self, txn)
            yield change
        for line in change.audit:
            log.log(NOTICE, "%s", line)

    def set_racl(self, enabled: bool) -> None:
        """Begin or stop to keep reverse ACL keys (option ``reverseacls``)."""
        if enabled == self.has_racl:
            return
        log.log(NOTICE, "adding reverse acl support" if enabled else "removing reverse acl support")
        with self.db.transaction() as txn:
            if enabled:
                change = Change(self, txn)
                for entry in list(self.all()):
                    change.update_racl(self.rules.from_internal(entry.name), None, entry)
                txn.store(_HAS_RACL, b"")
            else:
                for prefix in (_HAS_RACL, b"AU\x1e"):
                    for key, _ in list(txn.foreach(prefix)):
                        txn.delete(key)
        self.has_racl = enabled


class _Wanted:
    __slots__ = ("unwanted",)

    def __init__(self, tombstones: bool, intermediates: bool) -> None:
        self.unwanted = 0 if tombstones else mbtypes.DELETED
        self.unwanted |= 0 if intermediates else mbtypes.INTERMEDIATE


class Change:
    """An open transaction on the list; made by ``Mboxlist.transaction``."""

    def __init__(self, mailboxes: Mboxlist, txn: Transaction) -> None:
        self._mailboxes = mailboxes
        self._rules = mailboxes.rules
        self._txn = txn
        self.audit: list[str] = []

    def lookup_all(self, name: str) -> MboxEntry | None:
        """What this transaction knows under ``name``."""
        try:
            return self._mailboxes._fetch(self._txn, self._rules.from_internal(name).dbname)
        except MailboxNonexistent:
            return None

    def clear(self) -> None:
        """Begin from nothing: for whoever writes the whole list anew."""
        cyrusdb.truncate(self._txn)

    def update(self, entry: MboxEntry) -> None:
        """Write the N and I record of ``entry``; ``mtime`` becomes now.

        A mailbox whose id is known keeps the history recorded with it, and if it had another name, that comes
        first there; ``entry.history`` counts only for a new id.
        """
        name = self._rules.from_internal(entry.name)
        old = self.lookup_all(entry.name)
        if self._mailboxes.has_racl:
            self.update_racl(name, old, entry)
        if old is not None and old.uniqueid and old.uniqueid != entry.uniqueid:
            self._forget_id(old.uniqueid, entry.name)
        now = int(time.time())
        self._txn.store(b"N" + _bytes(name.dbname), pack_name(entry, now))
        uniqueid = entry.uniqueid
        if uniqueid:
            entry = replace(entry, history=_history(entry, self._known_id(uniqueid)))
            self._txn.store(b"I" + _bytes(uniqueid), pack_id(entry, name.dbname, now, self._rules))
        if self._mailboxes._auditlog and (old is None or old.acl != (entry.acl or "")):
            self.audit.append(
                f"auditlog: acl: sessionid=<{self._mailboxes.sessionid}> "
                f"mailbox=<{entry.name}> uniqueid=<{entry.uniqueid or ''}> "
                f"mbtype=<{mbtypes.format(entry.mbtype)}> oldacl=<{old.acl if old else 'NONE'}> "
                f"acl=<{entry.acl or ''}> foldermodseq=<{entry.foldermodseq}> "
            )

    def delete(self, name: str) -> None:
        """Remove the records of ``name``; the I record only if it still carries that name."""
        old = self.lookup_all(name)
        if old is None:
            return
        parsed = self._rules.from_internal(name)
        if self._mailboxes.has_racl:
            self.update_racl(parsed, old, None)
        self._txn.delete(b"N" + _bytes(parsed.dbname))
        if old.uniqueid:
            self._forget_id(old.uniqueid, name)

    def update_racl(self, name: MboxName, old: MboxEntry | None, new: MboxEntry | None) -> None:
        """Bring the reverse ACL keys of a mailbox from its old record to its new one."""
        before = self._readers(name, old)
        after = self._readers(name, new)
        for identifier in before - after:
            self._txn.delete(_bytes(_racl_key(name.userid is not None, identifier, name.dbname)))
        for identifier in after - before:
            self._txn.store(_bytes(_racl_key(name.userid is not None, identifier, name.dbname)), b"")

    def _readers(self, name: MboxName, entry: MboxEntry | None) -> set[str]:
        if entry is None or entry.deleted:
            return set()
        return {
            identifier
            for identifier, rights in acl_entries(entry.acl or "")
            if ("l" in rights or "r" in rights)
            and identifier != name.userid
            and identifier not in self._mailboxes._admins
        }

    def _known_id(self, uniqueid: str) -> MboxEntry | None:
        try:
            return self._mailboxes._fetch_id(self._txn, uniqueid, reserved=True)
        except MailboxNonexistent:
            return None

    def _forget_id(self, uniqueid: str, name: str) -> None:
        known = self._known_id(uniqueid)
        if known is not None and known.name == name:
            self._txn.delete(b"I" + _bytes(uniqueid))


def _history(entry: MboxEntry, known: MboxEntry | None) -> tuple[FormerName, ...]:
    if known is None:
        return entry.history
    if known.name == entry.name:
        return known.history
    former = FormerName(known.name, known.mtime, known.uidvalidity, known.createdmodseq, known.foldermodseq,
                        known.mbtype, known.partition)  # fmt: skip
    return (former, *known.history)


def _racl_key(user: bool, identifier: str, dbname: str) -> str:
    return f"A{'U' if user else 'S'}{_RECORD_SEPARATOR}{identifier}{_RECORD_SEPARATOR}{dbname}"


def _str(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
