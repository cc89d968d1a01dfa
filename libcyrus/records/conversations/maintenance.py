"""What is done to a whole conversations database: zero, clean up, prune, dump and load.

All of it inside a transaction, and for databases of any size: records are read and written one by one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from libcyrus import cyrusdb
from libcyrus.errors import MailboxBadFormat
from libcyrus.records.conversations import guids, layout
from libcyrus.records.conversations.conversation import VERSION, Conversation, unpack_num_records
from libcyrus.records.conversations.layout import FolderStatus
from libcyrus.records.conversations.state import Conversations

_LITERAL: Final = re.compile(rb"\{([0-9]{1,10})\+?\}\r\n")
# what can stand behind a G record, in the order of keys
_RECORD_AFTER_GUID: Final = re.compile(rb"G[0-9a-f]{40}[:\t]|Q\t1 %\(|S[0-9a-f]{16}\t")


def zero_counts(state: Conversations, *, wipe: bool = False) -> None:
    """Prepare to count everything anew; ``cleanup_zero`` must follow when that is done.

    Modseqs, subjects and message ids stay; senders, threads and G records go. With ``wipe`` everything goes,
    and folders are numbered by id from then on. A record that cannot be read is removed.
    """
    if wipe:
        state.clear()
        state.forget_folders()
    else:
        state.flush()
        records = state.records
        flags = len(state.counted_flags)
        for key, data in records.foreach(b"B"):
            try:
                known = Conversation.unpack(data)
            except MailboxBadFormat:
                records.delete(key)
                continue
            bare = Conversation(
                VERSION, known.modseq, subject=known.subject, createdmodseq=known.createdmodseq
            )
            records.store(key, bare.pack(flags))
        for key, data in records.foreach(b"F"):
            try:
                status = FolderStatus.unpack(data)
            except MailboxBadFormat:
                records.delete(key)
                continue
            if status.threadmodseq:
                records.store(key, FolderStatus(status.threadmodseq).pack())
            else:
                records.delete(key)
        for prefix in (b"G", layout.QUOTA):
            for key, _ in records.foreach(prefix):
                records.delete(key)
    state.forget_memory()
    state.reset_counted_flags()


def cleanup_zero(state: Conversations) -> None:
    """Remove the conversations that have no messages any more. Raises MailboxBadFormat."""
    state.flush()
    for key, data in state.records.foreach(b"B"):
        if not unpack_num_records(data):
            state.records.delete(key)
    state.forget_memory()


def prune(state: Conversations, before: int) -> tuple[int, int]:
    """Forget message ids; returns how many there were, and how many went.

    Those last recorded ``before`` a time, or with the option ``conversations_keep_existing`` those of
    conversations that are gone, whenever.
    """
    state.flush()
    records = state.records
    existing: set[int] | None = None
    if state.settings.keep_existing:
        existing = {int(key[1:], 16) for key, _ in records.foreach(b"B") if _is_conversation(key)}
    seen = deleted = 0
    for key, data in records.foreach(b"<"):
        seen += 1
        if not layout.valid_msgid(key):
            # the original stops here as well
            break
        try:
            cids, stamp = layout.unpack_msgid(data)
        except MailboxBadFormat:
            break
        keep = stamp >= before if existing is None else not existing.isdisjoint(cids)
        if not keep:
            deleted += 1
            records.delete(key)
    return seen, deleted


def dump(state: Conversations) -> Iterator[bytes]:
    """All records as ``key TAB value LF``. Values of G records are binary, line ends and all."""
    state.flush()
    return cyrusdb.dump_text(state.records)


def undump(state: Conversations, lines: Iterable[bytes]) -> None:
    """Replace all records by those of a dump. A line without TAB removes its key; blank lines and those that
    begin with ``#`` are skipped.
    """
    state.clear()
    cyrusdb.undump_text(state.records, _whole_values(lines))
    state.forget_memory()


def _whole_values(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Put values together again that line ends in them cut: literals of dlists, the binary ones of G records.

    In a dump that the original made a binary value ends early, at its first NUL, and the next record follows.
    """
    held = b""
    for line in lines:
        if held.startswith(b"G") and _RECORD_AFTER_GUID.match(line):
            yield held
            held = b""
        held += line
        if not _is_cut(held):
            yield held
            held = b""
    if held:
        yield held


def _is_cut(line: bytes) -> bool:
    key, tab, value = line.partition(b"\t")
    if not tab:
        return False
    if key.startswith(b"G"):
        return value[:1] >= b"\x80" and len(value) <= guids.SIZE
    at = 0
    while literal := _LITERAL.search(value, at):
        at = literal.end() + int(literal[1])
    # the line end that ends the record comes after the last literal
    return at >= len(value)


def _is_conversation(key: bytes) -> bool:
    try:
        return len(key) == 17 and int(key[1:], 16) >= 0
    except ValueError:
        return False
