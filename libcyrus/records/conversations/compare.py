"""Two conversations databases of one user: what differs between the one in use and one counted anew."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import Enum
from typing import NamedTuple

from libcyrus.cyrusdb import Records
from libcyrus.errors import MailboxBadFormat
from libcyrus.records.conversations.conversation import Conversation
from libcyrus.records.conversations.layout import FolderStatus
from libcyrus.records.conversations.state import Conversations

Record = tuple[bytes, bytes]


class Where(Enum):
    """Which of the two has a record."""

    BOTH = 0
    REAL = 1
    COPY = 2


class Difference(NamedTuple):
    """A record that is in one of them only, or not the same; a value is empty where there is none."""

    where: Where
    key: bytes
    real: bytes
    copy: bytes


def differences(real: Conversations, copy: Conversations) -> Iterator[Difference]:
    """The records that differ, but for message ids and subjects, which are not counted anew."""
    real.flush()
    copy.flush()
    for key, ours, theirs in _pairs(_comparable(real.records), _comparable(copy.records)):
        if theirs is None:
            yield Difference(Where.REAL, key, ours or b"", b"")
        elif ours is None:
            yield Difference(Where.COPY, key, b"", theirs)
        elif ours != theirs:
            yield Difference(Where.BOTH, key, ours, theirs)


def take_over_modseqs(real: Conversations, copy: Conversations, complain: Callable[[str], None]) -> None:
    """Let the copy know what cannot be counted anew, because messages that are gone brought it.

    Higher modseqs of conversations and folders, later dates of senders, and the state of empty folders.
    ``complain`` gets a line for each record that cannot be read.
    """
    real.flush()
    copy.flush()
    flags = len(copy.counted_flags)
    for prefix in (b"B", b"F"):
        # records are only stored over themselves, or behind the last one of their kind that is compared
        for key, ours, theirs in _pairs(real.records.foreach(prefix), copy.records.foreach(prefix)):
            if ours is None or theirs is None and prefix == b"B":
                continue
            try:
                where = real.path
                if prefix == b"F":
                    status = FolderStatus.unpack(ours)
                    where = copy.path
                    data = _merged_status(status, theirs)
                else:
                    conversation = Conversation.unpack(ours)
                    where = copy.path
                    data = _merged_conversation(
                        conversation, theirs or b"", flags, utf8=copy.settings.utf8_headers
                    )
            except MailboxBadFormat as error:
                name = key.decode("utf-8", "surrogateescape")
                complain(f'Failed to parse conversations record "{name}" in {where}: {error}')
                continue
            if data is not None:
                copy.records.store(key, data)
    copy.forget_memory()


def _merged_status(real: FolderStatus, copy: bytes | None) -> bytes | None:
    if copy is None:
        # a folder with messages that the copy lacks is a difference
        return real.pack() if not real.threadexists and real.threadmodseq else None
    status = FolderStatus.unpack(copy)
    if real.threadmodseq <= status.threadmodseq:
        return None
    status.threadmodseq = real.threadmodseq
    return status.pack()


def _merged_conversation(real: Conversation, copy: bytes, flags: int, *, utf8: bool) -> bytes:
    conversation = Conversation.unpack(copy)
    conversation.modseq = max(conversation.modseq, real.modseq)
    for folder in real.folders:
        share = conversation.folder(folder.number)
        share.modseq = max(share.modseq, folder.modseq)
    for sender in real.senders:
        conversation.update_sender(
            sender.name, sender.route, sender.mailbox, sender.domain, sender.lastseen, 0, utf8=utf8
        )
    return conversation.pack(flags)


def _comparable(records: Records) -> Iterator[Record]:
    return (record for record in records.foreach() if record[0][:1] not in (b"<", b"S"))


def _pairs(
    ours: Iterator[Record], theirs: Iterator[Record]
) -> Iterator[tuple[bytes, bytes | None, bytes | None]]:
    """Both in order of keys, with None where one has no such key."""
    mine, other = next(ours, None), next(theirs, None)
    while mine is not None or other is not None:
        if other is None or mine is not None and mine[0] < other[0]:
            assert mine is not None
            yield mine[0], mine[1], None
            mine = next(ours, None)
        elif mine is None or other[0] < mine[0]:
            yield other[0], None, other[1]
            other = next(theirs, None)
        else:
            yield mine[0], mine[1], other[1]
            mine, other = next(ours, None), next(theirs, None)
