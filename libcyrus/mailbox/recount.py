"""A user's conversations made anew from the mailboxes: zero, build, recount, audit.

What ``ctl_conversationsdb`` does. Each keeps the user's namespace locked exclusively and the conversations in
one transaction from beginning to end, and opens one mailbox after the other meanwhile.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from libcyrus.errors import CyrusError
from libcyrus.mailbox import membership
from libcyrus.mailbox.annotations import change as change_annotation
from libcyrus.mailbox.index_record import SPLITCONVERSATION, IndexRecord
from libcyrus.mailbox.mailbox import Mailbox
from libcyrus.mailbox.mailstore import MailStore
from libcyrus.mailbox.membership import BASETHRID
from libcyrus.records.annotate import Annotation
from libcyrus.records.conversations import (
    Content,
    Conversations,
    Folder,
    assign,
    compare,
    maintenance,
)
from libcyrus.records.conversations.compare import Difference
from libcyrus.records.mbentry import MboxEntry

_BATCH: Final = 8192
"""Messages changed between two commits of a mailbox."""
_MANY: Final = 200
"""Messages from which on it pays to have the whole database in memory."""

Report = Callable[[str], None]


@contextmanager
def transaction(store: MailStore, userid: str) -> Iterator[Conversations]:
    """Hold a user's namespace and conversations; mailboxes opened meanwhile have a part in them."""
    with store.lock_users(userid):
        held = store.conversations.take(store.rules.inbox(userid), userid)
        try:
            yield held.state
        except BaseException:
            store.conversations.abort(held)
            raise
        store.conversations.leave(held)


def zero(store: MailStore, userid: str, skipped: Report) -> None:
    """Take their conversation from all messages; ``skipped`` gets the names of mailboxes that do not open."""
    with transaction(store, userid) as state:
        count = 0
        for entry in list(store.mboxlist.user_tree(userid)):
            mailbox = _open(store, entry, skipped)
            if mailbox is None:
                continue
            with mailbox:
                for record in mailbox.records(unlinked=False):
                    if record.cid:
                        _zero_message(mailbox, record)
                        count += 1
                        if count == _MANY:
                            state.hold_in_memory()


def _zero_message(mailbox: Mailbox, record: IndexRecord) -> None:
    if record.internal_flags & SPLITCONVERSATION:
        change_annotation(mailbox, record.uid, BASETHRID, "", b"", silent=True)
    new = record.copy()
    new.cid = 0
    new.internal_flags &= ~SPLITCONVERSATION
    mailbox.rewrite(new)


def build(store: MailStore, userid: str, skipped: Report) -> None:
    """Give every message without a conversation one, as if it arrived now; ``skipped`` as for ``zero``."""
    with transaction(store, userid) as state:
        count = 0
        for entry in list(store.mboxlist.user_tree(userid)):
            mailbox = _open(store, entry, skipped)
            if mailbox is None:
                continue
            with mailbox:
                for record, content in membership.messages(mailbox):
                    if record.cid:
                        continue
                    _build_message(state, mailbox, record, content)
                    count += 1
                    if count == _MANY:
                        state.hold_in_memory()
                    if not count % _BATCH:
                        mailbox.commit()


def _build_message(state: Conversations, mailbox: Mailbox, record: IndexRecord, content: Content) -> None:
    found = assign.assign(state, mailbox.name, record, content)
    new = record.copy()
    new.cid = found.cid
    if found.conversation is not None:
        state.save(found.cid, found.conversation)
    if found.basecid not in (0, found.cid):
        new.internal_flags |= SPLITCONVERSATION
        basecid = Annotation("", BASETHRID, "", b"%016x" % found.basecid)
        mailbox.changes.annotate(record.uid, basecid, "")
    mailbox.rewrite(new)


def recount(store: MailStore, userid: str, *, silent: bool, counted: Report) -> None:
    """Count everything anew; ``counted`` gets the name of each mailbox when its turn comes.

    A database that numbers folders by name is emptied first, and numbers them by unique id afterwards.
    Unless ``silent``, messages may get another conversation: one that grew too long is split.
    After an error nothing was changed in the database.
    """
    with transaction(store, userid) as state:
        state.hold_in_memory()
        maintenance.zero_counts(state, wipe=state.by_name)
        add_user(store, state, silent=silent, counted=counted)
        maintenance.cleanup_zero(state)


def add_user(store: MailStore, state: Conversations, *, silent: bool, counted: Report) -> None:
    """Add all messages of a user that have a conversation to a ``state`` without counts."""
    for entry in list(store.mboxlist.user_tree(state.userid)):
        with store.open(entry, write=not silent) as mailbox:
            counted(entry.name)
            if store.conversations.db.applies_to(entry.name, entry.mbtype):
                folder = Folder(mailbox.name, mailbox.uniqueid, mailbox.header.flags)
                membership.add(state, mailbox, folder, silent=silent)


def _open(store: MailStore, entry: MboxEntry, skipped: Report) -> Mailbox | None:
    try:
        return store.open(entry, write=True)
    except CyrusError:
        skipped(entry.name)
        return None


class Audit:
    """A copy of a user's conversations, counted anew, to compare with them.

    The copy lies beside the original, or in ``directory``. Whoever audits holds the user's namespace.
    """

    def __init__(self, store: MailStore, userid: str, directory: str | None, complain: Report) -> None:
        self._store = store
        self._complain = complain
        self._userid = userid
        self.path = store.conversations.db.path(userid)
        suffix = f"conversations.audit.{os.getpid()}"
        beside = store.userstate.user_path(userid, suffix)
        self.copy = f"{directory}/{userid}.{suffix}" if directory else beside

    def make_copy(self) -> None:
        """Raises OSError."""
        shutil.copyfile(self.path, self.copy)

    def recount(self, counted: Report) -> None:
        """Count in the copy. Raises CyrusError."""
        database = self._store.conversations.db
        with database.open(self._userid, path=self.copy) as state:
            state.hold_in_memory()
            maintenance.zero_counts(state)
            add_user(self._store, state, silent=True, counted=counted)
            maintenance.cleanup_zero(state)

    def differences(self) -> Iterator[Difference]:
        """Compare, as ``compare.differences`` does. Raises CyrusError."""
        database = self._store.conversations.db
        copy = database.open(self._userid, path=self.copy)
        try:
            real = database.open(self._userid)
            try:
                compare.take_over_modseqs(real, copy, self._complain)
                yield from compare.differences(real, copy)
            finally:
                real.abort()
        finally:
            copy.abort()

    def remove_copy(self) -> None:
        self._store.conversations.db.forget(self.copy)
        if os.path.exists(self.copy):
            os.unlink(self.copy)

