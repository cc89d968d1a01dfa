"""DIGEST-MD5 (RFC 2831), the client's side."""

from __future__ import annotations

import base64
import hmac
import os
from collections.abc import Sequence

from pysasl.creds.client import ClientCredentials
from pysasl.exception import InvalidResponse, UnexpectedChallenge
from pysasl.mechanism import ChallengeResponse, ClientMechanism, ServerChallenge

from libcyrus.sasl import digest_layer
from libcyrus.sasl.codes import SaslCode, SaslError
from libcyrus.sasl.digest_md5 import (
    AUTH,
    AUTH_CONF,
    AUTH_INT,
    DEFAULT_MAXBUF,
    NONCE_BYTES,
    directives,
    realm_of,
    response,
    secrets,
    session_key,
    written,
)
from libcyrus.sasl.layer import NO_LAYER, RECEIVE_BUFFER, Limits, SecurityLayer


class DigestMd5Client(ClientMechanism):
    """One exchange with ``host``. ``realm`` chooses among several, see :func:`realm_of`.

    The strongest layer within ``limits`` that the server offers is asked for; it is :attr:`layer` once
    the server has proven itself.
    """

    def __init__(
        self, service: str, host: str, realm: str | None = None, *, limits: Limits = NO_LAYER
    ) -> None:
        super().__init__("DIGEST-MD5")
        self._uri = f"{service}/{host}".encode()
        self._host = host.encode()
        self._realm = None if realm is None else realm.encode()
        self._limits = limits
        self._cnonce = base64.b64encode(os.urandom(NONCE_BYTES))
        self._expected: bytes | None = None
        self._agreed: SecurityLayer | None = None
        self.server_proven = False

    @property
    def layer(self) -> SecurityLayer | None:
        return self._agreed if self.server_proven else None

    def client_attempt(
        self, creds: ClientCredentials, challenges: Sequence[ServerChallenge]
    ) -> ChallengeResponse:
        """See pysasl. Raises UnexpectedChallenge, also for a server that does not know the password.

        SaslError(TOOWEAK) says that the server offers no layer within the limits.
        """
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
            offered = directives(challenge, choice=True)
        except InvalidResponse as error:
            raise UnexpectedChallenge from error
        if offered.get("algorithm") != b"md5-sess" or "nonce" not in offered:
            raise UnexpectedChallenge
        maxbuf = offered.get("maxbuf", b"%d" % DEFAULT_MAXBUF)
        if not maxbuf.isdigit() or not digest_layer.LEAST_MAXBUF <= int(maxbuf) <= digest_layer.MOST_MAXBUF:
            raise UnexpectedChallenge
        qop, cipher = self._choose(offered, int(maxbuf))
        realm = realm_of(challenge, self._realm) or self._host
        said = {"username": creds.authcid.encode(), "realm": realm}
        if creds.authzid:
            said["authzid"] = creds.authzid.encode()
        said |= {"nonce": offered["nonce"], "cnonce": self._cnonce, "nc": b"00000001", "qop": qop}
        if cipher is not None:
            said["cipher"] = cipher.name.encode("ascii")
        if qop != AUTH:
            said["maxbuf"] = b"%d" % RECEIVE_BUFFER
        said["digest-uri"] = self._uri
        session = session_key(secrets(said["username"], realm, os.fsencode(creds.secret))[0], said)
        said["response"] = response(session, said, b"AUTHENTICATE")
        self._expected = response(session, said, b"")
        if cipher is not None:
            self._agreed = digest_layer.privacy(cipher, session, server=False, maxbuf=int(maxbuf))
        elif qop == AUTH_INT:
            self._agreed = digest_layer.integrity(session, server=False, maxbuf=int(maxbuf))
        if offered.get("charset"):
            said["charset"] = b"utf-8"
        return written(said)

    def _choose(self, offered: dict[str, bytes], maxbuf: int) -> tuple[bytes, digest_layer.Cipher | None]:
        limits = self._limits
        qops = _words(offered.get("qop", AUTH))
        if limits.most > 1 and AUTH_CONF in qops and maxbuf > digest_layer.PRIVACY_ROOM:
            names = _words(offered.get("cipher", b""))
            usable = [one for one in digest_layer.offered(limits) if one.name.encode("ascii") in names]
            if usable:
                return AUTH_CONF, max(usable, key=lambda one: one.strength)
        if limits.allow(1) and AUTH_INT in qops and maxbuf > digest_layer.INTEGRITY_ROOM:
            return AUTH_INT, None
        if not limits.allow(0):
            raise SaslError(SaslCode.TOOWEAK, "Can't find an acceptable layer")
        if AUTH not in qops:
            raise SaslError(SaslCode.FAIL, 'Server doesn\'t support "no layer"')
        return AUTH, None


def _words(text: bytes) -> list[bytes]:
    return text.lower().replace(b" ", b"").split(b",")
