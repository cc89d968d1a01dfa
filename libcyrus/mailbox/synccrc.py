"""The checksums by which two replicas compare a mailbox.

``basic`` is the XOR over all records that are not expunged of the CRC-32 of::

    UID MODSEQ LAST_UPDATED (FLAGS) INTERNALDATE GUID

where FLAGS is the XOR of the CRC-32 of every flag name in lower case, and GUID
is in hexadecimal. ``annot`` is the XOR, over all message annotations of such
records, of the CRC-32 of ``UID ENTRY USERID VALUE``; conversation id, savedate and
createdmodseq count as annotations although the index keeps them.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Final
from zlib import crc32

from libcyrus.mailbox.index_record import (
    ANSWERED,
    DELETED,
    DRAFT,
    EXPUNGED,
    FLAGGED,
    SEEN,
    IndexRecord,
)

ANNOTATION_PREFIX: Final = "/vendor/cmu/cyrus-imapd/"
_VIRTUAL = {
    ANNOTATION_PREFIX + "thrid": 13,
    ANNOTATION_PREFIX + "savedate": 15,
    ANNOTATION_PREFIX + "createdmodseq": 16,
}

_SYSTEM = {
    DELETED: crc32(b"\\deleted"),
    ANSWERED: crc32(b"\\answered"),
    FLAGGED: crc32(b"\\flagged"),
    DRAFT: crc32(b"\\draft"),
    SEEN: crc32(b"\\seen"),
}
_SYSTEM_CRC = tuple(
    _SYSTEM[DELETED] * bool(flags & DELETED)
    ^ _SYSTEM[ANSWERED] * bool(flags & ANSWERED)
    ^ _SYSTEM[FLAGGED] * bool(flags & FLAGGED)
    ^ _SYSTEM[DRAFT] * bool(flags & DRAFT)
    ^ _SYSTEM[SEEN] * bool(flags & SEEN)
    for flags in range(32)
)


class FlagCrcs:
    """CRCs of sets of flags in one mailbox; made anew whenever the names of its user flags change."""

    __slots__ = ("_known", "_user")

    def __init__(self, names: Sequence[str | None]) -> None:
        self._user = [crc32(os.fsencode(name).lower()) if name else 0 for name in names]
        self._known: dict[int, int] = {0: 0}

    def of(self, system_flags: int, user_flags: int) -> int:
        crc = self._known.get(user_flags)
        if crc is None:
            crc = 0
            for number, flag_crc in enumerate(self._user):
                if user_flags >> number & 1:
                    crc ^= flag_crc
            self._known[user_flags] = crc
        return _SYSTEM_CRC[system_flags & 31] ^ crc


def basic(record: IndexRecord, flags: FlagCrcs) -> int:
    """One record's share of ``basic``; 0 once it is expunged."""
    if record.internal_flags & EXPUNGED:
        return 0
    return crc32(
        b"%d %d %d (%d) %d %b"
        % (
            record.uid,
            record.modseq,
            record.last_updated,
            flags.of(record.system_flags, record.user_flags),
            record.internaldate,
            record.guid.hex().encode(),
        )
    )


def annotation(uid: int, entry: str, userid: str, value: bytes) -> int:
    """One message annotation's share of ``annot``."""
    return crc32(b"%d %b %b %b" % (uid, os.fsencode(entry), os.fsencode(userid), value))


def is_virtual(entry: str, version: int) -> bool:
    """Whether an index of this version keeps the annotation in the record itself."""
    since = _VIRTUAL.get(entry)
    return since is not None and version >= since


def virtual(record: IndexRecord, version: int) -> int:
    """The share of ``annot`` that the fields of the record itself have."""
    if record.internal_flags & EXPUNGED:
        return 0
    return virtual_fields(
        record.uid,
        record.cid if version >= 13 else 0,
        record.savedate if version >= 15 else 0,
        record.createdmodseq if version >= 16 else 0,
    )


def virtual_fields(uid: int, cid: int, savedate: int, createdmodseq: int) -> int:
    """``virtual`` of these fields, 0 where a record has none."""
    crc = 0
    if cid:
        crc ^= crc32(b"%d /vendor/cmu/cyrus-imapd/thrid  %x" % (uid, cid))
    if savedate:
        crc ^= crc32(b"%d /vendor/cmu/cyrus-imapd/savedate  %d" % (uid, savedate))
    if createdmodseq:
        crc ^= crc32(b"%d /vendor/cmu/cyrus-imapd/createdmodseq  %d" % (uid, createdmodseq))
    return crc
