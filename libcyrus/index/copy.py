"""COPY and MOVE between mailboxes (RFC 3501 section 6.4.7, RFC 6851)."""

from __future__ import annotations

from libcyrus import acl
from libcyrus import options as opt
from libcyrus.append import Appender
from libcyrus.append import copy as copying
from libcyrus.append.append import check
from libcyrus.auth import AuthState
from libcyrus.base.dataclasses import dataclass
from libcyrus.base.seqset import SeqSet
from libcyrus.errors import MailboxNotSupported, NoSuchMessage
from libcyrus.events.mboxevent.kinds import EventType
from libcyrus.index.view import IndexView
from libcyrus.mailbox.index_record import DELETED, EXPUNGED, SEEN
from libcyrus.mailbox.mailbox import Mailbox
from libcyrus.records import mbtype


@dataclass(frozen=True, slots=True)
class Copied:
    """What COPYUID says (RFC 4315 section 3): UIDs in the source and in the target, in the same order.

    ``readable``: the user may read the target, without which nothing of it is told.
    """

    uidvalidity: int
    source: str
    target: str
    readable: bool


def copy(
    view: IndexView,
    sequence: str,
    name: str,
    auth: AuthState | None,
    *,
    by_uid: bool,
    move: bool,
    ignore_quota: bool,
) -> Copied:
    """Copy the messages in a sequence set into the mailbox of this internal name; remove them to ``move``.

    Raises NoSuchMessage for an empty set, PermissionDenied, QuotaExceeded, MailboxNotSupported, what
    ``MailStore.open`` and the appender raise, and ValueError for a bad set. Nothing is copied then.
    """
    rules = view.store.rules
    owner, receiver = (rules.from_internal(mailbox).userid for mailbox in (view.mboxname, name))
    # both before either mailbox, or two copies that cross would wait for each other
    with view.store.lock_users(owner, receiver):
        copied = _copy(
            view, sequence, name, auth,
            by_uid=by_uid, same_user=owner == receiver, move=move, ignore_quota=ignore_quota,
        )  # fmt: skip
        if move:
            view.expunge(copied.source, only_deleted=False)
    return copied


def _copy(
    view: IndexView,
    sequence: str,
    name: str,
    auth: AuthState | None,
    *,
    by_uid: bool,
    same_user: bool,
    move: bool,
    ignore_quota: bool,
) -> Copied:
    with view.locked(write=False) as source:
        originals = _originals(view, source, sequence, by_uid=by_uid)
        if not originals:
            raise NoSuchMessage
        root = source.quotaroot
    store = view.store
    target = store.open(name, write=True)
    try:
        if mbtype.kind(target.entry.mbtype) != mbtype.EMAIL:
            raise MailboxNotSupported
        rights = store.acl_rules.myrights(auth, target.acl)
        # where each distinct message counts once, copies of what one has take no room
        need_room = not (move or store.counts_once) or root != target.quotaroot
        size = sum(original.record.size for original in originals)
        quota = (size, len(originals), 0, 0) if need_room and not ignore_quota else None
        check(target, rights, need=acl.INSERT, quota=quota)
        event = EventType.MESSAGE_MOVE if move else EventType.MESSAGE_COPY
        with Appender(target, userid=view.userid, rights=rights, event=event) as appender:
            link = store.config[opt.singleinstancestore]
            uids = copying.copy(appender, view.mailbox, originals, link=link, same_user=same_user)
            target.changes.announce("DOUBLEMAILBOX", view.mboxname, name)
            appender.commit()
        uidvalidity = target.i.uidvalidity
    finally:
        target.close()
    taken = str(SeqSet.of(original.record.uid for original in originals))
    return Copied(uidvalidity, taken, str(SeqSet.of(uids)), bool(rights & acl.READ))


def _originals(
    view: IndexView, source: Mailbox, sequence: str, *, by_uid: bool
) -> list[copying.Original]:
    picture = view.picture
    found = []
    for low, high in picture.numbers(sequence, by_uid=by_uid):
        for number in range(low, high + 1):
            recno = picture.recnos[number - 1]
            if not recno:
                continue
            record = source.record(recno)
            if record.unlinked:
                continue
            if record.expunged:
                record.internal_flags &= ~EXPUNGED
                if picture.with_expunged:
                    # the copy brings it back
                    record.system_flags &= ~DELETED
            seen = bool(view.system_flags(number) & SEEN)
            found.append(copying.read(source, record, seen=seen))
    return found
