"""STATUS (RFC 3501 section 6.3.10), with SIZE (RFC 8438), HIGHESTMODSEQ and MAILBOXID."""

from __future__ import annotations

from dataclasses import dataclass

from imap.imapd.parse import LPAREN, RPAREN, SP, ParseError, Parser
from imap.imapd.response import Ok
from imap.imapd.session import Session
from libcyrus import acl
from libcyrus.errors import MailboxNonexistent, PermissionDenied

# in the order of the reply, whatever order they are asked in
ITEMS = (
    "MESSAGES",
    "RECENT",
    "UIDNEXT",
    "UIDVALIDITY",
    "MAILBOXID",
    "UNSEEN",
    "SIZE",
    "CREATEDMODSEQ",
    "HIGHESTMODSEQ",
)
_KNOWN = frozenset(ITEMS)


@dataclass(frozen=True, slots=True)
class StatusArgs:
    mailbox: str
    items: frozenset[str]


def parse(parser: Parser) -> StatusArgs:
    parser.sp()
    mailbox = parser.mailbox()
    parser.sp()
    if not parser.accept(LPAREN):
        raise ParseError("Bad status string")
    items = set()
    while True:
        word = parser.word()
        if not word and not items:
            raise ParseError("Bad status string")
        item = word.decode("latin-1").upper()
        if item not in _KNOWN:
            raise ParseError(f"Invalid Status attributes {item.lower()}")
        items.add(item)
        if not parser.accept(SP):
            break
    if not parser.accept(RPAREN):
        raise ParseError("Missing close parenthesis in Status")
    parser.eol()
    return StatusArgs(mailbox, frozenset(items))


def run(session: Session, args: StatusArgs) -> Ok:
    name = session.internal_name(args.mailbox)
    entry = session.process.store.mboxlist.lookup(name)
    rights = session.rights(entry.acl)
    if not rights & acl.READ:
        raise PermissionDenied if session.is_admin or rights & acl.LOOKUP else MailboxNonexistent
