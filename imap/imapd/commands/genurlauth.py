"""GENURLAUTH and RESETKEY (RFC 4467 sections 7.1 and 7.3): URLs that open a part of a message to others.

A token is the HMAC of the URL with a secret that the owner has for the mailbox; taking the secret away makes
all of its URLs worthless. Secrets are on disk before the URLs they sign are told.
"""

from __future__ import annotations

import hmac
import os
import secrets
import time

from imap.imapd.parse import SP, MissingArgument, ParseError, Parser
from imap.imapd.response import Bad, No, Ok, Outcome, quoted
from imap.imapd.session import Session
from libcyrus import acl
from libcyrus.base import imapurl
from libcyrus.errors import CyrusError
from libcyrus.index import urlpart
from libcyrus.records.mboxkey import MboxkeyDb, delete_all

_SECRET_SIZE = 16
_HMAC_SHA1 = b"\0"
"""The first octet of a token: how the others were made."""


def token(secret: bytes, rump: bytes) -> bytes:
    return _HMAC_SHA1 + hmac.digest(secret, rump, "sha1")


def parse(parser: Parser) -> list[bytes]:
    parser.sp()
    urls = []
    while True:
        try:
            urls.append(parser.astring())
        except MissingArgument:
            raise ParseError("Missing required argument to Genurlauth") from None
        if not parser.accept(SP):
            raise ParseError("Missing required argument to Genurlauth")
        mechanism = parser.word()
        if mechanism.upper() != b"INTERNAL":
            raise ParseError("Unknown auth mechanism to Genurlauth " + os.fsdecode(mechanism))
        parser.check_arguments()
        if not parser.accept(SP):
            return urls


def run(session: Session, urls: list[bytes]) -> Outcome:
    userid = session.user()
    store = session.process.store
    signed = b""
    try:
        database = MboxkeyDb(store.config, store.userstate, userid, create=True)
    except CyrusError as error:
        return No(f"Cannot open mailbox key db for {userid}: {error}")
    with database:
        for text in urls:
            url = _own(session, text)
            if url is None:
                return _refused(text)
            name = session.internal_name(urlpart.mailbox_name(url))
            try:
                entry = store.mboxlist.lookup(name)
            except CyrusError:
                return Bad(f"Poorly specified URL to Genurlauth {os.fsdecode(text)}")
            if not session.rights(entry.acl) & acl.READ:
                return _refused(text)
            secret = database.lock_read(name)
            if secret is None:
                secret = secrets.token_bytes(_SECRET_SIZE)
                database.write(name, secret)
            signed += b" " + quoted(text + b":internal:" + token(secret, text).hex().encode("ascii"))
    session.out.untagged(b"GENURLAUTH" + signed)
    if not session.parser.at_eol():
        return Bad("Unexpected extra arguments to GENURLAUTH")
    return Ok()


def _refused(text: bytes) -> No:
    return No(f"Error authorizing {os.fsdecode(text)}: not a cyrusdb error")


def _own(session: Session, text: bytes) -> imapurl.ImapUrl | None:
    """The URL if it is in force and names a message of this user and server and who may have it."""
    try:
        url = imapurl.parse(text)
    except imapurl.BadImapUrl:
        return None
    if url.mailbox is None or not url.uid or url.access is None or url.section == b"":
        return None
    if url.user != os.fsencode(session.user()) or url.server != os.fsencode(session.settings.servername):
        return None
    return None if url.expire and url.expire < time.time() else url


def parse_reset(parser: Parser) -> str | None:
    """The mailbox; the mechanisms do not matter, as there is but one."""
    mailbox = None
    if parser.accept(SP):
        mailbox = parser.mailbox()
        if parser.accept(SP):
            parser.word()
    parser.eol()
    return mailbox


def reset(session: Session, mailbox: str | None) -> Outcome:
    store = session.process.store
    userid = session.user()
    if mailbox is None:
        try:
            delete_all(store.userstate, userid)
        except CyrusError as error:
            return No(f"Error removing keys: {error}")
        return Ok("All keys removed")
    name = session.internal_name(mailbox)
    try:
        store.mboxlist.lookup(name)
        with MboxkeyDb(store.config, store.userstate, userid, create=True) as database:
            database.write(name, None)
    except CyrusError as error:
        return No(f"Error removing key: {error}")
    return Ok("key removed", "URLMECH INTERNAL")
