"""Commands about other servers, which this server does not work with: moving mailboxes there, copying them.

Who may not use them is told so, and what is wrong with their arguments, as by the original. All else is
refused: XFER, MUPDATEPUSH and XBACKUP find no server that could be asked, DUMP and UNDUMP have no stream to
give or take.
"""

from __future__ import annotations

import logging

from imap.imapd.parse import SP, ExtraArguments, MissingArgument, ParseError, Parser, is_atom
from imap.imapd.response import No, Outcome
from imap.imapd.session import Session
from libcyrus import options as opt
from libcyrus.base.dataclasses import dataclass
from libcyrus.errors import MailboxNotSupported, PermissionDenied, ServerUnavailable

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class XferArgs:
    mailbox: str
    server: str


def parse_xfer(parser: Parser) -> XferArgs:
    parser.sp()
    mailbox = parser.mailbox()
    parser.sp()
    server = parser.mailbox()
    if parser.accept(SP) and not is_atom(parser.astring()):
        raise ParseError("Invalid partition name in {command}")
    parser.eol()
    return XferArgs(mailbox, server)


def parse_dump(parser: Parser) -> str:
    """``DUMP mailbox [uid]``"""
    parser.sp()
    mailbox = parser.mailbox()
    if parser.accept(SP):
        try:
            first = parser.astring()
        except MissingArgument:
            raise ExtraArguments from None
        if not first.isdigit():
            raise ExtraArguments
    parser.eol()
    return mailbox


def parse_undump(parser: Parser) -> str:
    """``UNDUMP mailbox (...)``: what comes behind the name is skipped with the rest of the line."""
    parser.sp()
    mailbox = parser.mailbox()
    parser.sp()
    return mailbox


def parse_xbackup(parser: Parser) -> str:
    """``XBACKUP pattern [channel]``"""
    parser.sp()
    pattern = parser.mailbox()
    if parser.accept(SP):
        parser.word()
    parser.eol()
    return pattern


def xbackup_available(session: Session) -> bool:
    return session.process.config[opt.xbackup_enabled]


def xfer(session: Session, args: XferArgs) -> Outcome:
    """``XFER (partition | mailbox) server [partition]``; RENAME to a server comes here too."""
    process = session.process
    if not session.privileged:
        raise PermissionDenied
    if args.server == process.config.servername:
        return No("Invalid server requested")
    if process.config.partition_dir(args.mailbox) is None:
        name = session.internal_name(args.mailbox)
        parsed = process.store.rules.from_internal(name)
        if parsed.localpart is not None and (parsed.deleted or parsed.boxes):
            raise MailboxNotSupported
        _must_exist(session, args.mailbox)
    log.error("XFER: cannot move mailboxes to another server: %s", args.server)
    raise ServerUnavailable


def _must_exist(session: Session, pattern: str) -> None:
    if "*" not in pattern and "%" not in pattern:
        session.process.store.mboxlist.lookup(session.internal_name(pattern))


def mupdatepush(session: Session, _mailbox: str) -> Outcome:
    if not session.is_admin:
        raise PermissionDenied
    raise ServerUnavailable


def xbackup(session: Session, pattern: str) -> Outcome:
    if not session.privileged:
        raise PermissionDenied
    _must_exist(session, pattern)
    log.error("XBACKUP: cannot connect to another server")
    raise ServerUnavailable


def dump(session: Session, mailbox: str) -> Outcome:
    if not session.is_admin:
        raise PermissionDenied
    session.process.store.mboxlist.lookup(session.internal_name(mailbox))
    return No("This server neither makes nor reads dumps of mailboxes")
