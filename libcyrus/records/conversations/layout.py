"""The small records of a user's conversations database, as bytes.

The file holds several kinds of records, told apart by the first byte of the key:

========================  ==================================================================
``$COUNTED_FLAGS``        flags that are counted, separated by spaces; at most 32 are heeded
``$FOLDER_IDS``           dlist of unique ids: the place in it is the number of a folder; ``-`` is free
``$FOLDER_NAMES``         the same by name, in files from before 3.6; never both
``<message-id>``          ``0 CID[,CID...] TIME``: the conversations it was mentioned in, and since when
``B`` and CID             a conversation, see ``conversation``
``F`` and id or name      the state of a folder, see ``FolderStatus``
``G`` and GUID            where a message or part is, see ``guids``
``Q``                     ``1 %(E emails S bytes)``: what the user has, each message counted once
``S`` and CID             a subject; written by old versions only
========================  ==================================================================

CIDs are 16 hexadecimal digits, times seconds since 1970.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from libcyrus import dlist
from libcyrus.base.dataclasses import dataclass
from libcyrus.errors import MailboxBadFormat

COUNTED_FLAGS: Final = b"$COUNTED_FLAGS"
FOLDER_IDS: Final = b"$FOLDER_IDS"
FOLDER_NAMES: Final = b"$FOLDER_NAMES"
QUOTA: Final = b"Q"

MAX_COUNTED_FLAGS: Final = 32
FREE: Final = "-"
"""What stands in the list of folders where a folder was deleted."""

MSGID_VERSION: Final = 0
STATUS_VERSION: Final = 0

_MSGID: Final = re.compile(rb"<[\x21-\x7e]+>")
_MSGID_DATA: Final = re.compile(rb"0+ ([0-9A-Fa-f]{16}(?:,[0-9A-Fa-f]{16})*) ([0-9]+)")
_QUOTA_DATA: Final = re.compile(rb"1 %\(E ([0-9]+) S ([0-9]+)\)")
_NUMBER: Final = re.compile(rb"[0-9]{1,20}")


class Quota(NamedTuple):
    """What a user has: messages, and their bytes."""

    emails: int
    storage: int


@dataclass(slots=True)
class FolderStatus:
    """The F record: what STATUS and XCONV commands tell of a folder.

    A thread counts as unseen in every folder it is in as long as it has an unseen message anywhere but
    in Trash; Trash counts for itself.
    """

    threadmodseq: int = 0
    threadexists: int = 0
    threadunseen: int = 0
    emailexists: int = 0
    emailunseen: int = 0

    def copy(self) -> FolderStatus:
        return FolderStatus(
            self.threadmodseq, self.threadexists, self.threadunseen, self.emailexists, self.emailunseen
        )

    def pack(self) -> bytes:
        return b"0 (%d %d %d %d %d)" % (
            self.threadmodseq, self.threadexists, self.threadunseen, self.emailexists, self.emailunseen,
        )  # fmt: skip

    @classmethod
    def unpack(cls, data: bytes) -> FolderStatus:
        """Raises MailboxBadFormat. Numbers missing at the end are 0."""
        values = versioned(data, STATUS_VERSION)[1]
        if len(values) > 5:
            raise MailboxBadFormat
        return cls(*(number(value) for value in values))


def versioned(data: bytes, newest: int) -> tuple[int, list[dlist.Value]]:
    """The version and the list of ``VERSION SP (...)``. Raises MailboxBadFormat."""
    digits, space, rest = data.partition(b" ")
    if not space or not digits.isdigit() or int(digits) > newest:
        raise MailboxBadFormat
    try:
        value = dlist.parse(rest)
    except dlist.DlistError:
        raise MailboxBadFormat from None
    if not isinstance(value, list):
        raise MailboxBadFormat
    return int(digits), value


def number(value: dlist.Value) -> int:
    """A number in a dlist. Raises MailboxBadFormat."""
    if not isinstance(value, bytes) or not _NUMBER.fullmatch(value):
        raise MailboxBadFormat
    return int(value)


def conversation_key(cid: int) -> bytes:
    return b"B%016x" % cid


def folder_key(folder: str) -> bytes:
    """The key of a folder's status; ``folder`` is its unique id, or its name in an old file."""
    return b"F" + folder.encode("utf-8", "surrogateescape")


def valid_msgid(msgid: bytes) -> bool:
    """Whether a message id can be a key: in angle brackets, visible ASCII only."""
    return _MSGID.fullmatch(msgid) is not None


def pack_msgid(cids: Sequence[int], stamp: int) -> bytes:
    """The value of a message id; there must be at least one conversation."""
    return b"%d %b %d" % (MSGID_VERSION, b",".join([b"%016x" % cid for cid in cids]), stamp)


def unpack_msgid(data: bytes) -> tuple[list[int], int]:
    """Conversations and time of a message id. Raises MailboxBadFormat."""
    found = _MSGID_DATA.fullmatch(data)
    if found is None:
        raise MailboxBadFormat
    return [int(cid, 16) for cid in found[1].split(b",")], int(found[2])


def pack_quota(quota: Quota) -> bytes:
    return b"1 %%(E %d S %d)" % quota


def unpack_quota(data: bytes) -> Quota:
    """Raises MailboxBadFormat."""
    found = _QUOTA_DATA.fullmatch(data)
    if found is None:
        raise MailboxBadFormat
    return Quota(int(found[1]), int(found[2]))


def pack_folders(folders: Sequence[str]) -> bytes:
    return dlist.dump(folders)


def unpack_folders(data: bytes) -> list[str]:
    """Raises MailboxBadFormat."""
    try:
        value = dlist.parse(data)
    except dlist.DlistError:
        raise MailboxBadFormat from None
    if not isinstance(value, list):
        raise MailboxBadFormat
    return [_text(item) for item in value]


def format_cid(cid: int) -> str:
    """As protocols and annotations show a CID: 16 digits, or NIL for none."""
    return f"{cid:016x}" if cid else "NIL"


def parse_cid(text: str) -> int:
    """The CID that ``format_cid`` gives; raises ValueError for anything else."""
    if text == "NIL":
        return 0
    if len(text) != 16:
        raise ValueError("not a conversation id")
    return int(text, 16)


def _text(value: dlist.Value) -> str:
    if not isinstance(value, bytes):
        raise MailboxBadFormat
    return value.decode("utf-8", "surrogateescape")
