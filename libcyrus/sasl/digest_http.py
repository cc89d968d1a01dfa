"""Digest authentication of HTTP (RFC 2617, RFC 7616) with MD5, the client's side, instead of DIGEST-MD5.

It differs from that of RFC 2831 in what is hashed with the answer, the request's method and URI, in having no
security layers and no authorization id, and in that ``algorithm`` and ``opaque`` are given back.
"""

from __future__ import annotations

import base64
import hmac
import os
from collections.abc import Sequence

from pysasl.creds.client import ClientCredentials
from pysasl.exception import InvalidResponse, UnexpectedChallenge
from pysasl.mechanism import ChallengeResponse, ClientMechanism, ServerChallenge

from libcyrus.sasl.codes import SaslError
from libcyrus.sasl.digest_md5 import (
    AUTH,
    NONCE_BYTES,
    directives,
    response,
    secrets,
    session_key,
    written,
)

METHOD, URI = b"OPTIONS", b"*"
"""The request that carries the exchange."""

_ALGORITHMS = (b"md5", b"md5-sess")


class HttpDigestClient(ClientMechanism):
    """One exchange. ``realm`` is for a server that names none."""

    def __init__(self, realm: str | None = None) -> None:
        super().__init__("DIGEST-MD5")
        self._realm = None if realm is None else realm.encode()
        self._cnonce = base64.b64encode(os.urandom(NONCE_BYTES))
        self._expected: bytes | None = None
        self.server_proven = False

    def client_attempt(
        self, creds: ClientCredentials, challenges: Sequence[ServerChallenge]
    ) -> ChallengeResponse:
        """See pysasl. Raises UnexpectedChallenge, also for a server that does not know the password."""
        match len(challenges):
            case 1:
                challenge = challenges[0].data
                return ChallengeResponse(challenge, self._answer(creds, _understood(challenge)))
            case 2 if self._expected is not None:
                last = challenges[1].data
                if not hmac.compare_digest(_understood(last).get("rspauth", b""), self._expected):
                    raise UnexpectedChallenge
                self.server_proven = True
                return ChallengeResponse(last, b"")
        raise UnexpectedChallenge

    def _answer(self, creds: ClientCredentials, offered: dict[str, bytes]) -> bytes:
        algorithm = offered.get("algorithm", b"md5")
        qops = offered.get("qop", AUTH).lower().replace(b" ", b"").split(b",")
        if algorithm.lower() not in _ALGORITHMS or AUTH not in qops or "nonce" not in offered:
            raise UnexpectedChallenge
        realm = offered.get("realm", self._realm or b"")
        said = {
            "username": creds.authcid.encode(), "realm": realm, "nonce": offered["nonce"],
            "cnonce": self._cnonce, "nc": b"00000001", "qop": AUTH,
        }  # fmt: skip
        # the first of both is what fits into ISO 8859-1 in that, as libsasl has it
        key = secrets(said["username"], realm, creds.secret.encode())[0]
        if algorithm.lower() == b"md5-sess":
            # RFC 2617, erratum 1649: of the digits, where RFC 2831 has it of the octets
            key = session_key(key.hex().encode("ascii"), said)
        target = said | {"digest-uri": URI}
        self._expected = response(key, target, b"")
        said |= {"uri": URI, "algorithm": algorithm}
        if "opaque" in offered:
            said["opaque"] = offered["opaque"]
        return written(said | {"response": response(key, target, METHOD)})


def _understood(text: bytes) -> dict[str, bytes]:
    try:
        return directives(text)
    except (InvalidResponse, SaslError) as error:
        raise UnexpectedChallenge from error
