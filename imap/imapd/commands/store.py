"""STORE and UID STORE: change flags (RFC 3501 sections 6.4.6 and 6.4.8) or annotations (RFC 5257)."""

from __future__ import annotations

import os
from functools import partial

from imap.imapd import annotating
from imap.imapd.parse import LPAREN, RPAREN, SP, InvalidSequence, ParseError, Parser, is_atom
from imap.imapd.response import Ok, Outcome
from imap.imapd.session import Session
from libcyrus.annotations import Setting
from libcyrus.base.dataclasses import dataclass
from libcyrus.base.seqset import SeqSet
from libcyrus.errors import PermissionDenied
from libcyrus.index import annotate
from libcyrus.index.store import FlagChange, store
from libcyrus.index.view import IndexView
from libcyrus.mailbox.index_record import ANSWERED, DELETED, DRAFT, FLAGGED, SEEN

_OPERATIONS = {b"flags": FlagChange.REPLACE, b"+flags": FlagChange.ADD, b"-flags": FlagChange.REMOVE}
_SYSTEM_FLAGS = {
    b"\\seen": SEEN,
    b"\\answered": ANSWERED,
    b"\\flagged": FLAGGED,
    b"\\deleted": DELETED,
    b"\\draft": DRAFT,
}


@dataclass(frozen=True, slots=True)
class StoreArgs:
    sequence: str
    change: FlagChange
    silent: bool
    system: int
    names: tuple[str, ...]
    unchangedsince: int | None = None


@dataclass(frozen=True, slots=True)
class AnnotateArgs:
    sequence: str
    settings: list[Setting]
    silent: bool
    unchangedsince: int | None = None


def parse(parser: Parser) -> StoreArgs | AnnotateArgs:
    parser.sp()
    sequence = parser.sequence_set()
    if not parser.accept(SP):
        raise InvalidSequence
    unchangedsince = None
    if parser.accept(LPAREN):
        unchangedsince = _modifiers(parser)
    word = parser.word().lower()
    if not parser.accept(SP):
        raise ParseError("Missing required argument to {full}")
    operation = word.removesuffix(b".silent") if len(word) > len(b".silent") else word
    if operation == b"annotation":
        settings = annotating.store_data(parser, of_message=True)
        _end(parser)
        return AnnotateArgs(sequence, settings, operation != word, unchangedsince)
    change = _OPERATIONS.get(operation)
    if change is None:
        raise ParseError("Invalid {full} attribute")
    system, names = _flags(parser)
    _end(parser)
    return StoreArgs(sequence, change, operation != word, system, names, unchangedsince)


def _modifiers(parser: Parser) -> int | None:
    """UNCHANGEDSINCE (RFC 7162 section 3.1.3) in the form of RFC 4466, and the space behind."""
    unchangedsince = None
    while True:
        name = parser.word().upper()
        parser.check_arguments()
        if name != b"UNCHANGEDSINCE":
            raise ParseError("Invalid {full} modifier " + os.fsdecode(name))
        if not parser.accept(SP):
            raise ParseError("Missing required argument to {full} UNCHANGEDSINCE")
        unchangedsince = parser.modseq()
        if unchangedsince is None:
            raise ParseError("Invalid argument to {full} UNCHANGEDSINCE")
        if not parser.accept(SP):
            break
    if not parser.accept(RPAREN):
        raise ParseError("Missing close paren in store modifier entry ")
    if not parser.accept(SP):
        raise ParseError("Missing required argument to {full}")
    return unchangedsince


def _end(parser: Parser) -> None:
    if not parser.at_eol():
        raise ParseError("Unexpected extra arguments to {full}")
    parser.eol()


def run(session: Session, args: StoreArgs | AnnotateArgs, *, by_uid: bool) -> Outcome:
    view = session.selected()
    assert isinstance(view, IndexView)
    since = args.unchangedsince
    if since is not None:
        session.enable_condstore("UNCHANGEDSINCE")
    silent = args.silent and not session.condstore
    modified = SeqSet()
    tells = True
    try:
        if isinstance(args, AnnotateArgs):
            target = partial(annotating.target, session, to_store=True)
            modified = annotate.store(
                view,
                args.sequence,
                args.settings,
                target,
                by_uid=by_uid,
                silent=silent,
                unchangedsince=since,
            )
        else:
            modified = store(
                view,
                args.sequence,
                args.change,
                args.system,
                args.names,
                by_uid=by_uid,
                silent=silent,
                unchangedsince=since,
            )
    except PermissionDenied:
        # flags are refused before anybody looks at the mailbox
        tells = isinstance(args, AnnotateArgs)
        raise
    finally:
        if tells:
            session.tell(expunges=by_uid, by_uid=by_uid, refresh=False, modseqs=since is not None)
    return Ok(code=f"MODIFIED {modified}" if modified else None)


def _flags(parser: Parser) -> tuple[int, tuple[str, ...]]:
    """A list of flags in parentheses, or flags without any: system flags as a mask, the names of others."""
    system = 0
    names = []
    in_list = parser.accept(LPAREN)
    found = False
    while word := parser.word():
        parser.check_arguments()
        if word.startswith(b"\\"):
            flag = _SYSTEM_FLAGS.get(word.lower())
            if flag is None:
                raise ParseError("Invalid system flag in {full} command")
            system |= flag
        elif not is_atom(word):
            raise ParseError(f"Invalid flag name {os.fsdecode(word)} in {{full}} command")
        else:
            names.append(os.fsdecode(word))
        found = True
        if not parser.accept(SP):
            break
    if not in_list and not found:
        raise ParseError("Missing required argument to {full}")
    if in_list and not parser.accept(RPAREN):
        raise ParseError("Missing close parenthesis in {full}")
    return system, tuple(names)
