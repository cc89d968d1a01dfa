"""What the change of one message does to its owner's conversations.

``update_record`` is called for each message that is added, changed or removed (in which case one of
``old`` and ``new`` is None) before the index record is written, since it may give a new message its CID.
Messages that are expunged but still have a record are there; unlinked ones are not.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol

from libcyrus.base import xstats
from libcyrus.base.dataclasses import dataclass
from libcyrus.base.xlog import NOTICE
from libcyrus.base.xstats import Metric
from libcyrus.errors import ConversationGuidLimit, InternalError, MailboxBadFormat
from libcyrus.records.conversations import assign, guids, status
from libcyrus.records.conversations.content import Content
from libcyrus.records.conversations.conversation import Conversation
from libcyrus.records.conversations.counts import EmailCounts, Place, count
from libcyrus.records.conversations.layout import format_cid
from libcyrus.records.conversations.state import Conversations

log = logging.getLogger(__name__)

DRAFT: Final = 1 << 3
DELETED: Final = 1 << 2
SPLITCONVERSATION: Final = 1 << 27
EXPUNGED: Final = 1 << 31

_SYSTEM_FLAGS: Final = {"\\answered": 1 << 0, "\\flagged": 1 << 1, "\\deleted": 1 << 2, "\\draft": 1 << 3,
                        "\\seen": 1 << 4}  # fmt: skip


class MessageRecord(Protocol):
    """What is read of an index record; ``mailbox.index_record.IndexRecord`` is one."""

    @property
    def uid(self) -> int: ...
    @property
    def guid(self) -> bytes: ...
    @property
    def cid(self) -> int: ...
    @property
    def modseq(self) -> int: ...
    @property
    def createdmodseq(self) -> int: ...
    @property
    def system_flags(self) -> int: ...
    @property
    def internal_flags(self) -> int: ...
    @property
    def user_flags(self) -> int: ...
    @property
    def size(self) -> int: ...
    @property
    def internaldate(self) -> int: ...
    @property
    def gmtime(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Folder:
    """The mailbox a message is in; ``flag_names`` are its user flags in order of their numbers."""

    name: str
    uniqueid: str
    flag_names: Sequence[str | None]


class Assigned(NamedTuple):
    """The conversation of a message after an update.

    ``basecid`` is the one that it would be in had that not grown too long. If the two differ, the index
    record must get the flag SPLITCONVERSATION and the message the annotation ``basethrid``.
    """

    cid: int
    basecid: int

    @property
    def split(self) -> bool:
        return self.basecid not in (0, self.cid)


def update_record(
    state: Conversations,
    folder: Folder,
    old: MessageRecord | None,
    new: MessageRecord | None,
    content: Content,
    *,
    basecid: int = 0,
    renumber: bool = True,
    silent: bool = False,
    ignore_limits: bool = False,
) -> Assigned:
    """Take a message that was ``old`` and becomes ``new`` into account; returns its conversation.

    A message without ``old`` is given one with ``renumber``, unless the change is ``silent`` (it then keeps
    the CID it has). ``basecid`` is what the annotation of the message says, 0 for none.
    Raises ConversationGuidLimit unless ``ignore_limits``, MailboxBadFormat for a cache record that makes no
    sense, and what ``content`` raises; the caller must then abort the transaction.
    """
    if old is not None and new is not None and old.cid != new.cid:
        # the content counts for another conversation now: as if it went and came
        update_record(state, folder, old, None, content, renumber=False, ignore_limits=ignore_limits)
        return update_record(state, folder, None, new, content, basecid=basecid, renumber=False,
                             ignore_limits=ignore_limits)  # fmt: skip
    record = new if new is not None else old
    if record is None:
        return Assigned(0, 0)
    assigned = Assigned(record.cid, basecid)
    conversation: Conversation | None = None
    if new is not None and old is None and renumber:
        found = assign.assign(state, folder.name, new, content, basecid=basecid, silent=silent)
        assigned, conversation = Assigned(found.cid, found.basecid), found.conversation
    elif record.cid:
        conversation = state.load(record.cid)
        if conversation is None:
            if new is None:
                log.log(NOTICE, "conversation %s already deleted, ignoring", format_cid(record.cid))
                return assigned
            conversation = Conversation()
            xstats.count(Metric.CONV_NEW)
        elif conversation.subject is None and not record.system_flags & DRAFT:
            conversation.subject = content.subject
    counts = _update_guids(state, folder, old, new, assigned, content)
    if not ignore_limits:
        _check_limits(state, folder, record, counts)
    exists = bool(counts.after.exists) - bool(counts.before.exists)
    state.use_quota(exists, exists * record.size)
    if conversation is not None and assigned.cid:
        _update_conversation(state, folder, old, new, assigned.cid, content, conversation, counts)
    return assigned


def _update_guids(
    state: Conversations,
    folder: Folder,
    old: MessageRecord | None,
    new: MessageRecord | None,
    assigned: Assigned,
    content: Content,
) -> EmailCounts:
    """Write the G records of a message, and count its copies before and after."""
    record = new if new is not None else old
    assert record is not None
    state.known_names[folder.uniqueid] = folder.name
    number = state.folder_number(state.folder_key(folder.name, folder.uniqueid), create=True)
    places = _read_places(state, record.guid)
    before = count(places, number, state.trash)
    key = f"{number}:{record.uid}"
    internal_flags = record.internal_flags | SPLITCONVERSATION * assigned.split
    if new is None:
        changed = True
        places.pop((number, record.uid), None)
        value = None
    else:
        changed = (
            old is None
            or old.system_flags != new.system_flags
            or old.internal_flags != internal_flags
            or old.internaldate != new.internaldate
        )
        version = guids.BY_NAME_VERSION if state.by_name else guids.VERSION
        value = guids.pack(version, assigned.cid, new.system_flags, internal_flags, new.internaldate)
        if changed:
            places[number, record.uid] = Place(version, new.system_flags, internal_flags)
    if changed:
        _write_guid(state, record.guid, key, value)
        for guid, part in content.parts:
            _write_guid(state, guid, f"{key}[{part}]", value)
    return EmailCounts(number, before, count(places, number, state.trash))


def _read_places(state: Conversations, guid: bytes) -> dict[tuple[int, int], Place]:
    """The records of the message itself, by folder number and UID. Raises InternalError."""
    try:
        return {
            (known.folder, known.uid): Place(known.version, known.system_flags, known.internal_flags)
            for known in state.guid_records(guid)
            if not known.part
        }
    except MailboxBadFormat as error:
        raise InternalError from error


def _write_guid(state: Conversations, guid: bytes, place: str, value: bytes | None) -> None:
    records = state.records
    prefix = guids.prefix(guid)
    # since folders have numbers by unique id there are none of these
    listed = records.fetch(prefix) if state.by_name else None
    if listed:
        # the oldest layout: make that a record for each place
        for item in listed.split(b","):
            records.store(b"%b:%b" % (prefix, item), b"")
        records.delete(prefix)
    key = b"%b:%b" % (prefix, place.encode("ascii"))
    if value is None:
        records.delete(key)
    else:
        records.store(key, value)


def _check_limits(
    state: Conversations, folder: Folder, record: MessageRecord, counts: EmailCounts
) -> None:
    after, settings = counts.after, state.settings
    if after.numrecords <= counts.before.numrecords:
        return
    if (
        after.numrecords > settings.max_guidrecords
        or after.exists > settings.max_guidexists
        or after.folderexists > settings.max_guidinfolder
    ):
        log.error(
            "IOERROR: conversations GUID limit for %s/%u/%s (%u %u %u)",
            folder.name, record.uid, record.guid.hex(), after.numrecords, after.exists, after.folderexists,
        )  # fmt: skip
        raise ConversationGuidLimit


def _update_conversation(
    state: Conversations,
    folder: Folder,
    old: MessageRecord | None,
    new: MessageRecord | None,
    cid: int,
    content: Content,
    conversation: Conversation,
    counts: EmailCounts,
) -> None:
    record = new if new is not None else old
    assert record is not None
    exists = bool(counts.after.exists) - bool(counts.before.exists)
    sender = content.sender
    if sender is not None:
        conversation.update_sender(
            sender.name, sender.route, sender.mailbox, sender.domain, record.gmtime, exists,
            utf8=state.settings.utf8_headers,
        )  # fmt: skip
    conversation.update_thread(record.guid, record.internaldate, exists)
    change = status.Change(
        modseq=max(old.modseq if old is not None else 0, new.modseq if new is not None else 0),
        createdmodseq=record.createdmodseq,
        size=exists * record.size,
        flags=_flag_changes(state, folder, old, new),
    )
    status.apply(state, conversation, counts, change)
    state.save(cid, conversation)


def _flag_changes(
    state: Conversations, folder: Folder, old: MessageRecord | None, new: MessageRecord | None
) -> list[int]:
    """By how much each counted flag is more."""
    if not state.counted_flags:
        return []
    if (
        old is not None
        and new is not None
        and old.system_flags == new.system_flags
        and old.user_flags == new.user_flags
        and not (old.internal_flags ^ new.internal_flags) & EXPUNGED
    ):
        return [0] * len(state.counted_flags)
    return [
        _has_flag(folder, new, flag) - _has_flag(folder, old, flag) for flag in state.counted_flags
    ]


def _has_flag(folder: Folder, record: MessageRecord | None, flag: str) -> bool:
    if record is None or record.internal_flags & EXPUNGED or record.system_flags & DELETED:
        return False
    wanted = flag.lower()
    if flag.startswith("\\"):
        return bool(record.system_flags & _SYSTEM_FLAGS.get(wanted, 0))
    if not record.user_flags:
        return False
    for number, name in enumerate(folder.flag_names):
        if name is not None and name.lower() == wanted:
            return bool(record.user_flags >> number & 1)
    return False
