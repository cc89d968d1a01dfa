"""CREATE (RFC 3501 section 6.3.3) with special uses (RFC 6154) and parameters for administrators (RFC 4466).

``USE``, ``PARTITION``, ``TYPE`` and ``MAILBOXID`` are understood, and so is a bare partition behind the name.
Levels of the name that do not exist yet are created too.
"""

from __future__ import annotations

from imap.imapd.parse import LPAREN, RPAREN, SP, ParseError, Parser
from imap.imapd.response import No, Ok, Outcome
from imap.imapd.session import Session
from libcyrus import mboxops
from libcyrus.base.dataclasses import dataclass, field
from libcyrus.errors import (
    CyrusError,
    MailboxBadName,
    MailboxBadType,
    MailboxSpecialUse,
    PermissionDenied,
)
from libcyrus.mboxops.checks import validate_specialuse
from libcyrus.records import mbtype as mbtypes

_TYPES = {
    "CALENDAR": mbtypes.CALENDAR,
    "COLLECTION": mbtypes.COLLECTION,
    "ADDRESSBOOK": mbtypes.ADDRESSBOOK,
}
_BAD_PARAMETERS = "Invalid partition name in {command}"


@dataclass(frozen=True, slots=True)
class CreateArgs:
    """``parameters`` by name in upper case, each with one value or several."""

    mailbox: str
    parameters: dict[str, tuple[str, ...]] = field(default_factory=dict)


def parse(parser: Parser) -> CreateArgs:
    parser.sp()
    mailbox = parser.mailbox()
    parameters = _parameters(parser) if parser.accept(SP) else {}
    parser.eol()
    return CreateArgs(mailbox, parameters)


def _parameters(parser: Parser) -> dict[str, tuple[str, ...]]:
    if not parser.accept(LPAREN):
        server, mark, partition = _word(parser).partition("!")
        return {"SERVER": (server,), "PARTITION": (partition,)} if mark else {"PARTITION": (server,)}
    parameters = {}
    while True:
        name = _word(parser).upper()
        parser.check_arguments()
        if not parser.accept(SP):
            raise ParseError(_BAD_PARAMETERS)
        parameters[name] = _values(parser)
        if not parser.accept(SP):
            break
    if not parser.accept(RPAREN):
        raise ParseError(_BAD_PARAMETERS)
    return parameters


def _values(parser: Parser) -> tuple[str, ...]:
    if not parser.accept(LPAREN):
        return (_word(parser),)
    values = [_word(parser)]
    while parser.accept(SP):
        values.append(_word(parser))
    if not parser.accept(RPAREN):
        raise ParseError(_BAD_PARAMETERS)
    return tuple(values)


def _word(parser: Parser) -> str:
    return parser.word().decode("latin-1")


def run(session: Session, args: CreateArgs) -> Outcome:
    parameters = args.parameters
    if "SERVER" in parameters:
        return No("Invalid server requested")
    partition = _single(parameters, "PARTITION")
    uniqueid = _single(parameters, "MAILBOXID")
    if (partition or uniqueid) and not session.is_admin:
        raise PermissionDenied
    mbtype = mbtypes.EMAIL
    if "TYPE" in parameters:
        known = _TYPES.get(parameters["TYPE"][0].upper())
        if known is None:
            raise MailboxBadType
        mbtype = known
    external = args.mailbox.removesuffix(session.namespace.separator)
    name = session.namespace.from_external(external, session.userid)
    if name is None:
        raise MailboxBadName
    store = session.process.store
    special_use = ""
    if "USE" in parameters:
        if name.userid is None or len(name.boxes) != 1:
            raise MailboxSpecialUse
        try:
            special_use = validate_specialuse(store, session.user(), list(parameters["USE"]))
        except CyrusError as error:
            return No(str(error), code="USEATTR")
    entry = mboxops.create(
        store,
        name.internal,
        is_admin=session.privileged,
        userid=session.user(),
        auth=session.auth,
        partition=partition,
        uniqueid=uniqueid,
        mbtype=mbtype,
        specialuse=special_use,
    )
    return Ok(code=f"MAILBOXID ({entry.uniqueid})")


def _single(parameters: dict[str, tuple[str, ...]], name: str) -> str | None:
    """The one value of a parameter; None if it is not there or empty."""
    return parameters.get(name, ("",))[0] or None
