"""One run of a mechanism: pysasl's side of the conversation.

Apart from the rest, because importing this loads pysasl (see ``server.load``).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from pysasl.creds.external import ExternalCredentials
from pysasl.creds.plain import PlainCredentials
from pysasl.creds.server import ServerCredentials
from pysasl.exception import AuthenticationError
from pysasl.identity import Identity
from pysasl.mechanism import ChallengeResponse, ServerChallenge, ServerMechanism
from pysasl.mechanism.external import ExternalMechanism
from pysasl.mechanism.login import LoginMechanism
from pysasl.mechanism.plain import PlainMechanism

from libcyrus.base.dataclasses import dataclass
from libcyrus.sasl import scram
from libcyrus.sasl.anonymous import AnonymousMechanism
from libcyrus.sasl.auxprop import PASSWORD, STORED_KEYS
from libcyrus.sasl.codes import SaslCode, SaslError
from libcyrus.sasl.cram_md5 import CramMd5Mechanism
from libcyrus.sasl.credentials import AnonymousCredentials, ProofCredentials
from libcyrus.sasl.digest_md5 import DigestMd5Mechanism
from libcyrus.sasl.layer import Limits, SecurityLayer
from libcyrus.sasl.mechanisms import (
    ANONYMOUS,
    CRAM_MD5,
    DIGEST_MD5,
    EXTERNAL,
    GSS_SPNEGO,
    GSSAPI,
    MECHANISMS,
    OAUTH,
    SCRAM_HASHES,
)
from libcyrus.sasl.oauth import OAuthMechanism
from libcyrus.sasl.pwcheck import PasswordCheck
from libcyrus.sasl.tokens import TokenChecker

if TYPE_CHECKING:
    from libcyrus.sasl.gss import ServiceKeys

@dataclass(frozen=True, slots=True)
class Surroundings:
    """What an exchange may need. ``lookup(user, property)`` takes the name as the client gave it."""

    service: str
    host: str
    passwords: PasswordCheck
    lookup: Callable[[str, str], bytes | None]
    binding: Callable[[str], bytes | None] | None
    plus_offered: bool
    iterations: Mapping[str, int]
    tokens: TokenChecker | None
    scopes: str
    limits: Limits
    keys: ServiceKeys | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """What a client says: who it is, whom it wants to act for (empty: itself), how to check the first.

    ``verify`` is given the canonical name and raises SaslError; None when there is nothing to check.
    ``data`` is what the mechanism still has to tell the client when all is well, ``layer`` protects what
    comes then.
    """

    authcid: str
    authzid: str
    verify: Callable[[str], None] | None
    data: bytes | None = None
    layer: SecurityLayer | None = None


# as libsasl2's mechanisms word a wrong password, for those who search logs
_DISPROVEN = {
    "PLAIN": "Password verification failed",
    "LOGIN": "checkpass failed",
    CRAM_MD5: "incorrect digest response",
    DIGEST_MD5: "client response doesn't match what we generated (tried bogus)",
}
_CANNOT_LOOK_UP = "unable to canonify user and get auxprops"


class Exchange:
    """The answers of a client so far."""

    def __init__(self, mechanism: str, surroundings: Surroundings) -> None:
        self._mechanism = _build(mechanism, surroundings)
        self._name = mechanism
        self._surroundings = surroundings
        self._responses: list[ChallengeResponse] = []
        self._challenge = b""

    def take(self, response: bytes) -> None:
        if len(response) > MECHANISMS[self._name].longest:
            raise SaslError(SaslCode.BADPROT, "response is too long")
        self._responses.append(ChallengeResponse(self._challenge, response))

    def attempt(self) -> bytes | Claim:
        """The next challenge, or what the client claims. Raises SaslError(BADPROT)."""
        try:
            credentials, data = self._mechanism.server_attempt(self._responses)
        except ServerChallenge as challenge:
            self._challenge = challenge.data
            return challenge.data
        except UnicodeError as error:
            if self._name not in ("PLAIN", "LOGIN"):
                raise SaslError(SaslCode.BADPROT, f"malformed {self._name} response") from error
            # passwords were octets before they had to be UTF-8
            credentials, data = self._undecoded(), None
        except AuthenticationError as error:
            if self._name == "PLAIN" and self._names_nobody():
                raise SaslError(SaslCode.FAIL, "no user is named") from error
            raise SaslError(SaslCode.BADPROT, f"malformed {self._name} response") from error
        if isinstance(credentials, ExternalCredentials):
            return Claim("", credentials.authzid, None)
        if isinstance(credentials, AnonymousCredentials):
            return Claim(credentials.authcid, "", None)
        user = credentials.authcid
        if not user:
            code = SaslCode.BADPROT if self._name == CRAM_MD5 else SaslCode.FAIL
            raise SaslError(code, "no user is named")
        wanted = "" if credentials.authzid == user else credentials.authzid
        layer: SecurityLayer | None = getattr(self._mechanism, "layer", None)
        return Claim(user, wanted, lambda canonical: self._check(credentials, canonical), data, layer)

    def _undecoded(self) -> PlainCredentials:
        """What the responses of PLAIN or LOGIN say, octets that are no UTF-8 kept as surrogates."""
        said = [os.fsdecode(one.response) for one in self._responses]
        if self._name == "LOGIN":
            return PlainCredentials(said[0], said[1])
        authzid, authcid, secret = said[0].split("\0")
        return PlainCredentials(authcid, secret, authzid)

    def _names_nobody(self) -> bool:
        """Whether a PLAIN response (RFC 4616) is whole but for an empty authentication identity."""
        parts = self._responses[-1].response.split(b"\0")
        return len(parts) == 3 and not parts[1]

    def _check(self, credentials: ServerCredentials, canonical: str) -> None:
        detail = _DISPROVEN.get(self._name, "StoredKey mismatch")
        try:
            proven = credentials.verify(_Holder(canonical, credentials.authcid, self._surroundings))
        except SaslError as error:
            raise SaslError(error.code, detail, userid=canonical) from error
        if not proven:
            if isinstance(credentials, ProofCredentials) and not credentials.known:
                why = _CANNOT_LOOK_UP if self._name != CRAM_MD5 else "no secret in database"
                raise SaslError(SaslCode.NOUSER, why, userid=canonical)
            raise SaslError(SaslCode.BADAUTH, detail, userid=canonical)


class _Holder(Identity):
    """pysasl's view of a user: ``canonical`` was made of what the client called it, ``written``."""

    def __init__(self, canonical: str, written: str, surroundings: Surroundings) -> None:
        self._canonical = canonical
        self._written = written
        self._surroundings = surroundings

    @property
    def authcid(self) -> str:
        return self._canonical

    def compare_authcid(self, authcid: str) -> bool:
        return authcid == self._written

    def compare_secret(self, secret: str) -> bool:
        self._surroundings.passwords.verify(self._canonical, secret)
        return True

    def get_clear_secret(self) -> str | None:
        # our own mechanisms look secrets up themselves
        return None


def _build(name: str, surroundings: Surroundings) -> ServerMechanism:
    scram_hash = SCRAM_HASHES.get(name.removesuffix("-PLUS"))
    if scram_hash is not None:
        return scram.ScramMechanism(
            name,
            scram_hash,
            lambda user: _scram_secret(name.removesuffix("-PLUS"), scram_hash, user, surroundings),
            binding=surroundings.binding or (lambda _kind: None),
            plus_offered=surroundings.plus_offered,
        )
    match name:
        case "PLAIN":
            return PlainMechanism()
        case "LOGIN":
            return LoginMechanism()
        case _ if name == CRAM_MD5:
            return CramMd5Mechanism(surroundings.host, lambda user: surroundings.lookup(user, PASSWORD))
        case _ if name == DIGEST_MD5:
            return DigestMd5Mechanism(
                surroundings.service,
                surroundings.host,
                lambda user: surroundings.lookup(user, PASSWORD),
                surroundings.limits,
            )
        case _ if name in (GSSAPI, GSS_SPNEGO) and surroundings.keys is not None:
            return _gss_mechanism(name, surroundings.keys, surroundings)
        case _ if name in OAUTH and surroundings.tokens is not None:
            return OAuthMechanism(name, surroundings.tokens, surroundings.scopes)
        case _ if name == ANONYMOUS:
            return AnonymousMechanism()
        case _ if name == EXTERNAL:
            return ExternalMechanism()
    raise SaslError(SaslCode.NOMECH, f"Couldn't find mech {name}")


def _gss_mechanism(name: str, keys: ServiceKeys, surroundings: Surroundings) -> ServerMechanism:
    # only who uses it has to have the library
    from libcyrus.sasl.gssapi import BINDING_KIND, GssMechanism

    binding = surroundings.binding(BINDING_KIND) if surroundings.binding is not None else None
    return GssMechanism(name, keys, surroundings.limits, binding)


def _scram_secret(
    mechanism: str, hash_name: str, user: str, surroundings: Surroundings
) -> scram.Secret:
    iterations = surroundings.iterations[mechanism]
    password = surroundings.lookup(user, PASSWORD)
    if password:
        return scram.secret_from_password(hash_name, password, user, iterations)
    stored = surroundings.lookup(user, STORED_KEYS)
    if stored is not None:
        keys = scram.keys_from_stored(mechanism, hash_name, [stored])
        if keys is not None:
            return scram.secret_from_keys(hash_name, keys, iterations)
    return scram.nobody(hash_name, user, iterations)
