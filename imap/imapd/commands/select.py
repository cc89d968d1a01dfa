"""SELECT and EXAMINE (RFC 3501 sections 6.3.1 and 6.3.2).

A mailbox that was selected is closed first and this is told (CLOSED, RFC 7162 section 3.2.11), whether or
not the new one can be opened.
"""

from __future__ import annotations

import logging
import time

from imap.imapd.parse import LPAREN, RPAREN, SP, ParseError, Parser
from imap.imapd.response import Ok
from imap.imapd.session import Session
from libcyrus import acl
from libcyrus import options as opt
from libcyrus.errors import CyrusError, MailboxNonexistent, PermissionDenied
from libcyrus.index.updates import SelectedView
from libcyrus.index.view import IndexView
from libcyrus.records.quota import NAMES, UNITS

log = logging.getLogger(__name__)

QUOTA_WARNING_INTERVAL = 600


def parse(parser: Parser) -> str:
    parser.sp()
    mailbox = parser.mailbox()
    if parser.accept(SP):
        _modifiers(parser)
    parser.eol()
    return mailbox


def _modifiers(parser: Parser) -> None:
    """The modifiers of RFC 4466. ANNOTATE (RFC 5257) asks for news that need not be told, and are not."""
    if not parser.accept(LPAREN):
        raise ParseError("Invalid modifier list in {command}")
    word = parser.word()
    if not word:
        raise ParseError("Invalid modifier list in {command}")
    while True:
        parser.check_arguments()
        if word.upper() != b"ANNOTATE":
            raise ParseError("Invalid {command} modifier " + word.upper().decode("latin-1"))
        if not parser.accept(SP):
            break
        word = parser.word()
    if not parser.accept(RPAREN):
        raise ParseError("Missing close parenthesis in {command}")


def run(session: Session, mailbox: str, *, examine: bool) -> Ok:
    settings = session.settings
    last = session.index
    if settings.autoexpunge:
        session.leave_mailbox()
    if last is not None:
        session.out.ok("Ok", code="CLOSED")
    name = session.internal_name(mailbox)
    view = None
    try:
        view = _open(session, name, readonly=examine or settings.readonly)
    finally:
        # only now, so that the files of a mailbox that is selected again stay open
        session.leave_mailbox()
        session.index = view
        session.register()
    if view.rights & acl.EXPUNGE:
        _warn_about_quota(session, view.quotaroot)
    _describe(session, view)
    log.debug("open: user %s opened %s", session.userid, mailbox)
    return Ok(code="READ-WRITE" if view.rights & acl.READ_WRITE else "READ-ONLY")


def _open(session: Session, name: str, *, readonly: bool) -> SelectedView:
    if (
        not session.is_admin
        and not session.settings.allowdeleted
        and session.namespace.rules.from_internal(name).deleted
    ):
        raise MailboxNonexistent
    view = IndexView.open(session.process.store, name, session.user(), session.auth, readonly=readonly)
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
    # none is refused for being larger, but a client must be told some size (RFC 5257 section 3.2)
    out.ok("Ok", code="ANNOTATIONS 65536")


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
