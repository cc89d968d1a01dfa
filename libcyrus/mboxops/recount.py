"""Counting quota roots anew after an interrupted operation: only those it concerned."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable

from libcyrus.mailbox import lifecycle
from libcyrus.mailbox.mailstore import MailStore
from libcyrus.records.quota import Resource

log = logging.getLogger(__name__)


def recount(store: MailStore, roots: Iterable[str], owners: Collection[str | None]) -> None:
    """Let what these roots use be the sum over their mailboxes, which are all those of ``owners``.

    Their namespaces and quota changes are locked. A root that counts mailboxes of others too is left as it
    is, with a line in the log: that is work for quota -f.
    """
    for root in dict.fromkeys(roots):
        if store.quota.get(root) is None:
            continue
        used = _usage(store, root, owners)
        if used is None:
            log.warning("quota root %s may be wrong now, you may wish to run quota -f", root)
            continue
        with store.quota.transaction() as change:
            quota = change.read(root)
            if quota.used != used:
                quota.used = used
                change.write(quota)


def _usage(store: MailStore, root: str, owners: Collection[str | None]) -> list[int] | None:
    total = [0] * len(Resource)
    if root.endswith("!"):
        return None
    for entry in store.mboxlist.tree(root):
        if store.rules.from_internal(entry.name).userid not in owners:
            return None
        if entry.remote or not entry.partition:
            continue
        with store.open(entry.name, write=True) as mailbox:
            lifecycle.agree(mailbox)
            if mailbox.quotaroot == root:
                total = [one + more for one, more in zip(total, mailbox.usage(), strict=True)]
    return total
