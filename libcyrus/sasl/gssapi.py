"""GSSAPI (RFC 4752) and GSS-SPNEGO, both sides, on the Kerberos library of ``gss``.

GSSAPI ends with a word of the server's about the layers it offers and one of the client's about its choice,
each wrapped: a byte of flags, the largest buffer it takes in three bytes, and from the client the
authorization identity. GSS-SPNEGO has neither: the layer follows from what the context can do, and nobody
acts for another. As both sides have to come to the same layer, limits can only refuse what is too weak.

Where there is TLS, the context is bound to it as libsasl2 does, to the bare data of ``tls-unique``
(RFC 5929). Kerberos takes clients that bind to nothing, but none that bind to another channel.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from pysasl.creds.client import ClientCredentials
from pysasl.exception import UnexpectedChallenge
from pysasl.mechanism import ChallengeResponse, ClientMechanism, ServerChallenge, ServerMechanism

from libcyrus.sasl import gss
from libcyrus.sasl.codes import SaslCode, SaslError
from libcyrus.sasl.credentials import ProofCredentials
from libcyrus.sasl.layer import MAX_BUFFER, RECEIVE_BUFFER, Limits, SecurityLayer, broken
from libcyrus.sasl.mechanisms import GSSAPI

log = logging.getLogger(__name__)

BINDING_KIND = "tls-unique"

_NO_LAYER, _INTEGRITY, _CONFIDENTIALITY = 1, 2, 4
_LONGEST_CHOICE = 4 + 1024


class GssMechanism(ServerMechanism):
    """One exchange. ``binding`` is the channel's data of ``BINDING_KIND``."""

    def __init__(self, name: str, keys: gss.ServiceKeys, limits: Limits, binding: bytes | None) -> None:
        super().__init__(name)
        self._keys = keys
        # Windows does without the negotiation that SPNEGO is, when it likes
        self._mechanisms = (gss.KERBEROS,) if name == GSSAPI else (gss.SPNEGO, gss.KERBEROS)
        self._limits = limits
        self._binding = binding
        self._context: gss.Acceptor | None = None
        self._seen = 0
        self._step: Callable[[bytes], tuple[ProofCredentials, bytes | None]] = self._negotiate
        self._offered = 0
        self.layer: SecurityLayer | None = None

    def server_attempt(self, responses: Sequence[ChallengeResponse]) -> tuple[ProofCredentials, bytes | None]:
        """See pysasl. Raises SaslError."""
        if len(responses) == self._seen:
            raise ServerChallenge(b"")
        self._seen += 1
        return self._step(responses[-1].response)

    def _negotiate(self, token: bytes) -> tuple[ProofCredentials, bytes | None]:
        try:
            if self._context is None:
                self._context = self._keys.acceptor(self._mechanisms, self._binding)
        except gss.GssError as error:
            raise SaslError(SaslCode.FAIL, f"GSSAPI Error: {error}") from error
        try:
            said, done = self._context.step(token)
        except gss.GssError as error:
            log.error("GSSAPI Error: %s", error)
            raise SaslError(SaslCode.BADAUTH, "GSSAPI Failure: gss_accept_sec_context") from error
        if not done:
            raise ServerChallenge(said)
        if self.name != GSSAPI.encode():
            return self._agree_silently(self._context), said or None
        self._step = self._offer
        if said:
            raise ServerChallenge(said)
        return self._offer(b"")

    def _agree_silently(self, context: gss.Acceptor) -> ProofCredentials:
        strength = _strength(context, _available(context))
        if strength < self._limits.least:
            raise SaslError(SaslCode.TOOWEAK, "the client wants no layer that is strong enough")
        if strength:
            self.layer = _layer(context, strength, RECEIVE_BUFFER)
        return self._credentials(context, b"")

    def _offer(self, token: bytes) -> tuple[ProofCredentials, bytes | None]:
        assert self._context is not None
        if token:
            raise SaslError(SaslCode.BADAUTH, "GSSAPI server is not expecting data at this stage")
        self._offered = _within(self._limits, self._context)
        if not self._offered:
            raise SaslError(SaslCode.TOOWEAK, "no layer is strong enough")
        size = RECEIVE_BUFFER if self._offered > _NO_LAYER else 0
        self._step = self._choose
        raise ServerChallenge(_wrapped(self._context, bytes([self._offered]) + size.to_bytes(3, "big")))

    def _choose(self, token: bytes) -> tuple[ProofCredentials, bytes | None]:
        assert self._context is not None
        choice = _unwrapped(self._context, token)
        if len(choice) < 4:
            raise SaslError(SaslCode.FAIL, "token too short")
        if len(choice) > _LONGEST_CHOICE:
            raise SaslError(SaslCode.BUFOVER, "token too long")
        flags = choice[0]
        if not flags & (_INTEGRITY | _CONFIDENTIALITY) and self._offered & _NO_LAYER:
            strength = 0
        elif flags & _INTEGRITY & self._offered:
            strength = 1
        elif flags & (_INTEGRITY | _CONFIDENTIALITY) and self._offered & _CONFIDENTIALITY:
            # some clients set both bits
            strength = self._context.strength()
        else:
            raise SaslError(SaslCode.FAIL, "protocol violation: client requested invalid layer")
        if strength:
            self.layer = _layer(self._context, strength, int.from_bytes(choice[1:4], "big"))
        return self._credentials(self._context, choice[4:]), None

    def _credentials(self, context: gss.Acceptor, authzid: bytes) -> ProofCredentials:
        try:
            user = context.client()
        except gss.GssError as error:
            raise SaslError(SaslCode.BADAUTH, "GSSAPI Failure: gss_display_name") from error
        # some clients end it with a NUL
        return ProofCredentials(user, authzid.removesuffix(b"\0").decode("utf-8"), proven=True)


class GssClient(ClientMechanism):
    """One exchange with ``service`` on ``host``, with the tickets of who runs it.

    The strongest layer within ``limits`` that the server offers is chosen. ``binding`` as in GssMechanism.
    """

    def __init__(
        self, name: str, service: str, host: str, *, limits: Limits, binding: bytes | None = None
    ) -> None:
        super().__init__(name)
        self._limits = limits
        wanted = gss.INTEGRITY if limits.most >= 1 else 0
        wanted |= gss.CONFIDENTIALITY if limits.most > 1 else 0
        mechanism = gss.KERBEROS if name == GSSAPI else gss.SPNEGO
        try:
            self._context = gss.Initiator(service, host, mechanism, wanted=wanted, binding=binding)
        except gss.GssError as error:
            raise SaslError(SaslCode.FAIL, f"GSSAPI Error: {error}") from error
        self._step: Callable[[ClientCredentials, bytes], bytes] = self._negotiate
        self.server_proven = False
        self.layer: SecurityLayer | None = None

    def client_attempt(
        self, creds: ClientCredentials, challenges: Sequence[ServerChallenge]
    ) -> ChallengeResponse:
        """See pysasl. Raises SaslError."""
        challenge = challenges[-1].data if challenges else b""
        return ChallengeResponse(challenge, self._step(creds, challenge))

    def _negotiate(self, _: ClientCredentials, challenge: bytes) -> bytes:
        try:
            said, done = self._context.step(challenge or None)
        except gss.GssError as error:
            raise SaslError(SaslCode.FAIL, f"GSSAPI Error: {error}") from error
        if done and self.name == GSSAPI.encode():
            self._step = self._choose
        elif done:
            strength = _strength(self._context, _available(self._context))
            if strength < self._limits.least:
                raise SaslError(SaslCode.TOOWEAK, "no layer is strong enough")
            if strength:
                self.layer = _layer(self._context, strength, RECEIVE_BUFFER)
            self.server_proven = True
            self._step = self._nothing_more
        return said

    def _choose(self, creds: ClientCredentials, challenge: bytes) -> bytes:
        offer = _unwrapped(self._context, challenge)
        if len(offer) != 4:
            raise SaslError(SaslCode.FAIL, f"token too {'short' if len(offer) < 4 else 'long'}")
        possible = offer[0] & _within(self._limits, self._context)
        if not possible:
            raise SaslError(SaslCode.TOOWEAK, "no layer that the server offers is strong enough")
        strength = _strength(self._context, possible)
        if strength:
            self.layer = _layer(self._context, strength, int.from_bytes(offer[1:4], "big"))
        choice = _CONFIDENTIALITY if strength > 1 else _INTEGRITY if strength else _NO_LAYER
        size = RECEIVE_BUFFER if strength else 0
        self.server_proven = True
        self._step = self._nothing_more
        return _wrapped(self._context, bytes([choice]) + size.to_bytes(3, "big") + creds.authzid.encode())

    def _nothing_more(self, _: ClientCredentials, challenge: bytes) -> bytes:
        if challenge:
            raise UnexpectedChallenge
        return b""


class _Sealer:
    """How the context protects a buffer."""

    def __init__(self, context: gss.Context, *, conceal: bool) -> None:
        self._context = context
        self._conceal = conceal

    def seal(self, data: bytes) -> bytes:
        try:
            return self._context.wrap(data, conceal=self._conceal)
        except gss.GssError as error:
            raise broken(f"GSSAPI Error: {error}") from error

    def open(self, sealed: bytes) -> bytes:
        try:
            return self._context.unwrap(sealed)
        except gss.GssError as error:
            raise broken(f"GSSAPI Error: {error}") from error


def _available(context: gss.Context) -> int:
    """The layers that the context can be."""
    if not context.flags & gss.INTEGRITY:
        return _NO_LAYER
    if not context.flags & gss.CONFIDENTIALITY:
        return _NO_LAYER | _INTEGRITY
    return _NO_LAYER | _INTEGRITY | _CONFIDENTIALITY


def _within(limits: Limits, context: gss.Context) -> int:
    """Those of them that are strong enough and not too strong."""
    found = _available(context)
    if not limits.allow(0):
        found &= ~_NO_LAYER
    if not limits.allow(1):
        found &= ~_INTEGRITY
    if found & _CONFIDENTIALITY and not limits.allow(context.strength()):
        found &= ~_CONFIDENTIALITY
    return found


def _strength(context: gss.Context, layers: int) -> int:
    """Of the strongest of some layers, in bits."""
    return context.strength() if layers & _CONFIDENTIALITY else 1 if layers & _INTEGRITY else 0


def _layer(context: gss.Context, strength: int, peer_takes: int) -> SecurityLayer:
    try:
        limit = context.clear_limit(min(peer_takes, MAX_BUFFER))
    except gss.GssError as error:
        raise SaslError(SaslCode.FAIL, f"GSSAPI Error: {error}") from error
    if not limit:
        raise SaslError(SaslCode.FAIL, "the peer takes only buffers that are too small")
    return SecurityLayer(_Sealer(context, conceal=strength > 1), strength=strength, send_limit=limit)


def _wrapped(context: gss.Context, data: bytes) -> bytes:
    try:
        return context.wrap(data, conceal=False)
    except gss.GssError as error:
        raise SaslError(SaslCode.FAIL, f"GSSAPI Error: {error}") from error


def _unwrapped(context: gss.Context, token: bytes) -> bytes:
    try:
        return context.unwrap(token)
    except gss.GssError as error:
        raise SaslError(SaslCode.FAIL, f"GSSAPI Error: {error}") from error
