"""One run of a mechanism: pysasl's side of the conversation.

Apart from the rest, because importing this loads pysasl (see ``mechanisms``).
"""

from __future__ import annotations

from collections.abc import Callable

from pysasl.creds.external import ExternalCredentials
from pysasl.creds.plain import PlainCredentials
from pysasl.exception import AuthenticationError
from pysasl.identity import Identity
from pysasl.mechanism import ChallengeResponse, ServerChallenge

from libcyrus.base.dataclasses import dataclass
from libcyrus.sasl.codes import SaslCode, SaslError
from libcyrus.sasl.mechanisms import MAX_RESPONSE, preload
from libcyrus.sasl.pwcheck import PasswordCheck


@dataclass(frozen=True, slots=True)
class Claim:
    """What a client says: who it is, whom it wants to act for (empty: itself), how to check the first.

    ``verify`` is given the canonical name and raises SaslError; None when there is nothing to check.
    """

    authcid: str
    authzid: str
    verify: Callable[[str], None] | None


class Exchange:
    """The answers of a client so far."""

    def __init__(self, mechanism: str, passwords: PasswordCheck) -> None:
        self._mechanism = preload()[mechanism]
        self._name = mechanism
        self._passwords = passwords
        self._responses: list[ChallengeResponse] = []
        self._challenge = b""

    def take(self, response: bytes) -> None:
        if len(response) > MAX_RESPONSE:
            raise SaslError(SaslCode.BADPROT, "response is too long")
        self._responses.append(ChallengeResponse(self._challenge, response))

    def attempt(self) -> bytes | Claim:
        """The next challenge, or what the client claims. Raises SaslError(BADPROT)."""
        try:
            credentials, _ = self._mechanism.server_attempt(self._responses)
        except ServerChallenge as challenge:
            self._challenge = challenge.data
            return challenge.data
        except (AuthenticationError, UnicodeError) as error:
            raise SaslError(SaslCode.BADPROT, f"malformed {self._name} response") from error
        if isinstance(credentials, ExternalCredentials):
            return Claim("", credentials.authzid, None)
        user = credentials.authcid
        if not user:
            raise SaslError(SaslCode.BADPROT, "Can only find author (no password)")
        if not isinstance(credentials, PlainCredentials):
            raise SaslError(SaslCode.NOMECH, f"{self._name} has no password to check")
        wanted = "" if credentials.authzid == user else credentials.authzid
        return Claim(user, wanted, lambda canonical: self._check(credentials, canonical))

    def _check(self, credentials: PlainCredentials, canonical: str) -> None:
        try:
            credentials.verify(_Holder(canonical, self._passwords))
        except SaslError as error:
            raise SaslError(error.code, "Password verification failed", userid=canonical) from error


class _Holder(Identity):
    """pysasl's view of a user whose secret only a verifier can compare."""

    def __init__(self, userid: str, passwords: PasswordCheck) -> None:
        self._userid = userid
        self._passwords = passwords

    @property
    def authcid(self) -> str:
        return self._userid

    def compare_authcid(self, authcid: str) -> bool:
        # the canonical name was made from this one
        return True

    def compare_secret(self, secret: str) -> bool:
        self._passwords.verify(self._userid, secret)
        return True

    def get_clear_secret(self) -> str | None:
        return None
