"""XKILLMY and XFOREVER, Cyrus's own: give up commands of the user's other sessions; a command to try it with.

``XKILLMY NAME`` asks the user's sessions that are running that command to give it up. Only those that look
for such a request do: searching, sorting and XFOREVER.
"""

from __future__ import annotations

import select
import time

from imap.imapd.parse import Parser
from imap.imapd.response import Ok
from imap.imapd.session import Session
from libcyrus.errors import Cancelled
from libcyrus.prot import ConnectionClosed


def parse(parser: Parser) -> str:
    """The command's name as sessions spell it in the process list."""
    parser.sp()
    name = parser.mailbox()
    parser.eol()
    return name[:1].upper() + name[1:].lower()


def run(session: Session, command: str) -> Ok:
    session.process.cancel_others(session.user(), command)
    return Ok()


def forever(session: Session, _args: None) -> Ok:
    """XFOREVER: count seconds until somebody asks to give it up. Raises Cancelled; there is no OK."""
    signals = session.process.signals
    poll = select.poll()
    poll.register(signals.wakeup_fd, select.POLLIN)
    # a client that has gone, or will say no more
    poll.register(session.stream.fileno(), select.POLLRDHUP)
    seconds = 0
    while True:
        session.stream.flush()
        due = time.monotonic() + 1
        while (left := due - time.monotonic()) > 0:
            signals.check()
            if signals.cancelled():
                raise Cancelled
            if any(fd != signals.wakeup_fd for fd, _ in poll.poll(int(left * 1000) + 1)):
                raise ConnectionClosed("end of file reached")
        seconds += 1
        session.out.untagged(b"FOREVER %d" % seconds)
