"""Which index records are worth a closer look: checked in bulk, without an object per record."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import compress, repeat
from struct import Struct
from zlib import crc32

from libcyrus.errors import IoError
from libcyrus.mailbox import columns, index_header
from libcyrus.mailbox.flagchange import user_bytes
from libcyrus.mailbox.index_record import (
    ARCHIVED,
    MAX_USER_FLAGS,
    OFFSET_CACHE_OFFSET,
    OFFSET_CACHE_VERSION,
    OFFSET_FLAGS,
    OLDEST_CACHE_VERSION,
    SNOOZED,
)
from libcyrus.mailbox.mailbox import Mailbox

# uid, internaldate, sentdate, size, gmtime, flags, user flags, modseq
_FIELDS = ">IIII4xI8xI16s28xQ"
_FIELDS_SIZE = 88
_NO_FLAGS = bytes(MAX_USER_FLAGS // 8)
_IS_ARCHIVED = bytes(bool(value & ARCHIVED >> 24) for value in range(256))
_IS_NOT_ARCHIVED = bytes(not value & ARCHIVED >> 24 for value in range(256))


def doubtful(mailbox: Mailbox, valid_flags: int) -> bytearray:
    """A byte for every record on disk, 0 if its own bytes and its cache record leave nothing to ask.

    That means: checksums right, uids rising, nothing above the header's limits, no date missing, no user flag
    but ``valid_flags``. Whether the message file fits is not looked at. Damage to the cache is not logged.
    """
    i, region = mailbox.i, mailbox.region
    size = i.record_size
    count = len(region) // size
    if i.minor_version < index_header.CACHE_CRC_VERSION:
        return bytearray(b"\1") * count
    found = bytearray(count)
    caches = cache_records(mailbox, region, size)
    every_flag = (1 << MAX_USER_FLAGS) - 1
    known_users = {_NO_FLAGS: True}
    last_uid = place = 0
    highest_uid, highest_modseq = i.last_uid, i.highestmodseq
    layout = f"{_FIELDS}{size - 4 - _FIELDS_SIZE}xI"
    for recno, fields in enumerate(Struct(layout).iter_unpack(region)):
        uid, date, sent, length, gmtime, flags, user, modseq, crc = fields
        cache = next(caches)
        start, place = place, place + size
        if (
            crc32(region[start : place - 4]) != crc
            or not last_uid < uid <= highest_uid
            or modseq > highest_modseq
            or flags & SNOOZED
            or not (date and sent and length and gmtime)
            or cache is None
        ):
            found[recno] = 1
        elif user != _NO_FLAGS:
            good = known_users.get(user)
            if good is None:
                wrong = every_flag & ~valid_flags
                good = known_users[user] = not any(
                    ours & theirs for ours, theirs in zip(user, user_bytes(wrong), strict=True)
                )
            found[recno] = not good
        if uid > last_uid:
            last_uid = uid
    return found


def cache_records(mailbox: Mailbox, region: memoryview, size: int) -> Iterator[memoryview | None]:
    """The checked cache record of every record in ``region``, None where there is none. Nothing is logged."""
    columns_of_place = (
        columns.words(region, size, OFFSET_CACHE_OFFSET),
        columns.words(region, size, OFFSET_CACHE_VERSION),
        columns.words(region, size, size - 8),
    )
    flags = columns.octets(region, size, OFFSET_FLAGS)
    archived = flags.translate(_IS_ARCHIVED)
    readers = [
        _read(mailbox, _with_ends(compress(zip(*columns_of_place, strict=True), selectors)), archived=kind)
        for kind, selectors in ((False, flags.translate(_IS_NOT_ARCHIVED)), (True, archived))
    ]
    for kind in archived:
        yield next(readers[kind])


def _with_ends(places: Iterator[tuple[int, ...]]) -> Iterator[tuple[int, int, int]]:
    """(offset, crc, end) of cache records from (low half of the offset, version with the high half, crc).

    One record probably ends where the next begins. One of an old version counts for none.
    """
    last: tuple[int, int] | None = None
    for low, top, crc in places:
        offset = low | (top & 0xFFFF0000) << 16 if top & 0xFFFF >= OLDEST_CACHE_VERSION else 0
        if last is not None:
            yield (*last, offset)
        last = (offset, crc)
    if last is not None:
        yield (*last, 0)


def _read(
    mailbox: Mailbox, places: Iterator[tuple[int, int, int]], *, archived: bool
) -> Iterator[memoryview | None]:
    try:
        yield from mailbox.cache_files.read_each(places, archived=archived)
    except IoError:
        # no such file
        yield from repeat(None)
