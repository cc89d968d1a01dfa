"""What a conversation knows: the client, who is logged in, and that one's scripts."""

from __future__ import annotations

from libcyrus.base.dataclasses import dataclass
from libcyrus.config.session_id import SessionId
from libcyrus.prot import ProtStream
from libcyrus.sasl import SaslServer
from libcyrus.server.login import Identity
from sieve.scripts.store import UserScripts
from timsieved.app import Timsieved
from timsieved.lexer import Lexer
from timsieved.response import Response

ANONYMOUS = "anonymous"


@dataclass(slots=True)
class Session:
    """``scripts`` is None before a login, and for the anonymous user, who may only have scripts checked."""

    app: Timsieved
    stream: ProtStream
    lexer: Lexer
    out: Response
    client_host: str
    sasl: SaslServer[Identity]
    session_id: SessionId
    userid: str | None = None
    scripts: UserScripts | None = None
    telemetry_fd: int | None = None
    tls_done: bool = False
    over: bool = False

    @property
    def authenticated(self) -> bool:
        return self.userid is not None

    @property
    def anonymous(self) -> bool:
        return self.userid == ANONYMOUS

    @property
    def own(self) -> UserScripts:
        """The scripts of the user who is logged in."""
        assert self.scripts is not None
        return self.scripts

    @property
    def tls_missing(self) -> bool:
        return self.app.settings.tls_required and not self.tls_done
