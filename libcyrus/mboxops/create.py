"""CREATE: a mailbox, and what is missing above it."""

from __future__ import annotations

from libcyrus import options as opt
from libcyrus.auth import AuthState
from libcyrus.errors import MailboxBadName, MailboxSpecialUse, PermissionDenied
from libcyrus.mailbox import index_header
from libcyrus.mailbox.mailstore import MailStore
from libcyrus.mboxname import MboxName
from libcyrus.records import mbtype as mbtypes
from libcyrus.records.annotate import SPECIALUSE
from libcyrus.records.mbentry import MboxEntry
from libcyrus.records.quota import UNLIMITED, Resource

from . import annotation, checks, quotaroot
from .checks import Actor
from .make import create_one
from .unfinished import exclusive


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
    alone: bool = False,
) -> MboxEntry:
    """CREATE: make mailbox ``name`` (internal) and what is missing above it; returns its entry.

    ``specialuse`` is what ``validate_specialuse`` gave. ``local_only`` allows mailboxes of a user without
    INBOX. ``alone`` makes nothing above, and no INBOX that one may not make. Otherwise one's own missing
    INBOX is made even without the right to, with ``autocreate_quota``, if that is set. Raises what
    ``checks.creation`` does, PartitionUnknown, MailboxSpecialUse, and storage errors.
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
    own_inbox = own_inbox and not alone
    # a quota root may come with the INBOX, whose lock comes before the namespace
    with exclusive(store, parsed.userid, quota_change=own_inbox):
        if not alone:
            _create_ancestors(store, parsed, actor, partition, mbtype, force_user=local_only)
        try:
            entry = create_one(
                store, name, actor, partition=partition, uniqueid=uniqueid, mbtype=mbtype,
                options=options, force_user=local_only, tell=True,
            )  # fmt: skip
        except PermissionDenied:
            if not own_inbox:
                raise
            entry = create_one(
                store, name, actor.as_admin(), partition=partition, mbtype=mbtype, tell=True
            )
            limits = [UNLIMITED] * len(Resource)
            limits[Resource.STORAGE] = store.config[opt.autocreate_quota]
            limits[Resource.MESSAGE] = store.config[opt.autocreate_quota_messages]
            quotaroot.set_quotas(store, name, limits)
        if specialuse:
            assert parsed.userid is not None
            annotation.write(store, name, SPECIALUSE, parsed.userid, specialuse.encode())
    return entry


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
    checks.partition(store, store.partitions, name.internal, partition)
    for place in missing:
        if place.userid is None or place.boxes != ("INBOX",):
            create_one(
                store, place.internal, actor, partition=partition, mbtype=mbtype, force_user=force_user,
                tell=True,
            )  # fmt: skip
