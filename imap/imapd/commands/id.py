"""ID (RFC 2971): who are you, client?

One ID is answered before login; what the client says is logged. How much we say depends on options
imapidresponse and serverinfo.
"""

from __future__ import annotations

import logging
import os
import sys

from imap.imapd.parse import LPAREN, RPAREN, SP, MissingArgument, ParseError, Parser
from imap.imapd.response import Ok
from imap.imapd.session import Session

log = logging.getLogger(__name__)

MAX_FIELD = 30
MAX_VALUE = 1024
MAX_PAIRS = 30

Pairs = list[tuple[bytes, bytes | None]]


def parse(parser: Parser) -> None:
    """Nothing yet: a second ID is answered before it is read."""
    parser.sp()


def _parameters(parser: Parser) -> Pairs | None:
    """The pairs of the client's parameter list; None for NIL."""
    word = parser.word()
    if parser.accept(LPAREN):
        pairs = _pairs(parser)
    elif word.upper() == b"NIL":
        pairs = None
    else:
        raise ParseError("Invalid parameter list in Id")
    parser.eol()
    return pairs


def _pairs(parser: Parser) -> Pairs:
    pairs: Pairs = []
    while True:
        try:
            field = parser.string()
            parser.sp()
            value = parser.nstring()
        except MissingArgument:
            raise ParseError("Invalid field-value pair in Id") from None
        if parser.peek() not in (SP, RPAREN):
            raise ParseError("Invalid field-value pair in Id")
        if len(field) > MAX_FIELD:
            raise ParseError(f"field longer than {MAX_FIELD} octets in Id")
        if value is not None and len(value) > MAX_VALUE:
            raise ParseError(f"value longer than {MAX_VALUE} octets in Id")
        if len(pairs) >= MAX_PAIRS:
            raise ParseError(f"too many ({MAX_PAIRS}) field-value pairs in ID")
        pairs.append((field, value))
        if parser.accept(RPAREN):
            return pairs
        parser.sp()


def run(session: Session, _args: None) -> Ok:
    if session.userid is None and session.client_id_seen:
        return Ok("NIL")
    pairs = _parameters(session.parser)
    session.wants_fuzzy = (b"os", b"iOS") in (pairs or ())
    if pairs:
        words = " ".join(f' "{_text(name)}" {_quoted(value)}' for name, value in pairs)
        log.info("client id sessionid=<%s>:%s", session.session_id, words)
    session.out.id(_about_us(session))
    session.tell(expunges=False)
    session.client_id_seen = True
    return Ok()


def _about_us(session: Session) -> list[tuple[str, str | None]] | None:
    settings = session.settings
    told_all = settings.serverinfo == "on"
    whole = settings.id_response and (session.userid is not None or told_all)
    if not whole and settings.serverinfo == "off":
        return None
    pairs: list[tuple[str, str | None]] = [("name", "Cyrus IMAPD")]
    if whole or told_all:
        pairs.append(("version", settings.version))
    pairs += [("vendor", "Project Cyrus"), ("support-url", "https://www.cyrusimap.org")]
    if whole:
        system = os.uname()
        pairs += [
            ("os", system.sysname),
            ("os-version", system.release),
            ("environment", f"{sys.implementation.name} {sys.version.split()[0]}"),
        ]
    return pairs


def _text(value: bytes) -> str:
    return value.decode("utf-8", "backslashreplace")


def _quoted(value: bytes | None) -> str:
    return "NIL" if value is None or value == b"NIL" else f'"{_text(value)}"'
