"""Keeping the counters and CRCs of the index header in step with the records."""

from __future__ import annotations

from collections.abc import Iterable
from struct import Struct
from typing import Final
from zlib import crc32

from libcyrus.mailbox import index_header, synccrc
from libcyrus.mailbox.annotations import MessageAnnotations
from libcyrus.mailbox.flagchange import user_number
from libcyrus.mailbox.index_header import IndexHeader
from libcyrus.mailbox.index_record import (
    ANSWERED,
    DELETED,
    EXPUNGED,
    FLAGGED,
    SEEN,
    SYSTEM_FLAGS,
    IndexRecord,
)
from libcyrus.mailbox.synccrc import FlagCrcs

# uid, internaldate, size, last_updated, flags, user flags, savedate, guid, modseq
_FIELDS: Final = ">II4xI12xII16sI4x20sQ"
# cid and createdmodseq where there are, and the checksum
_MORE_FIELDS: Final = {
    **dict.fromkeys((6, 7, 8, 9, 10, 12), "4xI"),
    **dict.fromkeys((13, 14, 15), "Q4xI"),
    **dict.fromkeys((16, 17), "QQ4xI"),
}


def replace(header: IndexHeader, old: IndexRecord | None, new: IndexRecord, flags: FlagCrcs) -> None:
    """Count ``new`` instead of ``old``."""
    version = header.minor_version
    if old is not None:
        header.uncount(old)
        header.sync_crc ^= synccrc.basic(old, flags)
        header.sync_crc_annot ^= synccrc.virtual(old, version)
    header.count(new)
    header.sync_crc ^= synccrc.basic(new, flags)
    header.sync_crc_annot ^= synccrc.virtual(new, version)


def uncount_annotations(header: IndexHeader, uid: int, annotations: MessageAnnotations) -> None:
    """Annotations of a message that was expunged do not count any more."""
    crc, size = annotations.crc_and_size(uid, header.minor_version)
    header.sync_crc_annot ^= crc
    header.quota_annot_used = max(0, header.quota_annot_used - size)


def uncount_many_annotations(
    header: IndexHeader, uids: Iterable[int], annotations: MessageAnnotations
) -> None:
    """The same for many messages, for which all annotations are read once."""
    by_uid = annotations.crcs_and_sizes(header.minor_version)
    for uid in uids if by_uid else ():
        crc, size = by_uid.get(uid, (0, 0))
        header.sync_crc_annot ^= crc
        header.quota_annot_used = max(0, header.quota_annot_used - size)


def note_expunged(header: IndexHeader, record: IndexRecord) -> None:
    """Keep the time of the oldest expunge."""
    first = header.first_expunged
    if not first or first > record.last_updated:
        header.first_expunged = record.last_updated


def count_all(
    header: IndexHeader,
    region: memoryview,
    flags: FlagCrcs,
    annotations: MessageAnnotations,
    *,
    annotation_size: int,
) -> None:
    """Count everything anew. ``region`` are all records; the size is of the mailbox's own annotations.

    Expunged and damaged records count for nothing.
    """
    version = header.minor_version
    layout = Struct(_FIELDS + _MORE_FIELDS[version])
    by_uid = annotations.crcs_and_sizes(version)
    answered = flagged = deleted = seen = exists = used = sync_crc = 0
    sync_crc_annot, annot_used = index_header.SYNC_CRC_ANNOT_START, annotation_size
    known: dict[tuple[int, bytes], int] = {}
    place = 0
    for fields in layout.iter_unpack(region):
        uid, date, length, updated, bits, user, savedate, guid, modseq, *later, crc = fields
        start, place = place, place + layout.size
        if bits & EXPUNGED or not uid or crc32(region[start : place - 4]) != crc:
            continue
        exists += 1
        used += length
        answered += bits & ANSWERED
        flagged += bits & FLAGGED
        deleted += bits & DELETED
        seen += bits & SEEN
        key = (bits & SYSTEM_FLAGS, user)
        flag_crc = known.get(key)
        if flag_crc is None:
            flag_crc = known[key] = flags.of(key[0], user_number(user))
        text = b"%d %d %d (%d) %d %b" % (uid, modseq, updated, flag_crc, date, guid.hex().encode())
        sync_crc ^= crc32(text)
        if later:
            cid, *created = later
            sync_crc_annot ^= synccrc.virtual_fields(
                uid, cid, savedate if version >= 15 else 0, created[0] if created else 0
            )
        if by_uid and uid in by_uid:
            annot_crc, annot_size = by_uid[uid]
            sync_crc_annot ^= annot_crc
            annot_used += annot_size
    header.exists, header.quota_mailbox_used = exists, used
    header.answered, header.flagged = answered // ANSWERED, flagged // FLAGGED
    header.deleted, header.unseen = deleted // DELETED, exists - seen // SEEN
    header.sync_crc, header.sync_crc_annot = sync_crc, sync_crc_annot
    header.quota_annot_used = annot_used
