"""The answers of an HTTP/1.1 server (RFC 9112), as far as somebody who wants to log in needs them."""

from __future__ import annotations

import re

from libcyrus.backend.dialect import MOST_LINES, Lines, as_text
from libcyrus.base.dataclasses import dataclass
from libcyrus.errors import ProtocolError

LARGEST_BODY = 1024 * 1024
"""More than any page that says why a login failed."""

_PIECE = 32 * 1024
_STATUS = re.compile(rb"HTTP/1\.[0-9] ([1-5][0-9][0-9])(?: .*)?")
_PARAMETER = re.compile(r'[\s,]*([!#$%&\'*+.^_`|~0-9A-Za-z-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,]*))')


@dataclass(frozen=True, slots=True)
class Response:
    """``headers`` have their names in lower case. The body is read and forgotten."""

    status: int
    line: bytes
    headers: tuple[tuple[str, str], ...]

    def all(self, name: str) -> list[str]:
        """The values of each header of that name."""
        return [value for found, value in self.headers if found == name]

    def words(self, name: str) -> list[str]:
        """The members of a header that is a list."""
        return [word.strip() for value in self.all(name) for word in value.split(",") if word.strip()]

    def of_scheme(self, name: str, scheme: str) -> str | None:
        """What stands behind the name of an authentication scheme in one of these headers."""
        for value in self.all(name):
            found, _, rest = value.partition(" ")
            if found.lower() == scheme.lower():
                return rest.strip()
        return None


def read(peer: Lines) -> Response:
    """The next answer; those that are only provisional are passed over. Raises ProtocolError, ProtError.

    Without a length there is no body: then the server closes, and what comes until it does is no matter.
    """
    for _ in range(MOST_LINES):
        response = _read_head(peer)
        if response.status == 101 or response.status >= 200:
            if response.status not in (101, 204, 304):
                _skip_body(peer, response)
            return response
    raise ProtocolError


def parameters(text: str) -> dict[str, str]:
    """``name=value`` pairs (RFC 9110 section 11.2), the names in lower case."""
    found = {}
    for name, quoted, token in _PARAMETER.findall(text):
        found[name.lower()] = re.sub(r"\\(.)", r"\1", quoted) if quoted else token
    return found


def _read_head(peer: Lines) -> Response:
    line = peer.receive()
    status = _STATUS.fullmatch(line)
    if status is None:
        raise ProtocolError
    return Response(int(status[1]), line, tuple(_read_fields(peer)))


def _read_fields(peer: Lines) -> list[tuple[str, str]]:
    fields: list[tuple[str, str]] = []
    for _ in range(MOST_LINES):
        text = as_text(peer.receive())
        if not text:
            return fields
        if text[0] in " \t" and fields:
            fields[-1] = (fields[-1][0], f"{fields[-1][1]} {text.strip()}")
            continue
        name, mark, value = text.partition(":")
        if not mark or not name or name != name.strip():
            raise ProtocolError
        fields.append((name.lower(), value.strip()))
    raise ProtocolError


def _skip_body(peer: Lines, response: Response) -> None:
    if "chunked" in [word.lower() for word in response.words("transfer-encoding")]:
        total = 0
        while size := _chunk_size(peer.receive()):
            total += size
            _skip(peer, size, total)
            peer.receive()
        _read_fields(peer)
        return
    lengths = set(response.all("content-length"))
    if lengths:
        length = lengths.pop()
        if lengths or not (length.isascii() and length.isdigit() and len(length) < 10):
            raise ProtocolError
        _skip(peer, int(length), int(length))


def _chunk_size(line: bytes) -> int:
    digits = line.partition(b";")[0].strip()
    if not re.fullmatch(rb"[0-9A-Fa-f]{1,8}", digits):
        raise ProtocolError
    return int(digits, 16)


def _skip(peer: Lines, size: int, total: int) -> None:
    if total > LARGEST_BODY:
        raise ProtocolError
    while size:
        piece = min(size, _PIECE)
        peer.receive_literal(piece)
        size -= piece
