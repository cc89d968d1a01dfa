"""XMEID, Cyrus's own: a name that the client gives itself, for the event notifications its commands cause."""

from __future__ import annotations

from imap.imapd.parse import Parser
from imap.imapd.response import Ok
from imap.imapd.session import Session


def parse(parser: Parser) -> str:
    parser.sp()
    name = parser.mailbox()
    parser.eol()
    return name


def run(session: Session, name: str) -> Ok:
    session.name_client(name)
    return Ok()
