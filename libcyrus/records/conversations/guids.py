"""G records: where a message, or a part with the same content, is.

The key is ``G``, the GUID in 40 hexadecimal digits, a colon and the place: ``FOLDER:UID`` for a whole
message, ``FOLDER:UID[PART]`` for a part of one. The value::

    0    0x80 + version    1 byte; version 2, or 1 where folders are numbered by name
    1    cid               8 bytes, big-endian
    9    system_flags      4 bytes
    13   internal_flags    4 bytes
    17   internaldate      8 bytes

Older values are 16 hexadecimal digits (the CID), or nothing. Still older is one record for a GUID, whose
key ends after the GUID and whose value lists the places, separated by commas; it is turned into several
when one of its messages changes.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct, error
from typing import Final, NamedTuple

from libcyrus.errors import MailboxBadFormat

VERSION: Final = 2
BY_NAME_VERSION: Final = 1

_VALUE: Final = Struct(">BQIIQ")
_KEY_SIZE: Final = 41
SIZE: Final = _VALUE.size


class GuidRecord(NamedTuple):
    """One place. ``part`` is empty for a whole message; of version 0 only the place and maybe the CID are
    known.
    """

    guid: str
    folder: int
    uid: int
    part: str
    cid: int = 0
    version: int = VERSION
    system_flags: int = 0
    internal_flags: int = 0
    internaldate: int = 0


def key(guid: bytes, place: str) -> bytes:
    """The key of one place (``FOLDER:UID`` or ``FOLDER:UID[PART]``)."""
    return f"G{guid.hex()}:{place}".encode()


def prefix(guid: bytes) -> bytes:
    """What all keys of a GUID begin with."""
    return b"G" + guid.hex().encode()


def pack(version: int, cid: int, system_flags: int, internal_flags: int, internaldate: int) -> bytes:
    return _VALUE.pack(0x80 | version, cid, system_flags, internal_flags, internaldate)


def unpack(key: bytes, data: bytes) -> Iterator[GuidRecord]:
    """What one database record says; several places only for the oldest kind.

    Raises MailboxBadFormat.
    """
    try:
        guid = key[1:_KEY_SIZE].decode("ascii")
        if len(key) < _KEY_SIZE or not key.startswith(b"G"):
            raise MailboxBadFormat
        if len(key) == _KEY_SIZE:
            for item in data.split(b","):
                if item:
                    folder, uid, part = _place(item)
                    yield GuidRecord(guid, folder, uid, part, 0, 0)
            return
        if key[_KEY_SIZE] != 0x3A:
            raise MailboxBadFormat
        folder, uid, part = _place(key[_KEY_SIZE + 1 :])
        if len(data) < 16:
            yield GuidRecord(guid, folder, uid, part, 0, 0)
        elif data[0] > 0x80:
            version, cid, system_flags, internal_flags, internaldate = _VALUE.unpack_from(data)
            yield GuidRecord(guid, folder, uid, part, cid, version & 0x7F, system_flags, internal_flags,
                             internaldate)  # fmt: skip
        else:
            yield GuidRecord(guid, folder, uid, part, int(data[:16], 16), 0)
    except (ValueError, OverflowError, error):
        raise MailboxBadFormat from None


def _place(text: bytes) -> tuple[int, int, str]:
    place, bracket, rest = text.partition(b"[")
    folder, colon, uid = place.partition(b":")
    if not colon or not folder.isdigit() or not uid.isdigit():
        raise ValueError("no place")
    if not bracket:
        return int(folder), int(uid), ""
    part, end, _ = rest.partition(b"]")
    if not end or not part:
        raise ValueError("no part")
    return int(folder), int(uid), part.decode("ascii")
