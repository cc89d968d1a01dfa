"""RENAME (RFC 3501 section 6.3.5), with Cyrus's third argument: a partition to move to.

Mailboxes below the old name go along; each is told with an untagged OK, since many may take long.
"""

from __future__ import annotations

from functools import partial

from imap.imapd.commands import elsewhere
from imap.imapd.commands.elsewhere import XferArgs
from imap.imapd.parse import SP, ParseError, Parser, is_atom
from imap.imapd.response import No, Ok, Outcome
from imap.imapd.session import Session
from libcyrus import mboxops
from libcyrus import options as opt
from libcyrus.append import Appender
from libcyrus.append.copy import copy, read
from libcyrus.base.dataclasses import dataclass
from libcyrus.errors import CyrusError, NoSuchMessage, PermissionDenied
from libcyrus.events.mboxevent.kinds import EventType
from libcyrus.mailbox.expunge import expunge


@dataclass(frozen=True, slots=True)
class RenameArgs:
    old: str
    new: str
    partition: str | None = None


def parse(parser: Parser) -> RenameArgs:
    parser.sp()
    old = parser.mailbox()
    parser.sp()
    new = parser.mailbox()
    partition = None
    if parser.accept(SP):
        word = parser.word()
        if not is_atom(word):
            raise ParseError("Invalid partition name in {command}")
        partition = word.decode("ascii")
    parser.eol()
    return RenameArgs(old, new, partition)


def run(session: Session, args: RenameArgs) -> Outcome:
    if args.partition is not None:
        if not session.is_admin:
            raise PermissionDenied
        if args.old != args.new:
            return No("Cross-server or cross-partition move w/rename not supported")
        if session.process.config.partition_dir(args.partition) is None:
            # another server, perhaps with a partition there
            session.process.store.mboxlist.lookup(session.internal_name(args.old))
            return elsewhere.xfer(session, XferArgs(args.old, args.partition.partition("!")[0]))
    old, new = session.internal_name(args.old), session.internal_name(args.new)
    store = session.process.store
    if args.old.upper() == "INBOX":
        # that its messages left is told with the next expunges
        _empty_inbox(session, old, new)
        return Ok()
    mboxops.rename(
        store,
        old,
        new,
        is_admin=session.is_admin,
        userid=session.user(),
        auth=session.auth,
        partition=args.partition,
        progress=partial(_tell_progress, session),
    )
    session.tell(expunges=False)
    return Ok()


def _tell_progress(session: Session, old: str, new: str, error: CyrusError | None) -> None:
    names = f"rename {session.external_name(old)} {session.external_name(new)}"
    if error is None:
        session.out.ok(names)
    else:
        session.out.no(f"{names}: {error}")


def _empty_inbox(session: Session, inbox: str, new: str) -> None:
    """RENAME INBOX makes the new mailbox and moves the messages there; the INBOX stays (section 6.3.5)."""
    store = session.process.store
    entry = store.mboxlist.lookup(inbox)
    with store.lock_users(store.rules.from_internal(inbox).userid, store.rules.from_internal(new).userid):
        mboxops.create(
            store,
            new,
            is_admin=session.privileged,
            userid=session.user(),
            auth=session.auth,
            partition=entry.partition,
            alone=True,
        )
        with store.open(inbox, write=False) as source:
            originals = [read(source, record) for record in source.records(expunged=False)]
            source.unlock_index()
            if not originals:
                raise NoSuchMessage
            link = store.config[opt.singleinstancestore]
            with Appender.open(
                store, new, userid=session.user(), auth=session.auth, event=EventType.MESSAGE_MOVE
            ) as target:
                copy(target, source, originals, link=link, same_user=True)
                target.commit()
            moved = {original.record.uid for original in originals}
            source.lock_index(exclusive=True)
            expunge(
                source, lambda record: record.uid in moved,
                event=EventType.MESSAGE_EXPUNGE, userid=session.user(),
            )  # fmt: skip
