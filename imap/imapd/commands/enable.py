"""ENABLE (RFC 5161).

Names that mean nothing here are ignored, so that with no extension to enable every well-formed ENABLE
succeeds without an ENABLED response.
"""

from __future__ import annotations

from imap.imapd.parse import SP, MissingArgument, Parser
from imap.imapd.response import Ok
from imap.imapd.session import Session


def parse(parser: Parser) -> tuple[bytes, ...]:
    names = []
    parser.sp()
    while True:
        name = parser.word()
        if not name:
            raise MissingArgument
        names.append(name)
        if not parser.accept(SP):
            break
    parser.eol()
    return tuple(names)


def run(_session: Session, _names: tuple[bytes, ...]) -> Ok:
    return Ok()
