"""Bearer tokens (RFC 6750): whose they are, by a signature or by asking who issued them.

Options, all of them ours (the original knows no such mechanisms and takes no notice):

``sasl_oauth_keys``           a file with a JSON Web Key Set (RFC 7517) that signs tokens (RFC 7519)
``sasl_oauth_issuer``         what ``iss`` has to be
``sasl_oauth_audience``       names of which ``aud`` has to hold one, separated by spaces
``sasl_oauth_scope``          scopes that a token has to have, all of them
``sasl_oauth_user_claim``     where the userid is: ``sub`` unless it is set; several are tried in order
``sasl_oauth_introspection_url``, ``..._client``, ``..._secret``
                              where to ask about tokens (RFC 7662), and as whom, with HTTP Basic
``sasl_oauth_ca_file``        the certificates that the introspection server is checked with

With keys no question is asked. Tokens without expiry are refused. A key set is read again when its file
has changed.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Mapping
from typing import Any, Protocol

from libcyrus.base.dataclasses import dataclass, field
from libcyrus.config import Config
from libcyrus.sasl.codes import SaslCode, SaslError
from libcyrus.sasl.settings import setting

log = logging.getLogger(__name__)

LARGEST_ANSWER = 256 * 1024
ASKING_SECONDS = 10.0
CLOCK_SKEW_SECONDS = 60


class TokenChecker(Protocol):
    def user_of(self, token: str) -> str:
        """The userid of a good token. Raises SaslError: BADAUTH for a bad one, FAIL, UNAVAIL."""


@dataclass(frozen=True, slots=True)
class Demands:
    """What is asked of the claims of every token."""

    issuer: str | None
    audience: tuple[str, ...]
    scopes: tuple[str, ...]
    user_claims: tuple[str, ...]

    @classmethod
    def from_config(cls, config: Config) -> Demands:
        def words(name: str) -> tuple[str, ...]:
            return tuple((setting(config, name) or "").split())

        return cls(
            issuer=setting(config, "oauth_issuer"),
            audience=words("oauth_audience"),
            scopes=words("oauth_scope"),
            user_claims=words("oauth_user_claim") or ("sub",),
        )

    def user(self, claims: Mapping[str, Any]) -> str:
        """Raises SaslError(BADAUTH) for claims that are not enough."""
        if self.issuer is not None and claims.get("iss") != self.issuer:
            raise _refused("another issuer")
        if self.audience and not set(self.audience) & _words(claims.get("aud")):
            raise _refused("meant for others")
        if not set(self.scopes) <= _words(claims.get("scope", claims.get("scp"))):
            raise _refused("too narrow in scope")
        for name in self.user_claims:
            user = claims.get(name)
            if isinstance(user, str) and user:
                return user
        raise _refused("nobody's")


def checker(config: Config) -> TokenChecker | None:
    """What the options name; None where they name nothing, and the mechanisms are not offered."""
    demands = Demands.from_config(config)
    keys = setting(config, "oauth_keys")
    if keys:
        return SignedTokens(keys, demands)
    url = setting(config, "oauth_introspection_url")
    if url:
        return Introspection(
            url,
            setting(config, "oauth_introspection_client"),
            setting(config, "oauth_introspection_secret"),
            setting(config, "oauth_ca_file"),
            demands,
        )
    return None


class SignedTokens:
    """JSON Web Tokens, signed with a key of a set. Needs PyJWT, the extra ``oauth``."""

    def __init__(self, path: str, demands: Demands) -> None:
        self._path = path
        self._demands = demands
        self._read_at: tuple[int, int] | None = None
        self._keys: dict[str | None, Any] = {}

    def user_of(self, token: str) -> str:
        try:
            import jwt
        except ImportError as error:
            log.error("sasl_oauth_keys needs the Python package PyJWT")
            raise SaslError(SaslCode.FAIL, "signed tokens cannot be checked here") from error
        try:
            key = self._key(jwt.get_unverified_header(token).get("kid"))
            claims = jwt.decode(
                token,
                key.key,
                # the key says how it signs, never the token
                algorithms=[key.algorithm_name],
                leeway=CLOCK_SKEW_SECONDS,
                options={"require": ["exp"], "verify_aud": False},
            )
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError, OverflowError) as error:
            # the last three are of JSON that nobody would write, in a token that anybody may send
            raise _refused(str(error)) from error
        return self._demands.user(claims)

    def _key(self, name: str | None) -> Any:
        self._read()
        if name is None and len(self._keys) == 1:
            return next(iter(self._keys.values()))
        if name not in self._keys:
            raise _refused("signed with a key that is not known")
        return self._keys[name]

    def _read(self) -> None:
        import jwt

        try:
            status = os.stat(self._path)
            changed = (status.st_mtime_ns, status.st_ino)
            if changed == self._read_at:
                return
            with open(self._path, "rb") as file:
                found = jwt.PyJWKSet.from_dict(json.loads(file.read(LARGEST_ANSWER)))
        except (OSError, ValueError, jwt.PyJWTError) as error:
            log.error("sasl_oauth_keys: %s: %s", self._path, error)
            raise SaslError(SaslCode.FAIL, "the key set cannot be read") from error
        self._keys = {key.key_id: key for key in found.keys}
        self._read_at = changed


@dataclass(frozen=True, slots=True)
class Introspection:
    """Tokens of any kind, about which a server is asked."""

    url: str
    client: str | None
    secret: str | None = field(repr=False)
    ca_file: str | None
    demands: Demands

    def user_of(self, token: str) -> str:
        claims = self._ask(token)
        if claims.get("active") is not True:
            raise _refused("not active")
        expires = claims.get("exp")
        if isinstance(expires, int | float) and expires + CLOCK_SKEW_SECONDS < time.time():
            raise _refused("expired")
        return self.demands.user(claims)

    def _ask(self, token: str) -> dict[str, Any]:
        import base64
        import ssl
        from http.client import HTTPException
        from urllib.parse import urlencode
        from urllib.request import HTTPRedirectHandler, HTTPSHandler, Request, build_opener

        class NoRedirects(HTTPRedirectHandler):
            def redirect_request(self, *_: Any) -> None:
                return None

        request = Request(self.url, data=urlencode({"token": token}).encode("ascii"))
        request.add_header("Accept", "application/json")
        if self.client is not None:
            pair = f"{self.client}:{self.secret or ''}".encode()
            request.add_header("Authorization", "Basic " + base64.b64encode(pair).decode("ascii"))
        try:
            context = ssl.create_default_context(cafile=self.ca_file)
            opener = build_opener(HTTPSHandler(context=context), NoRedirects)
            with opener.open(request, timeout=ASKING_SECONDS) as reply:
                answer = json.loads(reply.read(LARGEST_ANSWER))
        except (OSError, ValueError, RecursionError, HTTPException) as error:
            log.error("sasl_oauth_introspection_url: %s: %s", self.url, error)
            raise SaslError(SaslCode.UNAVAIL, "the token cannot be checked now") from error
        if not isinstance(answer, dict):
            raise SaslError(SaslCode.UNAVAIL, "the token cannot be checked now")
        return answer


def _refused(why: str) -> SaslError:
    return SaslError(SaslCode.BADAUTH, f"bearer token refused: {why}")


def _words(claim: object) -> set[str]:
    """A claim that is a text of words or a list of them; empty for anything else."""
    if isinstance(claim, str):
        return set(claim.split())
    return {word for word in claim if isinstance(word, str)} if isinstance(claim, list) else set()
