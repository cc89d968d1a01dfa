"""Content-transfer encodings: base64, base64url and quoted-printable (RFC 2045 section 6).

Decoding is as lenient as the original's, because the digest of a decoded part
is stored in the cache: any input decodes to something. The encoding numbers
are those of the cache's section item.
"""

from __future__ import annotations

import binascii
import hashlib
import re
from collections.abc import Iterator
from typing import Final

NONE: Final = 0
QUOTED_PRINTABLE: Final = 1
BASE64: Final = 2
BASE64URL: Final = 3
UNKNOWN: Final = 255

Buffer = bytes | memoryview

_NAMES: Final = {
    b"7BIT": NONE,
    b"7-BIT": NONE,
    b"8BIT": NONE,
    b"8-BIT": NONE,
    b"BASE64": BASE64,
    b"BASE64URL": BASE64URL,
    b"BINARY": NONE,
    b"NONE": NONE,
    b"QUOTED-PRINTABLE": QUOTED_PRINTABLE,
    b"UTF-8": NONE,
    b"UTF8": NONE,
}

_ALPHABET: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_TO_STANDARD: Final = bytes.maketrans(b"-_+/", b"+/\0\0")
_NOT_BASE64: Final = bytes(sorted(set(range(256)) - set(_ALPHABET)))
_NOT_BASE64_OR_PAD: Final = bytes(sorted(set(range(256)) - set(_ALPHABET + b"=")))
_NOT_URL_OR_SPACE: Final = re.compile(rb"[^A-Za-z0-9\-_=\t\n\r ]")

# A quoted-printable line is cut when it reaches this many bytes, without a line break in the result.
_QP_LINE: Final = 999
_BARE_EQUALS: Final = re.compile(rb"=(?![0-9A-Fa-f]{2}|\n|\Z)")

# Data up to this size is decoded at once.
_PIECE: Final = 1 << 18

# What lines hold when we write base64, their line ends not counted.
_ENCODED_LINE: Final = 72


def lookup(name: bytes | None) -> int:
    """The encoding that a Content-Transfer-Encoding token names, in any case; none given means NONE."""
    if name is None:
        return NONE
    return _NAMES.get(name.upper(), UNKNOWN)


def decode(data: Buffer, encoding: int) -> Buffer | None:
    """The decoded bytes, the same object for NONE; None for an unknown encoding and invalid base64url."""
    if encoding == NONE:
        return data
    if encoding == BASE64:
        return decode_base64(data)
    if encoding == QUOTED_PRINTABLE:
        return decode_quoted_printable(data)
    if encoding == BASE64URL:
        text = bytes(data)
        return None if _NOT_URL_OR_SPACE.search(text) else decode_base64(text.translate(_TO_STANDARD))
    return None


def digest(data: Buffer, encoding: int) -> tuple[bytes, int] | None:
    """SHA-1 and length of what ``decode`` would give, None where it gives None; large data goes by pieces."""
    if encoding == NONE or len(data) <= _PIECE or encoding not in (BASE64, QUOTED_PRINTABLE):
        decoded = decode(data, encoding)
        if decoded is None:
            return None
        return hashlib.sha1(decoded, usedforsecurity=False).digest(), len(decoded)
    found = hashlib.sha1(usedforsecurity=False)
    size = 0
    for decoded in _base64_pieces(data) if encoding == BASE64 else _quoted_pieces(data):
        found.update(decoded)
        size += len(decoded)
    return found.digest(), size


def _base64_pieces(data: Buffer) -> Iterator[bytes]:
    tail = b""
    for piece in _lines(data):
        taken = len(tail) * 6 // 8
        piece = tail + piece
        try:
            decoded = binascii.a2b_base64(piece) if b"=" not in piece else None
        except binascii.Error:
            decoded = None
        if decoded is None:
            decoded = decode_base64(piece)
            tail = base64_tail(piece)
        else:
            tail = b""
        yield decoded[taken:] if taken else decoded


def _quoted_pieces(data: Buffer) -> Iterator[bytes]:
    held = b""
    for piece in _lines(data):
        held += piece
        if held.endswith(b"\n"):
            yield decode_quoted_printable(held)
            held = b""
    yield decode_quoted_printable(held)


def _lines(data: Buffer) -> Iterator[bytes]:
    """The data in pieces that end with a line, where there are lines."""
    at = 0
    while at < len(data):
        piece = bytes(data[at : at + _PIECE])
        end = piece.rfind(b"\n") + 1
        if end and at + len(piece) < len(data):
            piece = piece[:end]
        yield piece
        at += len(piece)


def decode_base64(data: Buffer) -> bytes:
    """Decode, skipping bytes outside the alphabet; padding anywhere starts a new quantum."""
    text = bytes(data)
    pad = text.find(b"=")
    if pad < 0 or not text[pad:].translate(None, _NOT_BASE64):
        try:
            return binascii.a2b_base64(text)
        except binascii.Error:
            pass  # an incomplete last quantum: every whole byte of it counts
    runs = text.translate(None, _NOT_BASE64_OR_PAD).split(b"=")
    return b"".join([_decode_run(run) for run in runs if run])


def _decode_run(run: bytes) -> bytes:
    spare = len(run) % 4
    if spare == 1:
        run = run[:-1]
    elif spare:
        run += b"=="[: 4 - spare]
    return binascii.a2b_base64(run)


def base64_tail(text: bytes) -> bytes:
    """The symbols of an unfinished quantum at the end of ``text``, which the next piece continues."""
    symbols = text[text.rfind(b"=") + 1 :].translate(None, _NOT_BASE64)
    return symbols[len(symbols) - len(symbols) % 4 :]


def decode_quoted_printable(data: Buffer, *, header: bool = False) -> bytes:
    """Decode; blanks at a line's end are dropped and line ends become CRLF.

    With ``header`` an underscore is a space (RFC 2047 section 4.2).
    """
    text = bytes(data).replace(b"\r", b"")
    if b"\n" in text or len(text) >= _QP_LINE:
        lines = [line.rstrip(b" \t") if len(line) < _QP_LINE else _cut(line) for line in text.split(b"\n")]
        text = b"\n".join(lines)
    else:
        text = text.rstrip(b" \t")
    if b"=" in text:
        text = _BARE_EQUALS.sub(b"=3D", text)
        return binascii.a2b_qp(text.replace(b"\n", b"\r\n"), header=header)
    text = text.replace(b"\n", b"\r\n")
    return text.replace(b"_", b" ") if header else text


def _cut(line: bytes) -> bytes:
    """Cut an overlong line as if each piece but the last ended in a soft line break."""
    pieces = [line[at : at + _QP_LINE].rstrip(b" \t") for at in range(0, len(line), _QP_LINE)]
    if len(line) % _QP_LINE == 0:
        pieces.append(b"")
    softened = [piece if piece.endswith(b"=") else piece + b"=" for piece in pieces[:-1]]
    return b"\n".join([*softened, pieces[-1]])


def encode_base64_body(data: Buffer) -> bytes:
    """Base64 in lines of 72 symbols, each ended by CRLF, as a stored binary part becomes."""
    step = _ENCODED_LINE // 4 * 3
    lines = [binascii.b2a_base64(data[at : at + step], newline=False) for at in range(0, len(data), step)]
    lines.append(b"")
    return b"\r\n".join(lines)
