"""Writing UTF-8 into header fields (RFC 2047) and bodies (quoted-printable, RFC 2045 section 6.7).

What is ASCII already stays as it is, folded where lines get long. In a list of addresses only the names
are encoded.
"""

from __future__ import annotations

import binascii
import re

from libcyrus.text.mimeheader import encode_mimeheader

_LONGEST = 72
_FOLD_BEYOND = 78
_LONGEST_LIST = 8192
"""Bytes of a value in which addresses are looked for."""
_PLAIN = re.compile(rb"[!-~ \t]*")
_LONG_WORD = re.compile(rb"[^ \t]{75,}")
_LINE_BREAK = re.compile(rb"\r\n[ \t]?(?!\Z)|\r\n")
_ATOM = rb'[^\s()<>\[\]:;@\\,".]+(?:\.[^\s()<>\[\]:;@\\,".]+)*'
_QUOTED = rb'"(?:[^"\\]|\\.)*"'
_LITERAL = rb"\[[^\[\]\\]*\]"
_ADDRESS = re.compile(
    rb"(?:\s*<(?P<angle>(?:%b|%b)@(?:%b|%b))>|(?:(?<=[\s,])|^)(?:%b|%b)@(?:%b|%b))\s*(?:,\s*|\Z)"
    % ((_QUOTED, _ATOM, _LITERAL, _ATOM) * 2),
    re.DOTALL,
)


def encode_header(value: bytes) -> bytes:
    """A header field's value, in ASCII and without the field's name; it may be folded."""
    return _addresses(value) or _unstructured(value)


def encode_body(text: bytes) -> bytes:
    """Text in quoted-printable, if it is not plain ASCII in short lines already."""
    if text.isascii() and all(_PLAIN.fullmatch(line) and len(line) <= 75 for line in text.split(b"\r\n")):
        return text
    return binascii.b2a_qp(text, istext=True)


def _unstructured(value: bytes) -> bytes:
    if not _PLAIN.fullmatch(value) or _LONG_WORD.search(value):
        return b"\r\n ".join(encode_mimeheader(part) for part in _LINE_BREAK.split(value))
    return value if len(value) <= _FOLD_BEYOND else _folded(value)


def _folded(value: bytes) -> bytes:
    """Long lines broken before the last blank that fits."""
    lines = []
    while len(value) > _FOLD_BEYOND:
        at = max(value.rfind(b" ", 1, _FOLD_BEYOND + 1), value.rfind(b"\t", 1, _FOLD_BEYOND + 1))
        if at < 1:
            break
        lines.append(value[:at])
        value = value[at:]
    return b"\r\n".join([*lines, value])


def _addresses(value: bytes) -> bytes | None:
    """A list of addresses, each with the name before it; None for what is none."""
    at_sign = value.find(b"@", 1) if len(value) <= _LONGEST_LIST else -1
    first = _ADDRESS.search(value) if at_sign > 0 else None
    if first is None or not first.start() < at_sign < first.end():
        return None
    pieces: list[bytes] = []
    column = 0
    position = 0
    for found in _ADDRESS.finditer(value):
        for piece, is_name in ((value[position : found.start()], True), (found[0], False)):
            if not piece:
                continue
            if is_name and not piece.isascii():
                piece = encode_mimeheader(piece)
            if column + len(piece) >= _LONGEST:
                pieces.append(b"\r\n ")
                column = 1
            pieces.append(piece)
            column += len(piece)
        position = found.end()
    rest = value[position:]
    return b"".join(pieces) + (rest if rest.isascii() else encode_mimeheader(rest))
