"""ENABLE (RFC 5161): CONDSTORE and QRESYNC (RFC 7162). Names that mean nothing here are ignored."""

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
        names.append(name.upper())
        if not parser.accept(SP):
            break
    parser.eol()
    return tuple(names)


def run(session: Session, names: tuple[bytes, ...]) -> Ok:
    qresync = b"QRESYNC" in names and not session.qresync
    condstore = (qresync or b"CONDSTORE" in names) and not session.condstore
    session.condstore = session.condstore or condstore
    session.qresync = session.qresync or qresync
    enabled = [b"CONDSTORE"] * condstore + [b"QRESYNC"] * qresync
    if enabled:
        session.out.untagged(b" ".join([b"ENABLED", *enabled]))
    return Ok()
