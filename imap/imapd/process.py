"""What all connections of one worker share, built once.

The first half is made in the pool parent, before workers are forked: settings, namespaces,
everything that only costs time. What locks or shares a file position (databases) is opened by the worker, at
first use.
"""

from __future__ import annotations

import contextlib
import logging
import os
from functools import cached_property
from typing import TYPE_CHECKING

from imap.imapd.folders import Hidden, SpecialUses
from imap.imapd.settings import Settings
from libcyrus import acl, mboxops, sasl
from libcyrus import options as opt
from libcyrus.annotations import Definitions
from libcyrus.auth import AuthState
from libcyrus.base.signals import Signals
from libcyrus.errors import CyrusError, MailboxNonexistent
from libcyrus.events.idle import ChangeTeller, Idler
from libcyrus.events.watch import Watcher
from libcyrus.mailbox.mailstore import MailStore
from libcyrus.mboxname import Namespace
from libcyrus.records.find import ForeignNames
from libcyrus.records.subscriptions import Subscriptions
from libcyrus.records.userdeny import UserDeny
from libcyrus.sasl import SaslSettings
from libcyrus.server import starttls
from libcyrus.server.metrics import Metrics
from libcyrus.server.program import Service
from libcyrus.server.shutdown_file import ShutdownWatch
from libcyrus.server.telemetry import Usage
from sieve.scripts.default import install_default

if TYPE_CHECKING:
    from imap.imapd.response import Responses
    from imap.imapd.session import Session

log = logging.getLogger(__name__)

_LONGEST_MOTD = 1024


class Process:
    """One worker, or the pool parent that it is forked from."""

    def __init__(self, service: Service, settings: Settings) -> None:
        config = service.config
        self.config = config
        self.settings = settings
        self.admins = config[opt.admins]
        self.tls_enabled = starttls.enabled(config)
        # where every client comes to it, the first one need not wait for it
        at_once = settings.switches.imaps or settings.tls_required
        self.tls = starttls.on_demand(service, "imap", now=at_once)
        self.sasl = SaslSettings.from_config(
            config, "imap", anonymous=config[opt.allowanonymouslogin], load=service.on_demand(sasl.load)
        )
        self.user_namespace = Namespace.from_config(config)
        self.admin_namespace = Namespace.from_config(config, admin=True)
        self.hidden = Hidden(config)
        self.foreign_names = ForeignNames()
        self.usage = Usage()
        self.metrics = Metrics.from_config(config, "imap")
        self.failed = False
        self.special_uses = SpecialUses()
        self.annotation_definitions = Definitions.from_config(config)
        self._service = service
        self._store: MailStore | None = None
        self._messages = os.path.join(config.directory, "msg")
        self._shutdown = ShutdownWatch(config)
        self._allowed: tuple[str, int, int, int] | None = None

    @property
    def store(self) -> MailStore:
        """The mailboxes, opened by the worker at first use: databases and locks do not survive a fork."""
        if self._store is None:
            self._store = MailStore(self.config)
            if self.settings.idle_poll:
                self._store.notifier = ChangeTeller(self.config).tell
        return self._store

    @cached_property
    def subscriptions(self) -> Subscriptions:
        return Subscriptions(self.config, self.store.userstate)

    @cached_property
    def watcher(self) -> Watcher:
        return Watcher()

    @cached_property
    def idler(self) -> Idler | None:
        """Where idled wakes this worker; None if it cannot, which watching and polling make up for."""
        try:
            return Idler(self.config)
        except OSError as error:
            log.debug("IDLE: no socket to hear from idled: %s", error.strerror)
            return None

    @cached_property
    def userdeny(self) -> UserDeny:
        return UserDeny(self.config)

    @property
    def signals(self) -> Signals:
        """Of this process: a forked worker has its own."""
        return self._service.signals

    def register(self, host: str, userid: str, mailbox: str, command: str) -> None:
        self._service.proc.register(self._service.name, host, userid, mailbox, command)

    def end_others(self, *, user: str | None = None, mailbox: str | None = None) -> None:
        """End sessions of a user who is no more, or in a mailbox that is no more."""
        self._service.proc.end_others(user=user, mailbox=mailbox)

    def cancel_others(self, user: str, command: str) -> None:
        """Ask the user's other sessions that run ``command`` to give it up."""
        self._service.proc.cancel_others(user, command)

    def unregister(self) -> None:
        self._service.proc.cleanup()

    def clean_up(self, out: Responses) -> None:
        """Between two commands: remove what expunges left behind, after the client has its reply."""
        if self._store is not None and self._store.cleanup_due:
            out.flush()
            self._store.run_cleanup()

    def start(self) -> None:
        """Beginning of the worker."""
        if self.metrics is not None:
            self.metrics.add("ready_listeners")

    def close(self) -> None:
        """End of the worker."""
        if self.metrics is not None:
            self.metrics.close(failed=self.failed or self._service.signals.told_to_end)
        if self._store is not None:
            self._store.close()
        for name in ("idler", "watcher"):
            waiter = self.__dict__.pop(name, None)
            if waiter is not None:
                waiter.close()

    def motd(self) -> str | None:
        """The first line of the message of the day, without what would make it a response code."""
        try:
            with open(os.path.join(self._messages, "motd"), "rb") as file:
                line = file.readline(_LONGEST_MOTD)
        except OSError:
            return None
        return line.split(b"\r")[0].split(b"\n")[0].decode("utf-8", "surrogateescape").lstrip("[")

    def check_shutdown(self, session: Session) -> None:
        """Say goodbye to a user if the administrator closed the service, or the service to this user."""
        if session.userid is None or session.is_admin:
            return
        text = self._shutdown.message() or self._newly_denied(session.userid)
        if text is not None:
            session.out.bye(text.lstrip("["), code="ALERT")
            self.usage.log(session.userid)
            session.closing = True

    def _newly_denied(self, userid: str) -> str | None:
        """denied(), looked up again only when the file changed since the last time."""
        try:
            status = os.stat(self.userdeny.path)
        except OSError:
            return None
        state = (userid, status.st_ino, status.st_mtime_ns, status.st_size)
        if state == self._allowed:
            return None
        text = self.denied(userid)
        self._allowed = state if text is None else None
        return text

    def denied(self, userid: str) -> str | None:
        """Why user_deny.db keeps this user out of the service, None if it does not."""
        return self.userdeny.message(userid, self.config.ident)

    def inbox_admin(self, userid: str, auth: AuthState) -> bool:
        """Whether the INBOX of ``userid`` gives ``auth`` the right to act as its owner (``loginuseacl``)."""
        mailboxes = self.store.mboxlist
        try:
            return bool(mailboxes.acl.myrights(auth, mailboxes.inbox(userid).acl) & acl.ADMIN)
        except CyrusError:
            return False

    def autocreate_inbox(self, session: Session) -> None:
        """Make the INBOX of a user who has none yet, if the configuration says so.

        What a process that died left of an operation on the user's mailboxes is put right first.
        """
        if session.userid is not None:
            mboxops.repair_all(self.store, session.userid)
        if session.privileged or session.userid is None or self.config[opt.autocreate_quota] < 0:
            return
        with contextlib.suppress(CyrusError):
            try:
                self.store.mboxlist.inbox(session.userid)
            except MailboxNonexistent:
                mboxops.autocreate_inbox(self.store, session.userid, session.auth, install_default)
