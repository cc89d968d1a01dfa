"""What an annotation is attached to while it is read or set, and by whom."""

from __future__ import annotations

from libcyrus.base.dataclasses import dataclass
from libcyrus.mailbox.mailbox import Mailbox
from libcyrus.mailbox.mailstore import MailStore
from libcyrus.mboxops import Actor

from .definitions import Definitions
from .entries import Entry, Scope


@dataclass(frozen=True, slots=True)
class Target:
    """The server, or with ``mailbox`` that open mailbox, or with ``uid`` too one of its messages."""

    store: MailStore
    definitions: Definitions
    actor: Actor
    mailbox: Mailbox | None = None
    uid: int = 0

    @property
    def scope(self) -> Scope:
        if self.mailbox is None:
            return Scope.SERVER
        return Scope.MESSAGE if self.uid else Scope.MAILBOX

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The entries that this kind of thing may have."""
        return self.definitions.by_scope[self.scope]

    @property
    def userid(self) -> str:
        return self.actor.userid or ""

    def opened(self) -> Mailbox:
        """The mailbox; the server has none, and no business where this is called."""
        assert self.mailbox is not None
        return self.mailbox

    def has_rights(self, needed: int) -> bool:
        """Whether the ACL gives all these rights to who asks."""
        acl = self.opened().acl
        return self.store.acl_rules.myrights(self.actor.auth, acl) & needed == needed
