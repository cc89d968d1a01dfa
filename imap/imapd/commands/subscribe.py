"""SUBSCRIBE and UNSUBSCRIBE (RFC 3501 sections 6.3.6 and 6.3.7).

The old form with a namespace word before the name (``mailbox`` or ``bboard``) is still understood.
"""

from __future__ import annotations

from imap.imapd.parse import SP, Parser
from imap.imapd.response import Bad, No, Ok, Outcome
from imap.imapd.session import Session
from libcyrus import mboxops
from libcyrus import options as opt
from libcyrus.base.dataclasses import dataclass
from libcyrus.errors import CyrusError, MailboxNonexistent


@dataclass(frozen=True, slots=True)
class SubscribeArgs:
    kind: str | None
    mailbox: str


def parse(parser: Parser) -> SubscribeArgs:
    parser.sp()
    kind, mailbox = None, parser.mailbox()
    if parser.accept(SP):
        kind, mailbox = mailbox, parser.mailbox()
    parser.eol()
    return SubscribeArgs(kind, mailbox)


def run(session: Session, args: SubscribeArgs, *, add: bool) -> Outcome:
    command = "Subscribe" if add else "Unsubscribe"
    kind = "mailbox" if args.kind is None else args.kind.lower()
    if kind not in ("mailbox", "bboard"):
        return Bad(f"Invalid {command} subcommand")
    try:
        if kind == "bboard" and add:
            raise MailboxNonexistent
        if kind == "mailbox":
            _change(session, args.mailbox, add=add)
    except CyrusError as error:
        return No(f"{command}: {error}")
    return Ok()


def _change(session: Session, mailbox: str, *, add: bool) -> None:
    force = session.process.config[opt.allowallsubscribe]
    space = session.namespace
    if force and space.alt and mailbox in (space.userprefix, space.sharedprefix):
        return
    mboxops.subscribe(
        session.process.store,
        session.internal_name(mailbox),
        session.user(),
        session.auth,
        add=add,
        force=force,
    )
