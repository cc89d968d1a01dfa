"""LIST, XLIST and LSUB (RFC 3501 sections 6.3.8 and 6.3.9, RFC 5258), with CHILDREN (RFC 3348).

RLIST and RLSUB (RFC 2193) would show mailboxes of other servers too; there are none.

The tagged text tells the CPU time spent and how many names were looked at.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from imap.imapd import remote
from imap.imapd.list_options import BAD_SELECTION, INCLUDE_DELETED, ListArgs, Return, Select
from imap.imapd.listed import Listed, state_of
from imap.imapd.listing import Listing
from imap.imapd.parse import ExtraArguments, MissingArgument, Parser
from imap.imapd.response import Bad, No, Ok, Outcome
from imap.imapd.session import Session
from libcyrus import options as opt
from libcyrus.records.find import Finder, Viewer


def parse_lsub(parser: Parser) -> ListArgs:
    reference, pattern = _reference_and_pattern(parser)
    return ListArgs(b"LSUB", Return.NONE, reference, [pattern], select=Select.SUBSCRIBED)


def parse_rlsub(parser: Parser) -> ListArgs:
    args = parse_lsub(parser)
    args.select |= Select.REMOTE
    return args


def parse_rlist(parser: Parser) -> ListArgs:
    reference, pattern = _reference_and_pattern(parser)
    return ListArgs(b"LIST", Return.CHILDREN, reference, [pattern], select=Select.REMOTE)


def parse_scan(parser: Parser) -> ListArgs:
    """SCAN, Cyrus's own: a LIST of the mailboxes that hold a text."""
    parser.sp()
    reference = os.fsdecode(parser.astring())
    parser.sp()
    pattern = os.fsdecode(parser.astring())
    parser.sp()
    try:
        text = parser.astring()
    except MissingArgument:
        raise ExtraArguments from None
    parser.eol()
    return ListArgs(b"LIST", Return.NONE, reference, [pattern], scan=text)


def _reference_and_pattern(parser: Parser) -> tuple[str, str]:
    parser.sp()
    reference = os.fsdecode(parser.astring())
    parser.sp()
    try:
        pattern = os.fsdecode(parser.astring())
    except MissingArgument:
        raise ExtraArguments from None
    parser.eol()
    return reference, pattern


def run_list(session: Session, args: ListArgs | No) -> Outcome:
    if isinstance(args, No):
        return args
    if Select.DELETED in args.select and not session.settings.allowdeleted:
        return Bad(BAD_SELECTION.format(INCLUDE_DELETED))
    started = time.process_time()
    session.process.autocreate_inbox(session)
    if not args.patterns:
        return _completed(session, started, 0)
    if not args.patterns[0] and not args.extended:
        session.out.list(args.kind, "\\Noselect", session.namespace.separator, "")
        return _completed(session, started, 0)
    # RLIST takes no notice of how the client logged in
    plus = (session.magicplus or "").lower() if args.extended or Select.REMOTE not in args.select else ""
    if plus == "+":
        args.select |= Select.SUBSCRIBED
    elif plus == "+dav":
        args.select |= Select.DAV
    patterns = _patterns(session, args)
    if args.extended or args.select or args.scan is not None or args.kind != b"LIST":
        listing = _list(session, args, patterns, session.out.write)
        return _completed(session, started, listing.calls, listing.biggest_metadata)
    pattern = patterns[0]
    state = state_of(session.process.store)
    listed = session.listed.get(state, pattern)
    if listed is None:
        lines: list[bytes] = []
        calls = _list(session, args, patterns, lines.append).calls
        listed = Listed(b"".join(lines), calls)
        session.listed.put(state, pattern, listed)
    session.out.write(listed.lines)
    return _completed(session, started, listed.calls)


def run_lsub(session: Session, args: ListArgs) -> Ok:
    started = time.process_time()
    if (session.magicplus or "").lower() == "+dav" and Select.REMOTE not in args.select:
        args.select |= Select.DAV
    listing = _list(session, args, _patterns(session, args), session.out.write)
    return _completed(session, started, listing.calls)


def _list(session: Session, args: ListArgs, patterns: list[str], write: Callable[[bytes], object]) -> Listing:
    if Select.REMOTE in args.select:
        remote.learn(session)
    listing = Listing(session, args, write)
    finder = _finder(session, deleted=Select.DELETED in args.select)
    if Select.RECURSIVEMATCH in args.select:
        listing.list_recursively(finder.find_subscribed(patterns, session.process.subscriptions))
    elif Select.SUBSCRIBED in args.select:
        listing.list_subscribed(finder.find_subscribed(patterns, session.process.subscriptions))
    else:
        listing.list(finder.find(patterns))
    return listing


def _completed(session: Session, started: float, calls: int, code: str | None = None) -> Ok:
    session.tell(expunges=False)
    if code is not None:
        return Ok(code=code)
    seconds = time.process_time() - started
    counted = f" {calls} calls" if calls else ""
    return Ok(f"Completed ({seconds:.3f} secs{counted})")


def _finder(session: Session, *, deleted: bool) -> Finder:
    viewer = Viewer(
        namespace=session.namespace,
        userid=session.userid,
        auth=session.auth,
        admin=session.is_admin,
        allow_deleted=deleted,
    )
    return Finder(session.process.store.mboxlist, viewer, session.process.foreign_names)


def _patterns(session: Session, args: ListArgs) -> list[str]:
    """Reference and each pattern put together (RFC 3501 section 6.3.8)."""
    config = session.process.config
    separator = session.namespace.separator
    patterns = []
    for pattern in args.patterns:
        reference = args.reference
        if config[opt.ignorereference] and not pattern.startswith(separator):
            reference = ""
        if reference.endswith(separator) and pattern.startswith(separator):
            reference = reference[: -len(separator)]
        patterns.append(reference + pattern)
    if patterns == ["*"] and not args.extended and config[opt.foolstupidclients]:
        return ["INBOX*"]
    return patterns
