"""Writes replies (RFC 5804 section 1.2 and 1.3)."""

from __future__ import annotations

import re

from libcyrus.base.dataclasses import dataclass
from libcyrus.prot import ProtStream

_NOT_QUOTED = re.compile(rb'["\\\r\n\x00\x80-\xff]')
_LONGEST_QUOTED = 1024


@dataclass(frozen=True, slots=True)
class Reply:
    """``status`` is OK, NO or BYE; ``code`` stands in parentheses, ``text`` is for people."""

    status: str
    text: bytes | str | None = None
    code: bytes | None = None


def ok(text: str | None = None, code: bytes | None = None) -> Reply:
    return Reply("OK", text, code)


def no(text: bytes | str, code: str | None = None) -> Reply:
    return Reply("NO", text, None if code is None else code.encode())


def string(data: bytes) -> bytes:
    """A quoted string, or a literal where it cannot be one."""
    if len(data) > _LONGEST_QUOTED or _NOT_QUOTED.search(data):
        return literal(data)
    return b'"' + data + b'"'


def literal(data: bytes) -> bytes:
    return b"{%d}\r\n%b" % (len(data), data)


class Response:
    def __init__(self, stream: ProtStream) -> None:
        self._stream = stream

    def line(self, *pieces: bytes) -> None:
        """One line; the pieces are joined by blanks."""
        self._stream.write(b" ".join(pieces) + b"\r\n")

    def reply(self, reply: Reply) -> None:
        pieces = [reply.status.encode()]
        if reply.code is not None:
            pieces.append(b"(" + reply.code + b")")
        if reply.text is not None:
            text = reply.text
            pieces.append(string(text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text))
        self.line(*pieces)

    def flush(self) -> None:
        self._stream.flush()
