"""URLFETCH (RFC 4467 section 7.2), with BODY, BINARY and BODYPARTSTRUCTURE of RFC 5524.

A URL that may not be fetched, for whatever reason, is answered with NIL. One without URLAUTH is fetched if
its mailbox is selected, or open to everybody.
"""

from __future__ import annotations

import hmac
import os
import time

from imap.imapd.commands.genurlauth import token
from imap.imapd.parse import LPAREN, RPAREN, SP, LiteralTooLarge, MissingArgument, Parser
from imap.imapd.response import Bad, Ok, Outcome, quoted
from imap.imapd.session import Session
from libcyrus import acl, auth
from libcyrus import options as opt
from libcyrus.base import imapurl
from libcyrus.base.imapurl import ImapUrl
from libcyrus.errors import BadUrl, CyrusError, PermissionDenied, UnknownCte
from libcyrus.index import urlpart
from libcyrus.records import mboxkey

_CONTENTS = (b"BODY", b"BINARY")
_STRUCTURE = b"BODYPARTSTRUCTURE"


def parse(parser: Parser) -> None:
    """Nothing yet: the answer to a URL goes out before the next one is read."""
    parser.sp()


def run(session: Session, _args: None) -> Outcome:
    parser, out = session.parser, session.out
    out.write(b"* URLFETCH")
    while True:
        extended = parser.accept(LPAREN)
        try:
            text = parser.astring()
        except MissingArgument:
            text = b""
        except LiteralTooLarge:
            out.write(b"\r\n")
            raise
        parser.check_arguments()
        out.write(b" " + quoted(text))
        wanted = _wanted(parser) if extended else set()
        if wanted is None:
            out.write(b" NIL\r\n")
            return Bad("Invalid extended URLFETCH parameters")
        try:
            _fetch(session, text, wanted)
        except (CyrusError, imapurl.BadImapUrl):
            out.write(b" NIL")
        if not parser.accept(SP):
            break
    out.write(b"\r\n")
    if not parser.at_eol():
        return Bad("Unexpected extra arguments to URLFETCH")
    return Ok()


def _wanted(parser: Parser) -> set[bytes] | None:
    """What is asked for, to the closing parenthesis; None if it is not as it must be."""
    wanted: set[bytes] = set()
    while parser.accept(SP):
        word = parser.word().upper()
        if word in wanted or word not in (*_CONTENTS, _STRUCTURE):
            return None
        if word in _CONTENTS and not wanted.isdisjoint(_CONTENTS):
            return None
        wanted.add(word)
    return wanted if parser.accept(RPAREN) else None


def _fetch(session: Session, text: bytes, wanted: set[bytes]) -> None:
    """Send what a URL names. Before anything is sent raises BadImapUrl or an error of the library."""
    url = imapurl.parse(text)
    _check(session, url)
    user = os.fsdecode(url.user or b"")
    if "/" in user or user.startswith("."):
        raise BadUrl
    name = session.namespace.internal(urlpart.mailbox_name(url), user) or ""
    store = session.process.store
    entry = store.mboxlist.lookup(name)
    if url.access is not None:
        _check_token(session, url, user, name)
        # who signed may read no more than otherwise, now as then
        owner = auth.new_state(store.config, user)
        if owner is None or not store.mboxlist.acl.myrights(owner, entry.acl) & acl.READ:
            raise PermissionDenied
    elif session.index is None or session.index.mboxname != name:
        rights = store.mboxlist.acl.myrights(None, entry.acl)
        if not rights & acl.READ:
            raise PermissionDenied
    with store.open(name, write=False) as mailbox:
        part = urlpart.locate(mailbox, url, decoded=b"BINARY" in wanted)
        mailbox.release()
    _send(session, url, part, wanted)


def _check(session: Session, url: ImapUrl) -> None:
    """Raises BadUrl for one that lacks something, is not for here, not for this user, or has expired."""
    if not (url.user and url.server and url.uid) or url.mailbox is None or url.section == b"":
        raise BadUrl
    if url.server != os.fsencode(session.settings.servername):
        raise BadUrl
    if url.expire and url.expire < time.time():
        raise BadUrl
    if url.access is None:
        return
    if not url.token or url.mechanism is None or url.mechanism.upper() != b"INTERNAL":
        raise BadUrl
    userid = session.user()
    kind, plus, identifier = url.access.partition(b"+")
    kind = kind.lower()
    if plus:
        if kind == b"submit":
            servers = session.process.config[opt.submitservers]
            allowed = session.auth is not None and session.auth.is_a(servers)
        else:
            allowed = kind == b"user" and identifier == os.fsencode(userid)
    else:
        allowed = kind == b"anonymous" or (kind == b"authuser" and userid != "anonymous")
    if not allowed:
        raise BadUrl


def _check_token(session: Session, url: ImapUrl, user: str, name: str) -> None:
    store = session.process.store
    database = mboxkey.open_existing(store.config, store.userstate, user)
    if database is None:
        raise BadUrl
    with database:
        secret = database.read(name)
    if secret is None:
        raise BadUrl
    try:
        given = bytes.fromhex((url.token or b"").decode("ascii"))
    except ValueError:
        raise BadUrl from None
    if not hmac.compare_digest(token(secret, url.rump), given):
        raise BadUrl


def _send(session: Session, url: ImapUrl, part: urlpart.UrlPart, wanted: set[bytes]) -> None:
    write = session.out.write
    data = None
    if b"BINARY" in wanted:
        try:
            data = part.decoded()
        except UnknownCte:
            data = None
    if _STRUCTURE in wanted:
        structure = part.structure(data, session.process.store.parse_options)
        write(b" (BODYPARTSTRUCTURE " + structure + b")")
    if b"BINARY" in wanted and data is None:
        write(b" (BINARY NIL)")
        return
    if wanted == {_STRUCTURE}:
        return
    label = b"".join(b" (" + name for name in _CONTENTS if name in wanted)
    whole = part.size if data is None else len(data)
    start, size = urlpart.clip(whole, url.start, url.count, whole)
    has_nul = any(b"\0" in block for block in part.blocks(start, size)) if data is None else (
        b"\0" in data[start : start + size]
    )
    write(label + (b" ~{%d}\r\n" if has_nul else b" {%d}\r\n") % size)
    if data is None:
        for block in part.blocks(start, size):
            write(block)
    else:
        write(data[start : start + size])
    if wanted:
        write(b")")
