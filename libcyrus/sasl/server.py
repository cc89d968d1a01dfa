"""One connection's authentication: which mechanisms it may use, and how it proves who it is.

The order of checks is libsasl2's: the authentication identity is canonicalised, its password checked,
the authorization identity canonicalised, and then the policy is asked whether the first may act as
the second, also when both are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from libcyrus import options as opt
from libcyrus.base.dataclasses import dataclass, field
from libcyrus.config import Config
from libcyrus.sasl.auxprop import PASSWORD, Properties
from libcyrus.sasl.backends import Backends, iterations
from libcyrus.sasl.codes import SaslCode, SaslError
from libcyrus.sasl.layer import Limits, SecurityLayer
from libcyrus.sasl.mechanisms import (
    ANONYMOUS,
    CRAM_MD5,
    EXTERNAL,
    MECHANISMS,
    SCRAM_HASHES,
    Mechanism,
    selected,
)
from libcyrus.sasl.pwcheck import PasswordCheck
from libcyrus.sasl.settings import obey_log_level, setting

if TYPE_CHECKING:
    from libcyrus.sasl.exchange import Claim, Exchange
    from libcyrus.sasl.gss import ServiceKeys
    from libcyrus.sasl.libsasl import System
    from libcyrus.sasl.tokens import TokenChecker

_LONGEST_USER = 1023
"""Bytes of a name."""

_ASK_AGAIN = ("LOGIN", *SCRAM_HASHES)
"""Those that take an empty initial response for none."""

T_co = TypeVar("T_co", covariant=True)
T = TypeVar("T")


def load() -> None:
    """Load pysasl and what uses it, which the first exchange needs."""
    import_module("libcyrus.sasl.exchange")


class Policy(Protocol[T_co]):
    """Who is who, and who may act as whom. Both methods raise SaslError to refuse."""

    def canonify(self, user: str, *, authzid: bool) -> str: ...

    def authorize(self, authcid: str, userid: str) -> T_co: ...


@dataclass(frozen=True, slots=True)
class Challenge:
    """Bytes to send to the client, in base64, before :meth:`SaslServer.step`."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Success(Generic[T]):
    """``identity`` is what the policy made of the user.

    ``data`` is the mechanism's last word, for protocols that send it with their reply of success. A
    ``layer`` protects everything behind that reply.
    """

    authcid: str
    userid: str
    identity: T
    data: bytes | None = None
    layer: SecurityLayer | None = None


@dataclass(frozen=True, slots=True)
class SaslSettings:
    """The ``sasl_*`` options of one service. ``minimum_layer`` and ``maximum_layer`` are in bits (SSF).

    ``service`` is the protocol's SASL name (imap, lmtp, pop, sieve), ``host`` the server's name.
    ``success_data`` says that the protocol's reply of success carries data (RFC 4422 section 4).
    """

    service: str
    host: str
    mechanisms: tuple[Mechanism, ...]
    anonymous: bool
    allow_plaintext: bool
    allow_apop: bool
    minimum_layer: int
    maximum_layer: int
    success_data: bool
    iterations: Mapping[str, int]
    passwords: PasswordCheck = field(repr=False)
    properties: Properties = field(repr=False)
    tokens: TokenChecker | None = field(repr=False)
    scopes: str
    keys: ServiceKeys | None = field(repr=False)
    canonical: Callable[[str], str] = field(repr=False)
    system: System | None = field(repr=False)
    load: Callable[[], object]

    @classmethod
    def from_config(
        cls,
        config: Config,
        service: str,
        *,
        anonymous: bool = False,
        success_data: bool = False,
        load: Callable[[], object] = load,
    ) -> SaslSettings:
        """``load`` is called when a client begins an exchange: a service hands in :func:`load` made
        so that its other workers profit. ``anonymous``: whether ANONYMOUS may be used.
        """
        obey_log_level(config)
        system, made = _library(config, service)
        mechanisms = [
            mechanism
            for mechanism in selected(setting(config, "mech_list"))
            if made.usable
            and (made.properties or not mechanism.secret)
            and (made.tokens is not None or not mechanism.token)
            and (made.keys is not None or not mechanism.ticket)
        ]
        return cls(
            service=service,
            host=config.servername,
            mechanisms=tuple(mechanisms),
            anonymous=anonymous,
            allow_plaintext=config[opt.allowplaintext],
            allow_apop=config[opt.allowapop],
            minimum_layer=config[opt.sasl_minimum_layer],
            maximum_layer=config[opt.sasl_maximum_layer],
            success_data=success_data,
            iterations={name: iterations(config, name) for name in SCRAM_HASHES},
            passwords=made.passwords,
            properties=made.properties,
            tokens=made.tokens,
            scopes=setting(config, "oauth_scope") or "",
            keys=made.keys,
            canonical=made.canonical,
            system=system,
            load=load,
        )

    def permits_plaintext(self, bits: int) -> bool:
        """Whether a clear password may cross a connection protected by ``bits`` from outside."""
        return self.allow_plaintext or (bits > 1 and bits >= self.minimum_layer)

    def limits(self, bits: int) -> Limits:
        """Which layers a mechanism may offer on such a connection."""
        return Limits.beside(bits, minimum=self.minimum_layer, maximum=self.maximum_layer)


class SaslServer(Generic[T]):
    """The exchange of one connection. ``bits`` is its outside protection: 0, TLS's, 2 for trusted.

    ``external`` names the user whom the connection itself vouches for; where it is set, EXTERNAL is the
    only mechanism. ``certified`` is the name in the client's certificate, which EXTERNAL, if it is
    configured, takes for the user. ``binding`` gives the channel's data of a binding type, once there is
    a channel. ``strength`` is that of the security layer which the last success brought.
    """

    def __init__(self, settings: SaslSettings, policy: Policy[T]) -> None:
        self._settings = settings
        self._policy = policy
        self._exchange: Exchange | None = None
        self._done: Success[T] | None = None
        self._succeeded = False
        self.strength = 0
        self.bits = 0
        self.external: str | None = None
        self.certified: str | None = None
        self.binding: Callable[[str], bytes | None] | None = None

    def mechanisms(self) -> tuple[str, ...]:
        """What may be announced now: nothing once somebody has authenticated without a security layer."""
        return () if self._succeeded and not self.strength else self._usable()

    def _usable(self) -> tuple[str, ...]:
        if self.external is not None:
            return (EXTERNAL,)
        return tuple(found.name for found in self._settings.mechanisms if self._refusal(found) is None)

    def forget(self) -> None:
        """Be as before any exchange."""
        self._exchange = self._done = None
        self._succeeded = False
        self.strength = 0

    def check_mechanism(self, mechanism: str) -> None:
        """Raise SaslError for one that may not be used now: NOMECH, TOOWEAK or ENCRYPT says why."""
        name = mechanism.upper()
        if self.external is not None and name == EXTERNAL:
            return
        found = MECHANISMS.get(name)
        if self.external is not None or found is None or found not in self._settings.mechanisms:
            raise SaslError(SaslCode.NOMECH, f"Couldn't find mech {mechanism}")
        refusal = self._refusal(found)
        if refusal is not None:
            raise refusal

    def start(self, mechanism: str, initial: bytes | None) -> Challenge | Success[T]:
        """Begin; ``initial`` is the decoded initial response, None if there was none."""
        self.check_mechanism(mechanism)
        self._settings.load()
        from libcyrus.sasl.exchange import Exchange, Surroundings

        name = mechanism.upper()
        self._done = None
        self._exchange = Exchange(
            name,
            Surroundings(
                service=self._settings.service,
                host=self._settings.host,
                passwords=self._settings.passwords,
                lookup=self._lookup,
                binding=self.binding,
                plus_offered=f"{name}-PLUS" in self._usable(),
                iterations=self._settings.iterations,
                tokens=self._settings.tokens,
                scopes=self._settings.scopes,
                limits=self._settings.limits(self.bits),
                keys=self._settings.keys,
            ),
        )
        if initial is not None and name == CRAM_MD5:
            raise SaslError(SaslCode.BADPROT, "Remote sent first but mech does not allow it.")
        # DIGEST-MD5 was meant to take what an earlier exchange has left, which is not kept here
        asks_again = initial == b"" and name.removesuffix("-PLUS") in _ASK_AGAIN
        if initial is None or asks_again or MECHANISMS[name].server_first:
            return self._attempt(self._exchange)
        return self.step(initial)

    def step(self, response: bytes) -> Challenge | Success[T]:
        """Take the client's decoded answer to the last challenge."""
        if self._done is not None:
            # the last challenge was the mechanism's last word, and what is said to that does not matter
            return self._done
        assert self._exchange is not None
        self._exchange.take(response)
        return self._attempt(self._exchange)

    def check_password(self, user: str, password: str) -> Success[T]:
        """The protocols' own login commands: ``user`` logs in as itself."""
        userid = self._canonify(user, authzid=True)
        try:
            self._settings.passwords.verify(userid, password)
        except SaslError as error:
            raise SaslError(error.code, "checkpass failed", userid=userid) from error
        return Success(userid, userid, self._authorize(userid, userid))

    def new_apop_challenge(self) -> bytes | None:
        """The timestamp of a POP3 greeting, None where APOP is not allowed or nobody's secret is kept."""
        if not (self._settings.allow_apop and self._settings.properties):
            return None
        from libcyrus.sasl import apop

        return apop.new_challenge(self._settings.host)

    def check_apop(self, challenge: bytes, response: bytes) -> Success[T]:
        """APOP: ``response`` is the command's argument. Raises SaslError."""
        from libcyrus.sasl import apop

        user, digest = apop.parse(response)
        userid = self._canonify(user, authzid=True)
        try:
            apop.check(challenge, self._settings.properties.lookup(userid, PASSWORD), digest)
        except SaslError as error:
            error.userid = userid
            raise
        return Success(userid, userid, self._authorize(userid, userid))

    def _refusal(self, mechanism: Mechanism) -> SaslError | None:
        """Why a mechanism that is configured may not be used now."""
        settings = self._settings
        if (mechanism.binding and self.binding is None) or (mechanism.certified and not self.certified):
            return SaslError(SaslCode.NOMECH, f"Couldn't find mech {mechanism.name}")
        if mechanism.strongest < settings.minimum_layer - self.bits:
            return SaslError(SaslCode.TOOWEAK, f"mech {mechanism.name} is too weak")
        if mechanism.name == ANONYMOUS and not settings.anonymous:
            return SaslError(SaslCode.NOMECH, "security flags do not match required")
        if mechanism.plaintext and not settings.permits_plaintext(self.bits):
            return SaslError(SaslCode.ENCRYPT, "security flags do not match required")
        return None

    def _lookup(self, user: str, prop: str) -> bytes | None:
        """A property of a user by the name the client gave; None also for a name that cannot be."""
        try:
            canonical = self._canonify(user, authzid=False)
        except SaslError:
            return None
        return self._settings.properties.lookup(canonical, prop)

    def _attempt(self, exchange: Exchange) -> Challenge | Success[T]:
        claim = exchange.attempt()
        if isinstance(claim, bytes):
            return Challenge(claim)
        self._exchange = None
        success = self._prove(claim)
        self._succeeded = True
        self.strength = claim.layer.strength if claim.layer is not None else 0
        if claim.data is None or self._settings.success_data:
            return success
        self._done = success
        return Challenge(claim.data)

    def _prove(self, claim: Claim) -> Success[T]:
        wanted = claim.authzid
        claimed = claim.authcid or self.external or self.certified or ""
        authcid = self._canonify(claimed, authzid=not wanted)
        if claim.verify is not None:
            claim.verify(authcid)
        userid = self._canonify(wanted, authzid=True) if wanted else authcid
        return Success(authcid, userid, self._authorize(authcid, userid), claim.data, claim.layer)

    def _canonify(self, user: str, *, authzid: bool) -> str:
        """The policy's form of a name, bounded and without white space around it, as libsasl2 has it."""
        if len(user.encode("utf-8", "surrogateescape")) > _LONGEST_USER:
            raise SaslError(SaslCode.BUFOVER, "buffer overflow while canonicalizing")
        canonical = self._policy.canonify(user, authzid=authzid).strip(" \t\n\v\f\r")
        if not canonical:
            raise SaslError(SaslCode.FAIL, "All-whitespace username.")
        return self._settings.canonical(canonical)

    def _authorize(self, authcid: str, userid: str) -> T:
        try:
            return self._policy.authorize(authcid, userid)
        except SaslError as error:
            error.userid = userid
            raise


def make_server(settings: SaslSettings, policy: Policy[T]) -> SaslServer[T]:
    """The exchange of one connection, by whichever library ``sasl_library`` names."""
    if settings.system is None:
        return SaslServer(settings, policy)
    from libcyrus.sasl.system import SystemServer

    return SystemServer(settings, policy, settings.system)


def _library(config: Config, service: str) -> tuple[System | None, Backends]:
    wanted = (setting(config, "library") or "builtin").lower()
    if wanted == "builtin":
        return None, Backends(config, service)
    if wanted != "system":
        return None, Backends.nothing(f"sasl_library {wanted}: there is no such thing")
    from libcyrus.sasl.libsasl import LibraryError, System

    try:
        return System(config), Backends.nothing(None)
    except LibraryError as error:
        return None, Backends.nothing(f"sasl_library system: {error}")
