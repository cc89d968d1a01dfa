"""DIGEST-MD5 (RFC 2831), the server's side, and what both sides have in common.

Kept for old clients; RFC 6331 says why not to use it. Its security layers are in ``digest_layer``. There is
no subsequent authentication: the nonce count is always one.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
from collections.abc import Callable, Sequence
from typing import NoReturn

from pysasl.exception import InvalidResponse
from pysasl.mechanism import ChallengeResponse, ServerChallenge, ServerMechanism

from libcyrus.sasl import digest_layer
from libcyrus.sasl.codes import SaslCode, SaslError
from libcyrus.sasl.credentials import ProofCredentials
from libcyrus.sasl.layer import NO_LAYER, RECEIVE_BUFFER, Limits, SecurityLayer

LONGEST_RESPONSE = 4096
NONCE_BYTES = 32
DEFAULT_MAXBUF = 65536
"""What a peer takes that does not say it."""

AUTH, AUTH_INT, AUTH_CONF = b"auth", b"auth-int", b"auth-conf"

_PAIR = re.compile(
    rb"[\s,]*(?P<name>[A-Za-z-]+)[ \t]*=[ \t]*"
    rb'(?:"(?P<quoted>(?:[^"\\\0]|\\[^\0])*)"|(?P<token>[!#-+\--\[\]-~]+))[ \t]*(?:,|$)'
)
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
# directives that are written without quotes
_BARE = frozenset({"nc", "qop", "response", "charset", "cipher", "maxbuf", "algorithm"})
# directives that may stand once only
_SINGLE = frozenset(
    {"realm", "nonce", "cnonce", "nc", "qop", "digest-uri", "response", "maxbuf", "username", "cipher"}
)
_NEEDED = ("username", "nonce", "nc", "cnonce", "digest-uri", "response")
# as error messages call them
_CALLED = {"nc": "noncecount", "digest-uri": "digesturi"}
_MOST_DIGITS = 10
_COUNT = re.compile(rb"[0-9A-Fa-f]{1,8}")


class DigestMd5Mechanism(ServerMechanism):
    """One exchange. ``password(user)`` gives the clear password, None for an unknown user.

    ``service`` is the SASL name that has to begin the digest URI, ``realm`` the one that is proposed; a
    client that puts another in its place is ``user@realm``. ``limits`` says which layers are offered; the
    one that was agreed on is :attr:`layer` when the client has proven itself.
    """

    def __init__(
        self,
        service: str,
        realm: str,
        password: Callable[[str], bytes | None],
        limits: Limits = NO_LAYER,
    ) -> None:
        super().__init__("DIGEST-MD5")
        self._service = service.encode("ascii").lower() + b"/"
        self._realm = realm.encode()
        self._password = password
        self._limits = limits
        self._ciphers = digest_layer.offered(limits)
        self.layer: SecurityLayer | None = None

    def server_attempt(self, responses: Sequence[ChallengeResponse]) -> tuple[ProofCredentials, bytes | None]:
        """See pysasl. Raises SaslError for what RFC 2831 does not allow, TOOWEAK where no layer will do."""
        if not responses:
            raise ServerChallenge(self._challenge())
        said = self._understood(responses[0])
        realm = said.get("realm", b"")
        user = said["username"].decode("utf-8")
        if realm and realm != self._realm:
            user += "@" + realm.decode("utf-8")
        authzid = said.get("authzid", b"").decode("utf-8")
        password = self._password(user)
        # an unknown user's response costs what another's does
        for secret in secrets(said["username"], realm, password or os.urandom(16)):
            session = session_key(secret, said)
            matches = hmac.compare_digest(response(session, said, b"AUTHENTICATE"), said["response"])
            if matches and password:
                self.layer = self._agreed(session, said)
                last_word = b"rspauth=" + response(session, said, b"")
                return ProofCredentials(user, authzid, proven=True), last_word
        return ProofCredentials(user, authzid, proven=False, known=bool(password)), None

    def _challenge(self) -> bytes:
        qops = []
        if self._limits.allow(0):
            qops.append(AUTH)
        if self._limits.allow(1):
            qops.append(AUTH_INT)
        if self._ciphers:
            qops.append(AUTH_CONF)
        if not qops:
            raise SaslError(SaslCode.TOOWEAK, "no layer is strong enough")
        parts = [
            b'nonce="%s"' % base64.b64encode(os.urandom(NONCE_BYTES)),
            b'realm="%s"' % quoted(self._realm),
            b'qop="%s"' % b",".join(qops),
        ]
        if self._ciphers:
            parts.append(b'cipher="%s"' % ",".join(cipher.name for cipher in self._ciphers).encode("ascii"))
        return b",".join([*parts, b"maxbuf=%d" % RECEIVE_BUFFER, b"charset=utf-8", b"algorithm=md5-sess"])

    def _understood(self, answer: ChallengeResponse) -> dict[str, bytes]:
        """What the client says, as far as it can be judged without knowing the user."""
        if not answer.response:
            _refuse("input expected in DIGEST-MD5, step 2")
        try:
            said = directives(answer.response)
        except InvalidResponse:
            _refuse("Parse error")
        if said.get("charset", b"utf-8").lower() != b"utf-8":
            raise SaslError(SaslCode.FAIL, "client doesn't support UTF-8")
        if "digest-uri" in said and not said["digest-uri"].lower().startswith(self._service):
            _refuse("bad digest-uri: doesn't match service")
        if "nc" in said and not _COUNT.fullmatch(said["nc"]):
            _refuse("error converting hex to int")
        for name in _NEEDED:
            if name not in said:
                _refuse(f"required parameters missing: {_CALLED.get(name, name)}")
        if not hmac.compare_digest(said["nonce"], directives(answer.challenge)["nonce"]):
            _refuse("nonce changed: authentication aborted")
        if said["nc"] != b"00000001":
            _refuse("incorrect nonce-count")
        said["qop"] = said.get("qop", AUTH)
        self._check_layer(said)
        return said

    def _check_layer(self, said: dict[str, bytes]) -> None:
        """Whether the client chose among what it was offered, and takes enough bytes at once."""
        maxbuf = said.setdefault("maxbuf", b"%d" % DEFAULT_MAXBUF)
        if not (maxbuf.isdigit() and len(maxbuf) <= _MOST_DIGITS):
            _refuse("invalid maxbuf parameter")
        if int(maxbuf) > digest_layer.MOST_MAXBUF:
            _refuse("maxbuf parameter too big")
        match said["qop"].lower():
            case b"auth" if self._limits.allow(0):
                least = digest_layer.LEAST_MAXBUF
            case b"auth-int" if self._limits.allow(1):
                least = digest_layer.INTEGRITY_ROOM + 1
            case b"auth-conf" if "cipher" in said:
                self._cipher(said)
                least = digest_layer.PRIVACY_ROOM + 1
            case _:
                raise SaslError(SaslCode.FAIL, "protocol violation: client requested invalid qop")
        if int(maxbuf) < least:
            _refuse("maxbuf parameter too small")

    def _cipher(self, said: dict[str, bytes]) -> digest_layer.Cipher:
        for cipher in self._ciphers:
            if cipher.name.encode("ascii") == said["cipher"].lower():
                return cipher
        raise SaslError(SaslCode.FAIL, "client requested invalid cipher")

    def _agreed(self, session: bytes, said: dict[str, bytes]) -> SecurityLayer | None:
        maxbuf = int(said["maxbuf"])
        match said["qop"].lower():
            case b"auth-int":
                return digest_layer.integrity(session, server=True, maxbuf=maxbuf)
            case b"auth-conf":
                return digest_layer.privacy(self._cipher(said), session, server=True, maxbuf=maxbuf)
        return None


def directives(text: bytes, *, choice: bool = False) -> dict[str, bytes]:
    """What is said, by lower-case names, unknown directives as well.

    With ``choice``, which challenges give, the first of several realms stands. Raises InvalidResponse.
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
            raise SaslError(SaslCode.FAIL, f"duplicate {name}: authentication aborted")
        found[name] = pair["token"] if pair["quoted"] is None else _unescaped(pair["quoted"])
    return found


def _unescaped(text: bytes) -> bytes:
    return _ESCAPED.sub(rb"\1", text)


def realm_of(challenge: bytes, wanted: bytes | None) -> bytes:
    """The realm to log in to: the only one offered, else the one wanted or the first; empty if there is none.

    As in libsasl, there is nothing to choose where the server has one realm.
    """
    pairs = [pair for pair in _PAIR.finditer(challenge) if pair["name"].lower() == b"realm"]
    realms = [pair["token"] if pair["quoted"] is None else _unescaped(pair["quoted"]) for pair in pairs]
    if wanted is not None and len(realms) > 1:
        return wanted
    return realms[0] if realms else b""


def written(said: dict[str, bytes]) -> bytes:
    """The directives in the form in which a client sends them."""
    return b",".join(
        b"%s=%s" % (name.encode("ascii"), value if name in _BARE else b'"%s"' % quoted(value))
        for name, value in said.items()
    )


def quoted(text: bytes) -> bytes:
    return re.sub(rb'(["\\])', rb"\\\1", text)


def secrets(user: bytes, realm: bytes, password: bytes) -> Sequence[bytes]:
    """H(user:realm:password), with what fits into ISO 8859-1 converted to it, and as it is in UTF-8."""
    parts = (user, realm, password)
    converted = _md5(b":".join(map(_latin1, parts)))
    return (converted, _md5(b":".join(parts)))


def _latin1(text: bytes) -> bytes:
    try:
        return text.decode("utf-8").encode("iso-8859-1")
    except UnicodeError:
        return text


def session_key(secret: bytes, said: dict[str, bytes]) -> bytes:
    """H(A1)."""
    parts = [secret, said["nonce"], said["cnonce"]]
    if "authzid" in said:
        parts.append(said["authzid"])
    return _md5(b":".join(parts))


def response(session: bytes, said: dict[str, bytes], method: bytes) -> bytes:
    """The response value, or with no method the one that the server proves itself with."""
    target = method + b":" + said["digest-uri"]
    if said["qop"].lower() != AUTH:
        # stands for the hash of a body, which there is none of
        target += b":" + b"0" * 32
    parts = (_hex(session), said["nonce"], said["nc"], said["cnonce"], said["qop"], _hex(_md5(target)))
    return _hex(_md5(b":".join(parts)))


def _refuse(detail: str) -> NoReturn:
    raise SaslError(SaslCode.BADAUTH, detail)


def _md5(data: bytes) -> bytes:
    return hashlib.md5(data, usedforsecurity=False).digest()


def _hex(data: bytes) -> bytes:
    return data.hex().encode("ascii")
