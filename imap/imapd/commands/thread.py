"""THREAD and UID THREAD (RFC 5256), REFS among the algorithms (draft-ietf-morg-inthread)."""

from __future__ import annotations

import os
import time

from imap.imapd import searching
from imap.imapd.commands.search import highest_modseq
from imap.imapd.parse import LITERAL_TOO_LARGE, SP, LiteralTooLarge, ParseError, Parser
from imap.imapd.response import No, Ok, Outcome
from imap.imapd.search_program import Return, SearchArgs, SearchProgram
from imap.imapd.session import Session
from libcyrus.base.dataclasses import dataclass
from libcyrus.search import threads
from libcyrus.search.thread import thread
from libcyrus.text.searchform import MIME_UTF8


@dataclass(frozen=True, slots=True)
class ThreadArgs:
    algorithm: str
    search: SearchArgs


def parse(parser: Parser) -> ThreadArgs | No:
    """The arguments; a literal that is too large is refused in this command's own words."""
    parser.sp()
    word = os.fsdecode(parser.word()).upper()
    if not parser.accept(SP):
        raise ParseError("Missing algorithm in Thread")
    if word not in threads.ALGORITHMS:
        raise ParseError(f"Invalid Thread algorithm {word}")
    try:
        search = SearchProgram(parser, charset_first=True).parse()
    except LiteralTooLarge:
        return No(f"{LITERAL_TOO_LARGE} in Thread")
    if not parser.at_eol():
        raise ParseError("Unexpected extra arguments to Thread")
    parser.eol()
    return ThreadArgs(word, search)


def run(session: Session, args: ThreadArgs | No, *, by_uid: bool) -> Outcome:
    if isinstance(args, No):
        return args
    started = time.monotonic()
    used = time.process_time()
    result = searching.find(session, args.search, started=started)
    if result is None:
        return Ok(searching.completed(0, used))
    view, numbers = result
    rules = session.settings.search
    found = thread(view, args.algorithm, numbers, utf8=bool(rules.flags & MIME_UTF8))
    uids = view.picture.uids
    shown = [uids[number - 1] for number in numbers] if by_uid else numbers
    modseq = highest_modseq(view, numbers, Return.NONE) if args.search.modseq else None
    session.out.thread(threads.pack(found, lambda message: shown[message.place]), modseq)
    return Ok(searching.completed(len(numbers), used))
