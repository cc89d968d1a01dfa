"""One name's LIST, XLIST or LSUB response, and what else LIST-EXTENDED tells of it (RFC 5258).

Attributes are bits while names are looked at; which of them are told, and in which words, is decided here.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

from imap.imapd import annotating
from imap.imapd.commands import metadata
from imap.imapd.commands.acl import rights_of
from imap.imapd.commands.status import values_of
from imap.imapd.list_options import ListArgs, Return, Select
from imap.imapd.parse import ParseError
from imap.imapd.response import list_line
from imap.imapd.session import Session
from libcyrus import acl
from libcyrus import options as opt
from libcyrus.annotations import fetch
from libcyrus.errors import CyrusError
from libcyrus.index import scan
from libcyrus.index.view import IndexView
from libcyrus.records.mbentry import MboxEntry

NOINFERIORS = 1
NOSELECT = 2
HASCHILDREN = 4
HASNOCHILDREN = 8
SUBSCRIBED = 16
CHILD_SUBSCRIBED = 32
NONEXISTENT = 64

_WORDS = (
    (NOINFERIORS, "\\Noinferiors"),
    (NOSELECT, "\\Noselect"),
    (NONEXISTENT, "\\NonExistent"),
    (SUBSCRIBED, "\\Subscribed"),
    (HASCHILDREN, "\\HasChildren"),
    (HASNOCHILDREN, "\\HasNoChildren"),
)
_CHILD_INFO = HASCHILDREN | HASNOCHILDREN


class NameResponse:
    """Tells of one name after the other, to ``write``.

    ``lookups`` counts what was looked at to know of children.
    """

    def __init__(self, session: Session, args: ListArgs, write: Callable[[bytes], object]) -> None:
        self._session = session
        self._args = args
        self._write = write
        self._is_lsub = args.kind == b"LSUB"
        self._separator = session.namespace.separator
        self._tell_uses = session.process.config[opt.specialusealways] or Return.SPECIAL_USE in args.returns
        self._user = session.user()
        self._inbox = session.namespace.rules.inbox(self._user)
        self._annotations = session.process.store.annotations
        session.process.special_uses.refresh(self._annotations)
        self.lookups = 0

    def tell(self, extname: str, entry: MboxEntry | None, attributes: int) -> None:
        """The response, unless nobody wants to know of the name."""
        args = self._args
        if entry is not None and entry.intermediate:
            attributes |= NONEXISTENT
        if args.scan is not None and not attributes & NONEXISTENT and not self._holds(args.scan, entry):
            return
        if attributes & NONEXISTENT and not args.extended:
            attributes = attributes & ~NONEXISTENT | NOSELECT
        if Return.CHILDREN in args.returns and not attributes & _CHILD_INFO:
            attributes |= self._child_info(extname, entry)
        worth = CHILD_SUBSCRIBED if self._is_lsub else HASCHILDREN
        if attributes & (NONEXISTENT | NOSELECT) and not args.extended and not attributes & worth:
            return
        attributes = self._settled(attributes)
        uses = self._special_use(entry)
        if Select.SPECIAL_USE in args.select and not uses:
            return
        status = None
        if Return.STATUS in args.returns and entry is not None:
            status = self._status(entry)
            if status is None:
                # RFC 5819 section 2
                attributes |= NOSELECT
        words = [word for attribute, word in _WORDS if attributes & attribute]
        if uses:
            words.append(uses)
        line = list_line(args.kind, " ".join(words), self._separator, extname)
        if attributes & CHILD_SUBSCRIBED and Select.RECURSIVEMATCH in args.select:
            line = line[:-2] + b' (CHILDINFO ("SUBSCRIBED"))\r\n'
        self._write(line)
        if attributes & NOSELECT or entry is None:
            return
        if status is not None:
            self._session.out.status(extname, status)
        if Return.MYRIGHTS in args.returns and (rights := rights_of(self._session, entry)) is not None:
            self._session.out.myrights(extname, rights)
        if Return.METADATA in args.returns:
            self._metadata(entry)

    def _holds(self, text: bytes, entry: MboxEntry | None) -> bool:
        """Whether the mailbox is the selected one and has a message with the text.

        The original looks into no other mailbox that one may read, by mistake, and clients live with that.
        """
        view = self._session.index
        if entry is None or not isinstance(view, IndexView) or view.mboxname != entry.name:
            return False
        return scan.contains(view, text, max_seconds=self._session.settings.search.max_seconds)

    def _settled(self, attributes: int) -> int:
        """Without what follows from other attributes or is not to be told."""
        if self._is_lsub:
            if attributes & CHILD_SUBSCRIBED and not attributes & SUBSCRIBED:
                # for LSUB, \Noselect says that only something below is subscribed
                attributes |= NOSELECT | HASCHILDREN
            attributes &= ~SUBSCRIBED
        if attributes & NOINFERIORS:
            attributes &= ~HASCHILDREN
        if attributes & HASCHILDREN:
            attributes &= ~HASNOCHILDREN
        if self._args.extended:
            if attributes & NOINFERIORS:
                attributes &= ~HASNOCHILDREN
            if attributes & NONEXISTENT:
                attributes &= ~NOSELECT
        return attributes

    def _child_info(self, extname: str, entry: MboxEntry | None) -> int:
        session = self._session
        if session.namespace.alt and extname == "INBOX":
            # what is below it has names beside it
            return HASNOCHILDREN
        name = entry.name if entry is not None else session.internal_name(extname)
        if next(session.process.store.mboxlist.tree(name, root=False), None) is None:
            return HASNOCHILDREN
        self.lookups += 1
        return HASCHILDREN

    def _special_use(self, entry: MboxEntry | None) -> str:
        """The special uses that the user gave to one of their own mailboxes."""
        if not self._tell_uses or entry is None:
            return ""
        if entry.name == self._inbox:
            return "\\Inbox" if self._args.kind == b"XLIST" else ""
        if not entry.name.startswith(self._inbox + "."):
            return ""
        return self._session.process.special_uses.lookup(self._annotations, entry, self._user)

    def _status(self, entry: MboxEntry) -> list[tuple[str, int | str]] | None:
        """None where the user may not ask, or the mailbox cannot be opened."""
        if not (self._session.is_admin or self._session.rights(entry.acl) & acl.READ):
            return None
        try:
            return values_of(self._session, entry, self._args.status)
        except CyrusError:
            return None

    def _metadata(self, entry: MboxEntry) -> None:
        try:
            entries, attributes = metadata.split_entries(
                self._args.metadata_entries, self._args.metadata_options
            )
            with self._session.process.store.open(entry, write=False) as mailbox:
                found = fetch(annotating.target(self._session, mailbox), entries, attributes)
        except (CyrusError, ParseError):
            # names of entries that make no sense are passed over, as the original does
            return
        self.metadata_output.tell(self._session.external_name(entry.name), found)

    @cached_property
    def metadata_output(self) -> metadata.Output:
        return metadata.Output(self._session, self._args.metadata_options.maxsize)
