"""From the copies of one message to the counts of its conversation, and of the folders that it is in."""

from __future__ import annotations

from collections.abc import Sequence

from libcyrus.base.dataclasses import dataclass
from libcyrus.records.conversations.conversation import Conversation, FolderCounts
from libcyrus.records.conversations.counts import Counts, EmailCounts
from libcyrus.records.conversations.layout import FREE, FolderStatus
from libcyrus.records.conversations.state import Conversations


@dataclass(frozen=True, slots=True)
class Change:
    """What else a change of a message means for its conversation: bytes and flags more, modseqs reached."""

    modseq: int
    createdmodseq: int
    size: int
    flags: Sequence[int]


@dataclass(slots=True)
class _Differences:
    """By how many a conversation's counts change, all of them or one each."""

    num_records: int
    exists: int
    unseen: int
    folder_records: int
    folder_exists: int
    folder_unseen: int


def apply(state: Conversations, conversation: Conversation, counts: EmailCounts, change: Change) -> None:
    """Bring a conversation and the states of its folders up to date. Raises MailboxBadFormat."""
    folder = conversation.folder(counts.folder)
    was = FolderCounts(folder.number, folder.modseq, folder.num_records, folder.exists, folder.unseen)
    was_unseen = conversation.unseen
    # version 0 counted every record, not every message
    differences = _differences(counts, distinct=conversation.version >= 1)
    conversation.num_records = _add(conversation.num_records, differences.num_records)
    conversation.exists = _add(conversation.exists, differences.exists)
    conversation.unseen = _add(conversation.unseen, differences.unseen)
    conversation.size = _add(conversation.size, change.size)
    folder.num_records = _add(folder.num_records, differences.folder_records)
    folder.exists = _add(folder.exists, differences.folder_exists)
    folder.unseen = _add(folder.unseen, differences.folder_unseen)
    if change.flags:
        known = conversation.counts
        known.extend([0] * (len(change.flags) - len(known)))
        for place, difference in enumerate(change.flags):
            known[place] = _add(known[place], difference)
    conversation.modseq = max(conversation.modseq, change.modseq)
    folder.modseq = max(folder.modseq, change.modseq)
    if change.createdmodseq:
        conversation.createdmodseq = min(conversation.createdmodseq or change.createdmodseq,
                                         change.createdmodseq)  # fmt: skip
    _update_folders(state, conversation, counts, folder, was, was_unseen, change.modseq)


def _differences(counts: EmailCounts, *, distinct: bool) -> _Differences:
    before, after = _numbers(counts.before), _numbers(counts.after)
    if distinct:
        return _Differences(*(bool(b) - bool(a) for a, b in zip(before, after, strict=True)))
    return _Differences(*(b - a for a, b in zip(before, after, strict=True)))


def _numbers(counts: Counts) -> tuple[int, ...]:
    return (counts.numrecords, counts.exists, counts.unseen, counts.foldernumrecords, counts.folderexists,
            counts.folderunseen)  # fmt: skip


def _add(value: int, difference: int) -> int:
    return max(0, value + difference)


def _update_folders(
    state: Conversations,
    conversation: Conversation,
    counts: EmailCounts,
    folder: FolderCounts,
    was: FolderCounts,
    was_unseen: int,
    modseq: int,
) -> None:
    before, after = counts.before, counts.after
    is_trash = folder.number == state.trash
    unseen = bool(after.unseen) - bool(before.unseen)
    if is_trash:
        thread_unseen = bool(folder.unseen) - bool(was.unseen)
    else:
        thread_unseen = bool(conversation.unseen) - bool(was_unseen)
    for other in conversation.folders:
        key = state.folders[other.number] if other.number < len(state.folders) else FREE
        if key == FREE and other is not folder:
            continue
        # the original forgets a change of emailunseen alone that raises no modseq, as when recounting
        known = state.status(key)
        status = known.copy()
        if other is folder:
            _this_folder(status, counts, unseen, is_trash=is_trash)
            exists = bool(folder.exists) - bool(was.exists)
            status.threadexists = _add(status.threadexists, exists)
            now_here = folder.unseen if is_trash else conversation.unseen
            was_here = was.unseen if is_trash else was_unseen
            if exists > 0 and now_here:
                # a message came into a folder where the thread was not, and the thread is unseen
                difference = 1
            elif exists < 0 and was_here:
                # the last one of an unseen thread went
                difference = -1
            else:
                difference = thread_unseen if folder.exists else 0
            status.threadunseen = _add(status.threadunseen, difference)
        elif not is_trash and other.number != state.trash and other.exists:
            # what is unseen in one folder is in all, except that Trash counts for itself
            if other.number in before.folders or other.number in after.folders:
                status.emailunseen = _add(status.emailunseen, unseen)
            status.threadunseen = _add(status.threadunseen, thread_unseen)
        status.threadmodseq = max(status.threadmodseq, modseq)
        if status != known:
            state.set_status(key, status)


def _this_folder(status: FolderStatus, counts: EmailCounts, unseen: int, *, is_trash: bool) -> None:
    """The messages of the folder where the change was."""
    before, after = counts.before, counts.after
    exists = bool(after.folderexists) - bool(before.folderexists)
    status.emailexists = _add(status.emailexists, exists)
    if is_trash:
        folder_unseen = bool(after.folderunseen) - bool(before.folderunseen)
        status.emailunseen = _add(status.emailunseen, folder_unseen)
    elif exists > 0 and after.unseen:
        status.emailunseen = _add(status.emailunseen, 1)
    elif exists < 0 and before.unseen:
        status.emailunseen = _add(status.emailunseen, -1)
    elif not exists:
        status.emailunseen = _add(status.emailunseen, unseen)
