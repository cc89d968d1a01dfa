"""SEARCH and UID SEARCH (RFC 3501 section 6.4.4), RETURN (RFC 4731), OLDER and YOUNGER (RFC 5032)."""

from __future__ import annotations

import time
from array import array
from collections.abc import Sequence

from imap.imapd import searching
from imap.imapd.parse import LITERAL_TOO_LARGE, LiteralTooLarge, ParseError, Parser
from imap.imapd.response import No, Ok, Outcome
from imap.imapd.search_program import Return, SearchArgs, SearchProgram
from imap.imapd.session import Session
from libcyrus.base.seqset import SeqSet
from libcyrus.index.view import IndexView


def parse(parser: Parser) -> SearchArgs | No:
    """The arguments; a literal that is too large is refused in this command's own words."""
    parser.sp()
    try:
        args = SearchProgram(parser).parse()
    except LiteralTooLarge:
        return No(f"{LITERAL_TOO_LARGE} in Search")
    if not parser.at_eol():
        raise ParseError("Unexpected extra arguments to Search")
    parser.eol()
    return args


def run(session: Session, args: SearchArgs | No, *, by_uid: bool) -> Outcome:
    if isinstance(args, No):
        return args
    started = time.monotonic()
    used = time.process_time()
    fuzzy = searching.always_fuzzy(session, args.program)
    result = searching.find(session, args, started=started, fuzzy=fuzzy)
    if result is None:
        return Ok(searching.completed(0, used))
    view, found = result
    modseq = highest_modseq(view, found, args.returns) if args.modseq else None
    if by_uid:
        uids = view.picture.uids
        found = array("I", [uids[number - 1] for number in found])
    if args.returns is Return.NONE:
        session.out.search(found, modseq)
    else:
        everything = str(SeqSet.of(found)) if Return.ALL in args.returns else ""
        session.out.esearch(session.tag, results(found, args.returns, everything, modseq), by_uid=by_uid)
    return Ok(searching.completed(len(found), used))


def highest_modseq(view: IndexView, found: Sequence[int], returns: Return) -> int | None:
    """The highest mod-sequence of the messages told: of the ends only, where only these are asked for."""
    numbers: Sequence[int] = found
    if found and returns in (Return.MIN, Return.MAX, Return.MIN | Return.MAX):
        ends = ((Return.MIN, found[0]), (Return.MAX, found[-1]))
        numbers = [number for end, number in ends if end in returns]
    return max((view.modseq(number) for number in numbers), default=None)


def results(
    found: Sequence[int], returns: Return, everything: str, modseq: int | None
) -> list[tuple[str, int | str]]:
    """Names and values for ESEARCH, ``everything`` for ALL; of nothing there is only a count."""
    values: list[tuple[str, int | str]] = []
    if Return.COUNT in returns:
        values.append(("COUNT", len(found)))
    if found:
        if Return.MIN in returns:
            values.append(("MIN", min(found)))
        if Return.MAX in returns:
            values.append(("MAX", max(found)))
        if Return.ALL in returns:
            values.append(("ALL", everything))
        if Return.RELEVANCY in returns:
            values.append(("RELEVANCY", "(" + " ".join(["100"] * len(found)) + ")"))
        if modseq is not None:
            values.append(("MODSEQ", modseq))
    return values
