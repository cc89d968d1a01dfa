"""dlists: how databases, cyrus.header and the replication protocol write structured values.

A value is an atom, a quoted string, a literal ``{n+}CRLF...`` (read also without the plus sign), ``NIL``, a
list ``(a b)`` or a map ``%(key a key b)``. In Python these are ``bytes``, ``None``, ``list`` and ``dict``
(keys ``bytes``; a key that comes twice keeps its first value, as the original's look-up does). Printing also
takes ``str`` and ``int``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

Value = bytes | None | list[Any] | dict[bytes, Any]
Printable = bytes | str | int | None | Sequence[Any] | Mapping[Any, Any]

MAX_DEPTH = 100
_MAX_QUOTED = 1024
_ATOM = re.compile(rb'[^\x00-\x1e\x20"%()*{\\\x7f-\xff]+')
_QUOTED = re.compile(rb'[^\x00\r\n"%\\\x80-\xff]*')


class DlistError(ValueError):
    """The bytes are not a dlist."""


def parse(data: bytes) -> Value:
    """The one value ``data`` holds. Raises DlistError on anything else, also on bytes after it."""
    value, end = _value(data, 0, 0)
    if end != len(data):
        raise DlistError("bytes after the value")
    return value


def parse_at(data: bytes, at: int) -> tuple[Value, int]:
    """The value that begins at ``at``, and where it ends. Raises DlistError."""
    return _value(data, at, 0)


def parse_keyed(data: bytes) -> tuple[bytes, Value]:
    """The value and, before it, its name: ``KEY value`` as replication lines have it."""
    key, end = _item(data, 0)
    if data[end : end + 1] != b" ":
        raise DlistError("no value after the key")
    value, end = _value(data, end + 1, 0)
    if end != len(data):
        raise DlistError("bytes after the value")
    return key or b"", value


def dump(value: Printable) -> bytes:
    """The bytes the original writes for a value: atoms where possible, then quoted strings, then literals."""
    parts: list[bytes] = []
    _dump(value, parts)
    return b"".join(parts)


def astring(value: bytes | str | None) -> bytes:
    """One string as atom, quoted string or literal; NIL for None."""
    if value is None:
        return b"NIL"
    if isinstance(value, str):
        value = value.encode("utf-8", "surrogateescape")
    if len(value) < _MAX_QUOTED:
        if _ATOM.fullmatch(value) and value != b"NIL":
            return value
        if _QUOTED.fullmatch(value):
            return b'"%b"' % value
    return b"{%d+}\r\n%b" % (len(value), value)


def _dump(value: Printable, parts: list[bytes]) -> None:
    if isinstance(value, int):
        parts.append(b"%d" % value)
    elif value is None or isinstance(value, (bytes, str)):
        parts.append(astring(value))
    elif isinstance(value, Mapping):
        parts.append(b"%(")
        for n, (key, item) in enumerate(value.items()):
            if n:
                parts.append(b" ")
            parts.append(astring(key))
            parts.append(b" ")
            _dump(item, parts)
        parts.append(b")")
    else:
        parts.append(b"(")
        for n, item in enumerate(value):
            if n:
                parts.append(b" ")
            _dump(item, parts)
        parts.append(b")")


def _value(data: bytes, at: int, depth: int) -> tuple[Value, int]:
    if depth > MAX_DEPTH:
        raise DlistError("too deep")
    start = data[at : at + 1]
    if start == b"(":
        return _list(data, at + 1, depth + 1)
    if start == b"%":
        if data[at + 1 : at + 2] != b"(":
            raise DlistError("unknown kind of value")
        return _map(data, at + 2, depth + 1)
    if not start:
        raise DlistError("value missing")
    return _item(data, at)


def _list(data: bytes, at: int, depth: int) -> tuple[list[Value], int]:
    items: list[Value] = []
    while data[at : at + 1] != b")":
        item, at = _value(data, at, depth)
        items.append(item)
        at = _next(data, at)
    return items, at + 1


def _map(data: bytes, at: int, depth: int) -> tuple[dict[bytes, Value], int]:
    items: dict[bytes, Value] = {}
    while data[at : at + 1] != b")":
        key, at = _item(data, at)
        if data[at : at + 1] != b" ":
            raise DlistError("no value after the key")
        item, at = _value(data, at + 1, depth)
        items.setdefault(key or b"", item)
        at = _next(data, at)
    return items, at + 1


def _next(data: bytes, at: int) -> int:
    """Step over the space between two items; stay on the closing parenthesis."""
    follows = data[at : at + 1]
    if follows == b")":
        return at
    if follows != b" " or at + 1 >= len(data):
        raise DlistError("list not closed")
    return at + 1


def _item(data: bytes, at: int) -> tuple[bytes | None, int]:
    start = data[at : at + 1]
    if start == b'"':
        return _quoted(data, at + 1)
    if start == b"{":
        return _literal(data, at + 1)
    end = data.find(b" ", at)
    if end < 0:
        end = len(data)
    while end > at and data[end - 1] == 0x29:
        end -= 1
    item = data[at:end]
    return (None if item == b"NIL" else item), end


def _quoted(data: bytes, at: int) -> tuple[bytes, int]:
    chunks = []
    while True:
        quote = data.find(b'"', at)
        if quote < 0:
            raise DlistError("string not closed")
        escape = data.find(b"\\", at, quote)
        if escape < 0:
            chunks.append(data[at:quote])
            return b"".join(chunks), quote + 1
        chunks.append(data[at:escape])
        chunks.append(data[escape + 1 : escape + 2])
        at = escape + 2


def _literal(data: bytes, at: int) -> tuple[bytes, int]:
    close = data.find(b"}\r\n", at, at + 24)
    digits = data[at:close].removesuffix(b"+")
    if close < 0 or not digits.isdigit():
        raise DlistError("bad literal")
    start = close + 3
    end = start + int(digits)
    if end > len(data):
        raise DlistError("literal cut short")
    return data[start:end], end
