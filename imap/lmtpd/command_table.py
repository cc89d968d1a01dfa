"""Every LMTP command: how it is spelt, and who runs it.

A command either stands alone on its line or is followed by a space and an argument; the other form is a
syntax error, as in the original. Those that are ``always`` open also work under a shutdown file.
"""

from __future__ import annotations

from collections.abc import Callable

from imap.lmtpd.commands import auth, data, lhlo, mail, rcpt, simple, starttls
from imap.lmtpd.session import Session
from libcyrus.base.dataclasses import dataclass

Handler = Callable[[Session, bytes], tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Command:
    run: Handler
    takes_argument: bool = False
    always: bool = False


COMMANDS: dict[bytes, Command] = {
    b"AUTH": Command(auth.run, takes_argument=True),
    b"DATA": Command(data.run),
    b"LHLO": Command(lhlo.run, takes_argument=True, always=True),
    b"MAIL": Command(mail.run, takes_argument=True),
    b"NOOP": Command(simple.noop, always=True),
    b"QUIT": Command(simple.quit_, always=True),
    b"RCPT": Command(rcpt.run, takes_argument=True),
    b"RSET": Command(simple.rset),
    b"STARTTLS": Command(starttls.run),
    b"VRFY": Command(simple.vrfy, takes_argument=True),
}


def find(line: bytes) -> tuple[Command, bytes] | None:
    """The command of a line without its line end, and its argument; None if there is no such command."""
    verb, space, argument = line.partition(b" ")
    command = COMMANDS.get(verb.upper())
    if command is None or command.takes_argument != bool(space):
        return None
    return command, argument
