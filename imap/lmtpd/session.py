"""What a conversation knows: the client, how it is trusted, and the transaction under way."""

from __future__ import annotations

import enum
from collections.abc import Callable

from imap.lmtpd.app import Lmtpd
from imap.lmtpd.response import Response
from libcyrus.auth import AuthState
from libcyrus.base.dataclasses import dataclass, field
from libcyrus.config.session_id import SessionId
from libcyrus.mboxname import MboxName
from libcyrus.prot import ProtStream
from libcyrus.sasl import SaslServer
from libcyrus.server.clienthost import Client
from libcyrus.server.login import Identity

POSTMAN = "postman"


class Trust(enum.Enum):
    """Why a client may deliver: not at all, as a local or configured peer, by certificate, by AUTH."""

    NONE = enum.auto()
    EXTERNAL = enum.auto()
    CERTIFICATE = enum.auto()
    LOGIN = enum.auto()


@dataclass(frozen=True, slots=True)
class Recipient:
    """An accepted RCPT: the mailbox its address names, and the partition of that (of its INBOX)."""

    mboxname: MboxName
    partition: str | None
    ignorequota: bool


@dataclass(slots=True)
class Transaction:
    """From MAIL to the end of DATA or RSET. ``authstate`` is of the AUTH= parameter's user."""

    return_path: str
    authuser: str | None
    authstate: AuthState | None
    size: int
    recipients: list[Recipient] = field(default_factory=list)


@dataclass(slots=True)
class Session:
    app: Lmtpd
    stream: ProtStream
    out: Response
    client: Client
    sasl: SaslServer[Identity]
    session_id: SessionId
    start_telemetry: Callable[[str], None]
    trust: Trust = Trust.NONE
    lhlo_name: str = ""
    tls_done: bool = False
    transaction: Transaction | None = None
    over: bool = False

    @property
    def preauthorized(self) -> bool:
        return self.trust is Trust.EXTERNAL

    @property
    def has_recipients(self) -> bool:
        return self.transaction is not None and bool(self.transaction.recipients)
