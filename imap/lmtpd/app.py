"""What all conversations of one lmtpd process share: options, names, the mailstore."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

from imap.lmtpd.errors import Wording
from imap.lmtpd.sieve.scripts import Scripts, load_machinery
from libcyrus import mboxops, sasl
from libcyrus import options as opt
from libcyrus.annotations import Definitions
from libcyrus.auth import ANONYMOUS, new_state
from libcyrus.base.dataclasses import dataclass, field
from libcyrus.config import Config
from libcyrus.errors import Fatal, MailboxExists
from libcyrus.events.idle import ChangeTeller
from libcyrus.events.notify import Notifier
from libcyrus.mailbox.mailstore import MailStore
from libcyrus.mboxname import Namespace
from libcyrus.records.duplicate import DuplicateDb, DuplicateKey
from libcyrus.records.userdeny import UserDeny
from libcyrus.sasl import SaslSettings
from libcyrus.server import limits, starttls
from libcyrus.server.metrics import Metrics
from libcyrus.server.on_demand import OnDemand
from libcyrus.server.program import Service
from libcyrus.server.shutdown_file import ShutdownWatch
from libcyrus.server.telemetry import Usage
from libcyrus.smtp.srs import SenderRewriting
from libcyrus.version import VERSION
from sieve.extensions import Extension, offered
from sieve.scripts.default import install_default

if TYPE_CHECKING:
    from libcyrus.prot.tls import TlsContext

log = logging.getLogger(__name__)

TIMEOUT = 360.0
X_SIEVE = "CMU Sieve 3.0"


@dataclass(frozen=True, slots=True)
class Settings:
    """The options of delivery, read once. Sizes in bytes, ``maxmessagesize`` 0 for no limit."""

    maxmessagesize: int
    strict_rfc2821: bool
    strict_quota: bool
    fuzzy: bool
    downcase: bool
    catchall: str | None
    postuser: str
    excluded_specialuse: frozenset[str]
    soft_noauth: bool
    duplicates: bool
    single_instance: bool
    reject8bit: bool
    munge8bit: bool
    autocreate: bool
    chatty: bool
    auditlog: bool
    notifier: str | None
    callout: bool
    """Whether ``annotation_callout`` is asked about new messages."""
    utf8_names: bool
    """Whether scripts name mailboxes in UTF-8."""
    lmtp_reject: bool
    sieve_extensions: frozenset[Extension]
    sieve_notifier: str | None
    any_sieve_folder: bool
    sieve_folders: frozenset[str]
    """Folders below the INBOX that scripts may make, their parts separated by dots."""
    longest_duplicate: int
    closed_folders: frozenset[str]
    """First parts of folder names that hold something else than mail."""
    banner: str
    received_by: str

    @classmethod
    def from_config(cls, config: Config) -> Settings:
        verbose = config[opt.serverinfo] == "on"
        return cls(
            maxmessagesize=max(0, config[opt.maxmessagesize]),
            strict_rfc2821=config[opt.lmtp_strict_rfc2821],
            strict_quota=config[opt.lmtp_strict_quota],
            fuzzy=config[opt.lmtp_fuzzy_mailbox_match],
            downcase=config[opt.lmtp_downcase_rcpt],
            catchall=config[opt.lmtp_catchall_mailbox],
            postuser=config[opt.postuser] or "",
            excluded_specialuse=frozenset(
                word.lower() for word in (config[opt.lmtp_exclude_specialuse] or "").split()
            ),
            soft_noauth=config[opt.soft_noauth],
            duplicates=config[opt.duplicatesuppression],
            single_instance=config[opt.singleinstancestore],
            reject8bit=config[opt.reject8bit],
            munge8bit=config[opt.munge8bit],
            autocreate=config[opt.autocreate_post] and config[opt.autocreate_quota] >= 0,
            chatty=config[opt.chatty],
            auditlog=config[opt.auditlog],
            notifier=config[opt.mailnotifier],
            callout=bool(config[opt.annotation_callout]),
            utf8_names=config[opt.sieve_utf8fileinto],
            lmtp_reject=config[opt.sieve_use_lmtp_reject],
            sieve_extensions=offered(config),
            sieve_notifier=config[opt.sievenotifier],
            any_sieve_folder=config[opt.anysievefolder],
            sieve_folders=frozenset(
                word.strip() for word in (config[opt.autocreate_sieve_folders] or "").split("|")
            ),
            longest_duplicate=config[opt.sieve_duplicate_max_expiration],
            closed_folders=frozenset(
                name
                for name in (
                    config[opt.calendarprefix],
                    config[opt.addressbookprefix],
                    config[opt.davdriveprefix],
                    config[opt.davnotificationsprefix],
                    config[opt.jmapsubmissionfolder],
                    config[opt.jmappushsubscriptionfolder],
                    config[opt.jmapuploadfolder],
                    config[opt.sieve_folder],
                    config[opt.notesmailbox],
                )
                if name
            ),
            banner=f" Cyrus LMTP {VERSION}" if verbose else "",
            received_by=f"{config.servername} (Cyrus {VERSION})" if verbose else config.servername,
        )


@dataclass(slots=True)
class Lmtpd:
    """One process. The descriptors behind the names are shared by all workers."""

    service: Service
    config: Config
    settings: Settings
    wording: Wording
    namespace: Namespace
    sasl: SaslSettings
    tls: OnDemand[TlsContext | None]
    tls_enabled: bool
    wrapped: bool
    preauthorized: bool
    shutdown: ShutdownWatch
    notifier: Notifier | None
    metrics: Metrics | None
    scripts: Scripts
    srs: SenderRewriting | None
    usage: Usage = field(default_factory=Usage)
    failed: bool = False
    messages_without_id: int = 0
    _definitions: Definitions | None = None
    _store: MailStore | None = None
    _duplicates: DuplicateDb | None = None
    _userdeny: UserDeny | None = None

    def open(self) -> None:
        """Open the databases, in each worker for itself. Raises Fatal."""
        self._store = MailStore(self.config)
        if self.config[opt.imapidlepoll] > 0:
            self._store.notifier = ChangeTeller(self.config).tell
        self._userdeny = UserDeny(self.config)
        if self.settings.callout:
            _ = self.definitions
        # opened now, so that a configuration they cannot work with ends this worker before it has a client
        _ = self._store.mboxlist
        if self.settings.duplicates:
            self._duplicates = DuplicateDb(self.config)
            self._duplicates.check(DuplicateKey(b"", b""))
        if self.metrics is not None:
            self.metrics.add("ready_listeners")

    def close(self) -> None:
        if self.metrics is not None:
            self.metrics.close(failed=self.failed or self.service.signals.told_to_end)
        for database in (self._duplicates, self._userdeny, self._store):
            if database is not None:
                database.close()
        self._store = self._duplicates = self._userdeny = None

    @property
    def store(self) -> MailStore:
        assert self._store is not None, "open() comes first"
        return self._store

    @property
    def duplicates(self) -> DuplicateDb | None:
        """deliver.db; None without ``duplicatesuppression``."""
        return self._duplicates

    @property
    def definitions(self) -> Definitions:
        """Which annotations there are; read when they are needed."""
        if self._definitions is None:
            self._definitions = Definitions.from_config(self.config)
        return self._definitions

    def denied(self, userid: str, service: str) -> str | None:
        """Why user_deny.db keeps a user from a service, None if it does not."""
        return self._userdeny.message(userid, service) if self._userdeny is not None else None

    def autocreate(self, userid: str) -> bool:
        """Make the INBOX of a user without one, if ``autocreate_post`` allows it; whether it is there now."""
        if not self.settings.autocreate or userid == ANONYMOUS:
            return False
        auth = new_state(self.config, userid)
        if auth is None:
            return False
        try:
            mboxops.autocreate_inbox(self.store, userid, auth, install_default)
        except MailboxExists:
            # somebody else was faster
            pass
        return True


def build(service: Service) -> Lmtpd:
    """Read the options. ``-a`` trusts every client, ``-s`` begins with TLS."""
    config = service.config
    wrapped = any(letter == "s" for letter, _ in service.options)
    if wrapped and not starttls.enabled(config):
        log.error("lmtps: required OpenSSL options not present")
        raise Fatal("lmtps: required OpenSSL options not present", os.EX_CONFIG)
    limits.refuse_murder(config)
    return Lmtpd(
        service=service,
        config=config,
        settings=Settings.from_config(config),
        wording=Wording(
            postmaster=config[opt.postmaster] or "",
            over_quota_is_permanent=config[opt.lmtp_over_quota_perm_failure],
        ),
        namespace=Namespace.from_config(config),
        sasl=SaslSettings.from_config(config, "lmtp", load=service.on_demand(sasl.load)),
        tls=starttls.on_demand(service, "lmtp", now=wrapped),
        wrapped=wrapped,
        tls_enabled=starttls.enabled(config),
        preauthorized=any(letter == "a" for letter, _ in service.options),
        shutdown=ShutdownWatch(config),
        notifier=Notifier(config) if config[opt.mailnotifier] or config[opt.sievenotifier] else None,
        scripts=Scripts(config, service.on_demand(load_machinery)),
        srs=SenderRewriting.from_config(config),
        metrics=Metrics.from_config(config, "lmtp"),
    )
