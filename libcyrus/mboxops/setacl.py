"""Changing who may do what in a mailbox: the copy in cyrus.header first, then mailboxes.db.

A crash in between leaves the new ACL in the header only, where nobody asks for it; the next change of the
owner's mailboxes puts it right.
"""

from __future__ import annotations

import logging
from typing import NamedTuple

from libcyrus import acl as acls
from libcyrus import options as opt
from libcyrus.auth import AuthState
from libcyrus.base.dataclasses import replace
from libcyrus.errors import (
    InvalidIdentifier,
    InvalidRights,
    MailboxNonexistent,
    MailboxNotSupported,
    PermissionDenied,
)
from libcyrus.mailbox.mailbox import Mailbox
from libcyrus.mailbox.mailstore import MailStore
from libcyrus.mboxname import MboxName
from libcyrus.records import mbtype as mbtypes
from libcyrus.records.mbentry import MboxEntry

from .checks import Actor
from .notes import Operation, noted
from .unfinished import exclusive

log = logging.getLogger(__name__)


def set_acl(
    store: MailStore,
    name: str,
    identifier: str,
    rights: str | None,
    *,
    is_admin: bool,
    userid: str | None,
    auth: AuthState | None,
) -> None:
    """Set the rights of ``identifier`` in a mailbox; ``+`` and ``-`` before them add and remove.

    None or no letters remove the entry. An owner keeps the implicit rights, and only an admin can take the
    ``a`` right from one. Raises MailboxNonexistent, MailboxNotSupported, PermissionDenied, InvalidRights,
    InvalidIdentifier.
    """
    actor = Actor(is_admin, userid, auth)
    parsed = store.rules.from_internal(name)
    # as a userid it loses the default domain
    canonical = store.rules.from_userid(identifier).userid or ""
    with exclusive(store, parsed.userid):
        entry = store.mboxlist.lookup_all(name)
        if entry.mbtype & (mbtypes.MOVING | mbtypes.RESERVE | mbtypes.DELETED):
            raise MailboxNotSupported
        _check_permission(store, entry, actor, canonical)
        if not canonical:
            raise InvalidIdentifier
        new = _changed(store.mboxlist.acl, entry.acl or "", parsed, actor, canonical, rights)
        with noted(store, Operation("set ACL", (parsed.userid,), names=(name,)), lasting=False):
            modseq = 0
            if not entry.remote:
                with store.open(name, write=True) as mailbox:
                    modseq = mailbox.bump_modseq()
                    mailbox.set_acl(new)
                    mailbox.commit()
                    _tell(mailbox, canonical, rights, userid)
            store.mboxlist.update(replace(entry, acl=new, foldermodseq=max(entry.foldermodseq, modseq)))


def _tell(mailbox: Mailbox, identifier: str, rights: str | None, userid: str | None) -> None:
    """Make an event of the change: the letters as given, none for an entry that is removed."""
    events = mailbox.store.events
    if events is not None:
        letters = rights[1:] if rights is not None and rights[:1] in ("+", "-") else rights
        events.send(events.acl_changed(mailbox, identifier, letters, userid))


class Change(NamedTuple):
    """One change of an ACL to ``acl``: who may do what from now on, None for an entry that is removed."""

    identifier: str
    rights: str | None
    acl: str


def renamed(store: MailStore, acl: str, name: MboxName, old: str, new: str) -> list[Change]:
    """The way to an ACL of mailbox ``name``, now that of ``new``, where ``new`` may do what ``old`` might."""
    rules = store.mboxlist.acl
    actor = Actor(True, new, None)
    changes = []
    for identifier, rights in acls.entries(acl):
        if identifier == old:
            for who, letters in ((new, rights), (old, None)):
                acl = _changed(rules, acl, name, actor, who, letters)
                changes.append(Change(who, letters, acl))
    return changes


def _check_permission(store: MailStore, entry: MboxEntry, actor: Actor, identifier: str) -> None:
    if actor.is_admin:
        return
    mine = store.mboxlist.acl.myrights(actor.auth, entry.acl)
    if not mine & acls.ADMIN:
        raise PermissionDenied if mine & acls.LOOKUP else MailboxNonexistent
    if not store.config[opt.anyoneuseracl] and identifier.startswith("anyone"):
        raise PermissionDenied


def _changed(
    rules: acls.AclRules, acl: str, name: MboxName, actor: Actor, identifier: str, rights: str | None
) -> str:
    of_owner = name.userid == identifier
    canon = None
    if actor.owns(name) or of_owner:
        owner = actor.userid if actor.owns(name) else identifier
        canon = rules.ensure_owner(owner or "")
    mode = acls.Mode.SET
    mask = 0
    if rights:
        mode = {"+": acls.Mode.ADD, "-": acls.Mode.REMOVE}.get(rights[0], acls.Mode.SET)
        letters = rights[1:] if mode is not acls.Mode.SET else rights
        mask = rules.parse(letters)
        takes_admin = bool(mask & acls.ADMIN) if mode is acls.Mode.REMOVE else not mask & acls.ADMIN
        if not actor.is_admin and of_owner and mode is not acls.Mode.ADD and takes_admin:
            _deny(name.internal, identifier, actor)
        if any(letter not in acls.RIGHTS for letter in letters):
            raise InvalidRights
    elif not actor.is_admin and of_owner:
        _deny(name.internal, identifier, actor)
    return rules.change(acl, identifier, mode, mask, canon)


def _deny(name: str, owner: str, actor: Actor) -> None:
    log.error(
        'Denied removal of admin rights on folder "%s" (owner: %s) by user "%s"',
        name,
        owner,
        actor.userid,
    )
    raise PermissionDenied
