"""A mailbox's part in its owner's conversations.

The database of a user is opened when the first message of a locked mailbox changes, and committed with the
mailbox, behind the index: see ``changes`` for what a crash in between means. Two mailboxes of one user that
are locked at once (RENAME of the old layout) share the transaction; then the last one to be unlocked
commits, and if either fails nothing of both is kept.

A database that cannot be opened keeps no mail out (as in the original, but for its lmtpd): messages then get
no conversation, until ``ctl_conversationsdb`` builds it anew.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

from libcyrus.errors import CyrusError, InternalError, MailboxBadFormat
from libcyrus.mailbox import index_record, membership
from libcyrus.mailbox.index_record import SPLITCONVERSATION, IndexRecord
from libcyrus.mailbox.membership import BASETHRID
from libcyrus.mailbox.splits import PendingSplits
from libcyrus.message import cache as cache_record
from libcyrus.records.annotate import Annotation
from libcyrus.records.conversations import Content, Conversations, ConversationsDb, Folder, update_record
from libcyrus.records.conversations.layout import FolderStatus
from libcyrus.records.userstate import CONVERSATIONS

if TYPE_CHECKING:
    from libcyrus.mailbox.mailbox import Mailbox
    from libcyrus.mailbox.mailstore import MailStore

log = logging.getLogger(__name__)


class _Held:
    """One open transaction and how many mailboxes have a part in it."""

    __slots__ = ("holders", "path", "splits", "state")

    def __init__(self, path: str, state: Conversations, splits: PendingSplits) -> None:
        self.path = path
        self.state = state
        self.splits = splits
        self.holders = 1


class ConversationStates:
    """The conversations databases of a process, and the transactions that are open."""

    def __init__(self, store: MailStore) -> None:
        self._store = store
        on_folder = store.sync_log.mailbox if store.sync_log.enabled else None
        self.db = ConversationsDb(store.config, store.userstate, store.counters, on_folder)
        self._held: dict[str, _Held] = {}

    def path(self, name: str) -> str:
        """The database of the owner of a mailbox."""
        return self._store.userstate.path(self._store.rules.from_internal(name), CONVERSATIONS)

    def current(self, name: str) -> Conversations | None:
        """The open transaction of a mailbox's owner."""
        held = self._held.get(self.path(name)) if self._held else None
        return held.state if held is not None else None

    @contextmanager
    def reading(self, name: str) -> Iterator[Conversations | None]:
        """The conversations of a mailbox's owner, to be read: in the open transaction, or one for the block.

        Takes the namespace lock unless the process has it, as it has while one of the user's mailboxes is
        locked. None for shared mailboxes. Raises what ``ConversationsDb.open`` raises.
        """
        userid = self._store.rules.from_internal(name).userid
        if userid is None:
            yield None
            return
        current = self.current(name)
        if current is not None:
            yield current
            return
        locks = self._store.locks
        with (
            nullcontext() if locks.holds_user(userid) else locks.user(userid, exclusive=False),
            self.db.open(userid, shared=True, path=self.path(name)) as state,
        ):
            yield state

    def message_use(self, name: str) -> tuple[int, int] | None:
        """Bytes and number of the distinct messages of a user, who has the mailbox ``name``.

        None for shared mailboxes, and, logged, when the database cannot be read.
        """
        userid = self._store.rules.from_internal(name).userid
        try:
            with self.reading(name) as state:
                if state is None:
                    return None
                emails, storage = state.quota()
        except CyrusError as error:
            log.error("IOERROR: reading the use of %s from conversations failed: %s", userid, error)
            return None
        return storage, emails

    def take(self, name: str, userid: str) -> _Held:
        """Join the owner's transaction, or begin one. The namespace is locked exclusively.

        Raises what ``ConversationsDb.open`` raises.
        """
        path = self.path(name)
        held = self._held.get(path)
        if held is not None:
            held.holders += 1
            return held
        splits = PendingSplits(self._store, userid)
        held = self._held[path] = _Held(path, self.db.open(userid, path=path, splits=splits), splits)
        return held

    def leave(self, held: _Held) -> None:
        """Give up a part; the last one commits, unless the transaction was aborted. Raises as ``commit``."""
        held.holders -= 1
        if not held.holders and self._held.get(held.path) is held:
            del self._held[held.path]
            held.state.commit()
            held.splits.write()

    def abort(self, held: _Held) -> None:
        """Drop the transaction, for all who have a part in it."""
        if self._held.get(held.path) is held:
            del self._held[held.path]
            held.state.abort()

    def close(self) -> None:
        for held in list(self._held.values()):
            self.abort(held)
        self.db.close()


class Conversing:
    """What one open mailbox tells its owner's conversations. Needs the exclusive index lock.

    ``active`` says whether it has any; without, all methods do nothing. Those that change something raise
    ConversationGuidLimit where limits count, MailboxBadFormat for a database or cache record that makes no
    sense, IoError; the caller then aborts the mailbox.
    """

    __slots__ = ("_held", "_left", "_mailbox", "_name", "_refused", "active")

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox
        self._name = mailbox.name
        self._held: _Held | None = None
        self._left: list[_Held] = []
        self._refused = False
        self.active = self._applies_to(mailbox.name)

    def _applies_to(self, name: str) -> bool:
        store = self._mailbox.store
        return store.conversations_on and store.conversations.db.applies_to(name, self._mailbox.entry.mbtype)

    # messages

    def update(
        self,
        old: IndexRecord | None,
        new: IndexRecord | None,
        cache: bytes | memoryview | None = None,
        *,
        silent: bool = False,
        ignore_limits: bool = False,
    ) -> None:
        """A message changes from ``old`` to ``new``; None is one that is not there, as are unlinked ones.

        ``new`` gets its conversation, unless the change is ``silent``. ``cache`` saves reading it.
        """
        state = self._open()
        if state is None:
            return
        old = None if old is None or old.unlinked else old
        new = None if new is None or new.unlinked else new
        record = new or old
        if record is None:
            return
        basecid = self._basecid(record) if new is not None else 0
        assigned = update_record(
            state, self._folder(), old, new, self._content(record, cache),
            basecid=basecid, silent=silent, ignore_limits=ignore_limits,
        )  # fmt: skip
        if new is None:
            return
        new.cid = assigned.cid
        if assigned.split:
            new.internal_flags |= SPLITCONVERSATION
            if assigned.basecid != basecid:
                value = b"%016x" % assigned.basecid
                self._mailbox.changes.annotate(new.uid, Annotation("", BASETHRID, "", value), "")

    def update_packed(self, packed: dict[int, bytes]) -> None:
        """Only flags of messages change: ``packed`` are the new records, ``Mailbox.region`` has the old."""
        state = self._open() if packed else None
        if state is None:
            return
        mailbox, folder = self._mailbox, self._folder()
        region, size, version = mailbox.region, mailbox.i.record_size, mailbox.i.minor_version
        for recno, data in packed.items():
            old = index_record.unpack(region, (recno - 1) * size, version=version, check=False)
            new = index_record.unpack(data, version=version, check=False)
            if not old.unlinked:
                update_record(
                    state, folder, old, None if new.unlinked else new, self._content(old), ignore_limits=True
                )

    # the whole mailbox

    def add_all(self) -> None:
        """The mailbox and all its messages belong to the owner from now on."""
        state = self._open()
        if state is not None:
            membership.add(state, self._mailbox, self._folder(), silent=False)

    def remove_all(self) -> None:
        """The mailbox is about to be deleted, or to go to where its owner has no conversations."""
        state = self._open()
        if state is not None:
            membership.remove(state, self._mailbox, self._folder())

    def restore(self) -> None:
        """The mailbox stays, though its conversations may have been removed already: add them again then."""
        state = self._open()
        if state is None:
            return
        folder = self._folder()
        if state.folder_key(folder.name, folder.uniqueid) not in state.folders:
            self.add_all()

    def rename(self, new_name: str, *, with_user: bool = False) -> None:
        """The mailbox is about to get another name, perhaps with another owner, or to be deleted by that.

        ``with_user``: its owner is renamed, with all mailboxes.
        """
        store = self._mailbox.store
        stays_active = self._applies_to(new_name)
        if not self.active and not stays_active:
            return
        # a user who is renamed keeps the database, which goes by the INBOX's unique id
        same = with_user or (
            store.conversations.path(self._name) == store.conversations.path(new_name)
        )
        if self.active and stays_active and same:
            state = self._open()
            if state is not None and state.by_name:
                state.rename_folder(self._name, new_name)
            self._name = new_name
            return
        self.remove_all()
        self.note_modseq()
        if self._held is not None:
            self._left.append(self._held)
            self._held = None
        self._name, self.active, self._refused = new_name, stays_active, False
        self.add_all()

    def move(self, other: Conversing) -> None:
        """The mailbox was copied to ``other`` with another name; this one is about to go."""
        paths = self._mailbox.store.conversations
        if self.active and other.active and paths.path(self._name) == paths.path(other._name):
            state = self._open()
            if state is not None and state.by_name:
                state.rename_folder(self._name, other._name)
            return
        other.add_all()
        self.remove_all()

    def note_modseq(self) -> None:
        """The folder's state must not be behind the mailbox. Part of its commit; failing is logged."""
        state = self._open()
        if state is None:
            return
        folder = self._folder()
        key = state.folder_key(folder.name, folder.uniqueid)
        try:
            status = state.status(key)
        except MailboxBadFormat as error:
            self._mailbox.complain("IOERROR: conversations do not know the modseq", reason=error)
            return
        if status.threadmodseq < self._mailbox.i.highestmodseq:
            status.threadmodseq = self._mailbox.i.highestmodseq
            state.set_status(key, status)

    def status(self) -> FolderStatus:
        """What its owner's conversations count in this mailbox; zeros without any. Failing is logged."""
        state = self._open()
        if state is None:
            return FolderStatus()
        folder = self._folder()
        try:
            return state.status(state.folder_key(folder.name, folder.uniqueid))
        except MailboxBadFormat as error:
            self._mailbox.complain("IOERROR: conversations do not know the mailbox", reason=error)
            return FolderStatus()

    # the transaction

    def committed(self) -> None:
        """The index is on disk: commit too, unless another mailbox has a part in the transaction.

        A failure is in the log only, for the messages are stored.
        """
        if self._held is not None and self._held.holders == 1:
            self.leave()

    def leave(self) -> None:
        """The index is unlocked: at the latest now everything is committed."""
        due, self._left = self._left, []
        if self._held is not None:
            due.append(self._held)
        self._held, self._refused = None, False
        for held in due:
            try:
                self._mailbox.store.conversations.leave(held)
            except (CyrusError, OSError) as error:
                self._mailbox.complain("IOERROR: committing to conversations database failed", reason=error)

    def abort(self) -> None:
        """Drop the transaction."""
        due, self._left = self._left, []
        if self._held is not None:
            due.append(self._held)
        self._held = None
        for held in due:
            self._mailbox.store.conversations.abort(held)

    def _open(self) -> Conversations | None:
        if self._held is not None:
            return self._held.state
        if not self.active or self._refused:
            return None
        mailbox = self._mailbox
        userid = mailbox.store.rules.from_internal(self._name).userid
        if not mailbox.writable or userid is None:
            raise InternalError
        try:
            self._held = mailbox.store.conversations.take(self._name, userid)
        except CyrusError as error:
            self._refused = True
            mailbox.complain("IOERROR: opening conversations database failed", reason=error)
            return None
        return self._held.state

    def _folder(self) -> Folder:
        mailbox = self._mailbox
        return Folder(self._name, mailbox.uniqueid, mailbox.header.flags)

    def _content(self, record: IndexRecord, cache: bytes | memoryview | None = None) -> Content:
        if cache is None:
            return membership.content(self._mailbox, record)
        return Content(lambda: cache_record.split(cache))

    def _basecid(self, record: IndexRecord) -> int:
        """The conversation that a message would be in had that not grown too long; 0 if it is in that."""
        if not record.internal_flags & SPLITCONVERSATION:
            return 0
        for annotation in self._mailbox.annotations.of(record.uid):
            if annotation.entry == BASETHRID and not annotation.userid:
                try:
                    return int(annotation.value, 16) if len(annotation.value) == 16 else 0
                except ValueError:
                    return 0
        return 0
