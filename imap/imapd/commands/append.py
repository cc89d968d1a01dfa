"""APPEND (RFC 3501 section 6.3.11), of several messages too (RFC 3502), with APPENDUID (RFC 4315).

A message may be put together from parts (RFC 4469), see ``catenate``. Binary ones (RFC 3516) are made base64
before a message is stored.

A message may bring annotations along (RFC 5257 section 4.7), whatever the rights of who appends it.

Each message goes to a stage file as it comes in, all of them are appended in one transaction, and the
answer is OK only when they are on disk. What is wrong with a message is found before anything is stored;
a synchronizing literal is not asked for if the message can be refused before.
"""

from __future__ import annotations

import os
from contextlib import ExitStack

from imap.imapd import annotating, catenate, message_literal
from imap.imapd.parse import (
    DQUOTE,
    LPAREN,
    RPAREN,
    SP,
    MessageLiteral,
    ParseError,
    Parser,
    is_atom,
)
from imap.imapd.response import No, Ok, Outcome
from imap.imapd.session import Session
from libcyrus import acl
from libcyrus import options as opt
from libcyrus.annotations import Arrival, Setting
from libcyrus.append import Appender, Stage
from libcyrus.append.append import check
from libcyrus.base import times
from libcyrus.base.dataclasses import dataclass
from libcyrus.errors import (
    CyrusError,
    MailboxMoved,
    MailboxNonexistent,
    MailboxNotSupported,
    MessageTooLarge,
    ZeroLengthLiteral,
)
from libcyrus.events.mboxevent.kinds import EventType
from libcyrus.mboxops.checks import Actor, creation
from libcyrus.message import binary
from libcyrus.message.strict import StrictWriter, check_header
from libcyrus.records import mbtype as mbtypes

_SYSTEM_FLAGS = frozenset({b"\\seen", b"\\answered", b"\\flagged", b"\\draft", b"\\deleted"})
_ANNOTATION = b"ANNOTATION"
_LONGEST_DATE = 26
_NO_LITERAL = "Missing required argument to Append command"


@dataclass(slots=True)
class _Incoming:
    """One message of the command: what was said about it, and its stage once it is complete."""

    flags: tuple[str, ...]
    internaldate: int
    stage: Stage
    settings: list[Setting]
    is_binary: bool = False


def parse(parser: Parser) -> str:
    """The mailbox only: whether any message is read depends on it."""
    parser.sp()
    mailbox = parser.mailbox()
    parser.sp()
    return mailbox


def parse_local(parser: Parser) -> str:
    """LOCALAPPEND: a word more, which has no meaning any longer."""
    mailbox = parse(parser)
    parser.astring()
    parser.sp()
    return mailbox


def run(session: Session, mailbox: str) -> Outcome:
    name = session.internal_name(mailbox)
    one = None if session.settings.switches.ignore_quota else (0, 1, 0, -1)
    outcome: Outcome
    with ExitStack() as stack:
        try:
            # stays open, unlocked, while the client sends
            target = stack.enter_context(session.process.store.open(name, write=False))
            check(target, session.rights(target.acl), need=acl.INSERT, quota=one)
            target.release()
        except MailboxMoved:
            raise
        except CyrusError as error:
            return _refusal(session, name, error)
        try:
            outcome = _store(session, name, _receive(session, target.partition, stack))
        except CyrusError as error:
            outcome = _refusal(session, name, error)
    session.tell(expunges=True)
    return outcome


def _receive(session: Session, partition: str, stages: ExitStack) -> list[_Incoming]:
    """Read the messages to the end of the command. Raises ParseError, and what is wrong with a message."""
    parser = session.parser
    messages = []
    failure: CyrusError | None = None
    while failure is None:
        parser.begin_arguments()
        flags = _flags(parser)
        internaldate = _internaldate(parser)
        settings = _annotations(parser)
        is_catenated = catenate.begins(parser)
        literal = None if is_catenated else _literal(session)
        message = None
        try:
            stage = stages.enter_context(Stage(session.process.store, partition, internaldate=internaldate))
            message = _Incoming(flags, internaldate, stage, settings)
            messages.append(message)
        except CyrusError as error:
            failure = error
        if literal is not None:
            failure = _read(session, literal, message) or failure
        elif message is not None:
            message.is_binary = catenate.receive(session, message.stage)
        if not parser.accept(SP):
            break
    if failure is not None:
        raise failure
    if not parser.at_eol():
        raise ParseError("junk after literal")
    return messages


def _literal(session: Session) -> MessageLiteral:
    literal = message_literal.read_head(session.parser)
    message_literal.check_size(session, literal, session.settings.max_message_size)
    if not literal.size:
        if literal.non_synchronizing:
            session.parser.resume()
        raise ZeroLengthLiteral
    return literal


def _read(session: Session, literal: MessageLiteral, message: _Incoming | None) -> CyrusError | None:
    """Read one message from the network to its end, whatever is wrong with it."""
    parser = session.parser
    config = session.process.config
    if message is not None:
        message.is_binary = literal.binary
    if not literal.non_synchronizing:
        parser.go_ahead()
    writer = StrictWriter(
        message.stage if message is not None else _Nowhere(),
        reject8bit=config[opt.reject8bit],
        munge8bit=config[opt.munge8bit],
        binary=literal.binary,
    )
    session.stream.read_into_file(literal.size, writer)
    parser.resume()
    if writer.failure is None and message is not None:
        try:
            check_header(message.stage.data())
        except CyrusError as error:
            return error
    return writer.failure


class _Nowhere:
    def write(self, _data: bytes, /) -> None: ...


def _flags(parser: Parser) -> tuple[str, ...]:
    if not parser.accept(LPAREN):
        return ()
    flags: list[str] = []
    while True:
        word = parser.word()
        parser.check_arguments()
        if not word and not flags and parser.peek() == RPAREN:
            break
        if word.lower() in _SYSTEM_FLAGS:
            word = word.lower()
        elif not is_atom(word):
            raise ParseError("Invalid flag in Append command")
        flags.append(word.decode("ascii"))
        if not parser.accept(SP):
            break
    if not parser.accept(RPAREN):
        raise ParseError("Missing space or ) after flag name in Append command")
    if not parser.accept(SP):
        raise ParseError("Missing space after flag list in Append command")
    return tuple(flags)


def _internaldate(parser: Parser) -> int:
    """The date-time in front of the message; 0 if there is none."""
    if parser.peek() != DQUOTE:
        return 0
    start = parser.pos + 1
    end = parser.line.find(b'"', start)
    if end < 0:
        raise ParseError("Invalid date-time in Append command")
    # no quoted string: a backslash is just wrong
    text = parser.line[start:end]
    parser.pos = end + 1
    seconds = times.from_rfc5322(text) if len(text) <= _LONGEST_DATE else None
    if seconds is None or not parser.accept(SP):
        raise ParseError("Invalid date-time in Append command")
    return seconds


def _annotations(parser: Parser) -> list[Setting]:
    settings: list[Setting] = []
    while parser.line[parser.pos : parser.pos + len(_ANNOTATION)].upper() == _ANNOTATION:
        start = parser.pos
        if parser.word().upper() != _ANNOTATION:
            parser.pos = start
            break
        if not parser.accept(SP):
            raise ParseError("Missing annotation data in Append command")
        # a second list takes the place of the first
        settings = annotating.store_data(parser, of_message=True)
        if not parser.accept(SP):
            raise ParseError(_NO_LITERAL)
    return settings


def _store(session: Session, name: str, messages: list[_Incoming]) -> Ok:
    store = session.process.store
    for message in messages:
        if message.is_binary:
            message.stage.rewrite(binary.encoded(message.stage.data(), store.parse_options))
        message.stage.finish()
    quota = None
    if not session.settings.switches.ignore_quota:
        quota = (
            sum(message.stage.size for message in messages),
            len(messages),
            sum(_size(message.settings) for message in messages),
            -1,
        )
    with Appender.open(
        store, name, userid=session.user(), auth=session.auth, need=acl.INSERT, quota=quota,
        event=EventType.MESSAGE_APPEND,
    ) as appender:
        if mbtypes.kind(appender.mailbox.entry.mbtype) != mbtypes.EMAIL:
            raise MailboxNotSupported
        uidvalidity = appender.uidvalidity
        for message in messages:
            appender.append(
                message.stage,
                flags=message.flags,
                internaldate=message.internaldate,
                arrival=_arrival(session, message),
            )
        appender.commit()
        uids = appender.uids
        readable = appender.rights & acl.READ
    if not readable:
        return Ok()
    span = f"{uids[0]}" if len(uids) == 1 else f"{uids[0]}:{uids[-1]}"
    return Ok(code=f"APPENDUID {uidvalidity} {span}")


def _arrival(session: Session, message: _Incoming) -> Arrival | None:
    if not message.settings and not session.process.config[opt.annotation_callout]:
        return None
    return Arrival(annotating.target(session), message.stage.message, message.settings)


def _size(settings: list[Setting]) -> int:
    return sum(len(value or b"") for setting in settings for _, value in setting.attributes)


def _refusal(session: Session, name: str, error: CyrusError) -> No:
    code = None
    if isinstance(error, catenate.UnusableUrl):
        code = f'BADURL "{os.fsdecode(error.url)}"'
    elif isinstance(error, MailboxNotSupported):
        code = "CANNOT"
    elif isinstance(error, MessageTooLarge):
        code = "TOOBIG"
    elif isinstance(error, MailboxNonexistent) and may_create(session, name):
        code = "TRYCREATE"
    return No(str(error), code)


def may_create(session: Session, name: str) -> bool:
    """Whether a refusal should tell the client that it may create the mailbox first."""
    try:
        creation(session.process.store, name, Actor(session.is_admin, session.userid, session.auth))
    except CyrusError:
        return False
    return True
