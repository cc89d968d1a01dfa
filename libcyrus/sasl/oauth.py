"""OAUTHBEARER (RFC 7628) and XOAUTH2.

A token that is refused gets one more challenge, which says so in JSON; whatever the client answers to
that, the exchange has failed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from pysasl.creds.client import ClientCredentials
from pysasl.exception import InvalidResponse
from pysasl.mechanism import ChallengeResponse, ClientMechanism, ServerChallenge, ServerMechanism

from libcyrus.sasl.codes import SaslCode, SaslError
from libcyrus.sasl.credentials import ProofCredentials
from libcyrus.sasl.tokens import TokenChecker

_BEARER = re.compile(r"[Bb][Ee][Aa][Rr][Ee][Rr] +([A-Za-z0-9._~+/-]+=*) *")
_HEADER = re.compile(rb"(?:n|y|p=[A-Za-z0-9.-]+),(?:a=([^,\0\1]*))?,")


class OAuthMechanism(ServerMechanism):
    """``name`` is OAUTHBEARER or XOAUTH2: they differ in how the user is given."""

    def __init__(self, name: str, tokens: TokenChecker, scopes: str) -> None:
        super().__init__(name)
        self._tokens = tokens
        self._scopes = scopes
        self._parse = _oauthbearer if name == "OAUTHBEARER" else _xoauth2

    def server_attempt(self, responses: Sequence[ChallengeResponse]) -> tuple[ProofCredentials, None]:
        """See pysasl. Raises InvalidResponse, and SaslError for a token that is refused."""
        if not responses:
            raise ServerChallenge(b"")
        wanted, fields = self._parse(responses[0].response)
        bearer = _BEARER.fullmatch(fields.get("auth", ""))
        if len(responses) > 1:
            raise SaslError(SaslCode.BADAUTH, "bearer token refused")
        try:
            if bearer is None:
                raise SaslError(SaslCode.BADAUTH, "bearer token refused: there is none")
            user = self._tokens.user_of(bearer[1])
        except SaslError as error:
            if error.code is not SaslCode.BADAUTH:
                raise
            raise ServerChallenge(self._refusal()) from error
        return ProofCredentials(user, "" if wanted == user else wanted, proven=True), None

    def _refusal(self) -> bytes:
        if self.name == b"XOAUTH2":
            said = {"status": "401", "schemes": "bearer", "scope": self._scopes}
        else:
            said = {"status": "invalid_token", "scope": self._scopes}
        return json.dumps({name: value for name, value in said.items() if value}).encode("ascii")


class OAuthClient(ClientMechanism):
    """The credentials' secret is the token."""

    def __init__(self, name: str, host: str, port: int) -> None:
        super().__init__(name)
        self._where = f"host={host}\1port={port}\1"

    def client_attempt(
        self, creds: ClientCredentials, challenges: Sequence[ServerChallenge]
    ) -> ChallengeResponse:
        if challenges:
            # a word about why the token was refused; the server waits for an answer to it
            return ChallengeResponse(challenges[-1].data, b"\1" if self.name == b"OAUTHBEARER" else b"")
        bearer = f"auth=Bearer {creds.secret}\1\1"
        if self.name == b"XOAUTH2":
            said = f"user={creds.authzid or creds.authcid}\1{bearer}"
        else:
            authzid = creds.authzid.replace("=", "=3D").replace(",", "=2C")
            said = f"n,{'a=' + authzid if authzid else ''},\1{self._where}{bearer}"
        return ChallengeResponse(b"", said.encode())


def _oauthbearer(response: bytes) -> tuple[str, dict[str, str]]:
    """The authorization identity and the key-value pairs."""
    header = _HEADER.match(response)
    if header is None:
        raise InvalidResponse
    wanted = (header[1] or b"").decode("utf-8").replace("=2C", ",").replace("=3D", "=")
    return wanted, _pairs(response[header.end() :].removeprefix(b"\1"))


def _xoauth2(response: bytes) -> tuple[str, dict[str, str]]:
    pairs = _pairs(response)
    return pairs.get("user", ""), pairs


def _pairs(text: bytes) -> dict[str, str]:
    if not text.endswith(b"\1\1"):
        raise InvalidResponse
    pairs: dict[str, str] = {}
    for pair in text[:-2].decode("utf-8").split("\1"):
        name, equals, value = pair.partition("=")
        if not equals or name in pairs:
            raise InvalidResponse
        pairs[name] = value
    return pairs
