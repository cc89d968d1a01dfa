"""A connection's authentication by the system's libsasl2 (``sasl_library: system``).

Mechanisms, secrets and security layers are then those of its plugins, as the original has them; names and
rights stay those of the policy. What the connection itself vouches for (LMTP on its own socket) needs no
library.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

from libcyrus.sasl.codes import SaslCode, SaslError
from libcyrus.sasl.layer import LARGEST_PIECE, SecurityLayer, broken
from libcyrus.sasl.libsasl import NO_ANONYMOUS, NO_PLAINTEXT, Connection, Properties, System
from libcyrus.sasl.server import Challenge, Policy, SaslServer, SaslSettings, Success

T = TypeVar("T")

_LARGEST_INPUT = 64 * 1024


class SystemServer(SaslServer[T]):
    """See SaslServer."""

    def __init__(self, settings: SaslSettings, policy: Policy[T], system: System) -> None:
        super().__init__(settings, policy)
        self._system = system
        self._connection: Connection | None = None
        self._properties: Properties | None = None
        self._identity: Success[T] | None = None
        self._named: str | None = None

    def forget(self) -> None:
        super().forget()
        self._connection = self._identity = None

    def check_mechanism(self, mechanism: str) -> None:
        if self.external is not None:
            super().check_mechanism(mechanism)
        elif mechanism.upper() not in self._usable():
            # the library knows best what is wrong with it, and says so when it is asked to start
            self._settled().start(mechanism, None)
            raise SaslError(SaslCode.NOMECH, f"Couldn't find mech {mechanism}")

    def start(self, mechanism: str, initial: bytes | None) -> Challenge | Success[T]:
        if self.external is not None:
            return super().start(mechanism, initial)
        with self._naming():
            return self._after(self._fresh().start(mechanism, initial))

    def step(self, response: bytes) -> Challenge | Success[T]:
        if self.external is not None or self._connection is None:
            return super().step(response)
        with self._naming():
            return self._after(self._settled().step(response))

    def check_password(self, user: str, password: str) -> Success[T]:
        connection = self._fresh()
        with self._naming():
            connection.check_password(user, password)
        return self._finished(connection)

    def new_apop_challenge(self) -> bytes | None:
        if not self._settings.allow_apop:
            return None
        from libcyrus.sasl import apop

        return apop.new_challenge(self._settings.host)

    def check_apop(self, challenge: bytes, response: bytes) -> Success[T]:
        connection = self._fresh()
        with self._naming():
            connection.check_apop(challenge, response)
        return self._finished(connection)

    @contextmanager
    def _naming(self) -> Iterator[None]:
        """Let errors tell the last name that the library wanted to know."""
        try:
            yield
        except SaslError as error:
            error.userid = error.userid or self._named
            raise

    def _fresh(self) -> Connection:
        """A connection of the library's is good for one exchange."""
        self._connection = self._identity = None
        return self._settled()

    def _usable(self) -> tuple[str, ...]:
        return super()._usable() if self.external is not None else self._settled().mechanisms()

    def _settled(self) -> Connection:
        """The library's connection, made anew when TLS has changed what it is."""
        settings = self._settings
        flags = 0 if settings.allow_plaintext else NO_PLAINTEXT
        wanted = Properties(
            minimum=settings.minimum_layer,
            maximum=settings.maximum_layer,
            flags=flags if settings.anonymous else flags | NO_ANONYMOUS,
            outside=self.bits,
            user=self.certified,
            binding=None if self.binding is None else self.binding("tls-unique"),
        )
        if self._connection is None or wanted != self._properties:
            self._named = None
            self._connection = Connection(
                self._system,
                settings.service,
                settings.host,
                wanted,
                canonify=self._canonical,
                authorize=self._allowed,
                success_data=settings.success_data,
            )
            self._properties = wanted
        return self._connection

    def _canonical(self, user: str, authzid: bool) -> str:
        self._named = self._policy.canonify(user, authzid=authzid)
        return self._named

    def _allowed(self, authcid: str, userid: str) -> None:
        self._identity = Success(authcid, userid, self._authorize(authcid, userid))

    def _after(self, outcome: tuple[bytes, bool]) -> Challenge | Success[T]:
        said, done = outcome
        if not done:
            return Challenge(said)
        connection = self._settled()
        self._connection = None
        success = self._finished(connection, said or None)
        self._succeeded = True
        self.strength = 0 if success.layer is None else success.layer.strength
        return success

    def _finished(self, connection: Connection, data: bytes | None = None) -> Success[T]:
        """Who has logged in. The library's yes is not enough: the policy has to have agreed to both names."""
        authcid, userid = connection.identities()
        found = self._identity
        if found is None or (found.authcid, found.userid) != (authcid, userid):
            found = Success(authcid, userid, self._authorize(authcid, userid))
        layer = SystemLayer(connection) if connection.strength() else None
        return Success(authcid, userid, found.identity, data, layer)


class SystemLayer(SecurityLayer):
    """A security layer of the library's, which frames what it sends itself."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.strength = connection.strength()
        self._piece = max(1, min(connection.largest_piece(), LARGEST_PIECE))

    def encode(self, data: bytes) -> bytes:
        pieces = range(0, len(data), self._piece)
        try:
            return b"".join(self._connection.encode(data[at : at + self._piece]) for at in pieces)
        except SaslError as error:
            raise broken(str(error)) from error

    def decode(self, data: bytes) -> bytes:
        pieces = range(0, len(data), _LARGEST_INPUT)
        try:
            return b"".join(self._connection.decode(data[at : at + _LARGEST_INPUT]) for at in pieces)
        except SaslError as error:
            raise broken(str(error)) from error
