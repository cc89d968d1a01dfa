"""The conversation: read a line, look it up, run it, answer."""

from __future__ import annotations

import logging

from imap.lmtpd import command_table
from imap.lmtpd.parse import ParseError
from imap.lmtpd.session import Session, Trust
from libcyrus.base.xlog import NOTICE
from libcyrus.prot import ConnectionClosed, LineTooLong, ProtError

log = logging.getLogger(__name__)

LONGEST_LINE = 4096
_SYNTAX_ERROR = ("500 5.5.2 Syntax error",)


def run(session: Session) -> None:
    """Serve one client to its end. ShutdownRequested passes through."""
    if session.over:
        return
    session.out.line(f"220 {session.app.config.servername}{session.app.settings.banner} server ready")
    try:
        while not session.over:
            session.out.lines(_next(session))
        session.out.flush()
    except ConnectionClosed:
        pass
    except ProtError as error:
        session.out.line(f"421 4.4.1 bye {error}")


def _next(session: Session) -> tuple[str, ...]:
    try:
        line = session.stream.readline(LONGEST_LINE)
    except LineTooLong:
        session.stream.skip_line()
        return _SYNTAX_ERROR
    line = line.removesuffix(b"\n").removesuffix(b"\r")
    settings = session.app.settings
    if settings.chatty:
        log.log(NOTICE, "command: %s", line.decode("utf-8", "backslashreplace"))
    found = command_table.find(line)
    if found is None or not found[0].always:
        closed = session.app.shutdown.message()
        if closed is not None:
            session.over = True
            return (f"421 4.3.2 {closed}",)
    if found is None:
        if line[:1] in (b"M", b"m") and session.trust is Trust.NONE:
            return ("430 Authentication required" if settings.soft_noauth else "530 Authentication required",)
        return _SYNTAX_ERROR
    command, argument = found
    try:
        return command.run(session, argument)
    except ParseError as error:
        return (str(error),)
