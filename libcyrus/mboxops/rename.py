"""Renaming and moving mailboxes.

A mailbox whose directory goes by its unique id only changes its name, in cyrus.header and then (with the
tombstone of the old name) in one transaction of mailboxes.db. One in the old layout, and one that moves to
another partition, is copied first: until the transaction is committed the old files are the mailbox,
afterwards the new ones.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import ExitStack

from libcyrus import options as opt
from libcyrus.auth import AuthState
from libcyrus.base.dataclasses import replace
from libcyrus.base.xlog import NOTICE
from libcyrus.errors import (
    CyrusError,
    MailboxBadName,
    MailboxExists,
    MailboxNonexistent,
    PermissionDenied,
)
from libcyrus.mailbox import lifecycle
from libcyrus.mailbox.mailbox import Mailbox
from libcyrus.mailbox.mailstore import MailStore
from libcyrus.mboxname import MAX_MAILBOX_NAME, MboxName, is_prefix
from libcyrus.partitions import Partitions
from libcyrus.records import mbtype as mbtypes
from libcyrus.records.annotate import NAMESPACE
from libcyrus.records.mbentry import MboxEntry

from . import checks, quotaroot, relocate, setacl, subscribe, userdata
from .checks import Actor
from .create import fill_in_ancestors, locked

log = logging.getLogger(__name__)

Progress = Callable[[str, str, CyrusError | None], None]


def rename(
    store: MailStore,
    old: str,
    new: str,
    *,
    is_admin: bool,
    userid: str | None,
    auth: AuthState | None,
    partition: str | None = None,
    progress: Progress | None = None,
) -> None:
    """RENAME: give mailbox ``old`` and what is below it the name ``new`` (both internal).

    With ``old`` and ``new`` the same and a ``partition``, move it there. An admin may rename users where
    ``allowusermoves`` is set; their data, quota and rights go along. ``progress(old, new, error)`` hears of
    every mailbox. One's own INBOX is not renamed so: the caller makes ``new`` and moves the messages. Raises
    what ``checks`` do, MailboxNonexistent, MailboxExists, PartitionUnknown, and storage errors.
    """
    actor = Actor(is_admin, userid, auth)
    rules = store.rules
    if not old:
        raise MailboxNonexistent
    source, target = rules.from_internal(old), rules.from_internal(new)
    user_move = bool(
        is_admin
        and store.config[opt.allowusermoves]
        and source.is_inbox
        and target.is_inbox
        and old != new
    )
    with ExitStack() as locks:
        if user_move:
            # quota roots go along, and their lock comes before the namespaces
            locks.enter_context(store.locks.quota_change())
        locks.enter_context(locked(store, old, new))
        entry = _lookup(store, old, actor)
        if not new:
            raise MailboxBadName
        # a mailbox that is renamed into or out of its own tree takes nothing along
        alone = old != new and (is_prefix(new, old) or is_prefix(old, new))
        below = [] if alone else list(store.mboxlist.tree(old, root=False, intermediates=True))
        for child in below:
            if not child.intermediate and old != new:
                _check_child(store, new + child.name[len(old) :], actor)
        moved_base = _rename_base(
            store, entry, target, actor, partition, ignore_missing=bool(below), user_move=user_move
        )
        if moved_base and user_move:
            _take_user_along(store, entry, source, target)
        if moved_base and not alone and progress is not None:
            progress(old, new, None)
        for child in below:
            _rename_child(store, child, source, target, actor, partition, progress, user_move=user_move)
        if user_move:
            assert source.userid is not None
            quotaroot.delete_user_roots(store, source.userid)
            store.sync_log.unuser(source.userid)
            assert target.userid is not None
            store.sync_log.user(target.userid)
        fill_in_ancestors(store, old, entry.mbtype)
        fill_in_ancestors(store, new, entry.mbtype)


def rename_one(
    store: MailStore,
    entry: MboxEntry,
    new: str,
    actor: Actor,
    *,
    partition: str | None = None,
    force_user: bool = False,
    fill_in: bool = True,
    silent: bool = False,
) -> None:
    """Rename one mailbox, or move it to ``partition`` when ``new`` is its name. Namespace locks are held."""
    target = store.rules.from_internal(new)
    if entry.intermediate:
        checks.creation(store, new, actor, force_user=force_user)
        modseq = entry.foldermodseq
        if not silent:
            modseq = store.counters.next_modseq(
                new, modseq, entry.mbtype, folder=True, delete=bool(target.deleted)
            )
        _record(store, entry, replace(entry, name=new, foldermodseq=modseq))
        _fill_in(store, entry, new, fill_in=fill_in)
        return
    checks.may_be_moved(store, entry, actor)
    with store.open(entry.name, write=True) as mailbox:
        mailbox.silent = silent
        if entry.name == new:
            _move(store, mailbox, actor, partition)
            return
        checks.renaming(store, entry, target, actor)
        checks.creation(store, new, actor, force_user=force_user)
        if mailbox.entry.mbtype & mbtypes.LEGACY_DIRS:
            _rename_by_copy(store, mailbox, new, partition, silent=silent)
        else:
            lifecycle.rename_in_place(mailbox, new, silent=silent)
            _record(store, entry, _entry_of(mailbox, new, mailbox.partition))
        # before the mailbox is closed, so that a replica never removes it as one that is gone
        store.sync_log.rename(entry.name, new)
    store.statuscache.invalidate(entry.name)
    _forget_displayname(store, entry)
    log.info("Rename: %s -> %s", entry.name, new)
    _fill_in(store, entry, new, fill_in=fill_in)


def _lookup(store: MailStore, name: str, actor: Actor) -> MboxEntry:
    entry = store.mboxlist.lookup_all(name)
    if entry.mbtype & (mbtypes.RESERVE | mbtypes.DELETED):
        raise MailboxNonexistent
    if entry.intermediate and not actor.is_admin:
        first = next(store.mboxlist.tree(name, root=False), None)
        if first is not None:
            checks.may_be_moved(store, first, actor)
    return entry


def _check_child(store: MailStore, name: str, actor: Actor) -> None:
    if len(name.encode("utf-8", "surrogateescape")) >= MAX_MAILBOX_NAME:
        raise MailboxBadName
    checks.creation(store, name, actor.as_admin(), force_user=True)


def _rename_base(
    store: MailStore,
    entry: MboxEntry,
    target: MboxName,
    actor: Actor,
    partition: str | None,
    *,
    ignore_missing: bool,
    user_move: bool,
) -> bool:
    """Rename the mailbox itself; False if it is only a place in one's own tree, whose children move all the
    same.
    """
    try:
        rename_one(
            store, entry, target.internal, actor, partition=partition or entry.partition, fill_in=False
        )
    except MailboxNonexistent:
        source = store.rules.from_internal(entry.name)
        if not (ignore_missing and not user_move and actor.owns(source) and actor.owns(target)):
            raise
        return False
    _unsubscribe(store, entry.name, actor)
    return True


def _rename_child(
    store: MailStore,
    child: MboxEntry,
    source: MboxName,
    target: MboxName,
    actor: Actor,
    partition: str | None,
    progress: Progress | None,
    *,
    user_move: bool,
) -> None:
    new = target.internal + child.name[len(source.internal) :]
    try:
        rename_one(store, child, new, actor.as_admin(), partition=partition, fill_in=False)
        _unsubscribe(store, child.name, actor)
        if user_move:
            assert source.userid is not None and target.userid is not None
            quotaroot.copy_root(store, child.name, new)
            if not child.intermediate:
                setacl.rename_identifier(store, new, source.userid, target.userid)
    except CyrusError as error:
        log.error("rename of %s to %s failed: %s", child.name, new, error)
        if progress is not None:
            progress(child.name, new, error)
        return
    if progress is not None:
        progress(child.name, new, None)


def _take_user_along(store: MailStore, entry: MboxEntry, source: MboxName, target: MboxName) -> None:
    assert source.userid is not None and target.userid is not None
    quotaroot.copy_root(store, entry.name, target.internal)
    setacl.rename_identifier(store, target.internal, source.userid, target.userid)
    if entry.mbtype & mbtypes.LEGACY_DIRS:
        userdata.rename_legacy(store, source.userid, target.userid)


def _unsubscribe(store: MailStore, name: str, actor: Actor) -> None:
    if store.config[opt.delete_unsubscribe] and actor.userid is not None:
        subscribe.subscribe(store, name, actor.userid, actor.auth, add=False)


def _record(store: MailStore, old: MboxEntry, new: MboxEntry) -> None:
    """Both names in one transaction: a tombstone for the old one, the new one with the same id."""
    tombstone = MboxEntry(
        name=old.name,
        mbtype=old.mbtype | mbtypes.DELETED,
        uniqueid=old.uniqueid,
        uidvalidity=old.uidvalidity,
        createdmodseq=old.createdmodseq,
        foldermodseq=new.foldermodseq,
    )
    with store.mboxlist.transaction() as change:
        change.update(tombstone)
        change.update(new)


def _entry_of(mailbox: Mailbox, name: str, partition: str) -> MboxEntry:
    return MboxEntry(
        name=name,
        mbtype=mailbox.entry.mbtype,
        uniqueid=mailbox.uniqueid,
        partition=partition,
        uidvalidity=mailbox.i.uidvalidity,
        createdmodseq=mailbox.i.createdmodseq,
        foldermodseq=mailbox.i.highestmodseq,
        acl=mailbox.acl,
    )


def _fill_in(store: MailStore, entry: MboxEntry, new: str, *, fill_in: bool) -> None:
    if fill_in:
        fill_in_ancestors(store, entry.name, entry.mbtype)
        fill_in_ancestors(store, new, entry.mbtype)


def _move(store: MailStore, mailbox: Mailbox, actor: Actor, partition: str | None) -> None:
    """To another partition under the same name."""
    if not actor.is_admin:
        raise PermissionDenied
    if partition is None or partition == mailbox.partition:
        raise MailboxExists
    partitions = Partitions(store.config)
    root = partitions.root(partition)
    if mailbox.paths.data.startswith(root + "/"):
        raise MailboxExists
    old = mailbox.entry
    new = replace(old, partition=partition)
    relocate.copy(store, mailbox, new)
    try:
        modseq = store.counters.next_modseq(old.name, old.foldermodseq, old.mbtype, folder=True)
        store.mboxlist.update(replace(_entry_of(mailbox, old.name, partition), foldermodseq=modseq))
    except BaseException:
        lifecycle.remove_files(store, new)
        raise
    if store.auditlog:
        log.log(
            NOTICE,
            "auditlog: partitionmove sessionid=<%s> mailbox=<%s> uniqueid=<%s> oldpart=<%s> newpart=<%s>",
            store.session_id, old.name, old.uniqueid, old.partition, partition,
        )  # fmt: skip
    relocate.abandon(store, mailbox)


def _rename_by_copy(
    store: MailStore, mailbox: Mailbox, new: str, partition: str | None, *, silent: bool
) -> None:
    """The old layout: directories follow the name."""
    chosen = checks.partition(store, Partitions(store.config), new, partition)
    entry = replace(mailbox.entry, name=new, partition=chosen)
    relocate.copy(store, mailbox, entry)
    try:
        copied = relocate.open_copy(store, entry)
        try:
            mailbox.conversing.move(copied.conversing)
            lifecycle.rename_in_place(copied, new, silent=silent)
            _record(store, mailbox.entry, _entry_of(copied, new, chosen))
        finally:
            copied.drop()
    except BaseException:
        lifecycle.remove_files(store, entry)
        raise
    store.sync_log.append(new)
    relocate.abandon(store, mailbox)


def _forget_displayname(store: MailStore, entry: MboxEntry) -> None:
    """The display name that JMAP keeps for a mailbox is wrong once it is renamed."""
    if not entry.uniqueid:
        return
    key = NAMESPACE + "displayname"
    stale = [one for one in store.annotations.find(entry.uniqueid, key) if one.entry == key]
    if stale:
        with store.annotations.transaction() as change:
            for one in stale:
                change.write(one.owner, one.entry, one.userid, b"")
