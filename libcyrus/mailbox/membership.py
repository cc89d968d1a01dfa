"""All messages of a mailbox coming to a user's conversations, or leaving them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from libcyrus.errors import IoError
from libcyrus.mailbox.index_record import SPLITCONVERSATION, IndexRecord
from libcyrus.message import cache
from libcyrus.message.cache import CacheRecord
from libcyrus.records.annotate import NAMESPACE, Annotation
from libcyrus.records.conversations import Content, Conversations, Folder, FolderStatus, update_record

if TYPE_CHECKING:
    from libcyrus.mailbox.mailbox import Mailbox

BASETHRID: Final = NAMESPACE + "basethrid"
"""The annotation of a message whose conversation continues another: its value is the CID of that."""

_NOTHING: Final = CacheRecord(
    envelope=b"(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)",
    bodystructure=b'("TEXT" "PLAIN" NIL NIL NIL "7BIT" 0 0 NIL NIL NIL NIL)',
    body=b"",
    section=bytes(4),
    headers=b"",
    from_=b"",
    to=b"",
    cc=b"",
    bcc=b"",
    subject=b"NIL",
)


def messages(mailbox: Mailbox) -> Iterator[tuple[IndexRecord, Content]]:
    """All messages that are not unlinked, with their content."""
    records = list(mailbox.records(unlinked=False))
    offsets = sorted({record.cache_offset for record in records})
    for record in records:
        after = bisect_right(offsets, record.cache_offset)
        end = offsets[after] if after < len(offsets) else 0
        yield record, content(mailbox, record, end)


def add(state: Conversations, mailbox: Mailbox, folder: Folder, *, silent: bool) -> None:
    """Add the messages that have a conversation, and set the folder's state to what they make of it.

    Unless ``silent``, messages may get another conversation, which is written into the mailbox.
    """
    key = state.folder_key(folder.name, folder.uniqueid)
    state.set_status(key, FolderStatus(mailbox.i.highestmodseq))
    for record, what in messages(mailbox):
        if not record.cid:
            continue
        assigned = update_record(state, folder, None, record, what, silent=silent, ignore_limits=True)
        if assigned.cid != record.cid:
            _move(state, mailbox, folder, record, what, assigned.cid, assigned.basecid)


def remove(state: Conversations, mailbox: Mailbox, folder: Folder) -> None:
    """Take the messages out, and the folder with them."""
    for record, what in messages(mailbox):
        if record.cid:
            update_record(state, folder, record, None, what, renumber=False, ignore_limits=True)
    state.rename_folder(state.folder_key(folder.name, folder.uniqueid), None)


def _move(
    state: Conversations,
    mailbox: Mailbox,
    folder: Folder,
    record: IndexRecord,
    what: Content,
    cid: int,
    basecid: int,
) -> None:
    """Write a message's new conversation into its mailbox, which counts it there itself."""
    new = record.copy()
    new.cid = cid
    if basecid not in (0, cid):
        new.internal_flags |= SPLITCONVERSATION
        mailbox.changes.annotate(record.uid, Annotation("", BASETHRID, "", b"%016x" % basecid), "")
    # the rewrite takes it from its old conversation, where it must be for that
    update_record(state, folder, new, None, what, renumber=False, ignore_limits=True)
    update_record(state, folder, None, record, what, renumber=False, ignore_limits=True)
    mailbox.rewrite(new)


def content(mailbox: Mailbox, record: IndexRecord, end: int = 0) -> Content:
    """What conversations want to know of a message.

    One that is lost, file and cache record, has no content, so that its record can be changed and removed all
    the same; what conversations knew of its parts stays there until they are counted anew.
    """

    def load() -> CacheRecord:
        try:
            return cache.split(mailbox.cache(record, end=end))
        except (IoError, ValueError):
            return _NOTHING

    return Content(load)
