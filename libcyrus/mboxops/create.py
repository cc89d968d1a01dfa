"""Making mailboxes.

The files come first, complete and on disk, then the records of mailboxes.db in one transaction: a crash
between the two leaves a directory that nothing points at, and the name free.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from libcyrus import options as opt
from libcyrus.auth import AuthState
from libcyrus.base.dataclasses import replace
from libcyrus.base.xlog import NOTICE
from libcyrus.errors import MailboxBadName, MailboxSpecialUse, PermissionDenied
from libcyrus.mailbox import index_header, lifecycle
from libcyrus.mailbox.mailstore import MailStore
from libcyrus.mboxname import MboxName
from libcyrus.partitions import Partitions
from libcyrus.records import mbtype as mbtypes
from libcyrus.records.annotate import SPECIALUSE
from libcyrus.records.mbentry import MboxEntry
from libcyrus.records.quota import UNLIMITED, Resource

from . import annotation, checks, quotaroot
from .checks import Actor

log = logging.getLogger(__name__)


def create(
    store: MailStore,
    name: str,
    *,
    is_admin: bool,
    userid: str | None,
    auth: AuthState | None,
    partition: str | None = None,
    uniqueid: str | None = None,
    mbtype: int = mbtypes.EMAIL,
    specialuse: str = "",
    local_only: bool = False,
) -> MboxEntry:
    """CREATE: make mailbox ``name`` (internal) and what is missing above it; returns its entry.

    ``specialuse`` is what ``validate_specialuse`` gave. ``local_only`` allows mailboxes of a user without
    INBOX. One's own missing INBOX is made even without the right to, with ``autocreate_quota``, if that is
    set. Raises what ``checks.creation`` does, PartitionUnknown, MailboxSpecialUse, and storage errors.
    """
    actor = Actor(is_admin, userid, auth)
    parsed = store.rules.from_internal(name)
    name = parsed.internal
    if specialuse and (parsed.userid is None or len(parsed.boxes) != 1):
        raise MailboxSpecialUse
    if [box.upper() for box in parsed.boxes[:2]] == ["INBOX", "INBOX"]:
        raise MailboxBadName
    options = index_header.HAS_ALARMS if r"\Snoozed" in specialuse.split() else 0
    own_inbox = parsed.is_inbox and actor.owns(parsed) and store.config[opt.autocreate_quota] > 0
    with ExitStack() as locks:
        if own_inbox:
            # a quota root may come with it, whose lock comes before the namespace
            locks.enter_context(store.locks.quota_change())
        locks.enter_context(store.locks.user(parsed.userid))
        _create_ancestors(store, parsed, actor, partition, mbtype, force_user=local_only)
        try:
            entry = create_one(
                store, name, actor, partition=partition, uniqueid=uniqueid, mbtype=mbtype,
                options=options, force_user=local_only,
            )  # fmt: skip
        except PermissionDenied:
            if not own_inbox:
                raise
            entry = create_one(store, name, actor.as_admin(), partition=partition, mbtype=mbtype)
            limits = [UNLIMITED] * len(Resource)
            limits[Resource.STORAGE] = store.config[opt.autocreate_quota]
            limits[Resource.MESSAGE] = store.config[opt.autocreate_quota_messages]
            quotaroot.set_quotas(store, name, limits)
        if specialuse:
            assert parsed.userid is not None
            annotation.write(store, name, SPECIALUSE, parsed.userid, specialuse.encode())
    return entry


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
) -> MboxEntry:
    """Make one mailbox. The owner's namespace lock is held; ``fill_in`` makes missing mailboxes above it."""
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
        partition=checks.partition(store, Partitions(store.config), name, partition),
        acl=checks.inherited_acl(store, name) if acl is None else acl,
    )
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
    mailbox.close()
    if fill_in:
        fill_in_ancestors(store, name, entry.mbtype)
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


def _create_ancestors(
    store: MailStore, name: MboxName, actor: Actor, partition: str | None, mbtype: int, *, force_user: bool
) -> None:
    """What CREATE makes first: every level between the nearest existing mailbox and ``name``."""
    parent = store.mboxlist.parent(name.internal)
    if parent is None and name.userid is not None:
        return
    have = len(store.rules.from_internal(parent.name).boxes) if parent is not None else 0
    missing = [name.with_boxes(*name.boxes[:depth]) for depth in range(have + 1, len(name.boxes))]
    if not missing:
        return
    checks.creation(store, name.internal, actor)
    checks.partition(store, Partitions(store.config), name.internal, partition)
    for place in missing:
        if place.userid is None or place.boxes != ("INBOX",):
            create_one(
                store, place.internal, actor, partition=partition, mbtype=mbtype, force_user=force_user
            )


@contextmanager
def locked(store: MailStore, *names: str) -> Iterator[None]:
    """Hold the namespace locks of the owners of these mailboxes."""
    with store.lock_users(*(store.rules.from_internal(name).userid for name in names)):
        yield
