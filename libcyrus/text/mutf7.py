"""Modified UTF-7, the spelling of mailbox names on the wire (RFC 3501 section 5.1.3)."""

from __future__ import annotations

import binascii
import codecs
import re
from typing import Final

_SHIFTED: Final = re.compile(r"&([^-]*)-")
_LENIENT: Final = re.compile(rb"&([A-Za-z0-9+,]*)(-?)")
_TO_ENCODE: Final = re.compile("[^\\x20-\\x7e]+|&")

# root may be allowed to read it where the Cyrus user is not
codecs.lookup("utf-16-be")


class BadModifiedUtf7(ValueError):
    """The bytes are no modified UTF-7: a bare 8-bit byte, an open or empty shift, or a needless one."""


def decode(name: bytes) -> str:
    """The name in Unicode; raises ``BadModifiedUtf7`` for what no encoder may write."""
    try:
        text = name.decode("ascii")
    except UnicodeDecodeError as error:
        raise BadModifiedUtf7("8-bit byte") from error
    if "&" not in text:
        return text
    if "&" in _SHIFTED.sub("", text):
        raise BadModifiedUtf7("unterminated shift")
    decoded = _SHIFTED.sub(_decode_run, text)
    if encode(decoded) != name:
        raise BadModifiedUtf7("not the canonical spelling")
    return decoded


def encode(name: str) -> bytes:
    """The name in modified UTF-7."""
    return _TO_ENCODE.sub(_encode_run, name).encode("ascii")


def decode_lenient(name: bytes) -> str:
    """The name in Unicode, whatever the bytes; U+FFFD for what is none."""

    def run(match: re.Match[bytes]) -> bytes:
        if not match.group(1):
            return b"&" if match.group(2) else "\ufffd".encode()
        try:
            return _decode_base64(match.group(1).decode("ascii")).encode("utf-8", "replace")
        except BadModifiedUtf7:
            return "\ufffd".encode()

    return _LENIENT.sub(run, name).decode("utf-8", "replace")


def _decode_run(match: re.Match[str]) -> str:
    return _decode_base64(match.group(1)) if match.group(1) else "&"


def _decode_base64(symbols: str) -> str:
    padded = symbols.replace(",", "/") + "=" * (-len(symbols) % 4)
    try:
        return binascii.a2b_base64(padded, strict_mode=True).decode("utf-16-be")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise BadModifiedUtf7("bad shifted run") from error


def _encode_run(match: re.Match[str]) -> str:
    run = match.group()
    if run == "&":
        return "&-"
    try:
        raw = run.encode("utf-16-be")
    except UnicodeEncodeError as error:
        raise BadModifiedUtf7("not Unicode text") from error
    return "&" + binascii.b2a_base64(raw, newline=False).decode("ascii").rstrip("=").replace("/", ",") + "-"
