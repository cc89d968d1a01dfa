"""The conversation: read a command and its arguments, run it, answer."""

from __future__ import annotations

import logging

from libcyrus.prot import ConnectionClosed, ProtError
from timsieved import capability, commands
from timsieved.commands import Argument, Command
from timsieved.lexer import Kind
from timsieved.response import Reply, no
from timsieved.session import Session

log = logging.getLogger(__name__)


class Malformed(Exception):
    """The command cannot be read; the text is for the client."""


def run(session: Session) -> None:
    """Serve one client to its end. ShutdownRequested passes through."""
    capability.tell(session)
    try:
        while not session.over:
            session.out.flush()
            reply = _next(session)
            if reply is not None:
                session.out.reply(reply)
        session.out.flush()
    except ConnectionClosed:
        log.warning("Lost connection to client -- exiting")
    except ProtError:
        log.warning("Lost connection to client -- exiting")
        session.out.reply(Reply("BYE", "Shutdown TCP timeout"))


def _next(session: Session) -> Reply | None:
    lexer = session.lexer
    token = lexer.next()
    while token.kind is Kind.EOL:
        token = lexer.next()
    closed = session.app.shutdown.message()
    if closed is not None:
        session.over = True
        return Reply("BYE", closed)
    command = commands.COMMANDS.get(token.data) if token.kind is Kind.ATOM else None
    if command is None or (command.needs_tls and not session.app.tls_enabled):
        lexer.drop_line()
        if not session.authenticated and token.kind in (Kind.STRING, Kind.NUMBER):
            return no("Authenticate first")
        return no("Expected a command. Got something else.")
    if not session.authenticated and not command.before_login:
        lexer.drop_line()
        return no("Authenticate first")
    if session.anonymous and not command.for_anonymous:
        lexer.drop_line()
        return no("Script verification only")
    if command.refuse is not None:
        refusal = command.refuse(session)
        if refusal is not None:
            lexer.drop_line()
            return no(refusal)
    try:
        arguments = _arguments(session, command)
    except Malformed as error:
        lexer.drop_line()
        return no(str(error))
    return command.run(session, *arguments)


def _arguments(session: Session, command: Command) -> list[bytes]:
    found: list[bytes] = []
    token = session.lexer.next()
    for argument in command.arguments:
        if argument.optional and token.kind is Kind.EOL:
            return found
        if token.kind is not Kind.SPACE:
            raise Malformed(argument.no_space)
        found.append(_argument(session, argument))
        token = session.lexer.next()
    if token.kind is not Kind.EOL:
        raise Malformed(command.no_end)
    return found


def _argument(session: Session, argument: Argument) -> bytes:
    token = session.lexer.next()
    if token.kind is not argument.kind:
        raise Malformed(argument.missing)
    return token.data
