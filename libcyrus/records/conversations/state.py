"""An open conversations database: one user's, for the time of one transaction.

Whoever opens it holds the user's namespace lock, exclusively for changing (see ``mailbox.namelock``; in the
lock order the database comes after the index lock), and holds it until ``commit`` or ``abort``. Everything is
one transaction: conversations and folder states that change are kept in memory and written once, at the
end, so many changes to one conversation cost one record.

A commit costs one sync with skiplist (``Sync.ORDERED``): a power cut may lose the latest commits, but not
break the file. All of it is made of the mailboxes, whose index keeps each message's conversation and was
synced before; what is missing here comes back when a message's flags change, or by
``ctl_conversationsdb -R``. That is what a crash between the two commits means as well.

Shared mailboxes have no conversations.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Final, Protocol, Self

from libcyrus import cyrusdb
from libcyrus.base import xstats
from libcyrus.base.xlog import NOTICE
from libcyrus.base.xstats import Metric
from libcyrus.cyrusdb import Database, Transaction
from libcyrus.errors import MailboxBadFormat
from libcyrus.records.conversations import guids, layout
from libcyrus.records.conversations.conversation import (
    Conversation,
    Summary,
    unpack_modseq,
    unpack_summary,
)
from libcyrus.records.conversations.guids import GuidRecord
from libcyrus.records.conversations.layout import FolderStatus, Quota
from libcyrus.records.conversations.memory import MemoryRecords

if TYPE_CHECKING:
    from libcyrus.records.conversations.users import ConversationsDb

log = logging.getLogger(__name__)

TRASH: Final = "Trash"
SPLITS: Final = "#splitconversations"
"""The folder whose annotations say where a conversation that grew too long goes on."""

_MOST_IN_MEMORY: Final = 2000
_MOST_BESIDE_MEMORY: Final = 50000


class Splits(Protocol):
    """Where conversations that grew too long go on: annotations of the user's ``#splitconversations``."""

    def get(self, cid: int) -> int:
        """The conversation that continues ``cid``; 0 if none does."""

    def set(self, cid: int, continued: int) -> None:
        """Remember that ``continued`` continues ``cid``."""


class NoSplits:
    """Knows of none and forgets them."""

    def get(self, cid: int) -> int:
        return 0

    def set(self, cid: int, continued: int) -> None:
        pass


class Conversations:
    """One transaction; made by ``ConversationsDb.open``. A context manager: commits, or aborts on errors.

    Folders are known by number; their *key* is the unique id, or the name where ``by_name`` (a file that a
    version before 3.6 made and nobody recounted since).
    """

    def __init__(
        self, owner: ConversationsDb, database: Database, userid: str, *, shared: bool, splits: Splits
    ) -> None:
        self.owner = owner
        self.settings = owner.settings
        self.mailboxes = owner.mailboxes
        self.userid = userid
        self.shared = shared
        self.splits = splits
        self.path = database.path
        self.folders: list[str] = []
        self.by_name = False
        self.counted_flags: list[str] = []
        self.trash = -1
        self._database = database
        self._conversations: dict[int, Conversation | None] = {}
        self._changed: set[int] = set()
        self._status: dict[str, FolderStatus] = {}
        self._msgids: dict[bytes, list[int]] = {}
        self._read_status: dict[str, FolderStatus] = {}
        self._names: dict[int, str | None] = {}
        self.known_names: dict[str, str] = {}
        """Names by unique id of mailboxes that the caller has open, to save looking them up."""
        self._quota: Quota | None = None
        self._quota_changed = False
        self._open = True
        self._replaced: Transaction | None = None
        self._most_in_memory = _MOST_IN_MEMORY
        self.records: Transaction = database.transaction(shared=shared)
        try:
            self._read_counted_flags()
            self._read_folders()
        except BaseException:
            self.records.abort()
            raise

    # folders

    def folder_key(self, name: str, uniqueid: str) -> str:
        """What a folder is filed under: its unique id, or its internal name if ``by_name``."""
        return name if self.by_name else uniqueid

    def folder_number(self, key: str, *, create: bool = False) -> int:
        """The number of a folder; -1 if it has none, a new one with ``create``."""
        try:
            return self.folders.index(key)
        except ValueError:
            if not create:
                return -1
        try:
            place = self.folders.index(layout.FREE)
            self.folders[place] = key
        except ValueError:
            place = len(self.folders)
            self.folders.append(key)
        self._names.pop(place, None)
        if key == self._trash_key():
            self.trash = place
        self.write_folders()
        return place

    def folder_name(self, number: int) -> str | None:
        """The internal name of a folder by number; None if it is gone."""
        key = self.folders[number] if 0 <= number < len(self.folders) else layout.FREE
        if key == layout.FREE:
            return None
        if self.by_name:
            return key
        if number not in self._names:
            self._names[number] = self.mailboxes.name_of_uniqueid(key)
        return self._names[number]

    def forget_folders(self) -> None:
        """Number folders anew, by unique id: after their list was removed."""
        self.folders = []
        self.by_name = False
        self.trash = -1
        self._names.clear()

    def write_folders(self) -> None:
        key = layout.FOLDER_NAMES if self.by_name else layout.FOLDER_IDS
        self.records.store(key, layout.pack_folders(self.folders))

    def rename_folder(self, old: str, new: str | None) -> None:
        """A folder got another name, or with ``new`` None was deleted: give up its number.

        ``old`` and ``new`` are keys. Without ``by_name`` a rename changes nothing, since ids stay.
        """
        if new is not None and not self.by_name:
            return
        if old in self.folders:
            number = self.folders.index(old)
            self.folders[number] = layout.FREE if new is None else new
            self._names.pop(number, None)
            self.write_folders()
        status = self.status(old)
        if new is not None:
            self.set_status(new, status)
            self.set_status(old, FolderStatus())
            log.log(NOTICE, "conversations_rename_folder: renamed %s to %s", old, new)
            return
        if status.threadexists or status.emailexists:
            log.error(
                "IOERROR: conversationsdb corruption %s still had %d/%d messages in folder key on delete",
                old, status.threadexists, status.emailexists,
            )  # fmt: skip
        log.log(NOTICE, "conversations_rename_folder: deleted %s", old)

    def status(self, key: str) -> FolderStatus:
        """The state of a folder by key, a copy; all zero if there is none. Raises MailboxBadFormat."""
        status = self._status.get(key) or self._read_status.get(key)
        if status is not None:
            return status.copy()
        data = self.records.fetch(layout.folder_key(key))
        try:
            status = FolderStatus.unpack(data) if data is not None else FolderStatus()
        except MailboxBadFormat:
            log.error("IOERROR: conversations invalid status %s", key)
            raise
        self._read_status[key] = status
        return status.copy()

    def set_status(self, key: str, status: FolderStatus) -> None:
        """Give a folder a state; one without threadmodseq removes the record."""
        self._status[key] = status.copy()

    def raise_modseq(self, key: str, modseq: int) -> None:
        """Let a folder's threadmodseq be at least the mailbox's highestmodseq: at each of its commits."""
        status = self.status(key)
        if modseq > status.threadmodseq:
            status.threadmodseq = modseq
            self.set_status(key, status)

    # conversations

    def load(self, cid: int) -> Conversation | None:
        """A conversation, None if there is none or its record is damaged.

        It is the object that later calls return: call ``save`` after changing it.
        """
        if cid in self._conversations:
            return self._conversations[cid]
        conversation = None
        key = layout.conversation_key(cid)
        data = self.records.fetch(key)
        if data is not None:
            xstats.count(Metric.CONV_LOAD)
            try:
                conversation = Conversation.unpack(data)
            except MailboxBadFormat:
                log.error(
                    "IOERROR: conversations_audit parse error: %s %s %s",
                    self.path, key.decode("ascii"), data.decode("utf-8", "backslashreplace"),
                )  # fmt: skip
        self._make_room()
        self._conversations[cid] = conversation
        return conversation

    def save(self, cid: int, conversation: Conversation) -> None:
        """Note that a conversation changed; without records it is removed."""
        if cid not in self._conversations:
            self._make_room()
        xstats.count(Metric.CONV_SAVE)
        self._conversations[cid] = conversation if conversation.num_records else None
        self._changed.add(cid)

    def summary(self, cid: int) -> Summary | None:
        """The numbers of a conversation, None if there is none or its record is damaged."""
        if cid in self._conversations:
            conversation = self._conversations[cid]
            return conversation.summary if conversation is not None else None
        data = self.records.fetch(layout.conversation_key(cid))
        try:
            return unpack_summary(data) if data is not None else None
        except MailboxBadFormat:
            log.error("IOERROR: conversations_audit parse error: %s %s", self.path, layout.format_cid(cid))
            return None

    def modseq(self, cid: int) -> int:
        """The highest modseq of a conversation, 0 if there is none."""
        if cid in self._conversations:
            conversation = self._conversations[cid]
            return conversation.modseq if conversation is not None else 0
        data = self.records.fetch(layout.conversation_key(cid))
        xstats.count(Metric.CONV_GET_MODSEQ)
        try:
            return unpack_modseq(data) if data is not None else 0
        except MailboxBadFormat:
            log.error("IOERROR: conversation_get_modseq: invalid conversation %s", layout.format_cid(cid))
            return 0

    def msgid_cids(self, msgid: bytes) -> list[int]:
        """The conversations a message id was mentioned in. Raises MailboxBadFormat."""
        cids = self._msgids.get(msgid)
        if cids is None:
            data = self.records.fetch(msgid)
            cids = layout.unpack_msgid(data)[0] if data is not None else []
            if len(self._msgids) >= _MOST_IN_MEMORY:
                self._msgids.clear()
            self._msgids[msgid] = cids
        return cids

    def add_msgid(self, msgid: bytes, cid: int) -> None:
        """Remember that a message id (see ``layout.valid_msgid``) belongs to a conversation."""
        try:
            cids = self.msgid_cids(msgid)
        except MailboxBadFormat:
            cids = []
        if cid not in cids:
            cids = self._msgids[msgid] = [*cids, cid]
            self.records.store(msgid, layout.pack_msgid(cids, int(time.time())))

    # messages

    def guid_records(self, guid: bytes) -> Iterator[GuidRecord]:
        """Where the message or part with this GUID is. Raises MailboxBadFormat."""
        for key, data in self.records.foreach(guids.prefix(guid)):
            yield from guids.unpack(key, data)

    def guid_exists(self, guid: bytes) -> bool:
        """Whether a message or part with this GUID is known."""
        prefix = guids.prefix(guid)
        return next(iter(self.records.foreach(prefix)), None) is not None

    def guid_cid(self, guid: bytes) -> int:
        """The conversation of a message by its GUID, 0 if it is not known."""
        for record in self.guid_records(guid):
            if not record.part:
                return record.cid
        return 0

    # quota

    def quota(self) -> Quota:
        """What the user has. Raises MailboxBadFormat."""
        if self._quota is None:
            data = self.records.fetch(layout.QUOTA)
            self._quota = layout.unpack_quota(data) if data else Quota(0, 0)
        return self._quota

    def use_quota(self, emails: int, storage: int) -> None:
        """Add to it."""
        if emails or storage:
            now = self.quota()
            self._quota = Quota(now.emails + emails, now.storage + storage)
            self._quota_changed = True

    # the end

    def flush(self) -> None:
        """Write what is kept in memory into the transaction: before its records are read directly."""
        self._write_conversations()
        for key, status in self._status.items():
            self._store_status(key, status)
        if self._quota is not None and self._quota_changed:
            quota = self._quota
            if quota.emails < 0 or quota.storage < 0:
                log.error("IOERROR: conversations_audit on quota store: %s (%d %d)", self.path, *quota)
                quota = Quota(0, 0)
            self.records.store(layout.QUOTA, layout.pack_quota(quota))
            self._quota_changed = False

    def hold_in_memory(self) -> None:
        """Because most records are to change: work on a copy in memory, which replaces the file at the end.

        Until then the file stays locked. Nothing happens for a database that is not a file.
        """
        if self._replaced is None and self.owner.has_files:
            self.flush()
            self._begin_in_memory(self.records.foreach())

    def clear(self) -> None:
        """Remove every record."""
        self.forget_memory()
        if self._replaced is not None or self.owner.has_files:
            self._begin_in_memory(())
        else:
            cyrusdb.truncate(self.records)

    def _begin_in_memory(self, records: Iterable[tuple[bytes, bytes]]) -> None:
        memory = MemoryRecords(records)
        self._replaced = self._replaced or self.records
        self.records = memory
        self._most_in_memory = _MOST_BESIDE_MEMORY

    def commit(self) -> None:
        """Make everything durable. After an error nothing of it happened."""
        if not self._open:
            return
        try:
            if self.shared:
                self.records.abort()
            else:
                self.flush()
                self._announce()
                if self._replaced is not None:
                    self.owner.replace(self.path, self.records)
                    self._replaced.abort()
                self.records.commit()
        except BaseException:
            self.abort()
            raise
        self._open = False
        self.owner.release(self._database)

    def abort(self) -> None:
        """Forget everything since the opening; harmless after the end."""
        if not self._open:
            return
        self._open = False
        self.records.abort()
        if self._replaced is not None:
            self._replaced.abort()
        self.owner.release(self._database)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.commit()
        else:
            self.abort()

    def forget_memory(self) -> None:
        """Drop what is kept in memory: after the records were changed directly."""
        self._conversations.clear()
        self._changed.clear()
        self._status.clear()
        self._msgids.clear()
        self._read_status.clear()
        self._quota, self._quota_changed = None, False

    # inside

    def reset_counted_flags(self) -> None:
        """Count the flags that the option names from now on."""
        self._count(self.settings.counted_flags)
        if self.settings.counted_flags and not self.shared:
            self.records.store(layout.COUNTED_FLAGS, self.settings.counted_flags.encode())

    def _read_counted_flags(self) -> None:
        data = self.records.fetch(layout.COUNTED_FLAGS)
        if data:
            self._count(data.decode("utf-8", "surrogateescape"))
        else:
            self.reset_counted_flags()

    def _count(self, flags: str) -> None:
        names = flags.split(" ") if flags else []
        if len(names) > layout.MAX_COUNTED_FLAGS:
            log.error("conversations: truncating counted_flags: %d (%s)", len(names), flags)
        self.counted_flags = names[: layout.MAX_COUNTED_FLAGS]

    def _read_folders(self) -> None:
        data = self.records.fetch(layout.FOLDER_IDS)
        if data is None:
            data = self.records.fetch(layout.FOLDER_NAMES)
            self.by_name = data is not None
        if data is not None:
            self.folders = layout.unpack_folders(data)
        trash = self._trash_key()
        self.trash = self.folder_number(trash) if trash is not None else -1

    def _trash_key(self) -> str | None:
        name = self.mailboxes.rules.inbox(self.userid, TRASH)
        if self.by_name:
            return name
        entry = self.mailboxes.get_all(name)
        return entry.uniqueid if entry is not None else None

    def _make_room(self) -> None:
        if len(self._conversations) >= self._most_in_memory:
            self._write_conversations()
            self._conversations.clear()

    def _write_conversations(self) -> None:
        flags = len(self.counted_flags)
        for cid in sorted(self._changed):
            conversation = self._conversations[cid]
            key = layout.conversation_key(cid)
            if conversation is not None:
                self.records.store(key, conversation.pack(flags))
            else:
                self.records.delete(key)
        self._changed.clear()

    def _store_status(self, key: str, status: FolderStatus) -> None:
        if status.threadmodseq:
            self.records.store(layout.folder_key(key), status.pack())
        else:
            self.records.delete(layout.folder_key(key))

    def _announce(self) -> None:
        """The counters of the user must not be behind any folder's; and the sync log wants to know."""
        counters = self.owner.counters
        highest: dict[str, tuple[int, str]] = {}
        for key, status in self._status.items():
            name = key if self.by_name else self.known_names.get(key) or self.mailboxes.name_of_uniqueid(key)
            if name is None:
                continue
            kind = counters.kind(name)
            if status.threadmodseq > highest.get(kind, (-1, ""))[0]:
                highest[kind] = status.threadmodseq, name
            if self.owner.on_folder is not None:
                self.owner.on_folder(name)
        for modseq, name in highest.values():
            counters.set_modseq(name, modseq)
