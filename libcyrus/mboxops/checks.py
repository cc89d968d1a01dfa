"""What must be true before a mailbox may be made, moved or removed."""

from __future__ import annotations

from libcyrus import acl as acls
from libcyrus import options as opt
from libcyrus.auth import AuthState
from libcyrus.base.dataclasses import dataclass
from libcyrus.errors import (
    AnnotationBadEntry,
    MailboxExists,
    MailboxHasChildren,
    MailboxNonexistent,
    MailboxNotSupported,
    MailboxSpecialUse,
    PermissionDenied,
)
from libcyrus.mailbox.mailstore import MailStore
from libcyrus.mboxname import MboxName
from libcyrus.mboxname import check as check_policy
from libcyrus.partitions import Partitions
from libcyrus.records import mbtype as mbtypes
from libcyrus.records.annotate import SPECIALUSE
from libcyrus.records.mbentry import MboxEntry
from libcyrus.records.quota import DONT_CARE, Resource

SPECIAL_USES = (r"\Archive", r"\Drafts", r"\Important", r"\Junk", r"\Sent", r"\Trash", r"\Snoozed")


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks: ACLs do not bind an admin."""

    is_admin: bool
    userid: str | None
    auth: AuthState | None

    def as_admin(self) -> Actor:
        """The same one, for what follows from something already allowed."""
        return Actor(True, self.userid, self.auth)

    def owns(self, name: MboxName) -> bool:
        return name.userid == self.userid


def creation(store: MailStore, name: str, actor: Actor, *, force_user: bool = False) -> None:
    """Raise unless ``name`` may be made: MailboxBadName, MailboxExists, PermissionDenied, QuotaExceeded.

    ``force_user`` allows mailboxes of a user who has no INBOX.
    """
    check_policy(name, store.rules)
    mailboxes = store.mboxlist
    parsed = store.rules.from_internal(name)
    rights = mailboxes.acl
    owner = actor.owns(parsed)
    is_admin = actor.is_admin or (owner and bool(rights.implicit_owner_rights & acls.ADMIN))
    existing = mailboxes.get(name)
    if existing is not None:
        # who may not see it must not learn of it
        if not is_admin and not rights.myrights(actor.auth, existing.acl) & acls.LOOKUP:
            raise PermissionDenied
        raise MailboxExists
    parent = mailboxes.parent(name)
    if parent is None:
        if not is_admin:
            raise PermissionDenied
        if not force_user and parsed.is_user and parsed.boxes:
            raise PermissionDenied
        return
    if not is_admin and not rights.myrights(actor.auth, parent.acl) & acls.CREATE:
        raise PermissionDenied
    root = store.quota.find_root(name)
    if root is not None:
        one_folder = list(DONT_CARE)
        one_folder[Resource.NUMFOLDERS] = 1
        store.quota.check(root, one_folder)
    if (not is_admin or owner) and _forbids_children(store, parent):
        raise PermissionDenied


def deletion(store: MailStore, entry: MboxEntry, actor: Actor, *, check_acl: bool) -> None:
    """Raise unless the mailbox may go: MailboxNotSupported, PermissionDenied, MailboxSpecialUse."""
    name = store.rules.from_internal(entry.name)
    if name.localpart is not None and not name.boxes:
        # also the INBOX of a deleted user
        if actor.owns(name):
            raise MailboxNotSupported
        if not actor.is_admin:
            raise PermissionDenied
    if not actor.is_admin and name.userid is not None and _is_protected(store, entry):
        raise MailboxSpecialUse
    if not check_acl or entry.intermediate:
        return
    rights = store.mboxlist.acl
    mine = rights.myrights(actor.auth, entry.acl)
    if mine & acls.DELETEMBOX:
        return
    # who may not see it must not learn of it
    visible = actor.is_admin or mine & acls.LOOKUP
    visible = visible or (actor.owns(name) and rights.implicit_owner_rights & acls.ADMIN)
    raise PermissionDenied if visible else MailboxNonexistent


def renaming(store: MailStore, entry: MboxEntry, new: MboxName, actor: Actor) -> None:
    """Raise unless the mailbox may get that name, apart from what ``creation`` says of the name."""
    name = store.rules.from_internal(entry.name)
    # a protected one may change its name, but must stay at the top of a user's tree
    stays = len(new.boxes) == 1 and new.userid is not None and not new.deleted
    if not stays and not actor.is_admin and name.userid is not None and _is_protected(store, entry):
        raise MailboxSpecialUse
    if name.is_inbox and not new.deleted and not (new.is_inbox and store.config[opt.allowusermoves]):
        raise MailboxNotSupported


def may_be_moved(store: MailStore, entry: MboxEntry, actor: Actor) -> None:
    """Raise unless the ACL lets ``actor`` take the mailbox away from its place."""
    if actor.is_admin:
        return
    mine = store.mboxlist.acl.myrights(actor.auth, entry.acl)
    if not mine & acls.DELETEMBOX:
        raise PermissionDenied if mine & acls.LOOKUP else MailboxNonexistent


def inherited_acl(store: MailStore, name: str) -> str:
    """The ACL of a new mailbox: its parent's, everything for the owner of an INBOX, or ``defaultacl``."""
    mailboxes = store.mboxlist
    parent = mailboxes.parent(name)
    if parent is not None:
        return parent.acl or ""
    owner = store.rules.from_internal(name).userid
    if owner is not None:
        return mailboxes.acl.change("", owner, acls.Mode.SET, acls.ALL)
    words = (store.config[opt.defaultacl] or "").split()
    text = ""
    for identifier, rights in zip(words[::2], words[1::2], strict=False):
        text = mailboxes.acl.change(text, identifier, acls.Mode.SET, mailboxes.acl.parse(rights))
    return text


def partition(store: MailStore, partitions: Partitions, name: str, wanted: str | None) -> str:
    """The partition of a new mailbox: the wanted one, its parent's, or a chosen one. PartitionUnknown."""
    if wanted is None:
        parent = store.mboxlist.parent(name)
        wanted = parent.partition if parent is not None else None
    if wanted is None:
        return partitions.select()
    partitions.check(wanted)
    return wanted


def legacy_flag(store: MailStore, name: str) -> int:
    """LEGACY_DIRS if a new mailbox must use the old layout: its user's INBOX (or its parent) decides."""
    parsed = store.rules.from_internal(name)
    if parsed.userid is not None:
        model = store.mboxlist.get(store.rules.inbox(parsed.userid))
    else:
        model = store.mboxlist.parent(name)
    if model is not None:
        return model.mbtype & mbtypes.LEGACY_DIRS
    return mbtypes.LEGACY_DIRS if store.config[opt.mailbox_legacy_dirs] else 0


def validate_specialuse(
    store: MailStore,
    userid: str,
    attributes: list[str],
    *,
    name: str | None = None,
    allow_duplicates: bool = False,
) -> str:
    """The value of the special-use annotation for these attributes, spelt as the original does.

    Raises AnnotationBadEntry for one that does not exist, MailboxSpecialUse for one that another of the
    user's mailboxes has, MailboxHasChildren for one that mailbox ``name`` may not have while it has children.
    """
    known = [*(store.config[opt.specialuse_extra] or "").split(), *SPECIAL_USES]
    without_children = (store.config[opt.specialuse_nochildren] or "").split()
    held = _uses(store, store.mboxlist.get(name), userid) if name is not None else []
    chosen = []
    for attribute in attributes:
        use = next((use for use in known if attribute.lower() in (use.lower(), use[1:].lower())), None)
        if use is None:
            raise AnnotationBadEntry
        already_here = use.lower() in (one.lower() for one in held)
        if not allow_duplicates and not already_here and find_specialuse(store, userid, use) is not None:
            raise MailboxSpecialUse
        if name is not None and use in without_children and store.mboxlist.has_children(name):
            raise MailboxHasChildren
        chosen.append(use)
    return " ".join(chosen)


def find_specialuse(store: MailStore, userid: str, use: str) -> MboxEntry | None:
    """The user's mailbox for a special use, such as ``\\Sent``; ``\\Inbox`` is the INBOX."""
    if use.lower() == r"\inbox":
        return store.mboxlist.get(store.rules.inbox(userid))
    for entry in store.mboxlist.user_tree(userid, root=False):
        if use.lower() in (one.lower() for one in _uses(store, entry, userid)):
            return entry
    return None


def _uses(store: MailStore, entry: MboxEntry | None, userid: str | None) -> list[str]:
    if entry is None or not entry.uniqueid or userid is None:
        return []
    value = store.annotations.lookup_mailbox(entry.uniqueid, entry.name, SPECIALUSE, userid)
    return value.decode("utf-8", "replace").split()


def _is_protected(store: MailStore, entry: MboxEntry) -> bool:
    protected = (store.config[opt.specialuse_protect] or "").lower().split()
    if not protected:
        return False
    owner = store.rules.from_internal(entry.name).userid
    return any(use.lower() in protected for use in _uses(store, entry, owner))


def _forbids_children(store: MailStore, parent: MboxEntry) -> bool:
    forbidden = (store.config[opt.specialuse_nochildren] or "").split()
    if not forbidden:
        return False
    owner = store.rules.from_internal(parent.name).userid
    return any(use in forbidden for use in _uses(store, parent, owner))
