"""Values attached to a mailbox as such: stored, counted, and noted as a change of the mailbox.

The values are on disk first, then the new modseq and the usage in the index, then the foldermodseq in
mailboxes.db. After a power cut in between a value is there that nobody was told of, and the quota may be too
low until ``quota -f`` counts anew.
"""

from __future__ import annotations

from libcyrus.base.dataclasses import replace
from libcyrus.errors import MailboxNonexistent
from libcyrus.mailbox.mailbox import Mailbox
from libcyrus.mailbox.mailstore import MailStore


class AnnotationChanges:
    """Changes of what an open mailbox has attached, gathered until ``commit``.

    Needs the exclusive index lock. Userids are as in the database's keys.
    """

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox
        self._values: dict[tuple[str, str], bytes] = {}
        self._modseq = 0

    def lookup(self, entry: str, userid: str) -> bytes:
        """The value, with what is gathered so far; empty for none."""
        value = self._values.get((entry, userid))
        if value is not None:
            return value
        return self._mailbox.store.annotations.lookup(self._mailbox.uniqueid, entry, userid)

    def set(self, entry: str, userid: str, value: bytes) -> None:
        """Set (or with an empty value remove) a value; nothing happens if it is so already."""
        old = self.lookup(entry, userid)
        if old == value:
            return
        self.touch()
        self._mailbox.quota_dirty()
        i = self._mailbox.i
        i.quota_annot_used = max(0, i.quota_annot_used - len(old)) + len(value)
        self._values[entry, userid] = value

    def touch(self) -> None:
        """Count something else as a change of the mailbox."""
        self._modseq = self._mailbox.bump_modseq()

    def commit(self) -> None:
        """Make the changes lasting, and commit the mailbox. Raises IoError."""
        mailbox = self._mailbox
        if self._values:
            with mailbox.store.annotations.transaction() as change:
                for (entry, userid), value in self._values.items():
                    change.write(mailbox.uniqueid, entry, userid, value)
        if self._modseq:
            mailbox.commit()
            raise_foldermodseq(mailbox.store, mailbox.name, self._modseq)


def write(store: MailStore, name: str, entry: str, userid: str, value: bytes) -> None:
    """Set (or with an empty value remove) ``userid``'s annotation of a mailbox; userid "" is the shared one.

    The owner's namespace lock is held, or taken by opening the mailbox.
    """
    with store.open(name, write=True) as mailbox:
        changes = AnnotationChanges(mailbox)
        changes.set(entry, mailbox.annotation_user(userid), value)
        changes.commit()


def raise_foldermodseq(store: MailStore, name: str, modseq: int) -> None:
    """Note in mailboxes.db that the mailbox itself changed. The namespace lock is held exclusively."""
    try:
        entry = store.mboxlist.lookup_all(name)
    except MailboxNonexistent:
        return
    if entry.foldermodseq < modseq:
        store.mboxlist.update(replace(entry, foldermodseq=modseq))
        store.counters.set_modseq(name, modseq, entry.mbtype, folder=True)
