"""Logging in: canonical userids, who may act as whom, and the exchange on the wire.

A :class:`LoginPolicy` is what :class:`libcyrus.sasl.SaslServer` asks. It knows the realms, the denied
users, the administrators and the proxies, and it makes the :class:`Identity` that a session keeps.
"""

from __future__ import annotations

import base64
import binascii
import logging
import time
from collections.abc import Callable

from libcyrus import options as opt
from libcyrus.auth import AuthState, canonify_id, new_state
from libcyrus.base.dataclasses import dataclass
from libcyrus.config import Config
from libcyrus.errors import SaslCancel, SaslProtocol
from libcyrus.prot import ProtError, ProtStream
from libcyrus.sasl import Challenge, SaslCode, SaslError, SaslServer, Success

log = logging.getLogger(__name__)

# 16 KiB in base64, RFC 4422 leaves the limit to us
LONGEST_RESPONSE = 21848


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a session acts for. A proxying user is an administrator only by its own right."""

    userid: str
    authcid: str
    authstate: AuthState
    is_admin: bool = False
    is_proxy_admin: bool = False


class LoginPolicy:
    """The rules of one service for one connection.

    ``admins_only`` is LMTP's rule: nobody else may authenticate. ``denied(userid, service)`` answers
    the refusal text of ``user_deny.db`` or None; ``inbox_admin(userid, authstate)`` tells whether the
    owner's INBOX grants the a right (``loginuseacl``). ``local_domain`` names the domain of the
    address the client came to, for ``virtdomains: on``. With ``magic_plus`` a +detail of an imapd
    login is taken off and kept in :attr:`detail`.
    """

    def __init__(
        self,
        config: Config,
        *,
        admins_only: bool = False,
        denied: Callable[[str, str], str | None] | None = None,
        inbox_admin: Callable[[str, AuthState], bool] | None = None,
        local_domain: Callable[[], str | None] | None = None,
        magic_plus: bool = False,
    ) -> None:
        self._config = config
        self._admins_only = admins_only
        self._denied = denied
        self._inbox_admin = inbox_admin
        self._local_domain = local_domain
        self._magic_plus = magic_plus
        self.detail: str | None = None

    def canonify(self, user: str, *, authzid: bool = True) -> str:
        """The canonical userid. Raises SaslError for one that cannot be a user's."""
        if self._magic_plus and "+" in user:
            name, _, detail = user.partition("+")
            domain = ""
            if self._config[opt.virtdomains] != "off" and "@" in detail:
                detail, _, domain = detail.partition("@")
                domain = "@" + domain
            if authzid:
                self.detail = "+" + detail
            user = name + domain
        canonical = canonify_userid(self._config, user, local_domain=self._local_domain)
        if canonical is None:
            raise SaslError(SaslCode.BADAUTH, "bad userid authenticated")
        return canonical

    def authorize(self, authcid: str, userid: str) -> Identity:
        """What ``authcid``, whose password is right, becomes when it asks to be ``userid``."""
        config = self._config
        self._check_realm(authcid)
        authstate = self._state(authcid)
        admin = authstate.is_a(config[opt.admins])
        if self._admins_only:
            if not admin:
                log.error("%s is not an admin", authcid)
                raise SaslError(SaslCode.BADAUTH, "only admins may authenticate")
            return Identity(userid, authcid, authstate, is_admin=True)
        if not admin and self._denied is not None and self._denied(userid, config.ident) is not None:
            log.error("user '%s' denied access to service '%s'", userid, config.ident)
            raise SaslError(
                SaslCode.NOAUTHZ, f"user '{userid}' is denied access to service '{config.ident}'"
            )
        if authcid == userid:
            return Identity(userid, authcid, authstate, is_admin=admin)
        if not (admin or self._may_proxy(authstate, userid)):
            raise SaslError(SaslCode.BADAUTH, f"user {authcid} is not allowed to proxy")
        target = self._state(userid)
        by_right = target.is_a(config[opt.admins])
        return Identity(userid, authcid, target, is_admin=by_right, is_proxy_admin=by_right)

    def _may_proxy(self, authstate: AuthState, userid: str) -> bool:
        config = self._config
        if authstate.is_a(config[opt.proxyservers]):
            return True
        if not config[opt.loginuseacl] or self._inbox_admin is None:
            return False
        return self._inbox_admin(userid, authstate)

    def _check_realm(self, authcid: str) -> None:
        realms = (self._config[opt.loginrealms] or "").split()
        _, at, realm = authcid.partition("@")
        if not at or (self._config[opt.virtdomains] != "off" and not realms):
            return
        if realm.lower() not in (known.lower() for known in realms):
            raise SaslError(SaslCode.BADAUTH, f"cross-realm login {authcid} denied")

    def _state(self, userid: str) -> AuthState:
        state = new_state(self._config, userid)
        if state is None:
            raise SaslError(SaslCode.BADAUTH, "bad userid authenticated")
        return state


def canonify_userid(
    config: Config,
    user: str,
    *,
    loginid: str | None = None,
    local_domain: Callable[[], str | None] | None = None,
) -> str | None:
    """The canonical form of a name a client gave; None when it is not a legal userid.

    With ``virtdomains`` a % may stand for the @, the default domain is taken off, and a name without
    domain gets that of ``loginid`` (ACL commands) or, with ``on``, of the address the client came to.
    """
    virtdomains = config[opt.virtdomains]
    defaultdomain = (config[opt.defaultdomain] or "").lower()
    name: str = user
    domain: str | None = None
    if virtdomains != "off":
        name, domain = _split_domain(user)
    if name.lower() == "anonymous":
        return "anonymous"
    if name.lower() in ("anybody", "anyone"):
        return "anyone"
    if virtdomains != "off":
        if domain is None:
            if loginid is not None:
                domain = loginid.rpartition("@")[2] if "@" in loginid else None
            elif virtdomains == "on" and local_domain is not None:
                domain = local_domain()
        if domain is not None and domain.lower() == defaultdomain:
            domain = None
        user = name if domain is None else f"{name}@{domain}"
    return canonify_id(user, tolower=config[opt.username_tolower])


def is_anonymous(config: Config, user: str) -> bool:
    """Whether a name means the anonymous user, in any domain."""
    if config[opt.virtdomains] != "off":
        user = _split_domain(user)[0]
    return user.lower() == "anonymous"


def exchange(
    stream: ProtStream,
    sasl: SaslServer[Identity],
    mechanism: str,
    initial: bytes | None,
    *,
    continuation: bytes,
) -> Success[Identity]:
    """Run a SASL exchange on the wire until it ends.

    ``initial`` is the client's initial response as written (base64, ``=`` for an empty one),
    ``continuation`` precedes each challenge (``+ `` or ``334 ``). Raises SaslError when it failed,
    SaslCancel when the client sent ``*``, SaslProtocol when it could not be read.
    """

    def ask(challenge: bytes) -> bytes:
        stream.write(continuation + challenge + b"\r\n")
        try:
            line = stream.readline(LONGEST_RESPONSE)
        except ProtError as error:
            raise SaslProtocol(str(error)) from error
        line = line.rstrip(b"\r\n")
        if line.startswith(b"*"):
            raise SaslCancel
        return line

    return converse(sasl, mechanism, initial, ask)


def converse(
    sasl: SaslServer[Identity], mechanism: str, initial: bytes | None, ask: Callable[[bytes], bytes]
) -> Success[Identity]:
    """Run a SASL exchange; ``ask`` sends a challenge and brings the response, both in base64.

    Raises SaslError when it failed, and what ``ask`` raises; ``sasl`` is then as before any exchange.
    """
    try:
        outcome = sasl.start(mechanism, _initial(initial))
        while isinstance(outcome, Challenge):
            outcome = sasl.step(_decode(ask(base64.b64encode(outcome.data))))
    except Exception:
        # a client may have proven itself, and then not waited for the server to do the same
        sasl.forget()
        raise
    return outcome


def pause_after_failure(config: Config) -> None:
    """Make guessing slow: wait for ``failedloginpause`` before the refusal is sent."""
    pause = config[opt.failedloginpause]
    if pause > 0:
        time.sleep(pause)


def _split_domain(user: str) -> tuple[str, str | None]:
    cut = user.rfind("@")
    if cut < 0:
        cut = user.rfind("%")
    return (user, None) if cut < 0 else (user[:cut], user[cut + 1 :])


def _initial(text: bytes | None) -> bytes | None:
    return text if text is None else b"" if text == b"=" else _decode(text)


def _decode(text: bytes) -> bytes:
    """What a response in base64 says. One that ends too early is told as what libsasl2 makes of it."""
    text = text.partition(b"\0")[0]
    whole = len(text) & ~3
    try:
        decoded = base64.b64decode(text[:whole], validate=True)
    except binascii.Error as error:
        raise SaslError(SaslCode.BADPROT, "cannot decode the response") from error
    if whole != len(text):
        code = SaslCode.BADPROT if b"=" in text[:whole] else SaslCode.CONTINUE
        raise SaslError(code, "cannot decode the response")
    return decoded
