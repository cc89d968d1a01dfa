"""What all conversations of one timsieved process share."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

from libcyrus import options as opt
from libcyrus import sasl
from libcyrus.base.dataclasses import dataclass
from libcyrus.config import Config
from libcyrus.errors import Fatal
from libcyrus.mailbox.mailstore import MailStore
from libcyrus.records.userdeny import UserDeny
from libcyrus.sasl import SaslSettings
from libcyrus.server import limits, starttls
from libcyrus.server.on_demand import OnDemand
from libcyrus.server.program import Service
from libcyrus.server.shutdown_file import ShutdownWatch
from libcyrus.version import VERSION
from sieve import compiler, extensions
from sieve.parser import Rules

if TYPE_CHECKING:
    from libcyrus.prot.tls import TlsContext

log = logging.getLogger(__name__)

SHORTEST_TIMEOUT = 10 * 60
_LISTS = "urn:ietf:params:sieve:addrbook"


@dataclass(frozen=True, slots=True)
class Settings:
    """The options of the protocol. Sizes in bytes, ``timeout`` in seconds."""

    implementation: str
    timeout: float
    max_script_size: int
    max_scripts: int
    tls_required: bool
    tells_capabilities_after_login: bool
    extensions: tuple[str, ...]
    lists: str | None

    @classmethod
    def from_config(cls, config: Config) -> Settings:
        offered = extensions.offered(config)
        name = {"on": f"Cyrus timsieved {VERSION}", "min": "Cyrus timsieved"}
        return cls(
            implementation=name.get(config[opt.serverinfo], "ManageSieve"),
            timeout=max(config[opt.timeout], SHORTEST_TIMEOUT),
            max_script_size=config[opt.sieve_maxscriptsize] * 1024,
            max_scripts=config[opt.sieve_maxscripts],
            tls_required=config[opt.tls_required],
            tells_capabilities_after_login=config[opt.sieve_sasl_send_unsolicited_capability],
            extensions=tuple(extensions.listed(offered)),
            lists=_LISTS if extensions.Extension.EXTLISTS in offered else None,
        )


@dataclass(slots=True)
class Timsieved:
    service: Service
    config: Config
    settings: Settings
    rules: Rules
    sasl: SaslSettings
    tls: OnDemand[TlsContext | None]
    tls_enabled: bool
    shutdown: ShutdownWatch
    _store: MailStore | None = None
    _userdeny: UserDeny | None = None

    def open(self) -> None:
        """Open the databases, in each worker for itself. Raises Fatal."""
        self._store = MailStore(self.config)
        self._userdeny = UserDeny(self.config)
        _ = self._store.mboxlist

    def close(self) -> None:
        for database in (self._userdeny, self._store):
            if database is not None:
                database.close()
        self._store = self._userdeny = None

    @property
    def store(self) -> MailStore:
        assert self._store is not None, "open() comes first"
        return self._store

    def denied(self, userid: str, service: str) -> str | None:
        """Why user_deny.db keeps a user out, None if it does not."""
        return self._userdeny.message(userid, service) if self._userdeny is not None else None


def build(service: Service) -> Timsieved:
    config = service.config
    limits.refuse_murder(config)
    if config[opt.sieveusehomedir]:
        log.error("can't use home directories")
        raise Fatal("Error initializing actions", os.EX_CONFIG)
    return Timsieved(
        service=service,
        config=config,
        settings=Settings.from_config(config),
        rules=compiler.rules(config),
        sasl=SaslSettings.from_config(
            config, "sieve", anonymous=config[opt.allowanonymouslogin], success_data=True,
            load=service.on_demand(sasl.load),
        ),
        tls=starttls.on_demand(service, "sieve"),
        tls_enabled=starttls.enabled(config),
        shutdown=ShutdownWatch(config),
    )  # fmt: skip
