"""The grammar of LMTP's arguments: paths, and the parameters behind them (RFC 5321 section 4.1.2).

Everything is bytes in, values out. The grammar of paths is the original's: brackets are required, no
space may stand before them, an unquoted local part excludes controls, 8-bit bytes and specials, and a
source route is accepted and ignored.
"""

from __future__ import annotations

import re

from libcyrus.base.dataclasses import dataclass

_DOMAIN = rb"(?:\[[0-9.]*\]|[A-Za-z0-9.-]*)"
_QUOTED = rb'"(?:\\.|[^"\\])*"'
_DOT_STRING = rb'(?:\\.|[^\x00-\x20<>()\[\]\\,;:"@\x80-\xff])*'
_PATH = re.compile(
    rb"<(?P<route>(?:@" + _DOMAIN + rb"(?:,(?=@)|:(?!@)))*)"
    rb"(?P<address>(?!@)(?:" + _QUOTED + rb"|" + _DOT_STRING + rb")(?:@" + _DOMAIN + rb")?)>(?= |$)",
    re.DOTALL,
)
_8BIT = re.compile(rb"[\x80-\xff]")
_XTEXT = re.compile(rb"(?:[!-*,-<>-~]|\+[0-9A-F]{2})*")

LARGEST_INT = 2**31 - 1


class ParseError(Exception):
    """The client's line is not LMTP; the text is the whole reply."""


@dataclass(frozen=True, slots=True)
class MailArgs:
    """``return_path`` stands without brackets; ``authuser`` is the AUTH= parameter, None for ``<>``."""

    return_path: str
    authuser: str | None = None
    size: int = 0


@dataclass(frozen=True, slots=True)
class RcptArgs:
    """``address`` stands without brackets and route."""

    address: str
    ignorequota: bool = False


def mail(argument: bytes, *, strict: bool, maxsize: int) -> MailArgs:
    """What follows ``MAIL ``. ``maxsize`` is the limit of SIZE=; ``strict`` is lmtp_strict_rfc2821."""
    path, rest = _prefixed_path(argument, b"from:", strict)
    authuser: str | None = None
    size = 0
    while rest.startswith(b" "):
        rest = rest[1:]
        word = rest.lower()
        if word.startswith(b"auth="):
            authuser, rest = _auth(rest[5:])
        elif word.startswith(b"body="):
            length = next((len(kind) for kind in (b"7bit", b"8bitmime") if word.startswith(kind, 5)), 0)
            if not length:
                raise ParseError("501 5.5.4 Unrecognized BODY type")
            rest = rest[5 + length :]
        elif word.startswith(b"size="):
            digits = re.match(rb"[0-9]*", rest[5:])
            text = digits[0] if digits else b""
            if not text:
                raise ParseError("501 5.5.2 SIZE requires a value")
            if len(text) > 19 or int(text) > maxsize:
                raise ParseError(
                    f"552 5.2.3 Message SIZE exceeds fixed maximum message size ({maxsize})"
                )
            size = int(text)
            rest = rest[5 + len(text) :]
        else:
            raise ParseError("501 5.5.4 Unrecognized parameters")
    if rest:
        raise _syntax()
    return MailArgs(_text(path), authuser, size)


def rcpt(argument: bytes, *, strict: bool) -> RcptArgs:
    """What follows ``RCPT ``."""
    path, rest = _prefixed_path(argument, b"to:", strict)
    ignorequota = False
    while rest.startswith(b" "):
        rest = rest[1:]
        if not re.match(rb"ignorequota(?: |$)", rest, re.IGNORECASE):
            raise ParseError("501 5.5.4 Unrecognized parameters")
        rest = rest[len(b"ignorequota") :]
        ignorequota = True
    return RcptArgs(_text(path), ignorequota)


def _prefixed_path(argument: bytes, prefix: bytes, strict: bool) -> tuple[bytes, bytes]:
    if argument[: len(prefix)].lower() != prefix:
        raise _syntax()
    text = argument[len(prefix) :]
    if not strict:
        # an 8-bit local part from a lax MTA should not make us a source of backscatter
        text = _8BIT.sub(b"X", text)
    found = _PATH.match(text)
    if found is None:
        raise _syntax()
    return found["address"], text[found.end() :]


def _auth(text: bytes) -> tuple[str | None, bytes]:
    """The xtext of AUTH= (RFC 4954 section 5); a malformed one leaves its rest to be complained about."""
    if text == b"<>":
        return None, b""
    found = _XTEXT.match(text)
    assert found is not None
    value, rest = found[0], text[found.end() :]
    if rest and not rest.startswith(b" "):
        raise _syntax()
    value = re.sub(rb"\+([0-9A-F]{2})", lambda hexchar: bytes.fromhex(hexchar[1].decode()), value)
    return _text(value.removeprefix(b"<").removesuffix(b">")).replace("\0", ""), rest


def _syntax() -> ParseError:
    return ParseError("501 5.5.4 Syntax error in parameters")


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")
