"""GETQUOTA, GETQUOTAROOT and SETQUOTA (RFC 2087).

STORAGE and X-ANNOTATION-STORAGE are in KiB. The first and the last of these commands are the
administrator's; SETQUOTA creates a root where there is a mailbox, and with a ``+`` before the name anywhere.
"""

from __future__ import annotations

from imap.imapd.parse import LPAREN, RPAREN, SP, ParseError, Parser
from imap.imapd.response import Ok
from imap.imapd.session import Session
from libcyrus import acl, mboxops
from libcyrus.base.dataclasses import dataclass
from libcyrus.errors import MailboxNonexistent, PermissionDenied, UnsupportedQuota
from libcyrus.records.quota import NAMES, UNITS, UNLIMITED, Quota, resource_by_name

_LARGEST = 0x7FFFFFFF
_BAD_LIST = "Invalid quota list in Setquota"


@dataclass(frozen=True, slots=True)
class SetquotaArgs:
    """``limits`` as (name, limit) pairs; -1 is no limit. An ``error`` in them only administrators hear of."""

    root: str
    limits: tuple[tuple[str, int], ...]
    error: ParseError | None = None


def parse_setquota(parser: Parser) -> SetquotaArgs:
    parser.sp()
    root = parser.mailbox()
    parser.sp()
    try:
        return SetquotaArgs(root, _limits(parser))
    except ParseError as error:
        return SetquotaArgs(root, (), error)


def _limits(parser: Parser) -> tuple[tuple[str, int], ...]:
    if not parser.accept(LPAREN):
        raise ParseError(_BAD_LIST)
    limits: list[tuple[str, int]] = []
    while True:
        name = parser.word()
        if not name and parser.accept(RPAREN):
            break
        if not parser.accept(SP):
            raise ParseError(_BAD_LIST)
        limits.append((name.decode("latin-1"), _limit(parser)))
        if parser.accept(RPAREN):
            break
        if not parser.accept(SP):
            raise ParseError(_BAD_LIST)
    if not parser.at_eol():
        raise ParseError("Unexpected extra arguments to SETQUOTA")
    return tuple(limits)


def _limit(parser: Parser) -> int:
    negative = parser.accept(ord("-"))
    if not negative:
        parser.accept(ord("+"))
    number = parser.number(_LARGEST)
    if number is None or (negative and number > 1):
        raise ParseError(_BAD_LIST)
    return -number if negative else number


def setquota(session: Session, args: SetquotaArgs) -> Ok:
    if not session.privileged:
        raise PermissionDenied
    if args.error is not None:
        raise args.error
    root, force = args.root, args.root.startswith("+")
    if force:
        root = root[1:]
    limits = [UNLIMITED] * len(NAMES)
    for name, limit in args.limits:
        resource = resource_by_name(name)
        if resource is None:
            raise UnsupportedQuota
        limits[resource] = limit
    mboxops.set_quotas(session.process.store, session.internal_name(root), limits, force=force)
    return Ok()


def getquota(session: Session, root: str) -> Ok:
    if not session.privileged:
        raise PermissionDenied
    quota = session.process.store.quota.read_in_force(session.internal_name(root))
    _tell(session, root, quota)
    return Ok()


def getquotaroot(session: Session, mailbox: str) -> Ok:
    store = session.process.store
    name = session.internal_name(mailbox)
    with store.open(name, write=False) as opened:
        rights = session.rights(opened.acl)
        root = opened.quotaroot
    if not (session.is_admin or rights & acl.READ):
        raise PermissionDenied if rights & acl.LOOKUP else MailboxNonexistent
    if root is None:
        session.out.quotaroot(mailbox, ())
        return Ok()
    shown = session.external_name(root)
    session.out.quotaroot(mailbox, (shown,))
    _tell(session, shown, store.quota.read_in_force(root))
    return Ok()


def _tell(session: Session, root: str, quota: Quota) -> None:
    session.out.quota(
        root,
        [
            (name, used // unit, limit)
            for name, unit, used, limit in zip(NAMES, UNITS, quota.used, quota.limits, strict=True)
            if limit != UNLIMITED
        ],
    )
