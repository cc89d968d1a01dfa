"""A few properties of a message as JMAP has them (RFC 8621 section 4.1), for ``vnd.fastmail.jmapEmail``."""

from __future__ import annotations

import re
import time
import unicodedata
from typing import Final

from libcyrus.base import times
from libcyrus.events.mboxevent.jsontext import Json
from libcyrus.message.nstring import Envelope
from libcyrus.records.conversations.layout import valid_msgid
from libcyrus.text.addresses import Address
from libcyrus.text.mimeheader import parse_mimeheader

_NO_DOMAIN: Final = b"unspecified-domain"
_FOLD: Final = re.compile(rb"\r\n(?=[ \t])")
_FOLD_AND_SPACE: Final = re.compile(rb"\r\n[ \t]")
_MESSAGE_ID: Final = re.compile(rb"[\s,]*(?:<([^>]*)>?|(\S+))")
_SPACE: Final = re.compile(rb"\s+")


def email_id(guid: str) -> str:
    return "M" + guid[:24]


def thread_id(cid: int) -> str:
    return f"T{cid:016x}" if cid else "NIL"


def properties(guid: str, cid: int, envelope: Envelope) -> Json:
    return {
        "id": email_id(guid),
        "threadId": thread_id(cid),
        "sentAt": _date(envelope.date),
        "subject": _text(envelope.subject),
        "from": _addresses(envelope.from_),
        "sender": _addresses(envelope.sender),
        "replyTo": _addresses(envelope.reply_to),
        "to": _addresses(envelope.to),
        "cc": _addresses(envelope.cc),
        "bcc": _addresses(envelope.bcc),
        "inReplyTo": _message_ids(envelope.in_reply_to),
        "messageId": _message_ids(envelope.message_id),
    }


def _date(raw: bytes | None) -> Json:
    found = times.offset_from_rfc5322(_FOLD_AND_SPACE.sub(b"", raw)) if raw is not None else None
    if raw is not None and found is None:
        found = times.offset_from_rfc5322(raw)
    if found is None:
        return None
    moment, offset = found
    minutes = abs(offset) // 60
    zone = f"{'-' if offset < 0 else '+'}{minutes // 60:02d}:{minutes % 60:02d}" if minutes else "Z"
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment + offset)) + zone


def _text(raw: bytes | None) -> Json:
    if raw is None:
        return None
    return unicodedata.normalize("NFC", _decoded(_FOLD.sub(b"", raw).lstrip()))


def _decoded(raw: bytes) -> str:
    try:
        return raw.decode("utf-8") if not raw.isascii() else _words(raw)
    except UnicodeDecodeError:
        return _words(raw)


def _words(raw: bytes) -> str:
    return parse_mimeheader(raw).decode("utf-8", "replace")


def _addresses(addresses: list[Address]) -> Json:
    """Without the names of groups. None for none at all."""
    if not addresses:
        return None
    found: list[Json] = []
    for address in addresses:
        name, mailbox = address.name, address.mailbox
        domain = address.domain if address.domain != _NO_DOMAIN else None
        if name is None and (mailbox is None or domain is None):
            # a group begins or ends here
            continue
        email = mailbox if mailbox is None or domain is None else b"%b@%b" % (mailbox, domain)
        found.append({"name": None if name is None else _decoded(name), "email": email})
    return found


def _message_ids(raw: bytes | None) -> Json:
    if raw is None:
        return None
    found: list[Json] = []
    for match in _MESSAGE_ID.finditer(_FOLD_AND_SPACE.sub(b"", raw)):
        text = _SPACE.sub(b"", match[1]) if match[1] is not None else match[2]
        if text and valid_msgid(b"<%b>" % text):
            found.append(text)
    return found or None
