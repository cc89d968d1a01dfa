"""``cyrus.header``: the slowly changing facts of a mailbox, and its copy of what mailboxes.db says.

Three lines of magic, then one line with a dlist::

    %(T e N user.joe I UNIQUEID Q user.joe A %(joe lrswipkxtecdan) U (Work $Label1))

T type letters, N internal name, I unique id, Q quota root (if any), A access
control list (if any), U names of user flags (if any; ``NIL`` for a number no
longer in use). The CRC-32 of the whole file is kept in the index header.

Before 3.6 three lines followed the magic instead: ``quotaroot TAB uniqueid``,
flag names separated by spaces, the ACL. They are read, and never written.
"""

from __future__ import annotations

import os
from typing import Final
from zlib import crc32

from libcyrus import dlist
from libcyrus.base.dataclasses import dataclass, field
from libcyrus.errors import MailboxBadFormat
from libcyrus.mailbox.index_record import MAX_USER_FLAGS

MAGIC: Final = (
    b"\xa1\x02\x8b\x0dCyrus mailbox header\n"
    b'"The best thing about this system was that it had lots of goals."\n'
    b"\t--Jim Morris on Andrew\n"
)


_MOST_KNOWN = 256
_SPECIALS = frozenset(b'(){%*"\\')


@dataclass(slots=True)
class MailboxHeader:
    """``flags[n]`` is the name of user flag n, None where that is free; ``acl`` is tab-separated text."""

    name: str | None = None
    uniqueid: str | None = None
    mbtype: str = "e"
    quotaroot: str | None = None
    acl: str | None = None
    flags: list[str | None] = field(default_factory=list)

    def copy(self) -> MailboxHeader:
        return MailboxHeader(
            self.name, self.uniqueid, self.mbtype, self.quotaroot, self.acl, self.flags[:]
        )

    def flag_number(self, name: str) -> int | None:
        """The number of a user flag, whatever its case; None for one that is not known."""
        wanted = name.lower()
        for number, known in enumerate(self.flags):
            if known is not None and known.lower() == wanted:
                return number
        return None

    def free_flag(self) -> int:
        """The lowest number no flag has."""
        return self.flags.index(None) if None in self.flags else len(self.flags)

    def put_flag(self, number: int, name: str) -> None:
        """Give a free number to a flag."""
        if number == len(self.flags):
            self.flags.append(name)
        else:
            self.flags[number] = name


class KnownHeaders:
    """Headers read before by this process, for processes that open many mailboxes again and again.

    One is good as long as the index has its CRC and the file its size.
    """

    def __init__(self) -> None:
        self._known: dict[str, tuple[int, int, MailboxHeader]] = {}

    def get(self, uniqueid: str, file_crc: int, path: str) -> MailboxHeader | None:
        """A copy of the header with this CRC, if it is known. Raises OSError when there is no such file."""
        known = self._known.get(uniqueid)
        if known is None or known[0] != file_crc or os.stat(path).st_size != known[1]:
            return None
        return known[2].copy()

    def put(self, uniqueid: str, file_crc: int, size: int, header: MailboxHeader) -> None:
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        self._known[uniqueid] = file_crc, size, header.copy()


def pack(header: MailboxHeader) -> bytes:
    """The whole file."""
    items: dict[str, dlist.Printable] = {"T": header.mbtype, "N": header.name, "I": header.uniqueid}
    if header.quotaroot is not None:
        items["Q"] = header.quotaroot
    if header.acl is not None:
        words = header.acl.split("\t")
        items["A"] = dict(zip(words[0::2], words[1::2], strict=False))
    flags = header.flags[:]
    while flags and flags[-1] is None:
        flags.pop()
    if flags:
        items["U"] = flags
    return MAGIC + dlist.dump(items) + b"\n"


def unpack(data: bytes) -> MailboxHeader:
    """Read the whole file, new or old form. Raises MailboxBadFormat."""
    if not data.startswith(MAGIC):
        raise MailboxBadFormat
    lines = data[len(MAGIC) :].split(b"\n")
    if len(lines) < 2:
        raise MailboxBadFormat
    if lines[0].startswith(b"%"):
        return _from_dlist(lines[0])
    if len(lines) < 4:
        raise MailboxBadFormat
    return _from_lines(*(os.fsdecode(line) for line in lines[:3]))


def is_atom(flag: str) -> bool:
    """Whether a user flag may have this name: the characters of an IMAP atom."""
    octets = os.fsencode(flag)
    return bool(octets) and not any(octet in _SPECIALS or not 0x20 < octet < 0x7F for octet in octets)


def crc(data: bytes) -> int:
    """The CRC of the whole file, as the index header keeps it."""
    return crc32(data)


def _from_dlist(line: bytes) -> MailboxHeader:
    try:
        items = dlist.parse(line)
    except dlist.DlistError:
        raise MailboxBadFormat from None
    if not isinstance(items, dict):
        raise MailboxBadFormat
    header = MailboxHeader(
        name=_text(items.get(b"N")),
        uniqueid=_text(items.get(b"I")),
        mbtype=_text(items.get(b"T")) or "e",
        quotaroot=_text(items.get(b"Q")),
    )
    acl = items.get(b"A")
    if isinstance(acl, dict):
        header.acl = "".join(f"{os.fsdecode(who)}\t{_text(rights) or ''}\t" for who, rights in acl.items())
    flags = items.get(b"U")
    if isinstance(flags, list):
        header.flags = [_text(flag) for flag in flags[:MAX_USER_FLAGS]]
    return header


def _from_lines(quota: str, flags: str, acl: str) -> MailboxHeader:
    quotaroot, _, rest = quota.partition("\t")
    uniqueid = rest.partition("\t")[0]
    return MailboxHeader(
        uniqueid=uniqueid or None,
        quotaroot=quotaroot or None,
        acl=acl,
        flags=[flag or None for flag in flags.split(" ")][:MAX_USER_FLAGS] if flags else [],
    )


def _text(value: dlist.Value) -> str | None:
    return os.fsdecode(value) if isinstance(value, bytes) else None
