"""One connection's authentication: which mechanisms it may use, and how it proves who it is.

The order of checks is libsasl2's: the authentication identity is canonicalised, its password checked,
the authorization identity canonicalised, and then the policy is asked whether the first may act as
the second, also when both are the same.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from libcyrus import options as opt
from libcyrus.base.dataclasses import dataclass, field
from libcyrus.config import Config
from libcyrus.sasl.codes import SaslCode, SaslError
from libcyrus.sasl.mechanisms import EXTERNAL, preload, selected
from libcyrus.sasl.pwcheck import (
    SASLAUTHD_PATH,
    AlwaysTrue,
    PasswordCheck,
    Saslauthd,
    Unusable,
    Verifier,
)

if TYPE_CHECKING:
    from libcyrus.sasl.exchange import Claim, Exchange

T_co = TypeVar("T_co", covariant=True)
T = TypeVar("T")


def load() -> None:
    """Load pysasl and what uses it, which the first exchange needs."""
    import_module("libcyrus.sasl.exchange")
    preload()


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
    """``identity`` is what the policy made of the user."""

    authcid: str
    userid: str
    identity: T


@dataclass(frozen=True, slots=True)
class SaslSettings:
    """The ``sasl_*`` options of one service. ``minimum_layer`` is in bits (SSF)."""

    mechanisms: tuple[str, ...]
    allow_plaintext: bool
    minimum_layer: int
    passwords: PasswordCheck = field(repr=False)
    load: Callable[[], object]

    @classmethod
    def from_config(
        cls, config: Config, service: str, *, load: Callable[[], object] = load
    ) -> SaslSettings:
        """``service`` is the protocol's SASL name (imap, lmtp, pop, sieve), told to saslauthd.

        ``load`` is called when a client begins an exchange: a service hands in :func:`load` made
        so that its other workers profit.
        """
        return cls(
            mechanisms=selected(config.overflow("sasl_mech_list")),
            allow_plaintext=config[opt.allowplaintext],
            minimum_layer=config[opt.sasl_minimum_layer],
            passwords=PasswordCheck(_verifiers(config, service)),
            load=load,
        )

    def permits_plaintext(self, bits: int) -> bool:
        """Whether a clear password may cross a connection protected by ``bits`` from outside."""
        if bits < self.minimum_layer:
            return False
        return self.allow_plaintext or bits > 1


class SaslServer(Generic[T]):
    """The exchange of one connection. ``bits`` is its outside protection: 0, TLS's, 2 for trusted.

    ``external`` names the user whom the connection itself vouches for; where it is set, EXTERNAL is the
    only mechanism.
    """

    def __init__(self, settings: SaslSettings, policy: Policy[T]) -> None:
        self._settings = settings
        self._policy = policy
        self._exchange: Exchange | None = None
        self.bits = 0
        self.external: str | None = None

    def mechanisms(self) -> tuple[str, ...]:
        """What may be announced now."""
        if self.external is not None:
            return (EXTERNAL,)
        return self._settings.mechanisms if self._settings.permits_plaintext(self.bits) else ()

    def check_mechanism(self, mechanism: str) -> None:
        """Raise SaslError for one that may not be used now: NOMECH, TOOWEAK or ENCRYPT says why."""
        name = mechanism.upper()
        if name in self.mechanisms():
            return
        if self.external is not None or name not in self._settings.mechanisms:
            raise SaslError(SaslCode.NOMECH, f"Couldn't find mech {mechanism}")
        if self.bits < self._settings.minimum_layer:
            raise SaslError(SaslCode.TOOWEAK, f"mech {name} is too weak")
        raise SaslError(SaslCode.ENCRYPT, "security flags do not match required")

    def start(self, mechanism: str, initial: bytes | None) -> Challenge | Success[T]:
        """Begin; ``initial`` is the decoded initial response, None if there was none."""
        self.check_mechanism(mechanism)
        self._settings.load()
        from libcyrus.sasl.exchange import Exchange

        name = mechanism.upper()
        self._exchange = Exchange(name, self._settings.passwords)
        if initial is not None and not (initial == b"" and name == "LOGIN"):
            return self.step(initial)
        return self._attempt(self._exchange)

    def step(self, response: bytes) -> Challenge | Success[T]:
        """Take the client's decoded answer to the last challenge."""
        assert self._exchange is not None
        self._exchange.take(response)
        return self._attempt(self._exchange)

    def check_password(self, user: str, password: str) -> Success[T]:
        """The protocols' own login commands: ``user`` logs in as itself."""
        userid = self._policy.canonify(user, authzid=True)
        try:
            self._settings.passwords.verify(userid, password)
        except SaslError as error:
            raise SaslError(error.code, "checkpass failed", userid=userid) from error
        return Success(userid, userid, self._authorize(userid, userid))

    def _attempt(self, exchange: Exchange) -> Challenge | Success[T]:
        claim = exchange.attempt()
        if isinstance(claim, bytes):
            return Challenge(claim)
        self._exchange = None
        return self._prove(claim)

    def _prove(self, claim: Claim) -> Success[T]:
        wanted = claim.authzid
        authcid = self._policy.canonify(claim.authcid or self.external or "", authzid=not wanted)
        if claim.verify is not None:
            claim.verify(authcid)
        userid = self._policy.canonify(wanted, authzid=True) if wanted else authcid
        return Success(authcid, userid, self._authorize(authcid, userid))

    def _authorize(self, authcid: str, userid: str) -> T:
        try:
            return self._policy.authorize(authcid, userid)
        except SaslError as error:
            error.userid = userid
            raise


def _verifiers(config: Config, service: str) -> list[Verifier]:
    found: list[Verifier] = []
    for method in (config.overflow("sasl_pwcheck_method") or "auxprop").split():
        match method.lower():
            case "auxprop":
                found.extend(_auxprops(config))
            case "saslauthd":
                found.append(Saslauthd(service, config.overflow("sasl_saslauthd_path") or SASLAUTHD_PATH))
            case "alwaystrue":
                found.append(AlwaysTrue())
            case _:
                found.append(Unusable(f"sasl_pwcheck_method {method}"))
    return found


def _auxprops(config: Config) -> list[Verifier]:
    """The plugins of ``sasl_auxprop_plugin``; without the option, sql if it has a statement."""
    found: list[Verifier] = []
    for plugin in (config.overflow("sasl_auxprop_plugin") or "sql").split():
        if plugin.lower() != "sql":
            found.append(Unusable(f"sasl_auxprop_plugin {plugin}"))
            continue
        engine = (config.overflow("sasl_sql_engine") or "sqlite3").lower()
        database = config.overflow("sasl_sql_database")
        select = config.overflow("sasl_sql_select") or config.overflow("sasl_sql_statement")
        if engine not in ("sqlite", "sqlite3"):
            found.append(Unusable(f"sasl_sql_engine {engine}"))
        elif not database or not select:
            found.append(Unusable("auxprop sql without sasl_sql_database and sasl_sql_select"))
        else:
            from libcyrus.sasl.auxprop import SqliteAuxprop

            found.append(SqliteAuxprop(database, select, config.servername))
    return found
