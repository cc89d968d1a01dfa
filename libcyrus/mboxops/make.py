"""Making one mailbox.

The files come first, complete and on disk, then the records of mailboxes.db in one transaction: a crash
between the two leaves a directory that nothing points at, and the name free. A note of it lets the next one
remove that directory.
"""

from __future__ import annotations

import logging

from libcyrus import options as opt
from libcyrus.base.dataclasses import replace
from libcyrus.base.xlog import NOTICE
from libcyrus.events.mboxevent.kinds import EventType
from libcyrus.mailbox import index_header, lifecycle
from libcyrus.mailbox.mailstore import MailStore
from libcyrus.mboxname import MboxName
from libcyrus.records import mbtype as mbtypes
from libcyrus.records.mbentry import MboxEntry

from . import checks
from .checks import Actor
from .notes import Operation, noted

log = logging.getLogger(__name__)


def create_one(
    store: MailStore,
    name: str,
    actor: Actor,
    *,
    partition: str | None = None,
    uniqueid: str | None = None,
    mbtype: int = mbtypes.EMAIL,
    acl: str | None = None,
    options: int = 0,
    foldermodseq: int = 0,
    force_user: bool = False,
    fill_in: bool = True,
    tell: bool = False,
) -> MboxEntry:
    """Make one mailbox. The owner's namespace lock is held.

    ``fill_in`` makes missing mailboxes above it, ``tell`` makes an event of it.
    """
    checks.creation(store, name, actor, force_user=force_user)
    uidvalidity = createdmodseq = 0
    old = store.mboxlist.get_all(name)
    if old is not None and old.deleted:
        # a client that remembers the old mailbox must see that this is another one
        uidvalidity = old.uidvalidity + 1 if old.uidvalidity else 0
    elif old is not None and old.intermediate:
        uniqueid = uniqueid or old.uniqueid
        createdmodseq = old.createdmodseq
    entry = MboxEntry(
        name=name,
        mbtype=mbtype | checks.legacy_flag(store, name),
        uniqueid=uniqueid or lifecycle.make_uniqueid(),
        partition=checks.partition(store, store.partitions, name, partition),
        acl=checks.inherited_acl(store, name) if acl is None else acl,
    )
    root = store.quota.find_root(name)
    operation = Operation(
        "create", (store.rules.from_internal(name).userid,), places=(entry,), roots=(root,) if root else ()
    )
    with noted(store, operation, lasting=False):
        mailbox = lifecycle.create(
            store, entry,
            options=options | store.config[opt.mailbox_default_options] | index_header.POP3_NEW_UIDL,
            uidvalidity=uidvalidity, createdmodseq=createdmodseq,
        )  # fmt: skip
        try:
            entry = replace(
                entry,
                uidvalidity=mailbox.i.uidvalidity,
                createdmodseq=mailbox.i.createdmodseq,
                foldermodseq=foldermodseq or mailbox.i.highestmodseq,
            )
            store.mboxlist.update(entry)
        except BaseException:
            lifecycle.delete(mailbox)
            raise
        event = None
        if tell and store.events is not None:
            event = store.events.new(EventType.MAILBOX_CREATE)
            store.events.about(event, mailbox, actor.userid)
        mailbox.close()
    if fill_in:
        fill_in_ancestors(store, name, entry.mbtype)
    if event is not None and store.events is not None:
        store.events.send(event)
    return entry


def fill_in_ancestors(store: MailStore, name: str, mbtype: int) -> None:
    """Make mailboxes in the places above ``name``, and in its own, where only things below exist.

    Only for users' mailboxes; exactly ``INBOX`` below the INBOX is no place. The namespace lock is held.
    """
    place: MboxName | None = store.rules.from_internal(name)
    if place is None or place.deleted or place.userid is None:
        return
    admin = Actor(True, None, None)
    while place is not None and place.boxes and place.boxes != ("INBOX",):
        entry = store.mboxlist.get_all(place.internal)
        if (entry is None or entry.deleted) and store.mboxlist.has_children(place.internal):
            log.log(NOTICE, "mboxlist: intermediate fill-in mailbox: %s", place.internal)
            above = store.mboxlist.parent(place.internal, allow_all=True)
            create_one(
                store, place.internal, admin, partition=above.partition if above is not None else None,
                mbtype=mbtypes.kind(mbtype), fill_in=False,
            )  # fmt: skip
        place = place.with_boxes(*place.boxes[:-1])
