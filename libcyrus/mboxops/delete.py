"""Removing mailboxes, at once or (``delete_mode: delayed``) by renaming them out of sight until cyr_expire.

A removed mailbox leaves a tombstone in mailboxes.db, so that replication and a mailbox that comes to have its
name know of it. A crash in between leaves the mailbox whole, or marked deleted with its files yet to go; the
next process that opens it removes them.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from libcyrus import options as opt
from libcyrus.auth import AuthState
from libcyrus.base.dataclasses import replace
from libcyrus.errors import CyrusError, MailboxHasChildren
from libcyrus.mailbox import lifecycle
from libcyrus.mailbox.mailstore import MailStore
from libcyrus.records import mbtype as mbtypes
from libcyrus.records.mbentry import MboxEntry

from . import checks, userdata
from .checks import Actor
from .create import fill_in_ancestors
from .rename import rename_one

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
    with store.locks.user(parsed.userid):
        entry = store.mboxlist.lookup(name)
        if parsed.deleted:
            delete_at_once(store, name, actor)
            return
        if not parsed.is_inbox and store.mboxlist.has_children(name):
            raise MailboxHasChildren
        if local_only or not is_delayed(store):
            delete_at_once(store, name, actor, check_acl=not force)
        else:
            delete_delayed(store, name, actor, check_acl=not force)
        if parsed.is_inbox and not local_only:
            assert parsed.userid is not None
            _delete_tree(store, parsed.userid, actor, on_failure)
            userdata.remove(store, entry, parsed.userid)


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
) -> None:
    """Remove one mailbox with its files. The owner's namespace lock is held exclusively."""
    entry = store.mboxlist.lookup_all(name)
    checks.deletion(store, entry, actor, check_acl=check_acl)
    gone = bool(store.rules.from_internal(name).deleted)
    if entry.intermediate:
        if gone:
            store.mboxlist.delete(name)
            return
        modseq = entry.foldermodseq
        if not silent:
            modseq = store.counters.next_modseq(name, modseq, entry.mbtype, folder=True, delete=True)
        store.mboxlist.update(replace(entry, mbtype=entry.mbtype | mbtypes.DELETED, foldermodseq=modseq))
        return
    mailbox = store.open(entry, write=True)
    try:
        mailbox.silent = silent
        if gone:
            store.mboxlist.delete(name)
        else:
            state = mbtypes.INTERMEDIATE if store.mboxlist.has_children(name) else mbtypes.DELETED
            tombstone = MboxEntry(
                name=name,
                mbtype=entry.mbtype | state,
                uniqueid=mailbox.uniqueid,
                uidvalidity=mailbox.i.uidvalidity,
                createdmodseq=mailbox.i.createdmodseq,
                foldermodseq=mailbox.bump_modseq(),
            )
            store.mboxlist.update(tombstone)
            store.counters.set_modseq(name, tombstone.foldermodseq, entry.mbtype, folder=True)
            if fill_in:
                fill_in_ancestors(store, name, entry.mbtype)
            store.counters.set_modseq(name, tombstone.foldermodseq, entry.mbtype, delete=True)
    except BaseException:
        mailbox.abort()
        mailbox.close()
        raise
    mailbox.changes.announce("UNMAILBOX", name)
    lifecycle.delete(mailbox)


def delete_delayed(
    store: MailStore, name: str, actor: Actor, *, check_acl: bool = False, fill_in: bool = True
) -> None:
    """Rename one mailbox into the tree of deleted ones. The owner's namespace lock is held exclusively."""
    entry = store.mboxlist.lookup_all(name)
    checks.deletion(store, entry, actor, check_acl=check_acl)
    new = _free_name(store, name)
    rename_one(
        store, entry, new, actor.as_admin(), partition=entry.partition, force_user=True, fill_in=fill_in
    )
    moved = store.mboxlist.get_all(new)
    if moved is not None:
        store.counters.set_modseq(new, moved.foldermodseq, moved.mbtype, delete=True)


def _free_name(store: MailStore, name: str) -> str:
    """Where a delayed delete puts a mailbox: the name with the time, or the first later one that is free."""
    when = int(time.time())
    while True:
        new = store.rules.from_internal(name).to_deleted(when).internal
        if store.mboxlist.get_all(new) is None:
            return new
        when += 1


def _delete_tree(
    store: MailStore, userid: str, actor: Actor, on_failure: Callable[[str, CyrusError], None] | None
) -> None:
    for entry in list(store.mboxlist.user_tree(userid, intermediates=True)):
        try:
            if is_delayed(store):
                delete_delayed(store, entry.name, actor, fill_in=False)
            else:
                delete_at_once(store, entry.name, actor, fill_in=False)
        except CyrusError as error:
            log.error("could not delete %s: %s", entry.name, error)
            if on_failure is not None:
                on_failure(entry.name, error)
