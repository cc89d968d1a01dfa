"""Encoded words in header values (RFC 2047) and encoded parameter values (RFC 2231)."""

from __future__ import annotations

import re
from typing import Final

from libcyrus.text import charset, searchform, transfer
from libcyrus.text.searchform import KEEPCASE, MIME_UTF8

__all__ = ["KEEPCASE", "decode_mimeheader", "encode_mimeheader", "parse_mimeheader", "parse_mimexvalue"]

# Charset, encoding and text of an encoded word; the charset ends at an asterisk (RFC 2231 section 5).
_WORD: Final = re.compile(rb"=\?([^=?\x00]*)\?([bBqQ])\?((?:[^?=\x00]|=(?!\?(?!=)))*)\?=")

_BLANK: Final = b" \t\n\v\f\r"
_FOLD: Final = re.compile(rb"\r(?:\n([ \t])|\n[^ \t]|[^\n]|(\n?\Z))", re.DOTALL)
_PERCENT: Final = re.compile(rb"%([0-9A-Fa-f]{2})")
_ENCODED_LINE: Final = 72

# Bytes of the character that a byte starts, by its upper five bits.
_UTF8_LENGTHS: Final = (*(1,) * 24, *(2,) * 4, 3, 3, 4, 1)


def parse_mimeheader(value: bytes, *, utf8: bool = False) -> bytes:
    """A header value decoded to UTF-8, up to its first NUL.

    Raw bytes above 127 become U+FFFD, or with ``utf8`` are read as UTF-8.
    """
    if b"=?" not in value and b"\r" not in value and value.isascii():
        return value
    decoded = _decode(value, utf8=utf8).encode("utf-8", "replace")
    return decoded.partition(b"\0")[0]


def decode_mimeheader(value: bytes, flags: int) -> bytes:
    """A header value decoded and brought into canonical search form by the flags of ``searchform``."""
    if value.isascii() and b"=?" not in value:
        unfolded = _unfold_header(value)
        if unfolded is not None:
            return searchform.searchable_ascii(unfolded, flags)
    return searchform.searchable(_decode(value, utf8=bool(flags & MIME_UTF8)), flags)


def _unfold_header(text: bytes) -> bytes | None:
    """The same with folds undone, if that is simple: no lone CRs, no line end last but an empty line."""
    if b"\r" not in text:
        return text
    blank = text.find(b"\r\n\r")
    if b"\r\r" in text or text.endswith(b"\r") or blank >= 0 and blank != len(text) - 4:
        return None
    if blank < 0 and text.endswith(b"\r\n"):
        return None
    return text.replace(b"\r\n ", b" ").replace(b"\r\n\t", b"\t")


def _decode(value: bytes, *, utf8: bool) -> str:
    out: list[str] = []
    plain = _PlainText(utf8=utf8)
    words = _Words()
    end = 0
    for word in _WORD.finditer(value):
        gap = value[end : word.start()]
        if not end or gap.strip(_BLANK):
            out.append(plain.decode(gap))
            words.reset()
        # blanks between two encoded words are no part of the text
        out.append(words.decode(word.group(1), word.group(2), word.group(3)))
        end = word.end()
    out.append(plain.decode(value[end:]))
    return "".join(out)


class _PlainText:
    """The text around encoded words. A fold is undone, even one that a word cuts in two."""

    def __init__(self, *, utf8: bool) -> None:
        self._utf8 = utf8
        self._held = b""

    def decode(self, text: bytes) -> str:
        if not text:
            return ""
        if self._held or b"\r" in text:
            text = self._held + text
            self._held = b""
            unfolded = _unfold_header(text)
            text = _FOLD.sub(self._unfold, text) if unfolded is None else unfolded
        return charset.decode_utf8(text) if self._utf8 else text.decode("ascii", "replace").replace("\0", "")

    def _unfold(self, fold: re.Match[bytes]) -> bytes:
        blank, open_end = fold.groups()
        if blank is not None:
            return bytes(blank)
        if open_end is not None:
            self._held = fold.group()
            return b""
        return fold.group()


class _Words:
    """Encoded words in a row; those of one charset and encoding share characters and base64 quanta."""

    def __init__(self) -> None:
        self._last: tuple[str, bool] | None = None
        self._utf8 = charset.Utf8Decoder()
        self._tail = b""

    def reset(self) -> None:
        self._last = None

    def decode(self, name: bytes, encoding: bytes, text: bytes) -> str:
        found = charset.lookup(name.partition(b"*")[0])
        if found is None:
            self._last = None
            return charset.REPLACEMENT
        quoted = encoding in b"qQ"
        if self._last != (found.canonical, quoted):
            self._last = (found.canonical, quoted)
            self._utf8 = charset.Utf8Decoder()
            self._tail = b""
        if quoted:
            data = transfer.decode_quoted_printable(text, header=True)
        else:
            # whole bytes of an unfinished quantum were taken from it already
            taken = len(self._tail) * 6 // 8
            text = self._tail + text
            data = transfer.decode_base64(text)[taken:]
            self._tail = transfer.base64_tail(text)
        return self._utf8.feed(data) if found.canonical == charset.UTF_8 else found.decode(data)


def parse_mimexvalue(value: bytes) -> bytes | None:
    """An extended parameter value, ``charset'language'text`` (RFC 2231), in UTF-8; None if it is not one."""
    name, quote, rest = value.partition(b"'")
    found = charset.lookup(name) if quote else None
    _, quote, text = rest.partition(b"'")
    if found is None or not quote or text.count(b"%") != len(_PERCENT.findall(text)):
        return None
    data = _PERCENT.sub(lambda escape: bytes.fromhex(escape.group(1).decode("ascii")), text)
    text_form = data.decode("utf-8", "replace") if found.canonical == charset.UTF_8 else found.decode(data)
    return text_form.encode("utf-8", "replace").partition(b"\0")[0]


def encode_mimeheader(value: bytes) -> bytes:
    """A UTF-8 value as encoded words in Q encoding, folded between two words."""
    out = [b"=?UTF-8?Q?"]
    count = len(out[0])
    for byte in value:
        # a character is not split between two words
        if count + 3 * (_UTF8_LENGTHS[byte >> 3] - 1) >= _ENCODED_LINE:
            out.append(b"?=\r\n =?UTF-8?Q?")
            count = 11
        if 33 <= byte < 127 and byte not in b"=?_":
            out.append(bytes((byte,)))
            count += 1
        elif byte == 32:
            out.append(b"_")
            count += 1
        else:
            out.append(b"=%02X" % byte)
            count += 3
    out.append(b"?=")
    return b"".join(out)
