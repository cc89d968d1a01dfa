"""In which of a user's mailboxes the messages of a view are too, by that user's conversations.

Looked up for all messages at once, before any of them is told: while a client reads slowly, nobody waits for
the database or the namespace.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

from libcyrus.errors import CyrusError, IoError, MailboxBadFormat
from libcyrus.index.view import IndexView
from libcyrus.mailbox.index_record import DELETED, EXPUNGED, OFFSET_GUID
from libcyrus.records.conversations import Conversations
from libcyrus.records.conversations.guids import GuidRecord
from libcyrus.records.mbentry import MboxEntry

log = logging.getLogger(__name__)

_GUID_SIZE = 20


def find(
    view: IndexView, userid: str, numbers: Iterable[int], visible: Callable[[MboxEntry], bool]
) -> dict[bytes, list[MboxEntry]]:
    """The mailboxes by GUID, in the database's order; those that are not ``visible`` are left out.

    A mailbox is told once for each message there that has the GUID, or a part with it, unless that is
    deleted. Brings the view's picture up to date. Raises what ``IndexView.locked`` raises; a database that
    cannot be read is logged, and knows of nothing.
    """
    store = view.store
    folders: dict[int, MboxEntry | None] = {}
    found: dict[bytes, list[tuple[GuidRecord, MboxEntry]]] = {}
    owner = store.rules.from_internal(view.mboxname).userid
    with store.lock_users(shared=(userid, owner)), view.locked(write=False):
        try:
            with store.conversations.reading(store.rules.inbox(userid)) as state:
                for guid in _guids(view, numbers) if state is not None else ():
                    if guid not in found:
                        assert state is not None
                        found[guid] = _places(state, guid, folders, visible)
        except CyrusError as error:
            log.warning("error opening conversations for %s: %s", userid, error)
    return {
        guid: [entry for record, entry in places if record.version or _lives(view, record, entry)]
        for guid, places in found.items()
    }


def _guids(view: IndexView, numbers: Iterable[int]) -> Iterable[bytes]:
    for number in numbers:
        try:
            data = view.record_data(number)
        except IoError:
            continue
        yield bytes(data[OFFSET_GUID : OFFSET_GUID + _GUID_SIZE])


def _places(
    state: Conversations,
    guid: bytes,
    folders: dict[int, MboxEntry | None],
    visible: Callable[[MboxEntry], bool],
) -> list[tuple[GuidRecord, MboxEntry]]:
    found = []
    try:
        for record in state.guid_records(guid):
            if record.system_flags & DELETED or record.internal_flags & EXPUNGED:
                continue
            if record.folder not in folders:
                name = state.folder_name(record.folder)
                entry = state.mailboxes.get(name) if name is not None else None
                folders[record.folder] = entry if entry is not None and visible(entry) else None
            place = folders[record.folder]
            if place is not None:
                found.append((record, place))
    except MailboxBadFormat:
        log.error("IOERROR: conversations have a damaged record of message %s", guid.hex())
    return found


def _lives(view: IndexView, record: GuidRecord, entry: MboxEntry) -> bool:
    """Whether a message is there and not deleted: records of old databases do not say."""
    try:
        with view.store.open(entry, write=False) as mailbox:
            message = mailbox.find_uid(record.uid)
    except CyrusError:
        return False
    return message is not None and not (message.system_flags & DELETED or message.internal_flags & EXPUNGED)
