"""What a mailbox looks like to one user without selecting it: the numbers of STATUS.

With ``statuscache`` on, the answer may come from there without opening the mailbox, and what was counted is
kept there. Counting reads two columns of the index, never a record.
"""

from __future__ import annotations

from libcyrus.base.dataclasses import dataclass
from libcyrus.base.seqset import SeqSet
from libcyrus.mailbox import columns
from libcyrus.mailbox.index_record import EXPUNGED
from libcyrus.mailbox.mailbox import Mailbox
from libcyrus.mailbox.mailstore import MailStore
from libcyrus.records import seen
from libcyrus.records.mbentry import MboxEntry
from libcyrus.records.statuscache import IndexStatus, SeenStatus


@dataclass(frozen=True, slots=True)
class MailboxStatus:
    """``size`` in octets. ``recent`` and ``unseen`` are the user's own, 0 if they were not asked for."""

    messages: int
    recent: int
    uidnext: int
    uidvalidity: int
    mailboxid: str
    unseen: int
    size: int
    createdmodseq: int
    highestmodseq: int


def look_up(store: MailStore, entry: MboxEntry, userid: str, *, count_seen: bool) -> MailboxStatus:
    """The status of the mailbox; with ``count_seen`` its recent and unseen messages are counted.

    Raises what ``MailStore.open`` raises.
    """
    cache = store.statuscache
    known = cache.index(entry.name) if cache.enabled else None
    if known is not None:
        counted = cache.seen(entry.name, userid, known) if count_seen else SeenStatus(0, 0)
        if counted is not None:
            return _status(entry, known, counted)
    held = store.is_open(entry.name)
    if held is not None and held.uniqueid == entry.uniqueid and held.unchanged(held.raw_header):
        # the selected mailbox: what was last read of it still holds
        index, counts = _read(store, held, userid, count_seen=count_seen)
    else:
        with store.open(entry, write=False) as mailbox:
            index, counts = _read(store, mailbox, userid, count_seen=count_seen)
    if cache.enabled:
        cache.store(entry.name, index, userid if count_seen else None, counts if count_seen else None)
    return _status(entry, index, counts)


def _read(
    store: MailStore, mailbox: Mailbox, userid: str, *, count_seen: bool
) -> tuple[IndexStatus, SeenStatus]:
    header = mailbox.i
    index = IndexStatus(
        messages=header.exists,
        uidnext=header.last_uid + 1,
        uidvalidity=header.uidvalidity,
        options=header.options,
        size=header.quota_mailbox_used,
        createdmodseq=header.createdmodseq,
        highestmodseq=header.highestmodseq,
    )
    counts = _count(store, mailbox, userid) if count_seen and header.exists else SeenStatus(0, 0)
    return index, counts


def _status(entry: MboxEntry, index: IndexStatus, counts: SeenStatus) -> MailboxStatus:
    return MailboxStatus(
        messages=index.messages,
        recent=counts.recent,
        uidnext=index.uidnext,
        uidvalidity=index.uidvalidity,
        mailboxid=entry.uniqueid or "",
        unseen=counts.unseen,
        size=index.size,
        createdmodseq=index.createdmodseq,
        highestmodseq=index.highestmodseq,
    )


def _count(store: MailStore, mailbox: Mailbox, userid: str) -> SeenStatus:
    """Recent and unseen messages. The index header knows the second number for those who share its flags."""
    header = mailbox.i
    if mailbox.internal_seen(userid):
        return SeenStatus(_living_above(mailbox, header.recentuid), header.unseen)
    database = seen.open_existing(store.config, store.userstate, mailbox.seen_user(userid))
    if database is None:
        return SeenStatus(header.exists, header.exists)
    with database:
        data = database.read(mailbox.uniqueid)
    known = SeqSet.parse(data.uids)
    region, size = mailbox.region, header.record_size
    unseen = sum(
        1
        for uid, flags in columns.fields(region, size, ">I28xI")
        if not flags & EXPUNGED and uid not in known
    )
    return SeenStatus(_living_above(mailbox, data.lastuid), unseen)


def _living_above(mailbox: Mailbox, uid: int) -> int:
    """How many messages that are not expunged have a higher UID."""
    if mailbox.i.last_uid <= uid:
        return 0
    region, size = mailbox.region, mailbox.i.record_size
    first = mailbox.recno_before(uid)
    return columns.living(region[first * size :], size).count(1)
