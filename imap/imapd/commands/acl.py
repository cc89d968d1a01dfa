"""SETACL, DELETEACL, GETACL, LISTRIGHTS and MYRIGHTS (RFC 4314)."""

from __future__ import annotations

import os

from imap.imapd.parse import ExtraArguments, MissingArgument, Parser
from imap.imapd.response import Bad, Ok, Outcome
from imap.imapd.session import Session
from libcyrus import acl, mboxops
from libcyrus import options as opt
from libcyrus.auth import AuthState
from libcyrus.base.dataclasses import dataclass
from libcyrus.errors import Disabled, InvalidRights, MailboxNonexistent, MailboxRemote, PermissionDenied
from libcyrus.records.mbentry import MboxEntry
from libcyrus.server.login import canonify_userid

_VISIBLE = acl.LOOKUP | acl.READ | acl.INSERT | acl.CREATE | acl.DELETEMBOX | acl.ADMIN


@dataclass(frozen=True, slots=True)
class AclArgs:
    """``rights`` is None for DELETEACL."""

    mailbox: str
    identifier: str
    rights: str | None = None


def parse_setacl(parser: Parser) -> AclArgs:
    parser.sp()
    mailbox = parser.mailbox()
    parser.sp()
    identifier = os.fsdecode(parser.astring())
    parser.sp()
    rights = os.fsdecode(parser.astring())
    parser.eol()
    return AclArgs(mailbox, identifier, rights)


def parse_identifier(parser: Parser) -> AclArgs:
    """The arguments of DELETEACL and LISTRIGHTS."""
    parser.sp()
    mailbox = parser.mailbox()
    parser.sp()
    identifier = os.fsdecode(parser.astring())
    parser.eol()
    return AclArgs(mailbox, identifier)


def parse_listrights(parser: Parser) -> AclArgs:
    """As parse_identifier(); what is no identifier counts as one argument too many."""
    parser.sp()
    mailbox = parser.mailbox()
    parser.sp()
    try:
        identifier = os.fsdecode(parser.astring())
    except MissingArgument:
        raise ExtraArguments from None
    parser.eol()
    return AclArgs(mailbox, identifier)


def setacl(session: Session, args: AclArgs) -> Outcome:
    """SETACL and DELETEACL."""
    store = session.process.store
    name = session.internal_name(args.mailbox)
    if session.find(name).remote:
        raise MailboxRemote(name)
    if not session.process.config[opt.allowsetacl]:
        raise Disabled
    if args.rights:
        try:
            acl.check_rights(args.rights)
        except InvalidRights as error:
            return Bad(str(error))
    mboxops.set_acl(
        store,
        name,
        args.identifier,
        args.rights,
        is_admin=session.privileged,
        userid=session.user(),
        auth=session.auth,
    )
    return Ok()


def getacl(session: Session, mailbox: str) -> Ok:
    name = session.internal_name(mailbox)
    entry = session.find(name)
    _check_may_look(session, entry)
    session.out.acl(mailbox, acl.entries(entry.acl or ""))
    return Ok()


def listrights(session: Session, args: AclArgs) -> Ok:
    """The rights an identifier has without being given them, then each that it can be given."""
    process = session.process
    name = session.internal_name(args.mailbox)
    entry = session.find(name)
    _check_may_look(session, entry)
    rules = process.store.mboxlist.acl
    identifier: str | None = args.identifier
    if not AuthState(args.identifier).is_a(process.admins):
        identifier = canonify_userid(process.config, args.identifier, loginid=session.userid)
    parsed = session.namespace.rules.from_internal(name)
    implicit = 0
    if identifier is not None:
        if parsed.userid is not None and parsed.userid == identifier:
            implicit = rules.implicit_owner_rights
        elif parsed.is_inbox:
            implicit = acl.POST
    optional = rules.format(implicit ^ (acl.FULL if identifier is not None else 0))
    session.out.listrights(args.mailbox, args.identifier, rules.format(implicit), optional)
    return Ok()


def myrights(session: Session, mailbox: str) -> Ok:
    entry = session.find(session.internal_name(mailbox))
    rights = rights_of(session, entry)
    if rights is None:
        raise MailboxNonexistent
    session.out.myrights(mailbox, rights)
    return Ok()


def rights_of(session: Session, entry: MboxEntry) -> str | None:
    """The user's rights in letters, with those that owners and administrators always have.

    None when they are too few to see the mailbox.
    """
    rights = session.rights(entry.acl)
    rules = session.process.store.mboxlist.acl
    if session.is_admin:
        rights |= acl.LOOKUP | acl.ADMIN
    elif session.owns(entry.name):
        rights |= rules.implicit_owner_rights
    return rules.format(rights) if rights & _VISIBLE else None


def _check_may_look(session: Session, entry: MboxEntry) -> None:
    """Raise unless the user may look into the ACL (RFC 4314 section 4)."""
    rights = session.rights(entry.acl)
    if not (rights & acl.ADMIN or session.is_admin or session.owns(entry.name)):
        raise PermissionDenied if rights & acl.LOOKUP else MailboxNonexistent
