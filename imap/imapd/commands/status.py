"""STATUS (RFC 3501 section 6.3.10), with SIZE (RFC 8438), HIGHESTMODSEQ and MAILBOXID.

The XCONV items count the owner's conversations that have a message in the mailbox.
"""

from __future__ import annotations

import logging

from imap.imapd.parse import LPAREN, RPAREN, SP, ParseError, Parser
from imap.imapd.response import Ok
from imap.imapd.session import Session
from libcyrus import acl
from libcyrus.base.dataclasses import dataclass
from libcyrus.errors import CyrusError, MailboxNonexistent, PermissionDenied
from libcyrus.index.status import look_up
from libcyrus.records.conversations import FolderStatus
from libcyrus.records.mbentry import MboxEntry

log = logging.getLogger(__name__)

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
    "XCONVEXISTS",
    "XCONVUNSEEN",
    "XCONVMODSEQ",
)
_OF_CONVERSATIONS = frozenset(("XCONVEXISTS", "XCONVUNSEEN", "XCONVMODSEQ"))
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
    known = _KNOWN if parser.limits.conversations else _KNOWN - _OF_CONVERSATIONS
    while True:
        word = parser.word()
        if not word and not items:
            raise ParseError("Bad status string")
        item = word.decode("latin-1").upper()
        if item not in known:
            raise ParseError(f"Invalid Status attributes {item.lower()}")
        items.add(item)
        if not parser.accept(SP):
            break
    if not parser.accept(RPAREN):
        raise ParseError("Missing close parenthesis in Status")
    return frozenset(items)


def run(session: Session, args: StatusArgs) -> Ok:
    name = session.internal_name(args.mailbox)
    entry = session.process.store.lookup(name)
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
    if selected is not None and (selected.mboxname != entry.name or selected.with_expunged):
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
    if not items.isdisjoint(_OF_CONVERSATIONS):
        threads = _threads(session, entry)
        values["XCONVEXISTS"] = threads.threadexists
        values["XCONVUNSEEN"] = threads.threadunseen
        values["XCONVMODSEQ"] = threads.threadmodseq
    return [(item, values[item]) for item in ITEMS if item in items]


def _threads(session: Session, entry: MboxEntry) -> FolderStatus:
    """All zero where there are no conversations, or none that can be read."""
    try:
        with session.process.store.conversations.reading(entry.name) as state:
            if state is None or entry.uniqueid is None:
                return FolderStatus()
            return state.status(state.folder_key(entry.name, entry.uniqueid))
    except CyrusError as error:
        log.error("IOERROR: reading the conversations of %s failed: %s", entry.name, error)
        return FolderStatus()
