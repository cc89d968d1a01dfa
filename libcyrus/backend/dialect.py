"""What a dialect is, and what several of them need.

A dialect keeps nothing (but see ``http``): what it learns it returns. Lines are without their line ends.
"""

from __future__ import annotations

import base64
import binascii
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, ClassVar, Protocol

from libcyrus.base.dataclasses import dataclass
from libcyrus.errors import ProtocolError

if TYPE_CHECKING:
    from libcyrus.sasl.client import Login

MOST_LINES = 1000
"""More lines than any capability answer has."""


class Lines(Protocol):
    """A conversation in lines: what a dialect needs of a connection. ``host`` is whom we talk to."""

    host: str

    def send(self, *lines: bytes) -> None:
        """Write lines and flush."""

    def receive(self) -> bytes:
        """The next line. Raises ProtError."""

    def receive_literal(self, size: int) -> bytes:
        """Exactly ``size`` bytes."""

    def arrives(self, seconds: float) -> bool:
        """Whether the server says something within that time."""
        ...


class Refused(Exception):
    """The server said no; the text is its last line."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a server offers. ``words`` are its capabilities in upper case, with their parameters.

    ``mechanisms`` are SASL's, ``login`` tells whether the protocol's own login command may be used,
    ``initial_response`` whether AUTHENTICATE may carry one.
    """

    words: tuple[str, ...] = ()
    mechanisms: tuple[str, ...] = ()
    starttls: bool = False
    compress: bool = False
    login: bool = False
    initial_response: bool = False

    def has(self, word: str) -> bool:
        return word.upper() in self.words


@dataclass(frozen=True, slots=True)
class AuthChallenge:
    data: bytes


@dataclass(frozen=True, slots=True)
class AuthSuccess:
    """``data`` is the mechanism's last word, None if the protocol or mechanism has none."""

    text: bytes
    data: bytes | None = None


class Dialect(ABC):
    """One protocol. All methods that read raise ProtError, ProtocolError, and Refused for a no."""

    name: ClassVar[str]
    port: ClassVar[int]
    wrapped_name: ClassVar[str | None] = None
    wrapped_port: ClassVar[int] = 0
    sasl_service: ClassVar[str]
    longest_auth: ClassVar[int] = 65535
    """Bytes of a command line that may carry an initial response."""
    tells_after_tls: ClassVar[bool] = False
    """Whether the server lists its capabilities by itself after STARTTLS."""
    has_layers: ClassVar[bool] = True
    """Whether a mechanism's security layer can protect the connection."""
    binds: ClassVar[bool] = True
    """Whether mechanisms can be bound to TLS.

    Who could and finds that the server does not offer it tells the server so, and one that only has no name
    for it in its protocol would refuse then.
    """
    client_first: ClassVar[bool] = False
    """Whether the command of a mechanism without its initial response would make no sense."""

    @abstractmethod
    def greet(self, peer: Lines) -> Capabilities | None:
        """Read the greeting; the capabilities if it holds them."""

    @abstractmethod
    def ask(self, peer: Lines) -> Capabilities: ...

    def read_after_tls(self, peer: Lines) -> Capabilities:
        """What comes by itself, for those that tell."""
        raise AssertionError

    @abstractmethod
    def starttls(self, peer: Lines) -> None:
        """Ask for TLS and read the go-ahead."""

    def begin_exchange(self, login: Login) -> Login:
        """What the mechanism is to know of it, since the protocol may tell some of it by itself."""
        return login

    @abstractmethod
    def begin_auth(self, peer: Lines, mechanism: str, initial: bytes | None) -> None: ...

    @abstractmethod
    def read_auth(self, peer: Lines) -> AuthChallenge | AuthSuccess: ...

    def capabilities_in(self, success: AuthSuccess) -> Capabilities | None:
        """What a server offers to those who are logged in, if its reply of success tells."""
        return None

    def ask_under_layer(self, peer: Lines) -> Capabilities | None:
        """What a server offers when a security layer has come between; None where it cannot be asked."""
        return self.ask(peer)

    def answer_auth(self, peer: Lines, response: bytes) -> None:
        peer.send(base64.b64encode(response))

    def cancel_auth(self, peer: Lines) -> None:
        peer.send(b"*")

    def compress(self, peer: Lines) -> None:
        raise Refused(f"{self.name} has no compression")

    @abstractmethod
    def ping(self, peer: Lines) -> None:
        """Ask something that changes nothing: it keeps the connection, or shows that it is broken."""

    @abstractmethod
    def send_logout(self, peer: Lines) -> None: ...

    @abstractmethod
    def read_logout(self, peer: Lines) -> None: ...


def as_text(line: bytes) -> str:
    return line.decode("utf-8", "replace")


def joined(*parts: bytes | None) -> bytes:
    return b" ".join(part for part in parts if part is not None)


def initial_argument(initial: bytes | None) -> bytes | None:
    """As RFC 4954, 4959 and 5034 write it: an empty one is an equals sign."""
    return None if initial is None else base64.b64encode(initial) or b"="


def decoded(text: bytes) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ProtocolError from error


def until(peer: Lines, is_last: Callable[[bytes], bool]) -> Iterator[bytes]:
    """Lines up to and including the last."""
    for _ in range(MOST_LINES):
        line = peer.receive()
        yield line
        if is_last(line):
            return
    raise ProtocolError


def tagged(peer: Lines, tag: bytes, command: bytes) -> None:
    peer.send(tag + b" " + command)
    read_tagged(peer, tag)


def read_tagged(peer: Lines, tag: bytes) -> None:
    *_, last = until(peer, lambda line: line.startswith(tag + b" "))
    if last[len(tag) + 1 :][:2].upper() != b"OK":
        raise Refused(as_text(last))


def expect(peer: Lines, code: bytes) -> None:
    line = peer.receive()
    if not line.startswith(code):
        raise Refused(as_text(line))


def read_reply(peer: Lines, code: bytes) -> Sequence[bytes]:
    """A reply of several lines (RFC 5321 section 4.2)."""
    lines = list(until(peer, lambda line: line[3:4] != b"-"))
    if not lines[-1].startswith(code):
        raise Refused(as_text(lines[-1]))
    return lines


def read_string(peer: Lines, text: bytes) -> bytes | None:
    """A quoted string or literal that begins ``text``, None if it is neither."""
    if text.startswith(b'"'):
        found = re.match(rb'"((?:[^"\\]|\\.)*)"', text)
        return None if found is None else re.sub(rb"\\(.)", rb"\1", found[1])
    literal = re.fullmatch(rb"\{(\d{1,6})\+?\}", text)
    if literal is None:
        return None
    data = peer.receive_literal(int(literal[1]))
    peer.receive()
    return data
