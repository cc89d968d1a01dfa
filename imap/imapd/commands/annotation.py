"""GETANNOTATION and SETANNOTATION: annotations of mailboxes and the server (draft-daboo-imap-annotatemore).

They came before METADATA (RFC 5464) and are refused unless ``annotation_enable_legacy_commands`` is on.
"""

from __future__ import annotations

from imap.imapd import annotating
from imap.imapd.parse import Parser
from imap.imapd.response import Ok, Outcome
from imap.imapd.session import Session
from libcyrus.annotations import Found, Setting, attributes_named, fetch
from libcyrus.base.dataclasses import dataclass
from libcyrus.errors import PermissionDenied


@dataclass(frozen=True, slots=True)
class GetArgs:
    """``pattern`` is empty for the server."""

    pattern: str
    entries: list[str]
    attributes: list[str]


@dataclass(frozen=True, slots=True)
class SetArgs:
    pattern: str
    settings: list[Setting]


def parse_get(parser: Parser) -> GetArgs:
    parser.sp()
    pattern = parser.mailbox()
    parser.sp()
    entries, attributes = annotating.fetch_data(parser, of_message=False)
    parser.eol()
    return GetArgs(pattern, entries, attributes)


def parse_set(parser: Parser) -> SetArgs:
    parser.sp()
    pattern = parser.mailbox()
    parser.sp()
    settings = annotating.store_data(parser, of_message=False)
    parser.eol()
    return SetArgs(pattern, settings)


def get(session: Session, args: GetArgs) -> Ok:
    _check_enabled(session)
    wanted = attributes_named(args.attributes)
    if not args.pattern:
        _respond(session, "", fetch(annotating.target(session), args.entries, wanted))
        return Ok()
    for mailbox in annotating.opened(session, annotating.matching(session, args.pattern)):
        found = fetch(annotating.target(session, mailbox), args.entries, wanted)
        _respond(session, session.external_name(mailbox.name), found)
    return Ok()


def set_annotation(session: Session, args: SetArgs) -> Outcome:
    _check_enabled(session)
    return annotating.store(session, args.pattern, args.settings)


def _check_enabled(session: Session) -> None:
    if not session.settings.annotatemore:
        raise PermissionDenied


def _respond(session: Session, name: str, found: list[Found]) -> None:
    for one in found:
        session.out.annotation(name, one.entry, one.attributes)
