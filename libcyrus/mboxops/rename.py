"""RENAME: mailboxes, trees and users get other names, or move to another partition.

What is below a mailbox goes along, in one transaction of mailboxes.db (see ``moving``), and so do the quota
roots, rights and state of a user. See ``unfinished`` for what a crash leaves.
"""

from __future__ import annotations

import logging
from collections.abc import Container, Iterable, Sequence

from libcyrus import options as opt
from libcyrus.auth import AuthState
from libcyrus.base.dataclasses import replace
from libcyrus.errors import CyrusError, MailboxBadName, MailboxNonexistent, QuotarootNonexistent
from libcyrus.events.mboxevent.event import MboxEvent
from libcyrus.events.mboxevent.kinds import EventType
from libcyrus.mailbox.mailstore import MailStore
from libcyrus.mboxname import MAX_MAILBOX_NAME, MboxName, is_prefix
from libcyrus.records import mbtype as mbtypes
from libcyrus.records.mbentry import MboxEntry
from libcyrus.records.quota import Quota

from . import checks, quotaroot, setacl, subscribe, unfinished, userdata
from .checks import Actor
from .make import fill_in_ancestors
from .moving import Moving, Progress

log = logging.getLogger(__name__)


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
    every mailbox; if one of those below fails, its error is raised when all others are done (where the
    original stops at it). One's own INBOX is not renamed so: the caller makes ``new`` and moves the messages.
    Raises what ``checks`` do, MailboxNonexistent, MailboxExists, PartitionUnknown, and storage errors.
    """
    actor = Actor(is_admin, userid, auth)
    rules = store.rules
    if not old:
        raise MailboxNonexistent
    source, target = rules.from_internal(old), rules.from_internal(new)
    user_move = bool(
        is_admin and store.config[opt.allowusermoves] and source.is_inbox and target.is_inbox and old != new
    )
    owners = (source.userid, target.userid)
    # quota roots of a user go along
    with unfinished.exclusive(store, *owners, quota_change=user_move):
        entry = _lookup(store, old, actor)
        if not new:
            raise MailboxBadName
        # a mailbox that is renamed into or out of its own tree takes nothing along
        alone = old != new and (is_prefix(new, old) or is_prefix(old, new))
        below = [] if alone else list(store.mboxlist.tree(old, root=False, intermediates=True))
        for child in below:
            if not child.intermediate and old != new:
                _check_child(store, new + child.name[len(old) :], actor)
        failed: list[tuple[str, str, CyrusError]] = []
        moving = Moving(store, with_user=user_move)
        planned = _plan_base(
            store, moving, entry, source, target, actor, partition,
            ignore_missing=bool(below), user_move=user_move,
        )  # fmt: skip
        if partition is None and entry.mbtype & mbtypes.LEGACY_DIRS:
            # those below go where their parent is
            partition = entry.partition
        for child in below:
            name = new + child.name[len(old) :]
            try:
                moving.plan(
                    child, name, actor.as_admin(), partition=partition, force_user=True,
                    acl_changes=_acl_changes(store, child, source, target, user_move=user_move),
                )  # fmt: skip
            except CyrusError as reason:
                failed.append((child.name, name, reason))
        names = {old, *(child.name for child in below)}
        roots = _new_roots(store, source, target, names) if user_move else []
        operation = moving.operation(
            "rename",
            owners,
            names=(old, new),
            mbtype=entry.mbtype,
            made_roots=tuple(quota.root for quota in roots if store.quota.get(quota.root) is None),
            inbox=entry if user_move else None,
            heir=target.userid if user_move else None,
        )
        renamed: list[str] = []

        def report(name: str, new_name: str, error: CyrusError | None) -> None:
            if error is None:
                renamed.append(name)
            elif name == old:
                raise error
            else:
                failed.append((name, new_name, error))

        with unfinished.noted(store, operation, lasting=user_move or bool(operation.places)):
            quota_events = _set_limits(store, roots)
            moving.tell(EventType.MAILBOX_RENAME, old, userid, quota_events)
            moving.carry_out(report)
            if user_move and planned:
                assert source.userid is not None and target.userid is not None
                userdata.hand_over(store, entry, source.userid, target.userid)
            fill_in_ancestors(store, old, entry.mbtype)
            fill_in_ancestors(store, new, entry.mbtype)
            if source.userid is None:
                # levels may be missing in a shared tree, but not in a user's
                for name in renamed:
                    fill_in_ancestors(store, new + name[len(old) :], entry.mbtype)
        _unsubscribe(store, old, renamed, actor)
    for name, new_name, error in failed:
        log.error("rename of %s to %s failed: %s", name, new_name, error)
    if progress is not None and not alone:
        for name in renamed:
            progress(name, new + name[len(old) :], None)
        for name, new_name, error in failed:
            progress(name, new_name, error)
    if failed:
        raise failed[0][2]


def _plan_base(
    store: MailStore,
    moving: Moving,
    entry: MboxEntry,
    source: MboxName,
    target: MboxName,
    actor: Actor,
    partition: str | None,
    *,
    ignore_missing: bool,
    user_move: bool,
) -> bool:
    """Plan for the mailbox itself; False if it is only a place in one's own tree, whose children move all the
    same.
    """
    try:
        moving.plan(
            entry, target.internal, actor, partition=partition or entry.partition,
            acl_changes=_acl_changes(store, entry, source, target, user_move=user_move),
        )  # fmt: skip
    except MailboxNonexistent:
        if not (ignore_missing and not user_move and actor.owns(source) and actor.owns(target)):
            raise
        return False
    return True


def _acl_changes(
    store: MailStore, entry: MboxEntry, source: MboxName, target: MboxName, *, user_move: bool
) -> Sequence[setacl.Change]:
    """How the ACL changes with the name: what the old user may do, the new one may."""
    if not user_move or entry.intermediate:
        return ()
    assert source.userid is not None and target.userid is not None
    return setacl.renamed(store, entry.acl or "", target, source.userid, target.userid)


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


def _new_roots(store: MailStore, source: MboxName, target: MboxName, names: Container[str]) -> list[Quota]:
    """The quota roots of a user's mailboxes ``names``, as the new user has them."""
    old, new = source.internal, target.internal
    return [
        Quota(new + quota.root[len(old) :], limits=list(quota.limits))
        for quota in store.quota.all(old)
        if quota.root in names
    ]


def _set_limits(store: MailStore, roots: Iterable[Quota]) -> list[MboxEvent | None]:
    """Make these roots, empty; those that exist get the limits only. Returns the events of that."""
    events: list[MboxEvent | None] = []
    for root in roots:
        with store.quota.transaction() as change:
            before = None
            try:
                known = change.read(root.root)
                before = replace(known)
                known.limits = root.limits
            except QuotarootNonexistent:
                known = root
            change.put(known)
        if before is None:
            quotaroot.audit_new(store, root.root, root.limits)
        store.sync_log.quota(root.root)
        if store.events is not None and (before is None or before.limits != known.limits):
            events += store.events.quota.limits_changed(before, known)
    return events


def _unsubscribe(store: MailStore, base: str, names: list[str], actor: Actor) -> None:
    """Of mailboxes that only went along no events are made."""
    if store.config[opt.delete_unsubscribe] and actor.userid is not None:
        for name in names:
            subscribe.subscribe(store, name, actor.userid, actor.auth, add=False, tell=name == base)
