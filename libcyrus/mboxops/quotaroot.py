"""Setting and removing quota roots, and making the mailboxes below count for them.

A crash in between leaves some mailboxes counting for the new root and others for the one above. A note tells
of it: the next change of the owner's mailboxes lets all of them count for the root, and counts it anew.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from libcyrus.base.dataclasses import replace
from libcyrus.base.xlog import NOTICE
from libcyrus.errors import (
    CyrusError,
    MailboxBadName,
    MailboxNonexistent,
    MailboxNotSupported,
    QuotarootNonexistent,
)
from libcyrus.mailbox.lifecycle import UsageMoves
from libcyrus.mailbox.mailstore import MailStore
from libcyrus.records import mbtype as mbtypes
from libcyrus.records.quota import NAMES, Quota

from . import unfinished
from .notes import Operation, noted

log = logging.getLogger(__name__)

_NO_ROOT = frozenset("/*%?")


def set_quotas(store: MailStore, root: str, limits: Sequence[int], *, force: bool = False) -> None:
    """Give a root these limits (indexed by ``Resource``, UNLIMITED for none), making the root if need be.

    A new root needs a mailbox of that name or below it, unless ``force``. Raises MailboxBadName,
    MailboxNonexistent, MailboxNotSupported.
    """
    _check_root(root)
    try:
        with store.quota.transaction() as change:
            quota = change.read(root)
            before = replace(quota)
            old = quota.limits
            if old != list(limits):
                quota.limits = list(limits)
                change.write(quota)
        store.quota.make_lasting(root)
    except QuotarootNonexistent:
        _check_new_root(store, root, force=force)
        with unfinished.exclusive(store, store.rules.from_internal(root).userid, quota_change=True):
            made_meanwhile = store.quota.get(root) is not None
            if not made_meanwhile:
                _create(store, root, limits)
        if made_meanwhile:
            set_quotas(store, root, limits)
        return
    store.sync_log.quota(root)
    if store.auditlog and old != list(limits):
        changes = (f" old{name}=<{a}> new{name}=<{b}>" for name, a, b in zip(NAMES, old, limits, strict=True))
        log.log(NOTICE, "auditlog: setquota root=<%s>%s", root, "".join(changes))
    if store.events is not None and old != list(limits):
        store.events.send(*store.events.quota.limits_changed(before, quota))


def audit_new(store: MailStore, root: str, limits: Sequence[int]) -> None:
    """The audit log's line for a root that was made."""
    if store.auditlog:
        text = (f" new{name}=<{limit}>" for name, limit in zip(NAMES, limits, strict=True))
        log.log(NOTICE, "auditlog: newquota root=<%s>%s", root, "".join(text))


def unset_quotas(store: MailStore, root: str) -> None:
    """Remove a root; its mailboxes count for none until ``quota -f`` finds one above. Harmless if gone."""
    _check_root(root)
    owner = store.rules.from_internal(root).userid
    with unfinished.exclusive(store, owner, quota_change=True):
        quota = store.quota.get(root)
        if quota is None:
            return
        for entry in list(store.mboxlist.tree(root)):
            try:
                with store.open(entry.name, write=True) as mailbox:
                    if mailbox.quotaroot == root:
                        mailbox.set_quotaroot(None)
            except CyrusError as error:
                log.error("LOSTQUOTA: unable to remove quota root %s for %s: %s", root, entry.name, error)
        if store.auditlog:
            limits = (f" old{name}=<{limit}>" for name, limit in zip(NAMES, quota.limits, strict=True))
            log.log(NOTICE, "auditlog: rmquota root=<%s>%s", root, "".join(limits))
        store.quota.delete(root)
    store.sync_log.quota(root)


def _create(store: MailStore, root: str, limits: Sequence[int]) -> None:
    owner = store.rules.from_internal(root).userid
    above = store.quota.find_root(root)
    operation = Operation("set quota", (owner,), roots=(root, above) if above is not None else (root,))
    with noted(store, operation):
        with store.quota.transaction() as change:
            change.write(Quota(root, limits=list(limits)))
        audit_new(store, root, limits)
        moves = UsageMoves()
        for entry in list(store.mboxlist.tree(root)):
            try:
                with store.open(entry.name, write=True) as mailbox:
                    moves.change_root(mailbox, root)
                    if owner is None:
                        # others may deliver to it once it is closed
                        moves.apply(store)
            except CyrusError as error:
                log.error("LOSTQUOTA: unable to change quota root for %s to %s: %s", entry.name, root, error)
        moves.apply(store)
    store.sync_log.quota(root)
    if store.events is not None:
        store.events.send(*store.events.quota.limits_changed(None, Quota(root, limits=list(limits))))


def _check_root(root: str) -> None:
    if not root or root.startswith(".") or not _NO_ROOT.isdisjoint(root):
        raise MailboxBadName


def _check_new_root(store: MailStore, root: str, *, force: bool) -> None:
    if store.rules.virtdomains and root.endswith("!"):
        return
    entry = store.mboxlist.get(root)
    if entry is None:
        if not force and not store.mboxlist.has_children(root):
            raise MailboxNonexistent
    elif entry.mbtype & (mbtypes.REMOTE | mbtypes.MOVING):
        raise MailboxNotSupported
