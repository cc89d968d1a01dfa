"""Keeping the counters and CRCs of the index header in step with the records."""

from __future__ import annotations

from collections.abc import Iterable

from libcyrus.mailbox import index_header, synccrc
from libcyrus.mailbox.annotations import MessageAnnotations
from libcyrus.mailbox.index_header import IndexHeader
from libcyrus.mailbox.index_record import IndexRecord
from libcyrus.mailbox.synccrc import FlagCrcs


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
    records: Iterable[IndexRecord],
    flags: FlagCrcs,
    annotations: MessageAnnotations,
    *,
    annotation_size: int,
) -> None:
    """Count everything anew. ``records`` are those not expunged; the size is of the mailbox's annotations."""
    header.answered = header.flagged = header.deleted = header.unseen = header.exists = 0
    header.quota_mailbox_used = 0
    header.quota_annot_used = annotation_size
    header.sync_crc = 0
    header.sync_crc_annot = index_header.SYNC_CRC_ANNOT_START
    by_uid = annotations.crcs_and_sizes(header.minor_version)
    for record in records:
        replace(header, None, record, flags)
        crc, size = by_uid.get(record.uid, (0, 0))
        header.sync_crc_annot ^= crc
        header.quota_annot_used += size
