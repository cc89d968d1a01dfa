"""Removing mailboxes, at once or (``delete_mode: delayed``) by renaming them out of sight until cyr_expire.

A removed mailbox leaves a tombstone in mailboxes.db, so that replication and a mailbox that comes to have its
name know of it. All mailboxes of a user go in one transaction there; before that nothing has happened, and
afterwards the files, then the data of the user are removed. See ``unfinished`` for what a crash leaves.

A session that has a removed mailbox open keeps its files until it lets go of it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from libcyrus import options as opt
from libcyrus.auth import AuthState
from libcyrus.base.dataclasses import replace
from libcyrus.errors import CyrusError, MailboxHasChildren
from libcyrus.events.mboxevent.kinds import EventType
from libcyrus.mailbox import lifecycle
from libcyrus.mailbox.mailbox import Mailbox
from libcyrus.mailbox.mailstore import MailStore
from libcyrus.records import mbtype as mbtypes
from libcyrus.records.mbentry import MboxEntry

from . import checks, unfinished, userdata
from .checks import Actor
from .make import fill_in_ancestors
from .moving import Moving
from .notes import Operation
from .unfinished import exclusive

log = logging.getLogger(__name__)


def delete(
    store: MailStore,
    name: str,
    *,
    is_admin: bool,
    userid: str | None,
    auth: AuthState | None,
    local_only: bool = False,
    force: bool = False,
    on_failure: Callable[[str, CyrusError], None] | None = None,
) -> None:
    """DELETE: remove mailbox ``name`` (internal); an INBOX goes with everything its user has.

    Other mailboxes that have children are refused (MailboxHasChildren). ``local_only`` removes at once and
    only the one mailbox, ``force`` asks no ACL. ``on_failure(name, error)`` hears of mailboxes of a user that
    could not be removed. Raises what ``checks.deletion`` does, MailboxNonexistent.
    """
    actor = Actor(is_admin, userid, auth)
    parsed = store.rules.from_internal(name)
    with exclusive(store, parsed.userid):
        entry = store.mboxlist.lookup(name)
        if parsed.deleted:
            delete_at_once(store, name, actor, tell=True)
        elif parsed.is_inbox and not local_only:
            _delete_user(store, entry, actor, on_failure, check_acl=not force)
        elif not parsed.is_inbox and store.mboxlist.has_children(name):
            raise MailboxHasChildren
        elif local_only or not is_delayed(store):
            delete_at_once(store, name, actor, check_acl=not force, tell=True)
        else:
            delete_delayed(store, name, actor, check_acl=not force, tell=True)


def is_delayed(store: MailStore) -> bool:
    return store.config[opt.delete_mode] == "delayed"


def delete_at_once(
    store: MailStore,
    name: str,
    actor: Actor,
    *,
    check_acl: bool = False,
    fill_in: bool = True,
    silent: bool = False,
    tell: bool = False,
) -> None:
    """Remove one mailbox with its files. The owner's namespace lock is held exclusively.

    ``tell`` makes an event of it.
    """
    entry = store.mboxlist.lookup_all(name)
    checks.deletion(store, entry, actor, check_acl=check_acl)
    parsed = store.rules.from_internal(name)
    roots = (root,) if (root := store.quota.find_root(name)) is not None else ()
    places = () if entry.intermediate else (entry,)
    operation = Operation("delete", (parsed.userid,), places=places, roots=roots)
    with unfinished.noted(store, operation, lasting=False, needed=False):
        removal = _Removal(store, silent=silent)
        if tell:
            removal.tell(name, actor.userid)
        removal.prepare(entry, forget=bool(parsed.deleted))
        removal.commit()
        removal.finish()
        if fill_in and not entry.intermediate and not parsed.deleted:
            fill_in_ancestors(store, name, entry.mbtype)


class _Removal:
    """Mailboxes that go in one transaction: ``prepare`` each, ``commit``, ``finish``."""

    def __init__(self, store: MailStore, *, silent: bool = False) -> None:
        self._store = store
        self._silent = silent
        self._forgotten: list[str] = []
        self._tombstones: list[MboxEntry] = []
        self._entries: list[MboxEntry] = []
        self._told: tuple[str, str | None] | None = None

    def tell(self, name: str, userid: str | None) -> None:
        """Make an event of the removal of mailbox ``name`` by ``userid``."""
        self._told = name, userid

    def prepare(self, entry: MboxEntry, *, forget: bool = False, whole_user: bool = False) -> None:
        """Decide what becomes of the records of a mailbox; to ``forget`` it leaves no tombstone.

        Where mailboxes remain below it, its place stays, unless the ``whole_user`` goes.
        """
        store = self._store
        if not entry.intermediate:
            self._entries.append(entry)
        if forget:
            self._forgotten.append(entry.name)
        elif entry.intermediate:
            self._tombstones.append(self._mark_deleted(entry))
        else:
            with store.open(entry.name, write=True) as mailbox:
                mailbox.silent = self._silent
                state = mbtypes.INTERMEDIATE if store.mboxlist.has_children(entry.name) else mbtypes.DELETED
                tombstone = MboxEntry(
                    name=entry.name,
                    mbtype=entry.mbtype | state,
                    uniqueid=mailbox.uniqueid,
                    uidvalidity=mailbox.i.uidvalidity,
                    createdmodseq=mailbox.i.createdmodseq,
                    foldermodseq=mailbox.bump_modseq(),
                )
                # nothing of it need be written to files that go
                mailbox.abort()
            store.counters.set_modseq(entry.name, tombstone.foldermodseq, entry.mbtype, folder=True)
            store.counters.set_modseq(entry.name, tombstone.foldermodseq, entry.mbtype, delete=True)
            is_place = state == mbtypes.INTERMEDIATE
            if whole_user and is_place and store.rules.from_internal(entry.name).is_inbox:
                tombstone = self._mark_deleted(replace(tombstone, acl=""))
            self._tombstones.append(tombstone)

    def commit(self) -> None:
        store = self._store
        with store.mboxlist.transaction() as change:
            for name in self._forgotten:
                change.delete(name)
            for tombstone in self._tombstones:
                change.update(tombstone)

    def finish(self) -> None:
        """Remove the files. What cannot be removed is logged."""
        for entry in self._entries:
            try:
                mailbox = self._open(entry)
                mailbox.silent = self._silent
                mailbox.changes.announce("UNMAILBOX", entry.name)
                self._note_event(mailbox)
                lifecycle.delete(mailbox, tell=entry.name not in self._forgotten)
            except CyrusError as error:
                log.error("could not remove the files of %s: %s", entry.name, error)

    def _note_event(self, mailbox: Mailbox) -> None:
        events = self._store.events
        if events is not None and self._told is not None and self._told[0] == mailbox.name:
            event = events.new(EventType.MAILBOX_DELETE)
            events.about(event, mailbox, self._told[1])
            mailbox.changes.tell(event, last=True)

    def _open(self, entry: MboxEntry) -> Mailbox:
        """The mailbox, locked exclusively, though the list no longer has it."""
        mailbox = self._store.is_open(entry.name)
        if mailbox is None:
            return self._store.open(entry, write=True)
        # a session of this process has it selected, and would look it up in the list
        mailbox.lock_index(exclusive=True)
        mailbox.opened += 1
        return mailbox

    def _mark_deleted(self, entry: MboxEntry) -> MboxEntry:
        modseq = entry.foldermodseq
        if not self._silent:
            modseq = self._store.counters.next_modseq(
                entry.name, modseq, entry.mbtype, folder=True, delete=True
            )
        return replace(entry, mbtype=entry.mbtype | mbtypes.DELETED, foldermodseq=modseq)


def delete_delayed(
    store: MailStore,
    name: str,
    actor: Actor,
    *,
    check_acl: bool = False,
    fill_in: bool = True,
    tell: bool = False,
) -> None:
    """Rename one mailbox into the tree of deleted ones. The owner's namespace lock is held exclusively.

    ``tell`` makes an event of it.
    """
    entry = store.mboxlist.lookup_all(name)
    checks.deletion(store, entry, actor, check_acl=check_acl)
    owner = store.rules.from_internal(name).userid
    removal = Moving(store)
    if tell:
        removal.tell(EventType.MAILBOX_DELETE, name, actor.userid)
    _put_aside(store, removal, entry, actor)
    operation = removal.operation("delete", (owner,), names=(name,), mbtype=entry.mbtype)
    with unfinished.noted(store, operation, lasting=bool(operation.places), needed=False):
        removal.carry_out()
        if fill_in:
            fill_in_ancestors(store, name, entry.mbtype)


def _put_aside(store: MailStore, removal: Moving, entry: MboxEntry, actor: Actor) -> None:
    new = _free_name(store, entry.name)
    removal.plan(entry, new, actor.as_admin(), partition=entry.partition, force_user=True)


def _free_name(store: MailStore, name: str) -> str:
    """Where a delayed delete puts a mailbox: the name with the time, or the first later one that is free."""
    when = int(time.time())
    while True:
        new = store.rules.from_internal(name).to_deleted(when).internal
        if store.mboxlist.get_all(new) is None:
            return new
        when += 1


def _delete_user(
    store: MailStore,
    inbox: MboxEntry,
    actor: Actor,
    on_failure: Callable[[str, CyrusError], None] | None,
    *,
    check_acl: bool,
) -> None:
    """Everything a user has, as far as it can be removed."""
    userid = store.rules.from_internal(inbox.name).userid
    assert userid is not None
    checks.deletion(store, inbox, actor, check_acl=check_acl)
    delayed = is_delayed(store)
    moving, removal = Moving(store), _Removal(store)
    moving.tell(EventType.MAILBOX_DELETE, inbox.name, actor.userid)
    removal.tell(inbox.name, actor.userid)
    entries: list[MboxEntry] = []
    for entry in store.mboxlist.user_tree(userid, intermediates=True):
        try:
            checks.deletion(store, entry, actor, check_acl=False)
            if delayed:
                _put_aside(store, moving, entry, actor)
        except CyrusError as error:
            if entry.name == inbox.name:
                raise
            _complain(entry.name, error, on_failure)
            continue
        entries.append(entry)
    roots = {quota.root for quota in store.quota.all(inbox.name)}
    places = tuple(entry for entry in entries if not entry.intermediate and not delayed)
    operation = moving.operation("delete", (userid,), places=places, inbox=inbox, roots=tuple(roots))
    with unfinished.noted(store, operation, needed=False):
        if delayed:
            failures: dict[str, CyrusError | None] = {}

            def note(name: str, new: str, error: CyrusError | None) -> None:
                failures[name] = error
                _complain(name, error, on_failure)

            moving.carry_out(note)
            if (failure := failures.get(inbox.name)) is not None:
                raise failure
        else:
            for entry in entries:
                removal.prepare(entry, whole_user=True)
            removal.commit()
            removal.finish()
        userdata.remove(store, inbox, userid)


def _complain(
    name: str, error: CyrusError | None, on_failure: Callable[[str, CyrusError], None] | None
) -> None:
    if error is not None:
        log.error("could not delete %s: %s", name, error)
        if on_failure is not None:
            on_failure(name, error)
