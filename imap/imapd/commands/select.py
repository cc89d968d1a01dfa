"""SELECT and EXAMINE (RFC 3501 sections 6.3.1 and 6.3.2).

A mailbox that was selected is closed first and this is told (CLOSED, RFC 7162 section 3.2.11), whether or
not the new one can be opened.
"""

from __future__ import annotations

import logging
import os
import time

from imap.imapd.parse import LPAREN, RPAREN, SP, ParseError, Parser, is_sequence
from imap.imapd.response import Bad, Ok, Outcome
from imap.imapd.session import Session
from libcyrus import acl
from libcyrus import options as opt
from libcyrus.base.dataclasses import dataclass
from libcyrus.base.seqset import SeqSet
from libcyrus.errors import CyrusError, MailboxNonexistent, PermissionDenied
from libcyrus.index.resync import Known, vanished
from libcyrus.index.updates import SelectedView
from libcyrus.index.view import IndexView
from libcyrus.records.quota import NAMES, UNITS

log = logging.getLogger(__name__)

QUOTA_WARNING_INTERVAL = 600

_INCLUDE_EXPUNGED = b"VENDOR.CMU-INCLUDE-EXPUNGED"


@dataclass(slots=True)
class SelectArgs:
    """``known`` is what a client of QRESYNC had when the mailbox had this ``uidvalidity``.

    ``error`` is what is wrong behind a modifier that counts all the same, or that may not be used at all.
    """

    mailbox: str
    condstore: bool = False
    qresync: bool = False
    uidvalidity: int = 0
    known: Known | None = None
    with_expunged: bool = False
    error: ParseError | None = None


def parse(parser: Parser) -> SelectArgs:
    parser.sp()
    args = SelectArgs(parser.mailbox())
    try:
        if parser.accept(SP):
            _modifiers(parser, args)
        parser.eol()
    except ParseError as error:
        if not (args.condstore or args.qresync):
            raise
        args.error = error
    return args


def _modifiers(parser: Parser, args: SelectArgs) -> None:
    """The modifiers of RFC 4466. ANNOTATE (RFC 5257) asks for news that need not be told, and are not."""
    if not parser.accept(LPAREN):
        raise ParseError("Invalid modifier list in {command}")
    word = parser.word()
    if not word:
        raise ParseError("Invalid modifier list in {command}")
    while True:
        parser.check_arguments()
        name = word.upper()
        if name == b"CONDSTORE":
            args.condstore = True
        elif name == b"QRESYNC":
            args.qresync = True
            _qresync(parser, args)
        elif name == _INCLUDE_EXPUNGED:
            args.with_expunged = True
        elif name != b"ANNOTATE":
            raise ParseError("Invalid {command} modifier " + os.fsdecode(name))
        if not parser.accept(SP):
            break
        word = parser.word()
    if not parser.accept(RPAREN):
        raise ParseError("Missing close parenthesis in {command}")


def _qresync(parser: Parser, args: SelectArgs) -> None:
    """``(uidvalidity modseq [uids] [(numbers uids)])`` (RFC 7162 section 3.2.5)."""
    bad = ParseError("Invalid QRESYNC parameter list in {command}")
    if not (parser.accept(SP) and parser.accept(LPAREN)):
        raise bad
    uidvalidity = parser.number()
    if not uidvalidity or not parser.accept(SP):
        raise bad
    modseq = parser.modseq()
    if modseq is None:
        raise bad
    uids = numbers = their_uids = None
    if parser.accept(SP):
        if parser.peek() != LPAREN:
            uids = _sequence(parser, bad)
            if parser.accept(SP) and parser.peek() != LPAREN:
                raise bad
        if parser.accept(LPAREN):
            numbers = _sequence(parser, bad)
            if not parser.accept(SP):
                raise bad
            their_uids = _sequence(parser, bad)
            if not parser.accept(RPAREN):
                raise bad
    if not parser.accept(RPAREN):
        raise bad
    args.uidvalidity = uidvalidity
    args.known = Known(modseq, uids, numbers, their_uids)


def _sequence(parser: Parser, bad: ParseError) -> str:
    word = parser.word()
    if not is_sequence(word):
        raise bad
    return word.decode("ascii")


def run(session: Session, args: SelectArgs, *, examine: bool) -> Outcome:
    session.condstore = session.condstore or args.condstore
    if args.with_expunged and not session.settings.allowdeleted:
        return Bad(f"Invalid {session.command} modifier {_INCLUDE_EXPUNGED.decode()}")
    if args.qresync and not session.qresync:
        return Bad(f"Invalid {session.command} modifier QRESYNC")
    if args.error is not None:
        raise args.error
    mailbox = args.mailbox
    settings = session.settings
    last = session.index
    if settings.autoexpunge:
        session.leave_mailbox()
    if last is not None:
        session.out.ok("Ok", code="CLOSED")
    name = session.internal_name(mailbox)
    view = None
    try:
        view = _open(
            session, name, readonly=examine or settings.readonly, with_expunged=args.with_expunged
        )
    finally:
        # only now, so that the files of a mailbox that is selected again stay open
        session.leave_mailbox()
        session.index = view
        session.register()
    if view.rights & acl.EXPUNGE:
        _warn_about_quota(session, view.quotaroot)
    _describe(session, view)
    if args.known is not None and args.uidvalidity == view.uidvalidity:
        _resynchronise(session, view, args.known)
    log.debug("open: user %s opened %s", session.userid, mailbox)
    return Ok(code="READ-WRITE" if view.rights & acl.READ_WRITE else "READ-ONLY")


def _open(session: Session, name: str, *, readonly: bool, with_expunged: bool) -> SelectedView:
    if (
        not session.is_admin
        and not session.settings.allowdeleted
        and session.namespace.rules.from_internal(name).deleted
    ):
        raise MailboxNonexistent
    view = IndexView.open(
        session.process.store,
        name,
        session.user(),
        session.auth,
        readonly=readonly,
        # clients that log in as user+dav work on collections
        any_kind=(session.magicplus or "").lower() == "+dav",
        with_expunged=with_expunged,
    )
    if not view.rights & acl.READ:
        seen = session.is_admin or view.rights & acl.LOOKUP
        view.close()
        raise PermissionDenied if seen else MailboxNonexistent
    return view


def _describe(session: Session, view: SelectedView) -> None:
    out = session.out
    out.exists(view.exists, view.recent)
    out.flags(view)
    first_unseen = view.first_unseen
    if first_unseen:
        out.ok("Ok", code=f"UNSEEN {first_unseen}")
    out.ok("Ok", code=f"UIDVALIDITY {view.uidvalidity}")
    out.ok("Ok", code=f"UIDNEXT {view.uidnext}")
    out.ok("Ok", code=f"HIGHESTMODSEQ {view.highestmodseq}")
    out.ok("Ok", code=f"MAILBOXID ({view.uniqueid})")
    out.ok("Ok", code="URLMECH INTERNAL")
    # none is refused for being larger, but a client must be told some size (RFC 5257 section 3.2)
    out.ok("Ok", code="ANNOTATIONS 65536")


def _resynchronise(session: Session, view: SelectedView, known: Known) -> None:
    """What happened since the client was here: who is gone, and whose flags or arrival it does not know."""
    assert isinstance(view, IndexView)
    if known.modseq >= view.highestmodseq:
        return
    session.out.vanished(vanished(view, known), earlier=True)
    wanted = None if known.uids is None else SeqSet.parse(known.uids, maxval=view.uidnext - 1)
    changed = view.changed_since(known.modseq)
    if wanted is not None:
        changed = [number for number in changed if view.picture.uids[number - 1] in wanted]
    session.out.flag_updates(view.as_they_are(changed), by_uid=True, modseqs=True)


def _warn_about_quota(session: Session, root: str | None) -> None:
    """Alert whoever can do something about a nearly full quota root, at most every ten minutes."""
    if not root:
        return
    now = time.monotonic()
    last, next_warning = session.quota_warned
    if root == last and now < next_warning:
        return
    session.quota_warned = (root, now + QUOTA_WARNING_INTERVAL)
    config = session.process.config
    floors = (config[opt.quotawarnkb], config[opt.quotawarnmsg], config[opt.quotawarnkb], 0)
    try:
        quota = session.process.store.quota.read_in_force(root)
    except CyrusError:
        return
    for name, unit, used, limit, floor in zip(NAMES, UNITS, quota.used, quota.limits, floors, strict=True):
        if limit < 0 or (0 < floor < limit and used <= (limit - floor) * unit):
            continue
        if used > limit * unit:
            session.out.no(f"Mailbox is over {name} quota", code="ALERT")
        elif limit and used * 100 // (limit * unit) > config[opt.quotawarn]:
            session.out.no(f"Mailbox is at {used * 100 // (limit * unit)}% of {name} quota", code="ALERT")
