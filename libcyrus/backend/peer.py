"""A connection to a server: greeting, TLS, login, compression, for every dialect."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from libcyrus.backend.dialect import AuthChallenge, AuthSuccess, Capabilities, Dialect, Refused
from libcyrus.base.dataclasses import replace
from libcyrus.errors import ProtocolError
from libcyrus.prot import ProtError, ProtStream
from libcyrus.prot.deflate import Deflate
from libcyrus.sasl import SaslCode, SaslError

if TYPE_CHECKING:
    from libcyrus.prot.tls import TlsContext, TlsSession
    from libcyrus.sasl.client import Channel, Login, SaslClient

LONGEST_LINE = 64 * 1024
LARGEST_LITERAL = 64 * 1024

# in this order: the original knows the first only
_BINDINGS = ("tls-unique", "tls-exporter")


class Peer:
    """Call :meth:`greet` first. ``trace(direction, line)`` sees each line that goes either way.

    Everything that talks raises ProtError when the connection breaks and ProtocolError for an answer
    that is none; a no is ``Refused``.
    """

    def __init__(
        self,
        stream: ProtStream,
        dialect: Dialect,
        host: str,
        port: int = 0,
        *,
        trace: Callable[[str, bytes], None] | None = None,
    ) -> None:
        self.stream = stream
        self.dialect = dialect
        self.host = host
        self.port = port
        self.capabilities = Capabilities()
        self.tls: TlsSession | None = None
        self.strength = 0
        """Bits of the security layer that a mechanism brought."""
        self.greeting = b""
        """The last line of the greeting."""
        self._trace = trace
        self._last_line = b""
        self._literal = b""

    # what a dialect needs

    def send(self, *lines: bytes) -> None:
        for line in lines:
            if self._trace is not None:
                self._trace("C", line)
            self.stream.write(line + b"\r\n")
        self.stream.flush()

    def write(self, data: bytes) -> None:
        """Data between lines; the trace does not see it, and the next line or :meth:`flush` sends it."""
        self.stream.write(data)

    def flush(self) -> None:
        self.stream.flush()

    def send_hidden(self, line: bytes, *, shown: bytes) -> None:
        """Write a line that the trace must not see; ``shown`` is what it sees instead."""
        if self._trace is not None:
            self._trace("C", shown)
        self.stream.write(line + b"\r\n")
        self.stream.flush()

    def receive(self) -> bytes:
        line = self.stream.readline(LONGEST_LINE).rstrip(b"\r\n")
        if self._trace is not None:
            self._trace("S", self._literal + line)
            self._literal = b""
        self._last_line = line
        return line

    def receive_literal(self, size: int) -> bytes:
        if size > LARGEST_LITERAL:
            raise ProtocolError
        data = self.stream.read(size)
        # shown with the rest of its line; what no line announced, a body of HTTP, is not shown
        if self._trace is not None and self._last_line.endswith(b"}"):
            self._literal = data
        return data

    def arrives(self, seconds: float) -> bool:
        return bool(self.stream.wait_readable(timeout=seconds))

    # in the order in which they are used

    def start_wrapped(self, context: TlsContext, resume: TlsSession | None = None) -> TlsSession:
        """TLS from the first byte, before the greeting; ``resume`` is a session of an earlier connection."""
        self.tls = self.stream.starttls_client(context, self.host, resume=resume)
        return self.tls

    def greet(self) -> Capabilities:
        """Read the greeting, and ask for what it does not tell."""
        found = self.dialect.greet(self)
        self.greeting = self._last_line
        self.capabilities = self.dialect.ask(self) if found is None else found
        return self.capabilities

    def starttls(
        self,
        context: TlsContext,
        resume: TlsSession | None = None,
        *,
        started: Callable[[TlsSession], None] | None = None,
    ) -> TlsSession:
        """What was said before the handshake is forgotten; ``started`` comes after it. Raises TlsError."""
        self.dialect.starttls(self)
        self.tls = self.stream.starttls_client(context, self.host, resume=resume)
        if started is not None:
            started(self.tls)
        dialect = self.dialect
        self.capabilities = dialect.read_after_tls(self) if dialect.tells_after_tls else dialect.ask(self)
        return self.tls

    def authenticate(
        self,
        login: Login,
        *,
        wanted: str | None = None,
        plaintext: bool = True,
        bits: int = 0,
        minimum: int = 0,
        maximum: int = 0,
        initial_response: bool = True,
        trusting: bool = False,
        as_another: bool = False,
    ) -> AuthSuccess:
        """Log in by the strongest mechanism of both sides. Raises SaslError, and Refused for a no.

        ``wanted`` restricts the choice, as ``as_another`` does to what can act for another. ``bits`` is what
        protects a connection without TLS. Between ``minimum`` and ``maximum`` bits of protection are wanted,
        that of TLS included: what it does not give has to come from the mechanism's security layer, whose
        strength is then in :attr:`strength`.
        Under a layer the server is asked what it offers once more, and SaslError raised if that had seemed
        to be something else; a ``trusting`` caller does that itself, see :meth:`changed_mechanisms`.
        """
        # pysasl is loaded when it is needed
        from libcyrus.sasl.client import SaslClient, choose

        login = self.dialect.begin_exchange(login)
        channel = self.channel(bits, minimum, maximum)
        offered = self.capabilities.mechanisms
        name = choose(offered, login, channel, wanted=wanted, plaintext=plaintext, as_another=as_another)
        client = SaslClient(name, login, channel, offered)
        initial = client.start()
        if not (self._fits(name, initial) and (initial_response or self.dialect.client_first)):
            held, initial = initial, None
        else:
            held = None
        self.dialect.begin_auth(self, name, initial)
        while isinstance(outcome := self.dialect.read_auth(self), AuthChallenge):
            if held is not None:
                response, held = held, None
            else:
                response = self._answer(client, outcome.data)
            self.dialect.answer_auth(self, response)
        client.finish(outcome.data)
        if client.layer is None:
            self.capabilities = self.dialect.capabilities_in(outcome) or self.capabilities
        else:
            self.stream.protect(client.layer)
            self.strength = client.layer.strength
            if not trusting and self.changed_mechanisms():
                raise SaslError(
                    SaslCode.BADAUTH, "possible MITM attack: list of available SASL mechanisms changed"
                )
        return outcome

    def channel(self, bits: int = 0, minimum: int = 0, maximum: int = 0) -> Channel:
        """What SASL runs over."""
        from libcyrus.sasl.client import Channel
        from libcyrus.sasl.layer import NO_LAYER, Limits

        tls = self.tls
        bits = tls.bits if tls is not None else bits
        limits = Limits.beside(bits, minimum=minimum, maximum=maximum)
        if not self.dialect.has_layers:
            if not limits.allow(0):
                raise SaslError(SaslCode.TOOWEAK, f"{self.dialect.name} has no security layers")
            limits = NO_LAYER
        found = Channel(self.dialect.sasl_service, self.host, self.port, bits, limits=limits)
        if tls is not None and self.dialect.binds:
            found = replace(found, unique=tls.channel_binding("tls-unique"))
            for kind in _BINDINGS:
                data = tls.channel_binding(kind)
                if data:
                    return replace(found, binding_kind=kind, binding=data)
        return found

    def changed_mechanisms(self, *, suspicious: bool = False) -> bool:
        """Ask for the capabilities under a security layer, and tell whether the mechanisms are others than in
        the clear: then somebody has changed that list, perhaps to have a weaker one taken.

        Servers may tell none any more to who has logged in, which only the ``suspicious`` mind.
        """
        now = self.dialect.ask_under_layer(self)
        if now is None:
            return False
        before, self.capabilities = self.capabilities.mechanisms, now
        return now.mechanisms != before and (suspicious or bool(now.mechanisms))

    def compress(self) -> None:
        self.dialect.compress(self)
        self.stream.compress(Deflate())

    def is_alive(self) -> bool:
        """Ask something that changes nothing; False when the connection is of no more use."""
        try:
            self.dialect.ping(self)
        except (ProtError, ProtocolError, Refused):
            return False
        return True

    def logout(self) -> None:
        """Say goodbye and read the answer."""
        self.dialect.send_logout(self)
        self.dialect.read_logout(self)

    def close(self) -> None:
        self.stream.close()

    def _fits(self, mechanism: str, initial: bytes | None) -> bool:
        """Whether an initial response may be sent in the command."""
        if initial is None or not self.capabilities.initial_response:
            return False
        return len(mechanism) + len(initial) * 4 // 3 + 32 <= self.dialect.longest_auth

    def _answer(self, client: SaslClient, challenge: bytes) -> bytes:
        try:
            return client.step(challenge)
        except SaslError:
            self.dialect.cancel_auth(self)
            try:
                outcome = self.dialect.read_auth(self)
            except Refused:
                pass
            else:
                if isinstance(outcome, AuthSuccess):
                    raise SaslError(SaslCode.BADAUTH, "the server did not prove itself") from None
            raise
