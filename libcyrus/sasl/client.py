"""SASL as the client: choosing a mechanism, and one exchange with a server.

The strongest mechanism that both sides have is taken. One that proves the server too (SCRAM, DIGEST-MD5)
has only succeeded when the server has shown that it knows the password.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from pysasl.creds.client import ClientCredentials
from pysasl.exception import AuthenticationError
from pysasl.mechanism import ClientMechanism, ServerChallenge
from pysasl.mechanism.external import ExternalMechanism
from pysasl.mechanism.login import LoginMechanism
from pysasl.mechanism.plain import PlainMechanism

from libcyrus.base.dataclasses import dataclass, field
from libcyrus.sasl.anonymous import AnonymousMechanism
from libcyrus.sasl.codes import SaslCode, SaslError
from libcyrus.sasl.cram_md5 import CramMd5Client
from libcyrus.sasl.digest_client import DigestMd5Client
from libcyrus.sasl.digest_http import HttpDigestClient
from libcyrus.sasl.layer import NO_LAYER, Limits, SecurityLayer
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
from libcyrus.sasl.oauth import OAuthClient
from libcyrus.sasl.otp import OTP, OtpClient
from libcyrus.sasl.scram import ScramClient


@dataclass(frozen=True, slots=True)
class Login:
    """Who logs in. ``authzid`` empty: as oneself. ``token`` is for the mechanisms that take one.

    A ``password`` that has to be asked for is called for when a mechanism needs it. ``one_time`` answers the
    challenge of OTP, which then comes before all others; without it the password is the pass-phrase.
    """

    authcid: str = ""
    password: str | Callable[[], str] = field(default="", repr=False)
    authzid: str = ""
    realm: str | None = None
    token: str | None = field(default=None, repr=False)
    one_time: Callable[[str], str] | None = None


@dataclass(frozen=True, slots=True)
class Channel:
    """What the exchange runs over: ``bits`` of protection, and what there is to bind to.

    ``limits`` says which security layers of the mechanism's own may come on top, ``unique`` is what there
    is of the kind tls-unique.
    """

    service: str
    host: str
    port: int = 0
    bits: int = 0
    binding_kind: str = ""
    binding: bytes | None = None
    limits: Limits = NO_LAYER
    unique: bytes | None = None


def choose(
    offered: Collection[str],
    login: Login,
    channel: Channel,
    *,
    wanted: str | None = None,
    plaintext: bool = True,
    as_another: bool = False,
) -> str:
    """The name of the mechanism to use. Raises SaslError(NOMECH) if there is none.

    ``wanted`` is the only one to use, or several separated by spaces; only so can ANONYMOUS, EXTERNAL and OTP
    be chosen. ``plaintext`` False leaves out those that show a password to who listens, unless the
    channel is protected. Where a mechanism cannot act for another, one logs in as oneself if it is wanted
    by name, but never if ``as_another``.
    """
    names = {name.upper() for name in offered}
    asked = None if wanted is None else set(wanted.upper().split())
    otp = OTP in names and channel.limits.allow(0)
    if otp and login.one_time is not None and (asked is None or OTP in asked):
        return OTP
    for mechanism in MECHANISMS.values():
        name = mechanism.name
        if name not in names:
            continue
        if asked is not None:
            if name not in asked and name.removesuffix("-PLUS") not in asked:
                continue
        elif name in (ANONYMOUS, EXTERNAL) or mechanism.token != (login.token is not None):
            continue
        if mechanism.binding and channel.binding is None:
            continue
        if mechanism.ticket and asked is None and not _has_ticket():
            continue
        if mechanism.plaintext and not (plaintext or channel.bits > 1):
            continue
        acts = asked is None and login.authzid not in ("", login.authcid)
        if not mechanism.proxies and (as_another or acts):
            continue
        if mechanism.strongest < channel.limits.least:
            continue
        return name
    if otp and asked is not None and OTP in asked:
        return OTP
    raise SaslError(SaslCode.NOMECH, "No worthy mechs found")


def is_secretive(name: str) -> bool:
    """Whether a mechanism needs the password of a :class:`Login`, or its token."""
    return name.upper() not in (ANONYMOUS, EXTERNAL, GSSAPI, GSS_SPNEGO)


class SaslClient:
    """One exchange with the mechanism ``name``, one of those that the server offered."""

    def __init__(self, name: str, login: Login, channel: Channel, offered: Collection[str] = ()) -> None:
        self.name = name.upper()
        self._credentials = ClientCredentials(login.authcid, _secret(self.name, login), login.authzid)
        self._mechanism = _build(self.name, login, channel, {other.upper() for other in offered})
        self._challenges: list[ServerChallenge] = []

    def start(self) -> bytes | None:
        """The initial response; None when the server speaks first."""
        if self.name == "LOGIN" or (self.name in MECHANISMS and MECHANISMS[self.name].server_first):
            return None
        return self._attempt()

    def step(self, challenge: bytes) -> bytes:
        """The answer to a challenge. Raises SaslError(BADPROT, BADAUTH)."""
        self._challenges.append(ServerChallenge(challenge))
        return self._attempt()

    @property
    def layer(self) -> SecurityLayer | None:
        """What has to protect the connection once the exchange has succeeded, if anything."""
        layer: SecurityLayer | None = getattr(self._mechanism, "layer", None)
        return layer

    def finish(self, data: bytes | None = None) -> None:
        """The server said that all is well, perhaps with ``data``; raises SaslError if it had to prove it."""
        if data:
            self.step(data)
        if not getattr(self._mechanism, "server_proven", True):
            raise SaslError(SaslCode.BADAUTH, "the server did not prove that it knows the password")

    def _attempt(self) -> bytes:
        try:
            return self._mechanism.client_attempt(self._credentials, self._challenges).response
        except (AuthenticationError, UnicodeError, ValueError) as error:
            raise SaslError(SaslCode.BADPROT, f"{self.name}: the server's challenge is wrong") from error


def _secret(name: str, login: Login) -> str:
    if not is_secretive(name) or (name == OTP and login.one_time is not None):
        return ""
    if login.token is not None and name in OAUTH:
        return login.token
    return login.password if isinstance(login.password, str) else login.password()


def _has_ticket() -> bool:
    from libcyrus.sasl import gss

    return gss.has_ticket()


def _build(name: str, login: Login, channel: Channel, offered: set[str]) -> ClientMechanism:
    scram_hash = SCRAM_HASHES.get(name.removesuffix("-PLUS"))
    if scram_hash is not None:
        return ScramClient(
            name,
            scram_hash,
            kind=channel.binding_kind,
            binding=channel.binding,
            could_bind=channel.binding is not None and f"{name}-PLUS" not in offered,
        )
    match name:
        case "PLAIN":
            return PlainMechanism()
        case "LOGIN":
            return LoginMechanism()
        case _ if name == CRAM_MD5:
            return CramMd5Client()
        case _ if name == DIGEST_MD5 and channel.service == "HTTP":
            return HttpDigestClient(login.realm)
        case _ if name == DIGEST_MD5:
            return DigestMd5Client(channel.service, channel.host, login.realm, limits=channel.limits)
        case _ if name in (GSSAPI, GSS_SPNEGO):
            # only who uses it has to have the library
            from libcyrus.sasl.gssapi import GssClient

            return GssClient(
                name, channel.service, channel.host, limits=channel.limits, binding=channel.unique
            )
        case _ if name in OAUTH:
            return OAuthClient(name, channel.host, channel.port)
        case _ if name == ANONYMOUS:
            return AnonymousMechanism()
        case _ if name == OTP:
            return OtpClient(login.one_time, channel.host)
        case _ if name == EXTERNAL:
            return ExternalMechanism()
    raise SaslError(SaslCode.NOMECH, f"No worthy mechs found: {name} is not known here")
