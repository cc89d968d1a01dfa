"""The B record: what is known of one conversation.

``VERSION SP (...)``, the version 1 or, in old files, 0, whose counts are of records and not of distinct
messages. The list::

    modseq num_records exists unseen
    (count of each counted flag ...)
    ((folder-number modseq num_records exists unseen) ...)
    ((name route mailbox domain lastseen exists) ...)       at most 99 senders
    subject                                                 normalised, see ``subject``
    size
    ((guid exists internaldate) ...)                        the thread, by date and GUID
    createdmodseq

Files of older versions end the list after the subject, the size or the thread. A deleted message counts
in num_records only.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from typing import Final, NamedTuple

from libcyrus import dlist
from libcyrus.base.dataclasses import dataclass, field
from libcyrus.errors import MailboxBadFormat
from libcyrus.records.conversations.layout import number, versioned
from libcyrus.text.mimeheader import parse_mimeheader

VERSION: Final = 1
MAX_SENDERS: Final = 99

_U32: Final = 0xFFFFFFFF
_NUMBER: Final = rb"([0-9]{1,20})"
_SHARE: Final = rb"\([0-9]{1,20}(?: [0-9]{1,20}){4}\)"
_ENTRY: Final = rb"\([0-9a-f]{40} [0-9]{1,20} [0-9]{1,20}\)"
_HEAD: Final = re.compile(
    rb"([01]) \(%b %b %b %b \(((?:[0-9]{1,20}(?: [0-9]{1,20})*)?)\) \(((?:%b(?: %b)*)?)\) (?=\()"
    % (_NUMBER, _NUMBER, _NUMBER, _NUMBER, _SHARE, _SHARE)
)
_TAIL: Final = re.compile(rb" %b \(((?:%b(?: %b)*)?)\) %b\)" % (_NUMBER, _ENTRY, _ENTRY, _NUMBER))
# nothing that a client writes comes behind the subject, so this is the end of the record and no other text
_SIZE: Final = re.compile(rb" %b \((?:%b(?: %b)*)?\) [0-9]{1,20}\)\Z" % (_NUMBER, _ENTRY, _ENTRY))
_NUM_RECORDS: Final = re.compile(rb"[01] \([0-9]{1,20} ([0-9]{1,20}) ")


@dataclass(slots=True)
class FolderCounts:
    """A conversation's share of one folder."""

    number: int
    modseq: int = 0
    num_records: int = 0
    exists: int = 0
    unseen: int = 0


@dataclass(slots=True)
class Sender:
    """Somebody who wrote ``exists`` of the messages, last at ``lastseen``."""

    name: bytes | None
    route: bytes | None
    mailbox: bytes
    domain: bytes
    lastseen: int = 0
    exists: int = 0

    @property
    def key(self) -> tuple[bytes, bytes]:
        """What tells senders apart, and their order."""
        return self.domain.lower(), self.mailbox.lower()


@dataclass(slots=True)
class ThreadEntry:
    """One distinct message of the conversation."""

    guid: bytes
    exists: int
    internaldate: int


class Summary(NamedTuple):
    """The numbers of a conversation; ``size`` in octets."""

    modseq: int
    exists: int
    unseen: int
    counts: Sequence[int]
    size: int

    def count(self, place: int) -> int:
        """How many messages have the counted flag in that place."""
        return self.counts[place] if place < len(self.counts) else 0


@dataclass(slots=True)
class Conversation:
    """A B record. ``folders`` is in order of their numbers, ``senders`` begins with the latest."""

    version: int = VERSION
    modseq: int = 0
    num_records: int = 0
    exists: int = 0
    unseen: int = 0
    counts: list[int] = field(default_factory=list)
    folders: list[FolderCounts] = field(default_factory=list)
    senders: list[Sender] = field(default_factory=list)
    subject: bytes | None = None
    size: int = 0
    thread: list[ThreadEntry] = field(default_factory=list)
    createdmodseq: int = 0

    @property
    def summary(self) -> Summary:
        return Summary(self.modseq, self.exists, self.unseen, self.counts, self.size)

    def pack(self, flags: int) -> bytes:
        """The record with the counts of ``flags`` flags. What does not exist any more is left out."""
        counts = [*self.counts[:flags], *[0] * (flags - len(self.counts))]
        folders = [
            b"(%d %d %d %d %d)" % (f.number, f.modseq, f.num_records, f.exists, f.unseen)
            for f in self.folders
            if f.num_records
        ]
        senders = [
            b"(%b %b %b %b %d %d)"
            % (
                dlist.astring(s.name), dlist.astring(s.route), dlist.astring(s.mailbox),
                dlist.astring(s.domain), s.lastseen & _U32, s.exists,
            )
            for s in self.senders
            if s.exists
        ]  # fmt: skip
        thread = [
            b"(%b %d %d)" % (t.guid.hex().encode(), t.exists, t.internaldate & _U32)
            for t in self.thread
            if t.exists
        ]
        return b"%d (%d %d %d %d (%b) (%b) (%b) %b %d (%b) %d)" % (
            self.version,
            self.modseq,
            self.num_records & _U32,
            self.exists & _U32,
            self.unseen & _U32,
            b" ".join([b"%d" % count for count in counts]),
            b" ".join(folders),
            b" ".join(senders[:MAX_SENDERS]),
            dlist.astring(self.subject),
            self.size & _U32,
            b" ".join(thread),
            self.createdmodseq,
        )

    @classmethod
    def unpack(cls, data: bytes) -> Conversation:
        """Raises MailboxBadFormat."""
        return _unpack_usual(data) or cls._unpack_any(data)

    @classmethod
    def _unpack_any(cls, data: bytes) -> Conversation:
        version, values = versioned(data, VERSION)
        if len(values) < 8 or len(values) > 11:
            raise MailboxBadFormat
        modseq, num_records, exists, unseen, counts, folders, senders, subject = values[:8]
        if subject is not None and not isinstance(subject, bytes):
            raise MailboxBadFormat
        conversation = cls(
            version,
            number(modseq),
            number(num_records),
            number(exists),
            number(unseen),
            [number(count) for count in _list(counts)],
            _folders(folders),
            _senders(senders),
            subject,
        )
        if len(values) > 8:
            conversation.size = number(values[8])
        if len(values) > 9:
            conversation.thread = _thread(values[9])
        if len(values) > 10:
            conversation.createdmodseq = number(values[10])
        return conversation

    def folder(self, folder: int) -> FolderCounts:
        """The share of a folder, a new one if it had none."""
        place = bisect_left(self.folders, folder, key=_folder_order)
        if place < len(self.folders) and self.folders[place].number == folder:
            return self.folders[place]
        new = FolderCounts(folder)
        self.folders.insert(place, new)
        return new

    def update_thread(self, guid: bytes, internaldate: int, change: int) -> None:
        """Add (``change`` 1), remove (-1) or redate (0) a message of the thread."""
        entry = next((entry for entry in self.thread if entry.guid == guid), None)
        if entry is None:
            if change <= 0:
                return
            entry = ThreadEntry(guid, 0, 0)
            self.thread.append(entry)
        elif entry.exists + change == 0:
            self.thread.remove(entry)
            return
        entry.internaldate = internaldate
        entry.exists = max(0, entry.exists + change)
        self.thread.sort(key=_thread_order)

    def update_sender(
        self,
        name: bytes | None,
        route: bytes | None,
        mailbox: bytes | None,
        domain: bytes | None,
        lastseen: int,
        change: int,
        *,
        utf8: bool = False,
    ) -> None:
        """Count ``change`` messages more from an address.

        Of the ways in which the same address was written, the better one stays, whichever came first.
        ``utf8`` is the option ``rfc2047_utf8``. Without mailbox or domain there is no sender.
        """
        if mailbox is None or domain is None:
            return
        sender = Sender(name, route, mailbox, domain)
        key = sender.key
        for place, known in enumerate(self.senders):
            if known.key == key:
                sender = known
                del self.senders[place]
                break
        if change <= 0 and -change >= sender.exists:
            return
        sender.exists = max(0, sender.exists + change)
        if sender.name is None or _better_name(sender.name, name, utf8=utf8):
            sender.name = name
        if sender.route is None or (route or b"") < sender.route:
            sender.route = route
        sender.mailbox = min(sender.mailbox, mailbox)
        sender.domain = min(sender.domain, domain)
        sender.lastseen = max(sender.lastseen, lastseen)
        for place, other in enumerate(self.senders):
            if other.lastseen < sender.lastseen or other.lastseen == sender.lastseen and other.key > key:
                self.senders.insert(place, sender)
                return
        self.senders.append(sender)


def _unpack_usual(data: bytes) -> Conversation | None:
    """A record as this version packs it, in a fraction of the time; None for others."""
    head = _HEAD.match(data)
    if head is None:
        return None
    version, modseq, num_records, exists, unseen, counts, folders = head.groups()
    try:
        senders, at = dlist.parse_at(data, head.end())
        subject, at = dlist.parse_at(data, at + 1)
    except dlist.DlistError:
        return None
    tail = _TAIL.fullmatch(data, at)
    if tail is None or (subject is not None and not isinstance(subject, bytes)):
        return None
    size, thread, createdmodseq = tail.groups()
    conversation = Conversation(
        int(version), int(modseq), int(num_records), int(exists), int(unseen), [*map(int, counts.split())]
    )
    if folders:
        shares = [FolderCounts(*map(int, share.split())) for share in folders[1:-1].split(b") (")]
        shares.sort(key=_folder_order)
        conversation.folders = shares
    conversation.senders = _senders(senders)
    conversation.subject = subject
    conversation.size = int(size)
    if thread:
        for entry in thread[1:-1].split(b") ("):
            guid, count, date = entry.split()
            binary = bytes.fromhex(guid.decode("ascii"))
            conversation.thread.append(ThreadEntry(binary, int(count), int(date)))
    conversation.createdmodseq = int(createdmodseq)
    return conversation


def unpack_num_records(data: bytes) -> int:
    """Only the number of records. Raises MailboxBadFormat."""
    found = _NUM_RECORDS.match(data)
    if found is None:
        raise MailboxBadFormat
    return int(found[1])


def unpack_summary(data: bytes) -> Summary:
    """Only the numbers of a record, in a fraction of the time. Raises MailboxBadFormat."""
    head, tail = _HEAD.match(data), _SIZE.search(data)
    if head is None or tail is None:
        return Conversation.unpack(data).summary
    _, modseq, _, exists, unseen, counts, _ = head.groups()
    return Summary(int(modseq), int(exists), int(unseen), [*map(int, counts.split())], int(tail[1]))


def unpack_modseq(data: bytes) -> int:
    """Only the modseq of a record, which comes first. Raises MailboxBadFormat."""
    version, _, rest = data.partition(b" (")
    if not version.isdigit() or int(version) > VERSION:
        raise MailboxBadFormat
    return number(rest.partition(b" ")[0])


def _better_name(known: bytes, other: bytes | None, *, utf8: bool) -> bool:
    """Whether ``other`` is to be shown instead: not ASCII before ASCII, then longer, then earlier."""
    if known == other:
        return False
    ours = parse_mimeheader(known, utf8=utf8)
    theirs = parse_mimeheader(other or b"", utf8=utf8)
    mine = (ours.isascii(), -len(ours), ours, known)
    return (theirs.isascii(), -len(theirs), theirs, other or b"") < mine


def _folder_order(folder: FolderCounts) -> int:
    return folder.number


def _thread_order(entry: ThreadEntry) -> tuple[int, bytes]:
    return entry.internaldate, entry.guid


def _list(value: dlist.Value) -> list[dlist.Value]:
    if not isinstance(value, list):
        raise MailboxBadFormat
    return value


def _string(value: dlist.Value) -> bytes | None:
    if value is not None and not isinstance(value, bytes):
        raise MailboxBadFormat
    return value


def _folders(value: dlist.Value) -> list[FolderCounts]:
    folders = []
    for item in _list(value):
        numbers = [number(part) for part in _list(item)]
        if not 1 <= len(numbers) <= 5:
            raise MailboxBadFormat
        folders.append(FolderCounts(*numbers))
    folders.sort(key=_folder_order)
    return folders


def _senders(value: dlist.Value) -> list[Sender]:
    senders = []
    for item in _list(value):
        parts = _list(item)
        if len(parts) != 6:
            raise MailboxBadFormat
        name, route, mailbox, domain = map(_string, parts[:4])
        if mailbox is not None and domain is not None:
            senders.append(Sender(name, route, mailbox, domain, number(parts[4]), number(parts[5])))
    return senders


def _thread(value: dlist.Value) -> list[ThreadEntry]:
    thread = []
    for item in _list(value):
        parts = _list(item)
        guid = _string(parts[0]) if len(parts) >= 3 else None
        if guid is None:
            raise MailboxBadFormat
        try:
            binary = bytes.fromhex(guid.decode("ascii"))
        except ValueError:
            raise MailboxBadFormat from None
        thread.append(ThreadEntry(binary, number(parts[1]), number(parts[2])))
    return thread
