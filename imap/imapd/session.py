"""What this connection knows: who the user is, what is selected, where input comes from and output goes.

The state is plain data (RFC 3501 section 3): not authenticated while ``userid`` is None, selected while
``index`` is set. Everything that outlives the connection is in ``process``.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from imap.imapd.listed import Repeated
from imap.imapd.parse import Parser
from imap.imapd.response import Responses
from imap.imapd.settings import Settings
from libcyrus import acl, mboxname
from libcyrus.auth import AuthState
from libcyrus.base.dataclasses import dataclass, field
from libcyrus.config.session_id import SessionId
from libcyrus.errors import Fatal, MailboxMoved, PermissionDenied
from libcyrus.events.mboxevent.kinds import EventType
from libcyrus.index.updates import SelectedView
from libcyrus.prot import ProtStream
from libcyrus.records import mbtype as mbtypes
from libcyrus.records.mbentry import MboxEntry
from libcyrus.sasl import SaslServer
from libcyrus.server.login import Identity, LoginPolicy

if TYPE_CHECKING:
    from imap.imapd.process import Process


@dataclass(slots=True)
class Session:
    """One client's connection.

    ``tag`` and ``command`` are those being run. ``pending_alert`` is told before the next command.
    """

    process: Process
    settings: Settings
    stream: ProtStream
    parser: Parser
    out: Responses
    session_id: SessionId
    policy: LoginPolicy
    sasl: SaslServer[Identity]
    namespace: mboxname.Namespace
    client_host: str = "[local]"
    # of the server and the client, as clienthost.Client has them
    addresses: tuple[str | None, str | None] = (None, None)
    userid: str | None = None
    auth: AuthState | None = None
    is_admin: bool = False
    is_proxy_admin: bool = False
    index: SelectedView | None = None
    telemetry_fd: int | None = None
    client_id_seen: bool = False
    # the client is one for which all text searches are fuzzy
    wants_fuzzy: bool = False
    # the client knows what to do when it is referred to another server (RFC 2193)
    refers: bool = False
    # what the client enabled (RFC 7162); the second implies the first
    condstore: bool = False
    qresync: bool = False
    pending_alert: str | None = None
    closing: bool = False
    tag: bytes = b""
    command: str = ""
    listed: Repeated = field(default_factory=Repeated)
    # the quota root last warned about, and when the next warning may follow
    quota_warned: tuple[str, float] = field(default=("", 0.0))

    @property
    def tls_active(self) -> bool:
        return self.stream.tls is not None

    @property
    def tls_missing(self) -> bool:
        """TLS must come before any login, and has not."""
        return self.settings.tls_required and not self.tls_active

    @property
    def plaintext_allowed(self) -> bool:
        """A password may cross this connection as it is."""
        settings = self.settings
        return self.tls_active or settings.switches.external_ssf >= 2 or settings.allowplaintext

    @property
    def magicplus(self) -> str | None:
        return self.policy.detail

    @property
    def privileged(self) -> bool:
        """An admin or proxy admin, to whom no ACL applies when mailboxes are made, moved and removed."""
        return self.is_admin or self.is_proxy_admin

    def user(self) -> str:
        """The userid of whoever is logged in; commands before login have no business here."""
        assert self.userid is not None
        return self.userid

    def selected(self) -> SelectedView:
        """The selected mailbox; the command table lets only commands of the selected state get here."""
        assert self.index is not None
        return self.index

    def require(self, rights: int) -> None:
        """Raise PermissionDenied unless the user has all these rights on the selected mailbox."""
        if self.selected().rights & rights != rights:
            raise PermissionDenied

    def rights(self, acl_text: str | None) -> int:
        """What an ACL alone gives to this user; an admin's and an owner's privileges are not in it."""
        return self.process.store.mboxlist.acl.myrights(self.auth, acl_text)

    def owns(self, mboxname: str) -> bool:
        """Whether the internal name lies in this user's own tree."""
        return self.userid is not None and self.namespace.rules.from_internal(mboxname).userid == self.userid

    def find(self, name: str) -> MboxEntry:
        """The mailbox of this internal name, here or on another server.

        Raises MailboxNonexistent, MailboxReserved, and MailboxMoved while it is on its way there.
        """
        entry = self.process.store.mboxlist.lookup(name)
        if entry.mbtype & mbtypes.MOVING:
            raise MailboxMoved(name)
        return entry

    def internal_name(self, external: str) -> str:
        """The internal name of a mailbox as this user spells it; empty if it can be no mailbox's name."""
        return self.namespace.internal(external, self.userid) or ""

    def external_name(self, internal: str) -> str:
        return self.namespace.to_external(internal, self.userid) or ""

    def forget_user(self) -> None:
        """Be as before any login."""
        self.sasl.forget()
        self.userid = self.auth = self.pending_alert = self.policy.detail = None
        self.name_client("")
        self.is_admin = self.is_proxy_admin = False
        self.wants_fuzzy = self.client_id_seen = self.refers = self.condstore = self.qresync = False
        self.namespace = self.process.user_namespace

    def register(self, command: str = "") -> None:
        """Show in the process list who is served and what is selected."""
        mailbox = self.index.mboxname if self.index is not None else ""
        self.process.register(self.client_host, self.userid or "", mailbox, command)

    def tell_access(self, kind: EventType) -> None:
        """Make an event of the user's login or logout."""
        events = self.process.store.events
        if events is not None and self.userid is not None:
            server, client = self.addresses
            events.accessed(kind, self.userid, server=server, client=client)

    def name_client(self, name: str) -> None:
        """What events are to call the client from now on (XMEID)."""
        if self.process.store.events is not None:
            self.process.store.events.client_id = name

    def enable_condstore(self, reason: str) -> None:
        """A command that only a client of CONDSTORE gives enables it (RFC 7162 section 3.1)."""
        if not self.condstore:
            self.condstore = True
            if self.index is not None:
                code = f"HIGHESTMODSEQ {self.index.highestmodseq}"
                self.out.ok(f"CONDSTORE enabled by {reason}", code=code)

    def tell(
        self, *, expunges: bool, by_uid: bool = False, refresh: bool = True, modseqs: bool = False
    ) -> None:
        """Send what is new in the selected mailbox, if any (see libcyrus.index.updates).

        With ``modseqs`` changed messages are told with theirs, as they always are to clients of CONDSTORE.
        Raises Fatal if the mailbox is gone and the configuration asks to disconnect then.
        """
        view = self.index
        if view is None:
            return
        updates = view.changes(expunges=expunges, refresh=refresh)
        if not updates:
            return
        if updates.mailbox_gone and self.settings.disconnect_on_vanished:
            raise Fatal("Mailbox has been (re)moved", os.EX_IOERR)
        modseqs = modseqs or self.condstore
        self.out.updates(updates, view, by_uid=by_uid, modseqs=modseqs, qresync=self.qresync)

    def leave_mailbox(self, *, expunge: bool = False) -> None:
        """Close the selected mailbox, if any; messages are expunged only where the rights allow it."""
        view = self.index
        if view is None:
            return
        try:
            expunge = (expunge or self.settings.autoexpunge) and not view.is_gone
            if expunge and view.rights & acl.EXPUNGE:
                view.expunge()
        finally:
            self.index = None
            view.close()
