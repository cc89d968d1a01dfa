"""CATENATE (RFC 4469): a message put together from texts and from parts of messages that are here already.

As in the original, what comes out is not judged like a message that comes whole.
"""

from __future__ import annotations

from imap.imapd import message_literal
from imap.imapd.parse import LPAREN, RPAREN, SP, MissingArgument, ParseError, Parser
from imap.imapd.session import Session
from libcyrus import acl
from libcyrus.append import Stage
from libcyrus.base import imapurl
from libcyrus.base.imapurl import ImapUrl
from libcyrus.errors import (
    BadParameters,
    CyrusError,
    IoError,
    MailboxNonexistent,
    MessageContainsNull,
    MessageTooLarge,
    PermissionDenied,
)
from libcyrus.index import urlpart
from libcyrus.index.urlpart import UrlPart
from libcyrus.index.view import IndexView

_KEYWORD = b"CATENATE"


class UnusableUrl(CyrusError):
    """A URL that names nothing this user may read; BADURL tells which."""

    def __init__(self, url: bytes, reason: str) -> None:
        super().__init__(reason)
        self.url = url


def begins(parser: Parser) -> bool:
    """Step over the keyword if it is next."""
    start = parser.pos
    if parser.line[start : start + len(_KEYWORD)].upper() == _KEYWORD and parser.word().upper() == _KEYWORD:
        return True
    parser.pos = start
    return False


def receive(session: Session, stage: Stage) -> bool:
    """Read the parts to their closing parenthesis; whether any came as binary.

    Raises ParseError, UnusableUrl, and what is wrong with a part or the stage.
    """
    parser = session.parser
    if not (parser.accept(SP) and parser.accept(LPAREN)):
        raise ParseError("Missing message part(s) in Append command")
    is_binary = False
    while True:
        kind = parser.word().upper()
        if not parser.accept(SP):
            raise ParseError("Missing message part data in Append command")
        room = session.settings.max_message_size - stage.size
        if kind == b"TEXT":
            is_binary = _text(session, stage, room, binary=is_binary)
        elif kind == b"URL":
            _url(session, stage, room)
        else:
            raise ParseError("Invalid message part type in Append command")
        if not parser.accept(SP):
            break
    if not parser.accept(RPAREN):
        raise ParseError("Missing space or ) after catenate list in Append command")
    return is_binary


class _Text:
    """Puts a text into the stage unless it may not have the NULs that it has."""

    def __init__(self, stage: Stage, *, binary: bool) -> None:
        self._stage = stage
        self._binary = binary
        self.failure: CyrusError | None = None

    def write(self, data: bytes, /) -> None:
        if b"\0" in data and not self._binary:
            self.failure = MessageContainsNull()
        if self.failure is None:
            try:
                self._stage.write(data)
            except CyrusError as error:
                self.failure = error


def _text(session: Session, stage: Stage, room: int, *, binary: bool) -> bool:
    parser = session.parser
    literal = message_literal.read_head(parser)
    message_literal.check_size(session, literal, room)
    if not literal.non_synchronizing:
        parser.go_ahead()
    binary = binary or literal.binary
    target = _Text(stage, binary=binary)
    session.stream.read_into_file(literal.size, target)
    parser.resume()
    if target.failure is not None:
        raise target.failure
    return binary


def _url(session: Session, stage: Stage, room: int) -> None:
    parser = session.parser
    try:
        text = parser.astring()
    except MissingArgument:
        raise ParseError("Missing URL in Append command") from None
    if parser.peek() not in (SP, RPAREN):
        raise ParseError("Missing URL in Append command")
    try:
        url = imapurl.parse(text)
    except imapurl.BadImapUrl:
        raise UnusableUrl(text, "Improperly specified URL") from None
    if url.server is not None:
        raise UnusableUrl(text, "Only relative URLs are supported")
    if url.mailbox is None and session.index is None:
        raise UnusableUrl(text, "No mailbox is selected or specified")
    try:
        part = _selected_part(session, url) if url.mailbox is None else _part(session, url)
        for block in part.blocks(*urlpart.clip(part.size, url.start, url.count, room)):
            stage.write(block)
    except (BadParameters, MessageTooLarge, IoError):
        raise
    except CyrusError as error:
        raise UnusableUrl(text, str(error)) from None


def _selected_part(session: Session, url: ImapUrl) -> UrlPart:
    with session.process.store.open(session.selected().mboxname, write=False) as mailbox:
        part = urlpart.locate(mailbox, url)
        mailbox.release()
        return part


def _part(session: Session, url: ImapUrl) -> UrlPart:
    name = session.internal_name(urlpart.mailbox_name(url))
    # as the original has it, its messages are no longer recent after this
    view = IndexView.open(session.process.store, name, session.user(), session.auth, readonly=False)
    try:
        if not view.rights & acl.READ:
            raise PermissionDenied if session.is_admin or view.rights & acl.LOOKUP else MailboxNonexistent
        return urlpart.locate(view.mailbox, url)
    finally:
        view.close()
