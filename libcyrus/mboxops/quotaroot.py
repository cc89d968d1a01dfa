"""Setting and removing quota roots, and making the mailboxes below count for them."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from libcyrus.base.xlog import NOTICE
from libcyrus.errors import (
    CyrusError,
    MailboxBadName,
    MailboxNonexistent,
    MailboxNotSupported,
    QuotarootNonexistent,
)
from libcyrus.mailbox import lifecycle
from libcyrus.mailbox.mailstore import MailStore
from libcyrus.records import mbtype as mbtypes
from libcyrus.records.quota import NAMES, Quota

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
            old = list(quota.limits)
            if old != list(limits):
                quota.limits = list(limits)
                change.write(quota)
    except QuotarootNonexistent:
        _check_new_root(store, root, force=force)
        _create(store, root, limits)
        store.sync_log.quota(root)
        return
    store.sync_log.quota(root)
    if store.auditlog and old != list(limits):
        changes = (f" old{name}=<{a}> new{name}=<{b}>" for name, a, b in zip(NAMES, old, limits, strict=True))
        log.log(NOTICE, "auditlog: setquota root=<%s>%s", root, "".join(changes))


def unset_quotas(store: MailStore, root: str) -> None:
    """Remove a root; its mailboxes count for none until ``quota -f`` finds one above. Harmless if gone."""
    _check_root(root)
    quota = store.quota.get(root)
    if quota is None:
        return
    with store.locks.quota_change():
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


def delete_user_roots(store: MailStore, userid: str) -> None:
    """Remove the quota roots of a user's INBOX and everything below it."""
    inbox = store.rules.inbox(userid)
    for quota in list(store.quota.all(inbox)):
        if quota.root == inbox or quota.root.startswith(inbox + "."):
            store.quota.delete(quota.root)


def copy_root(store: MailStore, old: str, new: str) -> None:
    """Give root ``new`` the limits of root ``old``, if there is one."""
    quota = store.quota.get(old)
    if quota is not None:
        set_quotas(store, new, quota.limits)


def _create(store: MailStore, root: str, limits: Sequence[int]) -> None:
    with store.locks.quota_change():
        with store.quota.transaction() as change:
            change.write(Quota(root, limits=list(limits)))
        if store.auditlog:
            text = (f" new{name}=<{limit}>" for name, limit in zip(NAMES, limits, strict=True))
            log.log(NOTICE, "auditlog: newquota root=<%s>%s", root, "".join(text))
        for entry in list(store.mboxlist.tree(root)):
            try:
                with store.open(entry.name, write=True) as mailbox:
                    lifecycle.change_quotaroot(mailbox, root)
            except CyrusError as error:
                log.error("LOSTQUOTA: unable to change quota root for %s to %s: %s", entry.name, root, error)


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
