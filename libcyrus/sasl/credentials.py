"""What a client of our own mechanisms has shown, in pysasl's terms."""

from __future__ import annotations

from pysasl.creds.server import ServerCredentials
from pysasl.identity import Identity

ANONYMOUS_USER = "anonymous"


class ProofCredentials(ServerCredentials):
    """Of a mechanism that has compared a proof with the user's secret itself.

    ``known`` is False for who has no secret here: the log may tell, the client may not.
    """

    def __init__(self, authcid: str, authzid: str, *, proven: bool, known: bool = True) -> None:
        self._authcid = authcid
        self._authzid = authzid
        self._proven = proven
        self.known = known

    @property
    def authcid(self) -> str:
        return self._authcid

    @property
    def authzid(self) -> str:
        return self._authzid

    def verify(self, identity: Identity | None) -> bool:
        return identity is not None and identity.compare_authcid(self._authcid) and self._proven


class AnonymousCredentials(ServerCredentials):
    """Nobody's. ``trace`` is what the client chose to tell: an address, or any token."""

    def __init__(self, trace: str) -> None:
        self.trace = trace

    @property
    def authcid(self) -> str:
        return ANONYMOUS_USER

    @property
    def authzid(self) -> str:
        return ""

    def verify(self, identity: Identity | None) -> bool:
        return True
