"""STATUS (RFC 3501 section 6.3.10), with SIZE (RFC 8438), HIGHESTMODSEQ and MAILBOXID."""

from __future__ import annotations

from imap.imapd.parse import LPAREN, RPAREN, SP, ParseError, Parser
from imap.imapd.response import Ok
from imap.imapd.session import Session
from libcyrus import acl
from libcyrus.base.dataclasses import dataclass
from libcyrus.errors import MailboxNonexistent, PermissionDenied
from libcyrus.index.status import look_up
from libcyrus.records.mbentry import MboxEntry

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
_COUNTED = ("RECENT", "UNSEEN")


@dataclass(frozen=True, slots=True)
class StatusArgs:
    mailbox: str
    items: frozenset[str]


def parse(parser: Parser) -> StatusArgs:
    parser.sp()
    mailbox = parser.mailbox()
    parser.sp()
    items = parse_items(parser)
    parser.eol()
    return StatusArgs(mailbox, items)


def parse_items(parser: Parser) -> frozenset[str]:
    """The list of items in its parentheses."""
    if not parser.accept(LPAREN):
        raise ParseError("Bad status string")
    items: set[str] = set()
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
    return frozenset(items)


def run(session: Session, args: StatusArgs) -> Ok:
    name = session.internal_name(args.mailbox)
    entry = session.process.store.mboxlist.lookup(name)
    rights = session.rights(entry.acl)
    if not rights & acl.READ:
        raise PermissionDenied if session.is_admin or rights & acl.LOOKUP else MailboxNonexistent
    selected = session.index
    if selected is not None and selected.mboxname == name:
        session.tell(expunges=True)
    session.out.status(args.mailbox, values_of(session, entry, args.items))
    return Ok()


def values_of(session: Session, entry: MboxEntry, items: frozenset[str]) -> list[tuple[str, int | str]]:
    """The items of a mailbox with their values; the rights to see them are the caller's to check."""
    selected = session.index
    if selected is not None and selected.mboxname != entry.name:
        # recent messages of the selected mailbox are this session's, and nobody else's count
        selected = None
    known = look_up(session.process.store, entry, session.user(), count_seen=not items.isdisjoint(_COUNTED))
    values: dict[str, int | str] = {
        "MESSAGES": known.messages if selected is None else selected.exists,
        "RECENT": known.recent if selected is None else selected.recent,
        "UIDNEXT": known.uidnext,
        "UIDVALIDITY": known.uidvalidity,
        "MAILBOXID": f"({known.mailboxid})",
        "UNSEEN": known.unseen,
        "SIZE": known.size,
        "CREATEDMODSEQ": known.createdmodseq,
        "HIGHESTMODSEQ": known.highestmodseq,
    }
    return [(item, values[item]) for item in ITEMS if item in items]
