"""Changing who may do what in a mailbox: the copy in cyrus.header first, then mailboxes.db.

A crash in between leaves the new ACL in the header only, where nobody asks for it; the next change of the
owner's mailboxes puts it right.
"""

from __future__ import annotations

import logging

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
from libcyrus.events.mboxevent.kinds import EventType
from libcyrus.events.mboxevent.params import Param
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
    canonical = store.rules.from_userid(identifier).userid
    if canonical is None:
        raise InvalidIdentifier
    with exclusive(store, parsed.userid):
        entry = store.mboxlist.lookup_all(name)
        if entry.mbtype & (mbtypes.MOVING | mbtypes.RESERVE | mbtypes.DELETED):
            raise MailboxNotSupported
        _check_permission(store, entry, actor, canonical)
        new = _changed(store.mboxlist.acl, entry.acl or "", parsed, actor, canonical, rights)
        with noted(store, Operation("set ACL", (parsed.userid,), names=(name,)), lasting=False):
            modseq = 0
            if not entry.remote:
                with store.open(name, write=True) as mailbox:
                    modseq = mailbox.bump_modseq()
                    mailbox.set_acl(new)
                    _tell(mailbox, canonical, rights, userid)
                    mailbox.commit()
            store.mboxlist.update(replace(entry, acl=new, foldermodseq=max(entry.foldermodseq, modseq)))


def _tell(mailbox: Mailbox, identifier: str, rights: str | None, userid: str | None) -> None:
    """Have the commit tell of the change: the letters as given, none for an entry that is removed."""
    events = mailbox.store.events
    event = events.new(EventType.ACL_CHANGE) if events is not None else None
    if event is not None and events is not None:
        events.about(event, mailbox, userid)
        event.put(Param.ACL_SUBJECT, identifier)
        letters = rights[1:] if rights is not None and rights[:1] in ("+", "-") else rights
        event.put(Param.ACL_RIGHTS, letters)
        mailbox.changes.tell(event, last=True)


def renamed(store: MailStore, acl: str, name: MboxName, old: str, new: str) -> str:
    """The ACL of mailbox ``name``, already that of ``new``, where ``new`` may do what ``old`` might."""
    rules = store.mboxlist.acl
    actor = Actor(True, new, None)
    for identifier, rights in acls.entries(acl):
        if identifier == old:
            acl = _changed(rules, acl, name, actor, new, rights)
            acl = _changed(rules, acl, name, actor, old, None)
    return acl


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
