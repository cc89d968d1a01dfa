"""SORT and UID SORT (RFC 5256), SORT=DISPLAY (RFC 5957), RETURN (RFC 5267), Cyrus's own keys."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence

from imap.imapd import searching
from imap.imapd.commands.search import highest_modseq, results
from imap.imapd.parse import LPAREN, RPAREN, SP, LiteralTooLarge, MissingArgument, ParseError, Parser
from imap.imapd.response import Ok, Outcome
from imap.imapd.search_program import Return, SearchArgs, SearchProgram, read_return_options
from imap.imapd.session import Session
from libcyrus.base.dataclasses import dataclass
from libcyrus.search.sort import Criterion, Key, sort
from libcyrus.text.searchform import MIME_UTF8

_MAX_CRITERIA = 1000
_OF_CONVERSATIONS = (Key.CONVMODSEQ, Key.CONVEXISTS, Key.CONVSIZE, Key.HASCONVFLAG)
_KEYS = {key.value.encode("ascii"): key for key in Key}
_SHARED = {b"value.shared": True, b"value.priv": False}


@dataclass(frozen=True, slots=True)
class SortArgs:
    criteria: tuple[Criterion, ...]
    search: SearchArgs
    returns: Return


def parse(parser: Parser) -> SortArgs:
    parser.sp()
    returns = Return.NONE
    start = parser.pos
    if parser.word().lower() == b"return" and parser.accept(SP):
        returns = read_return_options(parser)
        parser.sp()
    else:
        parser.pos = start
    criteria = _criteria(parser)
    # whatever is behind the parenthesis, as in the original
    parser.pos += 1
    search = SearchProgram(parser, charset_first=True).parse()
    if not parser.at_eol():
        raise ParseError("Unexpected extra arguments to Sort")
    parser.eol()
    return SortArgs(criteria, search, returns)


def run(session: Session, args: SortArgs, *, by_uid: bool) -> Outcome:
    started = time.monotonic()
    used = time.process_time()
    result = searching.find(session, args.search, started=started, fuzzy=session.wants_fuzzy)
    if result is None:
        return Ok(searching.completed(0, used))
    view, found = result
    rules = session.settings.search
    modseq = highest_modseq(view, found, args.returns) if args.search.modseq else None
    numbers = sort(view, found, args.criteria, utf8=bool(rules.flags & MIME_UTF8))
    if by_uid:
        uids = view.picture.uids
        numbers = [uids[number - 1] for number in numbers]
    if args.returns is Return.NONE:
        session.out.sort(numbers, modseq)
    else:
        everything = _in_order(numbers) if Return.ALL in args.returns else ""
        session.out.esearch(session.tag, results(numbers, args.returns, everything, modseq), by_uid=by_uid)
    return Ok(searching.completed(len(numbers), used))


def _in_order(numbers: Sequence[int]) -> str:
    """A sequence set that keeps the order (RFC 5267 section 3.1): only what rises by one is a range."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ",".join(str(low) if low == high else f"{low}:{high}" for low, high in runs)


def _criteria(parser: Parser) -> tuple[Criterion, ...]:
    word = b""
    if parser.accept(LPAREN):
        word = parser.word().lower()
    if not word:
        raise ParseError("Missing Sort criteria")
    criteria: list[Criterion] = []
    reverse = False
    while True:
        if word == b"reverse":
            reverse = True
        else:
            criteria.append(_criterion(parser, word, reverse=reverse))
            reverse = False
        if len(criteria) > _MAX_CRITERIA:
            raise ParseError("Too many Sort criteria")
        if not parser.accept(SP):
            break
        word = parser.word().lower()
    if reverse:
        raise ParseError("Missing Sort criterion to reverse")
    if not parser.accept(RPAREN):
        raise ParseError("Missing close parenthesis in Sort")
    return tuple(criteria)


def _criterion(parser: Parser, word: bytes, *, reverse: bool) -> Criterion:
    key = _KEYS.get(word)
    if key is None or key in _OF_CONVERSATIONS and not parser.limits.conversations:
        raise ParseError(f"Invalid Sort criterion {os.fsdecode(word)}")
    if key in (Key.HASFLAG, Key.HASCONVFLAG):
        return Criterion(key, reverse, os.fsdecode(_argument(parser, word)))
    if key is Key.ANNOTATION:
        entry = _argument(parser, word)
        value = _argument(parser, entry)
        shared = _SHARED.get(value)
        if shared is None:
            raise _missing(value)
        return Criterion(key, reverse, os.fsdecode(entry), shared)
    return Criterion(key, reverse)


def _argument(parser: Parser, word: bytes) -> bytes:
    if not parser.accept(SP):
        raise _missing(word)
    try:
        return parser.astring()
    except (MissingArgument, LiteralTooLarge):
        # by then the original has forgotten of what
        raise _missing(b"") from None


def _missing(word: bytes) -> ParseError:
    return ParseError(f"Missing argument to Sort criterion {os.fsdecode(word)}")
