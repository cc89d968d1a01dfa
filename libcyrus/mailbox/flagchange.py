"""Changing the flags of many messages: on the bytes of their records, since nothing else in them changes."""

from __future__ import annotations

from collections.abc import Iterable
from struct import Struct
from typing import Final
from zlib import crc32

from libcyrus.base.dataclasses import dataclass, field
from libcyrus.mailbox import index_record, synccrc
from libcyrus.mailbox.index_header import IndexHeader
from libcyrus.mailbox.index_record import ANSWERED, DELETED, EXPUNGED, FLAGGED, SEEN, SYSTEM_FLAGS
from libcyrus.mailbox.synccrc import FlagCrcs

#: record number, word of system and internal flags, and the 16 bytes of user flags, as in the record
FlagChange = tuple[int, int, bytes]

# uid, internaldate, cache_offset, last_updated, flags, user flags, guid, modseq
_FIELDS: Final = Struct(">II16xIII16s8x20sQ").unpack_from
_FLAGS: Final = Struct(">II16s").pack
_MODSEQ: Final = Struct(">Q").pack
_CRC: Final = Struct(">I").pack


@dataclass(slots=True)
class Packed:
    """The new records by number, the uids of those that were expunged, and the changes that were not made.

    Those are of damaged records, of expunged ones and of such without a cache record.
    """

    records: dict[int, bytes] = field(default_factory=dict)
    expunged: list[int] = field(default_factory=list)
    left: list[FlagChange] = field(default_factory=list)


def pack(
    header: IndexHeader,
    region: memoryview,
    changes: Iterable[FlagChange],
    crcs: FlagCrcs,
    *,
    last_updated: int,
    expunged_flags: int,
) -> Packed:
    """Make new records of the old ones in ``region``; the header's counters, CRCs and highest modseq follow.

    What is expunged gets ``expunged_flags`` too. Its annotations still count when this returns.
    """
    size, version = header.record_size, header.minor_version
    result = Packed()
    known: dict[tuple[int, bytes], int] = {}
    modseq = header.highestmodseq
    sync_crc = header.sync_crc
    answered = flagged = deleted = unseen = 0
    for change in changes:
        recno, flags, user = change
        end = recno * size
        record = bytes(region[end - size : end])
        uid, internaldate, cache, old_updated, old_flags, old_user, guid, old_modseq = _FIELDS(record)
        if old_flags & EXPUNGED or not cache or crc32(record[:-4]) != int.from_bytes(record[-4:], "big"):
            result.left.append(change)
            continue
        modseq += 1
        old_key = (old_flags & SYSTEM_FLAGS, old_user)
        old_crc = known.get(old_key)
        if old_crc is None:
            old_crc = known[old_key] = _crc(crcs, *old_key)
        tail = b") %d %b" % (internaldate, guid.hex().encode())
        sync_crc ^= crc32(b"%d %d %d (%d%b" % (uid, old_modseq, old_updated, old_crc, tail))
        if flags & EXPUNGED:
            flags |= expunged_flags
            result.expunged.append(uid)
            old = index_record.unpack(record, version=version, check=False)
            header.uncount(old)
            header.sync_crc_annot ^= synccrc.virtual(old, version)
        else:
            new_key = (flags & SYSTEM_FLAGS, user)
            new_crc = known.get(new_key)
            if new_crc is None:
                new_crc = known[new_key] = _crc(crcs, *new_key)
            sync_crc ^= crc32(b"%d %d %d (%d%b" % (uid, modseq, last_updated, new_crc, tail))
            if old_flags ^ flags:
                answered += (flags & ANSWERED) - (old_flags & ANSWERED)
                flagged += (flags & FLAGGED) - (old_flags & FLAGGED)
                deleted += (flags & DELETED) - (old_flags & DELETED)
                unseen += (old_flags & SEEN) - (flags & SEEN)
        body = b"%b%b%b%b%b" % (
            record[:28],
            _FLAGS(last_updated, flags, user),
            record[52:80],
            _MODSEQ(modseq),
            record[88:-4],
        )
        result.records[recno] = body + _CRC(crc32(body))
    header.highestmodseq = modseq
    header.sync_crc = sync_crc
    header.answered = max(0, header.answered + answered // ANSWERED)
    header.flagged = max(0, header.flagged + flagged // FLAGGED)
    header.deleted = max(0, header.deleted + deleted // DELETED)
    header.unseen = max(0, header.unseen + unseen // SEEN)
    return result


def user_bytes(user_flags: int) -> bytes:
    """User flags, flag n being bit n, as a record has them."""
    return b"".join((user_flags >> shift & 0xFFFFFFFF).to_bytes(4, "big") for shift in (0, 32, 64, 96))


def user_number(user: bytes) -> int:
    """The opposite of ``user_bytes``."""
    return sum(int.from_bytes(user[at : at + 4], "big") << 8 * at for at in (0, 4, 8, 12))


def _crc(crcs: FlagCrcs, system: int, user: bytes) -> int:
    return crcs.of(system, user_number(user))
