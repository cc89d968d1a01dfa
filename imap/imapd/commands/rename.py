"""RENAME (RFC 3501 section 6.3.5), with Cyrus's third argument: a partition to move to.

Mailboxes below the old name go along; each is told with an untagged OK, since many may take long.
"""

from __future__ import annotations

from dataclasses import dataclass

from imap.imapd.parse import SP, ParseError, Parser, is_atom
from imap.imapd.response import No, Ok, Outcome
from imap.imapd.session import Session
from libcyrus import mboxops
from libcyrus.errors import PermissionDenied


@dataclass(frozen=True, slots=True)
class RenameArgs:
    old: str
    new: str
    partition: str | None = None


def parse(parser: Parser) -> RenameArgs:
    parser.sp()
    old = parser.mailbox()
    parser.sp()
    new = parser.mailbox()
    partition = None
    if parser.accept(SP):
        word = parser.word()
        if not is_atom(word):
            raise ParseError("Invalid partition name in {command}")
        partition = word.decode("ascii")
    parser.eol()
    return RenameArgs(old, new, partition)


def run(session: Session, args: RenameArgs) -> Outcome:
    if args.partition is not None:
        if not session.is_admin:
            raise PermissionDenied
        if args.old != args.new:
            return No("Cross-server or cross-partition move w/rename not supported")
    old, new = session.internal_name(args.old), session.internal_name(args.new)
