"""ANONYMOUS (RFC 4505)."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from pysasl.creds.client import ClientCredentials
from pysasl.mechanism import ChallengeResponse, ClientMechanism, ServerChallenge, ServerMechanism

from libcyrus.base.xlog import NOTICE
from libcyrus.sasl.credentials import AnonymousCredentials

log = logging.getLogger(__name__)

LONGEST_TRACE = 255
"""Bytes; what is longer is cut."""


class AnonymousMechanism(ServerMechanism, ClientMechanism):
    """One response, the trace."""

    def __init__(self) -> None:
        super().__init__("ANONYMOUS")

    def server_attempt(self, responses: Sequence[ChallengeResponse]) -> tuple[AnonymousCredentials, None]:
        if not responses:
            raise ServerChallenge(b"")
        trace = responses[0].response[:LONGEST_TRACE].decode("utf-8", "replace")
        shown = "".join(c if c.isprintable() else "?" for c in trace)
        log.log(NOTICE, 'ANONYMOUS login: "%s"', shown)
        return AnonymousCredentials(trace), None

    def client_attempt(
        self, creds: ClientCredentials, challenges: Sequence[ServerChallenge]
    ) -> ChallengeResponse:
        return ChallengeResponse(b"", creds.authcid.encode()[:LONGEST_TRACE])
