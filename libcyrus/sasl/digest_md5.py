"""DIGEST-MD5 (RFC 2831), for authentication only.

Kept for old clients; RFC 6331 says why not to use it. No security layer is offered: TLS gives a better
one. There is no subsequent authentication: the nonce count is always one.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
from collections.abc import Callable, Sequence

from pysasl.creds.client import ClientCredentials
from pysasl.exception import InvalidResponse, UnexpectedChallenge
from pysasl.mechanism import ChallengeResponse, ClientMechanism, ServerChallenge, ServerMechanism

from libcyrus.sasl.credentials import ProofCredentials

LONGEST_RESPONSE = 4096

_NONCE_BYTES = 32
_PAIR = re.compile(
    rb"[\s,]*(?P<name>[A-Za-z-]+)[ \t]*=[ \t]*"
    rb'(?:"(?P<quoted>(?:[^"\\\0]|\\[^\0])*)"|(?P<token>[!#-+\--\[\]-~]+))[ \t]*(?:,|$)'
)
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
# directives that are written without quotes
_BARE = frozenset({"nc", "qop", "response", "charset"})
# directives that may stand once only
_SINGLE = frozenset({"realm", "nonce", "cnonce", "nc", "qop", "digest-uri", "response", "maxbuf", "username"})
_NEEDED = frozenset({"username", "nonce", "cnonce", "nc", "digest-uri", "response"})


class DigestMd5Mechanism(ServerMechanism):
    """One exchange. ``password(user)`` gives the clear password, None for an unknown user.

    ``service`` is the SASL name that has to begin the digest URI, ``realm`` the one that is proposed; a
    client that puts another in its place is ``user@realm``.
    """

    def __init__(self, service: str, realm: str, password: Callable[[str], bytes | None]) -> None:
        super().__init__("DIGEST-MD5")
        self._service = service.encode("ascii").lower() + b"/"
        self._realm = realm.encode()
        self._password = password

    def server_attempt(self, responses: Sequence[ChallengeResponse]) -> tuple[ProofCredentials, bytes | None]:
        """See pysasl. Raises InvalidResponse for what RFC 2831 does not allow."""
        if not responses:
            nonce = base64.b64encode(os.urandom(_NONCE_BYTES))
            raise ServerChallenge(
                b'nonce="%s",realm="%s",qop="auth",maxbuf=4096,charset=utf-8,algorithm=md5-sess'
                % (nonce, _quoted(self._realm))
            )
        said = _directives(responses[0].response)
        self._check(said, responses[0].challenge)
        realm = said.get("realm", b"")
        user = said["username"].decode("utf-8")
        if realm and realm != self._realm:
            user += "@" + realm.decode("utf-8")
        authzid = said.get("authzid", b"").decode("utf-8")
        password = self._password(user)
        for secret in _secrets(said["username"], realm, password or os.urandom(16)):
            session = _session_key(secret, said)
            matches = hmac.compare_digest(_response(session, said, b"AUTHENTICATE"), said["response"])
            if matches and password:
                last_word = b"rspauth=" + _response(session, said, b"")
                return ProofCredentials(user, authzid, proven=True), last_word
        return ProofCredentials(user, authzid, proven=False), None

    def _check(self, said: dict[str, bytes], challenge: bytes) -> None:
        if not said.keys() >= _NEEDED:
            raise InvalidResponse
        if said.get("charset", b"utf-8").lower() != b"utf-8":
            raise InvalidResponse
        if said.setdefault("qop", b"auth").lower() != b"auth" or said["nc"] != b"00000001":
            raise InvalidResponse
        if not said["digest-uri"].lower().startswith(self._service):
            raise InvalidResponse
        if said["nonce"] != _directives(challenge)["nonce"]:
            raise InvalidResponse


class DigestMd5Client(ClientMechanism):
    """One exchange with ``host``. Without a ``realm`` the server's first is taken, or the host's name."""

    def __init__(self, service: str, host: str, realm: str | None = None) -> None:
        super().__init__("DIGEST-MD5")
        self._uri = f"{service}/{host}".encode()
        self._host = host.encode()
        self._realm = None if realm is None else realm.encode()
        self._cnonce = base64.b64encode(os.urandom(_NONCE_BYTES))
        self._expected: bytes | None = None
        self.server_proven = False

    def client_attempt(
        self, creds: ClientCredentials, challenges: Sequence[ServerChallenge]
    ) -> ChallengeResponse:
        """See pysasl. Raises UnexpectedChallenge, also for a server that does not know the password."""
        match len(challenges):
            case 0:
                return ChallengeResponse(b"", b"")
            case 1:
                challenge = challenges[0].data
                return ChallengeResponse(challenge, self._answer(creds, challenge))
            case 2 if self._expected is not None:
                last = challenges[1].data
                if not hmac.compare_digest(last, b"rspauth=" + self._expected):
                    raise UnexpectedChallenge
                self.server_proven = True
                return ChallengeResponse(last, b"")
        raise UnexpectedChallenge

    def _answer(self, creds: ClientCredentials, challenge: bytes) -> bytes:
        try:
            offered = _directives(challenge, choice=True)
        except InvalidResponse as error:
            raise UnexpectedChallenge from error
        if offered.get("algorithm") != b"md5-sess" or "nonce" not in offered:
            raise UnexpectedChallenge
        if b"auth" not in offered.get("qop", b"auth").replace(b" ", b"").split(b","):
            raise UnexpectedChallenge
        realm = self._realm if self._realm is not None else offered.get("realm", self._host)
        said = {
            "username": creds.authcid.encode(),
            "realm": realm,
            "nonce": offered["nonce"],
            "cnonce": self._cnonce,
            "nc": b"00000001",
            "qop": b"auth",
            "digest-uri": self._uri,
        }
        if creds.authzid:
            said["authzid"] = creds.authzid.encode()
        session = _session_key(_secrets(said["username"], realm, creds.secret.encode())[0], said)
        said["response"] = _response(session, said, b"AUTHENTICATE")
        self._expected = _response(session, said, b"")
        if offered.get("charset"):
            said["charset"] = b"utf-8"
        return b",".join(
            b"%s=%s" % (name.encode("ascii"), value if name in _BARE else b'"%s"' % _quoted(value))
            for name, value in said.items()
        )


def _directives(text: bytes, *, choice: bool = False) -> dict[str, bytes]:
    """What is said, by lower-case names, unknown directives as well.

    With ``choice``, which challenges give, the first of several realms stands.
    """
    found: dict[str, bytes] = {}
    if len(text) > LONGEST_RESPONSE:
        raise InvalidResponse
    position = 0
    while position < len(text):
        pair = _PAIR.match(text, position)
        if pair is None:
            raise InvalidResponse
        position = pair.end()
        name = pair["name"].decode("ascii").lower()
        if name in found and name in _SINGLE:
            if choice and name == "realm":
                continue
            raise InvalidResponse
        found[name] = pair["token"] if pair["quoted"] is None else _ESCAPED.sub(rb"\1", pair["quoted"])
    return found


def _quoted(text: bytes) -> bytes:
    return re.sub(rb'(["\\])', rb"\\\1", text)


def _secrets(user: bytes, realm: bytes, password: bytes) -> Sequence[bytes]:
    """H(user:realm:password), with what fits into ISO 8859-1 converted to it, and as it is in UTF-8."""
    parts = (user, realm, password)
    converted = hashlib.md5(b":".join(map(_latin1, parts)), usedforsecurity=False).digest()
    return (converted, hashlib.md5(b":".join(parts), usedforsecurity=False).digest())


def _latin1(text: bytes) -> bytes:
    try:
        return text.decode("utf-8").encode("iso-8859-1")
    except UnicodeError:
        return text


def _session_key(secret: bytes, said: dict[str, bytes]) -> bytes:
    """H(A1), in hexadecimal."""
    parts = [secret, said["nonce"], said["cnonce"]]
    if said.get("authzid"):
        parts.append(said["authzid"])
    return _hex(b":".join(parts))


def _response(session: bytes, said: dict[str, bytes], method: bytes) -> bytes:
    """The response value, or with no method the one that the server proves itself with."""
    target = _hex(method + b":" + said["digest-uri"])
    return _hex(b":".join((session, said["nonce"], said["nc"], said["cnonce"], said["qop"], target)))


def _hex(text: bytes) -> bytes:
    return hashlib.md5(text, usedforsecurity=False).hexdigest().encode("ascii")
