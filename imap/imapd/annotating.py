"""What commands about annotations share: their grammar, and the mailboxes that a pattern means.

The grammar is that of the ANNOTATEMORE drafts, with names in quotes; RFC 5257 took it over for messages,
where names may be atoms or literals and everything set stands in parentheses.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from imap.imapd.parse import LPAREN, RPAREN, SP, LiteralTooLarge, MissingArgument, ParseError, Parser
from imap.imapd.response import No, Ok, Outcome
from imap.imapd.session import Session
from libcyrus.annotations import Setting, Target, store_mailboxes, store_server
from libcyrus.errors import BadParameters, MailboxNonexistent
from libcyrus.mailbox.mailbox import Mailbox
from libcyrus.mboxops import Actor
from libcyrus.records import mbtype as mbtypes
from libcyrus.records.find import Finder, Viewer

T = TypeVar("T")

_ENTRY = "Missing annotation entry"
_PLACE = "annotation entry"


def fetch_data(parser: Parser, *, of_message: bool) -> tuple[list[str], list[str]]:
    """Entries and attributes to fetch, each one or a list."""
    entries = _names(
        parser, of_message, _ENTRY, _ENTRY, "Missing close paren in annotation entry list "
    )
    if not parser.accept(SP):
        raise ParseError("Missing annotation attribute(s)")
    attributes = _names(
        parser,
        of_message,
        "Missing annotation attribute",
        "Missing annotation attribute(s)",
        "Missing close paren in annotation attribute list",
    )
    return entries, attributes


def _names(parser: Parser, of_message: bool, missing: str, missing_in_list: str, unclosed: str) -> list[str]:
    if not parser.accept(LPAREN):
        return [_name(parser, of_message, missing)]
    names = []
    while True:
        names.append(_name(parser, of_message, missing_in_list))
        parser.check_arguments()
        if not parser.accept(SP):
            break
    if not parser.accept(RPAREN):
        raise ParseError(unclosed)
    return names


def _name(parser: Parser, of_message: bool, missing: str) -> str:
    return os.fsdecode(string(parser.astring if of_message else parser.quoted, missing, _PLACE))


def string(read: Callable[[], T], missing: str, place: str) -> T:
    """What ``read`` reads; ParseError(``missing``) if it is not there, ``place`` names a literal refused."""
    try:
        return read()
    except MissingArgument:
        raise ParseError(missing) from None
    except LiteralTooLarge:
        raise LiteralTooLarge(place) from None


def store_data(parser: Parser, *, of_message: bool) -> list[Setting]:
    """What to set: entries with lists of attributes and values."""
    in_list = parser.accept(LPAREN)
    if of_message and not in_list:
        raise ParseError("Missing paren for annotation entry")
    settings = []
    while True:
        entry = _name(parser, of_message, _ENTRY)
        parser.check_arguments()
        if not (parser.accept(SP) and parser.accept(LPAREN)):
            raise ParseError("Missing annotation attribute-values list")
        settings.append(Setting(entry, _values(parser, of_message)))
        if not parser.accept(SP):
            break
    if in_list and not parser.accept(RPAREN):
        raise ParseError("Missing close paren in annotation entry list ")
    return settings


def _values(parser: Parser, of_message: bool) -> list[tuple[str, bytes | None]]:
    values = []
    while True:
        attribute = _name(parser, of_message, "Missing annotation attribute")
        if not parser.accept(SP):
            raise ParseError("Missing annotation value")
        values.append((attribute, string(parser.binary_nstring, "Missing annotation value", _PLACE)))
        parser.check_arguments()
        if not parser.accept(SP):
            break
    if not parser.accept(RPAREN):
        raise ParseError("Missing close paren in annotation attribute-values list")
    return values


def target(
    session: Session, mailbox: Mailbox | None = None, uid: int = 0, *, to_store: bool = False
) -> Target:
    """The server, a mailbox or a message, for this user.

    To set something the admin of a proxy is nobody special.
    """
    process = session.process
    is_admin = session.is_admin if to_store else session.privileged
    actor = Actor(is_admin, session.user(), session.auth)
    return Target(process.store, process.annotation_definitions, actor, mailbox, uid)


def matching(session: Session, pattern: str) -> list[str]:
    """The internal names of the mailboxes that an external pattern means. Raises MailboxNonexistent if none.

    Those that are no mail are left out, but for clients that log in as ``user+dav``.
    """
    viewer = Viewer(
        namespace=session.namespace, userid=session.userid, auth=session.auth, admin=session.privileged
    )
    finder = Finder(session.process.store.mboxlist, viewer, session.process.foreign_names)
    all_kinds = (session.magicplus or "").lower() == "+dav"
    names = [
        found.entry.name
        for found in finder.find([pattern])
        if found is not None
        and found.exact
        and found.entry is not None
        and (all_kinds or mbtypes.kind(found.entry.mbtype) == mbtypes.EMAIL)
    ]
    if not names:
        raise MailboxNonexistent
    return names


def opened(session: Session, names: Sequence[str]) -> Iterator[Mailbox]:
    """The mailboxes one by one, open to be read."""
    for name in names:
        with session.process.store.open(name, write=False) as mailbox:
            yield mailbox


def store(session: Session, pattern: str, settings: Sequence[Setting]) -> Outcome:
    """Set annotations of the mailboxes that a pattern means, or of the server for an empty one.

    Raises what ``store_mailboxes`` and ``matching`` raise.
    """
    place = target(session, to_store=True)
    try:
        if pattern:
            store_mailboxes(place, matching(session, pattern), settings)
        else:
            store_server(place, settings)
    except BadParameters as error:
        return No(str(error))
    return Ok()
