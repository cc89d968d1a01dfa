"""CRAM-MD5 (RFC 2195). Passwords are taken as they are, as libsasl2 takes them: without SASLprep."""

from __future__ import annotations

import hmac
import os
import re
import time
from collections.abc import Callable, Sequence

from pysasl.creds.client import ClientCredentials
from pysasl.exception import InvalidResponse, UnexpectedChallenge
from pysasl.mechanism import ChallengeResponse, ClientMechanism, ServerChallenge, ServerMechanism

from libcyrus.sasl.credentials import ProofCredentials

_RESPONSE = re.compile(rb"(?P<user>.*) (?P<digest>[^ ]+)", re.DOTALL)


class CramMd5Mechanism(ServerMechanism):
    """One exchange. ``password(user)`` gives the clear password, None for an unknown user."""

    def __init__(self, host: str, password: Callable[[str], bytes | None]) -> None:
        super().__init__("CRAM-MD5")
        self._host = host
        self._password = password

    def server_attempt(self, responses: Sequence[ChallengeResponse]) -> tuple[ProofCredentials, None]:
        """See pysasl. Raises InvalidResponse for what is no name and digest."""
        if not responses:
            # never the same twice, and nobody can tell the next
            number = int.from_bytes(os.urandom(8), "big")
            raise ServerChallenge(b"<%d.%d@%s>" % (number, int(time.time()), os.fsencode(self._host)))
        found = _RESPONSE.fullmatch(responses[0].response)
        if found is None:
            raise InvalidResponse
        user = os.fsdecode(found["user"])
        password = self._password(user) if user else None
        # an unknown user's response costs what another's does
        digest = hmac.new(password or os.urandom(16), responses[0].challenge, "md5").hexdigest()
        proven = hmac.compare_digest(digest.encode("ascii"), found["digest"])
        return ProofCredentials(user, "", proven=proven and bool(password), known=bool(password)), None


class CramMd5Client(ClientMechanism):
    """One exchange."""

    def __init__(self) -> None:
        super().__init__("CRAM-MD5")

    def client_attempt(
        self, creds: ClientCredentials, challenges: Sequence[ServerChallenge]
    ) -> ChallengeResponse:
        """See pysasl. Raises UnexpectedChallenge."""
        match challenges:
            case []:
                return ChallengeResponse(b"", b"")
            case [challenge]:
                digest = hmac.new(os.fsencode(creds.secret), challenge.data, "md5").hexdigest()
                answer = b"%s %s" % (os.fsencode(creds.authcid), digest.encode("ascii"))
                return ChallengeResponse(challenge.data, answer)
        raise UnexpectedChallenge
