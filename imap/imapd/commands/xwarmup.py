"""XWARMUP, Cyrus's own: ask the system to read files of a mailbox ahead, before somebody needs them.

``XWARMUP mailbox (items)``; items are INDEX, CONVERSATIONS, ANNOTATIONS, SEARCH, ALL and UIDS with a set.
The mailbox is not opened, so that nobody waits for a lock.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

from imap.imapd.parse import LPAREN, RPAREN, SP, ParseError, Parser, is_sequence
from imap.imapd.response import No, Ok, Outcome
from imap.imapd.session import Session
from libcyrus import acl
from libcyrus.base.dataclasses import dataclass
from libcyrus.base.seqset import SeqSet
from libcyrus.errors import CyrusError, IoError, MailboxNonexistent, PermissionDenied
from libcyrus.mailbox.mailstore import MailStore
from libcyrus.mailbox.paths import MailboxPaths
from libcyrus.records.mbentry import MboxEntry

_SYNTAX = "syntax error in {command}"
_ITEMS = frozenset({b"index", b"conversations", b"annotations", b"search"})
_MOST_FILES = 100_000


@dataclass(frozen=True, slots=True)
class _Wanted:
    items: frozenset[bytes]
    uids: str | None


def parse(parser: Parser) -> str:
    """The mailbox only: what follows is not looked at if it cannot be warmed up."""
    parser.sp()
    mailbox = parser.mailbox()
    if not parser.accept(SP):
        raise ParseError(_SYNTAX)
    return mailbox


def run(session: Session, mailbox: str) -> Outcome:
    started = time.process_time()
    failure: CyrusError | None = None
    try:
        entry = _readable(session, mailbox)
        wanted = _wanted(session.parser)
        _read_ahead(session.process.store, entry, wanted)
    except CyrusError as error:
        failure = error
    spent = f"({time.process_time() - started:.3f} sec)"
    return Ok(f"Completed {spent}") if failure is None else No(f"{failure} {spent}")


def _readable(session: Session, mailbox: str) -> MboxEntry:
    store = session.process.store
    entry = store.lookup(session.internal_name(mailbox))
    rights = session.rights(entry.acl)
    if not session.is_admin and not rights & acl.LOOKUP:
        raise MailboxNonexistent
    if not session.is_admin and not rights & acl.READ:
        raise PermissionDenied
    return entry


def _wanted(parser: Parser) -> _Wanted:
    if not parser.accept(LPAREN):
        raise ParseError(_SYNTAX)
    items: frozenset[bytes] = frozenset()
    uids = None
    while True:
        word = parser.word().lower()
        if word == b"all":
            items = _ITEMS
        elif word in _ITEMS:
            items |= {word}
        elif word == b"uids":
            uids = parser.word() if parser.accept(SP) else b""
            if not is_sequence(uids):
                raise ParseError(_SYNTAX)
        elif word:
            raise ParseError(_SYNTAX)
        if not parser.accept(SP):
            break
    if not parser.accept(RPAREN) or not parser.at_eol():
        raise ParseError(_SYNTAX)
    parser.eol()
    return _Wanted(items, uids.decode("ascii") if uids is not None else None)


def _read_ahead(store: MailStore, entry: MboxEntry, wanted: _Wanted) -> None:
    for path in _files(store, entry, wanted):
        try:
            fd = os.open(os.fsencode(path), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            # what comes behind it is left alone too, as in the original
            return
        except OSError as error:
            raise IoError from error
        try:
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_WILLNEED)
        except OSError:
            # only advice
            pass
        finally:
            os.close(fd)


def _files(store: MailStore, entry: MboxEntry, wanted: _Wanted) -> Iterator[str]:
    paths = MailboxPaths(store.config, store.rules, entry)
    if b"index" in wanted.items:
        yield paths.index
    if b"conversations" in wanted.items and store.conversations_on:
        yield store.conversations.path(entry.name)
    if b"annotations" in wanted.items:
        yield paths.meta("annotations")
    if wanted.uids is not None:
        for count, uid in enumerate(SeqSet.parse(wanted.uids, maxval=0)):
            if count >= _MOST_FILES:
                return
            yield paths.message(uid)
