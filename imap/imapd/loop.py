"""The command loop: read a line, look up, check state, parse, run, answer.

Nothing is flushed here: the stream sends what is queued when it has to wait for the client, so answers to
pipelined commands and the data before a tagged line leave together.
"""

from __future__ import annotations

import logging
import time

from imap.imapd import capability, metering, remote
from imap.imapd.command_table import COMMANDS, Command, State, Tell
from imap.imapd.errors import (
    CONNECTION_READONLY,
    NO_MAILBOX,
    NOT_LOGGED_IN,
    UNRECOGNIZED,
    UNRECOGNIZED_UID,
    refusal,
)
from imap.imapd.parse import LITERAL_TOO_LARGE, SP, LiteralTooLarge, MissingArgument, ParseError, is_atom
from imap.imapd.response import Bad, No, Outcome
from imap.imapd.session import Session
from libcyrus.base.xlog import NOTICE
from libcyrus.errors import CyrusError, Fatal, MailboxMoved
from libcyrus.prot import ProtError

log = logging.getLogger(__name__)


def greet(session: Session) -> None:
    """The greeting and, if there is one, the message of the day."""
    session.out.ok(_greeting(session), code=" ".join(["CAPABILITY", *capability.greeting(session)]))
    motd = session.process.motd()
    if motd is not None:
        session.out.alert(motd)


def converse(session: Session) -> None:
    """Serve the client's commands until LOGOUT, the end of the connection or of patience."""
    try:
        while not session.closing:
            if session.index is not None:
                session.index.release()
            # a mailbox can be cleaned up once nobody has it, this session included
            session.process.clean_up(session.out)
            session.process.check_shutdown(session)
            if not session.closing:
                _one_command(session)
    except Fatal as error:
        text = str(error)
        log.error("Fatal error: %s", text)
        session.out.bye(text if text.startswith("[") else f"Fatal error: {text}")
    except ProtError as error:
        if str(error) != "end of file reached":
            log.warning("%s, closing connection", error)
            session.out.bye(str(error))
    finally:
        session.leave_mailbox()


def _greeting(session: Session) -> str:
    settings = session.settings
    words = []
    if settings.serverinfo != "off":
        words.append(settings.servername)
    if settings.serverinfo == "on":
        words.append(f"Cyrus IMAP {settings.version}")
    return " ".join([*words, "server ready"])


def _one_command(session: Session) -> None:
    parser, out = session.parser, session.out
    parser.next_line()
    tag = parser.word()
    if parser.peek() != SP or not is_atom(tag):
        parser.skip_line()
        out.bad("Invalid tag")
        return
    parser.accept(SP)
    word = parser.word()
    if not word:
        parser.skip_line()
        out.tagged(tag, Bad("Null command"))
        return
    session.tag = tag
    session.command = shown = word[:1].decode("latin-1").upper() + word[1:].decode("latin-1").lower()
    if session.settings.chatty:
        log.log(NOTICE, "command: %s %s", tag.decode("ascii", "replace"), shown)
    if session.pending_alert is not None:
        out.alert(session.pending_alert)
        session.pending_alert = None
    started, waited = time.monotonic(), session.stream.waited
    out.tagged(tag, _answer(session, word.decode("latin-1").upper(), shown))
    # what a refused command still carries
    parser.skip_line()
    minimum = session.settings.command_min_timer
    if minimum is not None and shown != "Idle":
        network = session.stream.waited - waited
        seconds = time.monotonic() - started - network
        if seconds >= minimum:
            _log_slow(session, shown.lower(), seconds, network)


def _answer(session: Session, name: str, shown: str) -> Outcome:
    """Run one command and say how it ended."""
    parser = session.parser
    try:
        command = _look_up(session, name)
        if command is None:
            return Bad(UNRECOGNIZED)
        if name == "UID":
            parser.sp()
            verb = parser.word()
            if parser.peek() != SP:
                raise MissingArgument
            name = "UID " + verb.decode("latin-1").upper()
            command = COMMANDS.get(name)
            if command is None:
                return Bad(UNRECOGNIZED_UID)
            if command.writes and session.settings.readonly:
                return No(CONNECTION_READONLY)
        parser.begin_arguments()
        args = command.parse(parser)
        return _run(session, name, command, args)
    except _Refused as refused:
        return refused.outcome
    except ParseError as error:
        return Bad(error.about(shown, _full_name(name)))
    except LiteralTooLarge as error:
        return No(f"{LITERAL_TOO_LARGE} in {error.place or shown}")
    except CyrusError as error:
        return refusal(error)


class _Refused(Exception):
    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome


def _look_up(session: Session, name: str) -> Command | None:
    """The command of this name if it may be used now. Raises _Refused, with the checks in Cyrus's order."""
    command = COMMANDS.get(name)
    if session.userid is None and (command is None or State.NOT_AUTHENTICATED not in command.states):
        raise _Refused(Bad(NOT_LOGGED_IN))
    if command is None or not command.available(session):
        return None
    if command.writes and session.settings.readonly:
        raise _Refused(No(CONNECTION_READONLY))
    if session.index is None and command.states == State.SELECTED:
        raise _Refused(Bad(NO_MAILBOX))
    return command


def _run(session: Session, name: str, command: Command, args: object) -> Outcome:
    tell = command.tell
    if tell is Tell.BEFORE:
        session.tell(expunges=False)
    if command.listed:
        session.process.signals.cancelled()
        session.register(session.command)
    try:
        outcome = command.run(session, args)
    except MailboxMoved as error:
        outcome = remote.refusal(session, name, error)
    except CyrusError as error:
        outcome = refusal(error)
    if command.listed:
        session.register()
    if session.process.metrics is not None:
        metering.count(session.process.metrics, name, outcome)
    if tell is Tell.AFTER:
        session.tell(expunges=False, by_uid=command.by_uid)
    elif tell is Tell.AFTER_WITH_EXPUNGES:
        session.tell(expunges=True, by_uid=command.by_uid)
    return outcome


def _full_name(name: str) -> str:
    """``UID FETCH`` as messages spell it: ``UID Fetch``; other names capitalised."""
    return f"UID {name[4:].capitalize()}" if name.startswith("UID ") else name.capitalize()


def _log_slow(session: Session, command: str, seconds: float, network: float) -> None:
    log.log(
        NOTICE,
        "cmdtimer: sessionid=<%s> userid=<%s> command=<%s> mailbox=<%s>"
        " cmdtime=<%f> nettime=<%f> total=<%f> ",
        session.session_id,
        session.userid or "",
        command,
        session.index.mboxname if session.index is not None else "",
        seconds,
        network,
        seconds + network,
    )
