"""CREATE (RFC 3501 section 6.3.3) with special uses (RFC 6154) and parameters for administrators (RFC 4466).

``USE``, ``PARTITION``, ``TYPE`` and ``MAILBOXID`` are understood, and so is a bare partition behind the name.
``SERVER``, and a server before the partition, would say where in a Murder; there is but one place here.
Levels of the name that do not exist yet are created too. LOCALCREATE makes folders of users without INBOX.
"""

from __future__ import annotations

from imap.imapd.parse import LPAREN, RPAREN, SP, ParseError, Parser
from imap.imapd.response import No, Ok, Outcome
from imap.imapd.session import Session
from libcyrus import mboxops
from libcyrus import options as opt
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


Value = str | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CreateArgs:
    """``parameters`` by name in upper case: what was given first, a word or a list of words."""

    mailbox: str
    parameters: dict[str, Value] = field(default_factory=dict)


def parse(parser: Parser) -> CreateArgs:
    parser.sp()
    mailbox = parser.mailbox()
    parameters = _parameters(parser) if parser.accept(SP) else {}
    parser.eol()
    return CreateArgs(mailbox, parameters)


def _parameters(parser: Parser) -> dict[str, Value]:
    if not parser.accept(LPAREN):
        server, mark, partition = _word(parser).partition("!")
        return {"SERVER": server, "PARTITION": partition} if mark else {"PARTITION": server}
    parameters: dict[str, Value] = {}
    while True:
        name = _word(parser).upper()
        parser.check_arguments()
        if not parser.accept(SP):
            raise ParseError(_BAD_PARAMETERS)
        value = _value(parser)
        parameters.setdefault(name, value)
        if not parser.accept(SP):
            break
    if not parser.accept(RPAREN):
        raise ParseError(_BAD_PARAMETERS)
    return parameters


def _value(parser: Parser) -> Value:
    if not parser.accept(LPAREN):
        return _word(parser)
    values = [_word(parser)]
    while parser.accept(SP):
        values.append(_word(parser))
    if not parser.accept(RPAREN):
        raise ParseError(_BAD_PARAMETERS)
    return tuple(values)


def _word(parser: Parser) -> str:
    return parser.word().decode("latin-1")


def run(session: Session, args: CreateArgs, *, local_only: bool = False) -> Outcome:
    parameters = args.parameters
    external = args.mailbox.removesuffix(session.namespace.separator)
    name = session.namespace.from_external(external, session.userid)
    mbtype = mbtypes.EMAIL
    wanted_type = _word_of(parameters, "TYPE")
    if wanted_type is not None:
        known = _TYPES.get(wanted_type.upper())
        if known is None:
            raise MailboxBadType
        mbtype = known
    store = session.process.store
    special_use = ""
    if "USE" in parameters:
        if name is None or name.userid is None or len(name.boxes) != 1:
            raise MailboxSpecialUse
        uses = parameters["USE"]
        try:
            special_use = validate_specialuse(
                store, session.user(), [] if isinstance(uses, str) else " ".join(uses).split()
            )
        except CyrusError as error:
            return No(str(error), code="USEATTR")
    partition = _word_of(parameters, "PARTITION")
    uniqueid = _word_of(parameters, "MAILBOXID")
    placed = (_word_of(parameters, "SERVER"), partition, uniqueid) != (None, None, None)
    if placed and not session.is_admin and not _trusts_proxies(session):
        raise PermissionDenied
    if name is None:
        raise MailboxBadName
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
        local_only=local_only,
    )
    return Ok(code=f"MAILBOXID ({entry.uniqueid})")


def _word_of(parameters: dict[str, Value], name: str) -> str | None:
    """The value of a parameter that is one word."""
    value = parameters.get(name)
    return value if isinstance(value, str) else None


def _trusts_proxies(session: Session) -> bool:
    """Whether this is a backend, whose frontends say for their users where mailboxes go."""
    config = session.process.config
    return config[opt.mupdate_config] == "replicated" or bool(config[opt.proxyservers])
