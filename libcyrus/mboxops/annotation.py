"""Values attached to a mailbox as such: stored, counted, and noted as a change of the mailbox."""

from __future__ import annotations

from libcyrus.base.dataclasses import replace
from libcyrus.errors import MailboxNonexistent
from libcyrus.mailbox.mailstore import MailStore


def write(store: MailStore, name: str, entry: str, userid: str, value: bytes) -> None:
    """Set (or with an empty value remove) ``userid``'s annotation of a mailbox; userid "" is the shared one.

    The owner's namespace lock is held, or taken by opening the mailbox.
    """
    with store.open(name, write=True) as mailbox:
        key = store.annotations.user_key(name, userid)
        old = store.annotations.lookup(mailbox.uniqueid, entry, key)
        if old == value:
            return
        mailbox.quota_dirty()
        with store.annotations.transaction() as change:
            change.write(mailbox.uniqueid, entry, key, value)
        modseq = mailbox.bump_modseq()
        mailbox.i.quota_annot_used = max(0, mailbox.i.quota_annot_used - len(old)) + len(value)
        mailbox.commit()
        raise_foldermodseq(store, name, modseq)


def raise_foldermodseq(store: MailStore, name: str, modseq: int) -> None:
    """Note in mailboxes.db that the mailbox itself changed. The namespace lock is held exclusively."""
    try:
        entry = store.mboxlist.lookup_all(name)
    except MailboxNonexistent:
        return
    if entry.foldermodseq < modseq:
        store.mboxlist.update(replace(entry, foldermodseq=modseq))
        store.counters.set_modseq(name, modseq, entry.mbtype, folder=True)
