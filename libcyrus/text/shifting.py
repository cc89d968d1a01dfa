"""Charsets in which a byte means different things by what came before.

UTF-7 (RFC 2152), ISO-2022-KR (RFC 1557), HZ (RFC 1843) and the two-byte part of ISO-2022-JP (RFC 1468). They
are read as leniently, and as strictly, as ICU reads them.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable
from typing import Final

REPLACEMENT: Final = "\ufffd"

_BASE64: Final = {
    byte: value
    for value, byte in enumerate(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
}
_PLUS: Final = 0x2B
_MINUS: Final = 0x2D
_DIRECT: Final = frozenset((0x09, 0x0A, 0x0D, *range(0x20, 0x7E))) - {0x5C}
"""What UTF-7 may have as it is; a plus sign begins other characters."""

_ESCAPE: Final = 0x1B
_SHIFT_OUT: Final = 0x0E
_SHIFT_IN: Final = 0x0F
_KOREAN: Final = b"\x1b$)C"
_HALF: Final = range(0x21, 0x7F)
"""What half of a Korean character may be."""
_SINGLE: Final = {byte: chr(byte) for byte in range(0x80)} | {
    0x1A: "\x1c",
    0x1B: REPLACEMENT,
    0x1C: "\x7f",
    0x5C: "\u20a9",
    0x7F: "\x1a",
}
_CONTROLS: Final = (_ESCAPE, _SHIFT_OUT, _SHIFT_IN)

_JIS_RUN: Final = re.compile(rb"\x1b\$[@B]([^\x1b]*)")
_TILDE: Final = 0x7E
_GB_LEADS: Final = range(0x21, 0x7E)

Decoder = Callable[[bytes], str]


def decode_utf7(data: bytes) -> str:
    units: list[int] = []
    bits = 0
    # how many bits wait; -1 for none after the plus sign, None outside of base64
    waiting: int | None = None
    for byte in data:
        if waiting is not None:
            value = _BASE64.get(byte)
            if value is not None:
                waiting = max(waiting, 0) + 6
                bits = bits << 6 | value
                if waiting >= 16:
                    waiting -= 16
                    units.append(bits >> waiting)
                    bits &= (1 << waiting) - 1
                continue
            empty, waiting = waiting < 0, None
            if byte == _MINUS:
                if empty:
                    units.append(_PLUS)
                elif bits:
                    units.append(0xFFFD)
                continue
            if empty or bits:
                units.append(0xFFFD)
        if byte == _PLUS:
            waiting, bits = -1, 0
        else:
            units.append(byte if byte in _DIRECT else 0xFFFD)
    if waiting is not None and bits:
        units.append(0xFFFD)
    return b"".join([unit.to_bytes(2, "big") for unit in units]).decode("utf-16-be", "replace")


def decode_iso2022_kr(data: bytes) -> str:
    """Korean characters may come without the announcement that should be first."""
    decode = _replacing("euc_kr")
    out: list[str] = []
    # nothing came yet since Korean began, which is an error where it ends
    shifted = empty = False
    at, size = 0, len(data)
    while at < size:
        byte = data[at]
        if byte in (_SHIFT_OUT, _SHIFT_IN):
            if byte == _SHIFT_IN and empty:
                out.append(REPLACEMENT)
            shifted = empty = byte == _SHIFT_OUT
            at += 1
            continue
        if data.startswith(_KOREAN, at):
            at += len(_KOREAN)
            empty = False
            continue
        empty = False
        if not shifted:
            out.append(_SINGLE.get(byte, REPLACEMENT))
            at += 1
            continue
        char, length = _character(
            data, at, _HALF, lambda lead, trail: decode(bytes((lead | 0x80, trail | 0x80)))
        )
        out.append(char)
        at += length
    return "".join(out)


def iso2022_jp(decode: Decoder, decode_shift_jis: Decoder) -> Decoder:
    """A decoder for all of the charset by one that knows all but the characters that vendors added."""

    def decode_all(data: bytes) -> str:
        out: list[str] = []
        end = 0
        for run in _JIS_RUN.finditer(data):
            if run.start() > end:
                out.append(decode(data[end : run.start()]))
            end = run.end()
            # nothing between two escapes is an error
            out.append(_decode_jis(run[1], decode_shift_jis) if run[1] or end == len(data) else REPLACEMENT)
        if end < len(data):
            out.append(decode(data[end:]))
        return "".join(out)

    return decode_all


def _decode_jis(run: bytes, decode_shift_jis: Decoder) -> str:
    out: list[str] = []
    at = 0
    while at < len(run):
        if run[at] in b"\r\n":
            # the line ends, and the two-byte characters with it
            out.append(run[at:].decode("ascii", "replace"))
            break
        char, length = _character(
            run, at, _HALF, lambda lead, trail: decode_shift_jis(_to_shift_jis(lead, trail))
        )
        out.append(char)
        at += length
    return "".join(out)


def _to_shift_jis(lead: int, trail: int) -> bytes:
    first = (lead - 0x21 >> 1) + 0x81
    if first > 0x9F:
        first += 0x40
    second = trail + 0x7E
    if lead % 2:
        second = trail + (0x20 if trail >= 0x60 else 0x1F)
    return bytes((first, second))


def hz(decode_gbk: Decoder) -> Decoder:
    """A decoder for HZ by one for GBK."""

    def decode(data: bytes) -> str:
        out: list[str] = []
        shifted = empty = False
        at, size = 0, len(data)
        while at < size:
            byte = data[at]
            if byte == _TILDE:
                mark = data[at + 1 : at + 2]
                if mark in (b"{", b"}"):
                    if empty:
                        out.append(REPLACEMENT)
                    shifted = mark == b"{"
                    empty = not empty
                elif mark == b"~":
                    out.append("~")
                    empty = False
                elif mark not in (b"\n", b""):
                    out.append(REPLACEMENT)
                    at -= 1
                at += 2
                continue
            empty = False
            if not shifted:
                out.append(chr(byte) if byte < 0x80 else REPLACEMENT)
                at += 1
            elif at + 1 == size:
                break
            else:
                char, length = _character(
                    data, at, _GB_LEADS, lambda lead, trail: decode_gbk(bytes((lead | 0x80, trail | 0x80)))
                )
                out.append(char)
                at += length
        return "".join(out)

    return decode


def _character(data: bytes, at: int, leads: range, decode: Callable[[int, int], str]) -> tuple[str, int]:
    """The character of two bytes at a place, U+FFFD for none, and how many bytes that takes."""
    lead = data[at]
    if at + 1 == len(data):
        return REPLACEMENT, 1
    trail = data[at + 1]
    if lead in leads and trail in _HALF:
        char = decode(lead, trail)
        return (char if len(char) == 1 else REPLACEMENT), 2
    # what could begin something is not part of the error
    return REPLACEMENT, 1 if trail in _HALF or trail in _CONTROLS else 2


def _replacing(codec: str) -> Decoder:
    decode = codecs.getdecoder(codec)
    return lambda data: decode(data, "replace")[0]
