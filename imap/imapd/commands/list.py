"""LIST and LSUB (RFC 3501 sections 6.3.8 and 6.3.9), with CHILDREN (RFC 3348).

The tagged text tells the CPU time spent and how many names were looked at.
"""

from __future__ import annotations

import os
import time

from imap.imapd.listed import Listed, state_of
from imap.imapd.listing import Listing
from imap.imapd.parse import LPAREN, SP, ExtraArguments, MissingArgument, ParseError, Parser
from imap.imapd.response import Ok
from imap.imapd.session import Session
from libcyrus import options as opt
from libcyrus.base.dataclasses import dataclass
from libcyrus.records.find import Finder, Viewer


@dataclass(frozen=True, slots=True)
class ListArgs:
    reference: str
    pattern: str


def parse_list(parser: Parser) -> ListArgs:
    """LIST; the extended form of RFC 5258 is not understood."""
    parser.sp()
    if parser.accept(LPAREN):
        raise ParseError(_refusal("Invalid List selection option", parser))
    try:
        reference = os.fsdecode(parser.astring())
    except MissingArgument:
        raise ParseError("Missing required argument to List: reference name") from None
    try:
        parser.sp()
        pattern = os.fsdecode(parser.astring())
    except MissingArgument:
        raise ParseError("Missing required argument to List: mailbox pattern") from None
    if parser.accept(SP):
        raise ParseError(_refusal("Unexpected extra argument to List:", parser))
    parser.eol()
    return ListArgs(reference, pattern)


def _refusal(reason: str, parser: Parser) -> str:
    word = parser.word().lower().decode("latin-1")
    return f'{reason} "{word}"' if word else "Invalid syntax in List command"


def parse_lsub(parser: Parser) -> ListArgs:
    parser.sp()
    reference = os.fsdecode(parser.astring())
    parser.sp()
    try:
        pattern = os.fsdecode(parser.astring())
    except MissingArgument:
        raise ExtraArguments from None
    parser.eol()
    return ListArgs(reference, pattern)


def run_list(session: Session, args: ListArgs) -> Ok:
    started = time.process_time()
    session.process.autocreate_inbox(session)
    if not args.pattern:
        session.out.list(b"LIST", "\\Noselect", session.namespace.separator, "")
        return _completed(session, started, 0)
    pattern = _pattern(session, args)
    if session.magicplus == "+":
        listed = _subscribed(session, b"LIST", pattern)
    else:
        state = state_of(session.process.store)
        known = session.listed.get(state, pattern)
        listed = known or _existing(session, pattern)
        if known is None:
            session.listed.put(state, pattern, listed)
    session.out.write(listed.lines)
    return _completed(session, started, listed.calls)


def run_lsub(session: Session, args: ListArgs) -> Ok:
    started = time.process_time()
    listed = _subscribed(session, b"LSUB", _pattern(session, args))
    session.out.write(listed.lines)
    return _completed(session, started, listed.calls)


def _existing(session: Session, pattern: str) -> Listed:
    listing = Listing(session, b"LIST")
    listing.list(_finder(session).find([pattern]))
    return listing.result()


def _subscribed(session: Session, kind: bytes, pattern: str) -> Listed:
    listing = Listing(session, kind)
    found = _finder(session).find_subscribed([pattern], session.process.subscriptions)
    listing.list_subscribed(found)
    return listing.result()


def _completed(session: Session, started: float, calls: int) -> Ok:
    session.tell(expunges=False)
    seconds = time.process_time() - started
    counted = f" {calls} calls" if calls else ""
    return Ok(f"Completed ({seconds:.3f} secs{counted})")


def _finder(session: Session) -> Finder:
    viewer = Viewer(
        namespace=session.namespace,
        userid=session.userid,
        auth=session.auth,
        admin=session.is_admin,
    )
    return Finder(session.process.store.mboxlist, viewer, session.process.foreign_names)


def _pattern(session: Session, args: ListArgs) -> str:
    """Reference and pattern put together (RFC 3501 section 6.3.8)."""
    config = session.process.config
    separator = session.namespace.separator
    reference, pattern = args.reference, args.pattern
    if config[opt.ignorereference] and not pattern.startswith(separator):
        reference = ""
    if reference.endswith(separator) and pattern.startswith(separator):
        reference = reference[: -len(separator)]
    pattern = reference + pattern
    if pattern == "*" and config[opt.foolstupidclients]:
        pattern = "INBOX*"
    return pattern
