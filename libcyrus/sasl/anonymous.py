"""ANONYMOUS (RFC 4505)."""

from __future__ import annotations

from collections.abc import Sequence

from pysasl.creds.client import ClientCredentials
from pysasl.exception import InvalidResponse
from pysasl.mechanism import ChallengeResponse, ClientMechanism, ServerChallenge, ServerMechanism

from libcyrus.sasl.credentials import AnonymousCredentials

LONGEST_TRACE = 255


class AnonymousMechanism(ServerMechanism, ClientMechanism):
    """One response, the trace."""

    def __init__(self) -> None:
        super().__init__("ANONYMOUS")

    def server_attempt(self, responses: Sequence[ChallengeResponse]) -> tuple[AnonymousCredentials, None]:
        if not responses:
            raise ServerChallenge(b"")
        trace = responses[0].response.decode("utf-8")
        if len(trace) > LONGEST_TRACE:
            raise InvalidResponse
        return AnonymousCredentials(trace), None

    def client_attempt(
        self, creds: ClientCredentials, challenges: Sequence[ServerChallenge]
    ) -> ChallengeResponse:
        return ChallengeResponse(b"", creds.authcid.encode()[:LONGEST_TRACE])
