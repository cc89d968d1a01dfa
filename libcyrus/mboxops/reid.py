"""Another unique id for a mailbox, with everything that is filed under the old one.

What is filed under the id is first copied: annotations of the mailbox, other users' seen state. Then
``cyrus.header`` and mailboxes.db change, and at last the copies under the old id go. Where it stops in
between, the id in mailboxes.db is the one in use and has what it needs; ``reconstruct`` makes both agree.
"""

from __future__ import annotations

from collections.abc import Iterator

from libcyrus.base.dataclasses import replace
from libcyrus.errors import CyrusError, NotFound
from libcyrus.mailbox.lifecycle import make_uniqueid
from libcyrus.mailbox.mailbox import Mailbox
from libcyrus.mailbox.mailstore import MailStore
from libcyrus.records import mbtype as mbtypes
from libcyrus.records.seen import SeenData, SeenDb


class HasDirectoryById(CyrusError):
    """The mailbox's directory goes by its unique id, which therefore has to stay."""

    text = "Mailbox directory goes by the unique id"


def change_uniqueid(store: MailStore, name: str) -> str:
    """Give a mailbox a new unique id, and return it.

    Raises HasDirectoryById, what ``MailStore.open`` raises, NoSpace, IoError.
    """
    with store.locks.user(store.rules.from_internal(name).userid), store.open(name, write=True) as mailbox:
        if not mailbox.entry.mbtype & mbtypes.LEGACY_DIRS:
            raise HasDirectoryById
        old, new = mailbox.uniqueid, make_uniqueid()
        _copy_annotations(store, old, new)
        for seen, state in _seen_states(store, old):
            seen.write(new, state)
        _rename(mailbox, new)
        with store.annotations.transaction() as change:
            change.delete_owner(old)
        for seen, _state in _seen_states(store, old):
            seen.delete(old)
    return new


def _rename(mailbox: Mailbox, new: str) -> None:
    """Change the id of the mailbox itself, and that of its folder in the owner's conversations."""
    entry = replace(mailbox.store.mboxlist.lookup(mailbox.name), uniqueid=new)
    mailbox.conversing.remove_all()
    mailbox.entry = entry
    mailbox.header.uniqueid = new
    mailbox.header_changed()
    mailbox.conversing.add_all()
    mailbox.commit()
    mailbox.store.mboxlist.update(entry)


def _copy_annotations(store: MailStore, old: str, new: str) -> None:
    annotations = list(store.annotations.find(old))
    if annotations:
        with store.annotations.transaction() as change:
            for found in annotations:
                change.write(new, found.entry, found.userid, found.value, modseq=found.modseq)


def _seen_states(store: MailStore, uniqueid: str) -> Iterator[tuple[SeenDb, SeenData]]:
    """The seen databases that know a mailbox; each is committed when the next is asked for."""
    userids = {store.rules.from_internal(entry.name).userid for entry in store.mboxlist.all("user.")}
    for userid in sorted({"anyone", *filter(None, userids)}):
        try:
            database = SeenDb(store.config, store.userstate, userid)
        except NotFound:
            continue
        with database:
            state = database.lock_read(uniqueid)
            if state != SeenData():
                yield database, state
