"""COPY, MOVE and their UID forms (RFC 3501 section 6.4.7, RFC 6851), with COPYUID (RFC 4315)."""

from __future__ import annotations

from imap.imapd import remote
from imap.imapd.commands.append import may_create
from imap.imapd.parse import Parser
from imap.imapd.response import No, Ok, Outcome
from imap.imapd.session import Session
from libcyrus import acl
from libcyrus.base.dataclasses import dataclass
from libcyrus.errors import (
    CyrusError,
    MailboxMoved,
    MailboxNonexistent,
    MailboxNotSupported,
    NoSuchMessage,
    PermissionDenied,
)
from libcyrus.index.copy import Copied, copy
from libcyrus.index.view import IndexView


@dataclass(frozen=True, slots=True)
class CopyArgs:
    sequence: str
    mailbox: str


def parse(parser: Parser) -> CopyArgs:
    parser.sp()
    sequence = parser.sequence_argument()
    mailbox = parser.mailbox()
    parser.eol()
    return CopyArgs(sequence, mailbox)


def run(session: Session, args: CopyArgs, *, by_uid: bool, move: bool) -> Outcome:
    name = session.internal_name(args.mailbox)
    copied: Copied | None = None
    failure: CyrusError | None = None
    try:
        copied = _copy(session, args.sequence, name, by_uid=by_uid, move=move)
    except CyrusError as error:
        failure = error
    code = None
    if copied is not None and copied.readable:
        code = f"COPYUID {copied.uidvalidity} {copied.source} {copied.target}"
    if move and code is not None:
        session.out.ok("Completed", code=code)
        code = None
    session.tell(expunges=move or by_uid)
    if failure is None or (by_uid and isinstance(failure, NoSuchMessage)):
        return Ok(code=code)
    return _refusal(session, name, failure)


def _copy(session: Session, sequence: str, name: str, *, by_uid: bool, move: bool) -> Copied:
    view = session.selected()
    assert isinstance(view, IndexView)
    session.find(name)
    if move and not view.rights & acl.EXPUNGE:
        raise PermissionDenied
    session.tell(expunges=by_uid, by_uid=by_uid)
    return copy(
        view,
        sequence,
        name,
        session.auth,
        by_uid=by_uid,
        move=move,
        ignore_quota=session.settings.switches.ignore_quota,
    )


def _refusal(session: Session, name: str, error: CyrusError) -> No:
    """TRYCREATE tells a client that it could create the missing mailbox."""
    if isinstance(error, MailboxMoved):
        return remote.refusal(session, "COPY", error)
    code = None
    if isinstance(error, MailboxNotSupported):
        code = "CANNOT"
    elif isinstance(error, MailboxNonexistent) and may_create(session, name):
        code = "TRYCREATE"
    return No(str(error), code=code)
