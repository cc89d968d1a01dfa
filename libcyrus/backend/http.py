"""HTTP/1.1, as a proxy or a test program logs in to a server: by OPTIONS requests for ``*``.

The schemes of HTTP stand for SASL mechanisms: Basic (RFC 7617) for PLAIN, Bearer (RFC 6750) for OAUTHBEARER,
Digest (RFC 7616) for DIGEST-MD5, Negotiate (RFC 4559) for GSS-SPNEGO; those of SCRAM (RFC 7804) have their
own names. For whom somebody acts is told in a header of Cyrus's own, ``Authorize-As``, so the mechanisms know
no authorization id. TLS begins by an upgrade (RFC 2817), after which the server answers the request that
asked for it.
"""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING

from libcyrus.backend import http_response
from libcyrus.backend.dialect import (
    AuthChallenge,
    AuthSuccess,
    Capabilities,
    Dialect,
    Lines,
    Refused,
    as_text,
    decoded,
)
from libcyrus.backend.http_response import Response
from libcyrus.base.dataclasses import replace
from libcyrus.errors import ProtocolError

if TYPE_CHECKING:
    from libcyrus.sasl.client import Login

_UNAUTHORIZED, _UPGRADE_REQUIRED = 401, 426
_TLS = "TLS/1.2"
_SCHEMES = {
    "PLAIN": "Basic",
    "DIGEST-MD5": "Digest",
    "GSS-SPNEGO": "Negotiate",
    "OAUTHBEARER": "Bearer",
}
_MECHANISMS = {scheme.lower(): mechanism for mechanism, scheme in _SCHEMES.items()}
_ONE_STEP = ("PLAIN", "OAUTHBEARER")
_TOKEN = re.compile(rb"\x01auth=Bearer ([^\x01]+)\x01")


class Http(Dialect):
    """One connection; unlike other dialects it remembers the exchange that is under way.

    ``agent`` is the client's name. A ``proxy`` says from the beginning that it could do TLS, and wants to be
    told how to log in.
    """

    name, port, wrapped_name, wrapped_port, sasl_service = "http", 80, "https", 443, "HTTP"
    tells_after_tls = True
    client_first = True
    has_layers = False
    binds = False

    def __init__(self, agent: str = "Cyrus", *, proxy: bool = True) -> None:
        self._agent = agent
        self._proxy = proxy
        self._authorize_as = ""
        self._mechanism = ""
        self._session: str | None = None
        self._answered = False

    def greet(self, peer: Lines) -> Capabilities | None:
        return None

    def ask(self, peer: Lines) -> Capabilities:
        self._request(peer, *((f"Upgrade: {_TLS}", "Authorization: ") if self._proxy else ()))
        return self._capabilities(http_response.read(peer))

    def read_after_tls(self, peer: Lines) -> Capabilities:
        return self._capabilities(http_response.read(peer))

    def starttls(self, peer: Lines) -> None:
        self._request(peer, "Connection: Upgrade", f"Upgrade: {_TLS}")
        response = http_response.read(peer)
        if response.status != 101:
            raise Refused(as_text(response.line))

    def begin_exchange(self, login: Login) -> Login:
        self._authorize_as = login.authzid
        return replace(login, authzid="")

    def begin_auth(self, peer: Lines, mechanism: str, initial: bytes | None) -> None:
        self._mechanism = mechanism
        self._session = None
        self._answered = False
        self._authorize(peer, initial)

    def read_auth(self, peer: Lines) -> AuthChallenge | AuthSuccess:
        response = http_response.read(peer)
        if not self._mechanism or not (response.status == _UNAUTHORIZED or 200 <= response.status < 300):
            raise Refused(as_text(response.line))
        if response.status != _UNAUTHORIZED:
            return AuthSuccess(response.line, self._data(self._last_word(response)))
        data = self._data(response.of_scheme("www-authenticate", self._scheme))
        # who offers the scheme anew, from the beginning, has refused
        if data is None or (self._mechanism == "DIGEST-MD5" and self._answered):
            raise Refused(as_text(response.line))
        return AuthChallenge(data)

    def answer_auth(self, peer: Lines, response: bytes) -> None:
        self._answered = True
        self._authorize(peer, response)

    def cancel_auth(self, peer: Lines) -> None:
        """There is nothing that would; another request begins anew, and its answer is no success."""
        self._mechanism = ""
        self._request(peer)

    def ping(self, peer: Lines) -> None:
        self._request(peer)
        response = http_response.read(peer)
        if response.status != 200:
            raise Refused(as_text(response.line))

    def send_logout(self, peer: Lines) -> None:
        self._request(peer, "Connection: close")

    def read_logout(self, peer: Lines) -> None:
        http_response.read(peer)

    @property
    def _scheme(self) -> str:
        return _SCHEMES.get(self._mechanism, self._mechanism)

    @property
    def _takes_parameters(self) -> bool:
        return self._mechanism.startswith("SCRAM-")

    def _request(self, peer: Lines, *headers: str) -> None:
        lines = ["OPTIONS * HTTP/1.1", f"Host: {peer.host}", f"User-Agent: {self._agent}", *headers, ""]
        peer.send(*(line.encode("utf-8", "surrogateescape") for line in lines))

    def _authorize(self, peer: Lines, data: bytes | None) -> None:
        headers = [f"Authorize-As: {self._authorize_as}"] if self._authorize_as else []
        credentials = self._credentials(data)
        headers.append(f"Authorization: {self._scheme}{' ' if credentials else ''}{credentials}")
        if any(re.search(r"[\0\r\n]", header) for header in headers):
            raise Refused("a name cannot be said in a header")
        self._request(peer, *headers)

    def _credentials(self, data: bytes | None) -> str:
        if data is None:
            return ""
        if self._mechanism == "DIGEST-MD5":
            return data.decode("utf-8", "surrogateescape")
        if self._mechanism == "OAUTHBEARER":
            token = _TOKEN.search(data)
            return as_text(token[1]) if token is not None else ""
        if self._mechanism == "PLAIN":
            name, _, password = data.partition(b"\0")[2].partition(b"\0")
            if b":" in name:
                raise Refused("a name with a colon cannot be said in HTTP Basic")
            data = name + b":" + password
        encoded = base64.b64encode(data).decode("ascii")
        if not self._takes_parameters:
            return encoded or "="
        return f"sid={self._session},data={encoded}" if self._session else f"data={encoded}"

    def _last_word(self, response: Response) -> str | None:
        if self._mechanism == "GSS-SPNEGO":
            return response.of_scheme("www-authenticate", self._scheme)
        said = response.all("authentication-info")
        if not said:
            return None
        return said[0]

    def _data(self, text: str | None) -> bytes | None:
        """What the mechanism is to see; None if there is nothing of it. Raises ProtocolError."""
        if not text or self._mechanism in _ONE_STEP:
            return None
        if self._mechanism == "DIGEST-MD5":
            return text.encode("utf-8", "surrogateescape")
        if not self._takes_parameters:
            return decoded(text.encode("utf-8", "surrogateescape"))
        said = http_response.parameters(text)
        if "data" not in said:
            return None
        session = said.get("sid")
        if self._session is not None and session != self._session:
            raise ProtocolError
        self._session = session
        return decoded(said["data"].encode("utf-8", "surrogateescape"))

    def _capabilities(self, response: Response) -> Capabilities:
        schemes = [value.partition(" ")[0] for value in response.all("www-authenticate")]
        found = [_MECHANISMS.get(scheme.lower(), scheme.upper()) for scheme in schemes]
        upgrades = [word.upper() for word in response.words("upgrade")]
        return Capabilities(
            words=tuple(
                f"{name}={word}".upper()
                for name in ("dav", "allow", "upgrade")
                for word in response.words(name)
            ),
            mechanisms=tuple(dict.fromkeys(found)),
            starttls=response.status == _UPGRADE_REQUIRED or _TLS in upgrades,
            login="PLAIN" in found,
            initial_response=True,
        )
