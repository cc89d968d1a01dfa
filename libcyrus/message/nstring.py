"""Read back what the cache's items hold in IMAP's words: NIL, quoted strings, literals, lists."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from libcyrus.text.addresses import Address

# A quoted string in the cache holds neither quotes nor backslashes: those make a literal.
_TOKEN: Final = re.compile(rb' *(?:(NIL)|"([^"]*)"|\{(\d+)\}\r\n|(\()|(\)))')


class Envelope(NamedTuple):
    """An envelope's fields as the header had them, unfolded but not decoded; None for what it had not."""

    date: bytes | None
    subject: bytes | None
    from_: list[Address]
    sender: list[Address]
    reply_to: list[Address]
    to: list[Address]
    cc: list[Address]
    bcc: list[Address]
    in_reply_to: bytes | None
    message_id: bytes | None


def parse_nstring(item: bytes | memoryview) -> bytes | None:
    """The one string that an item such as ``subject`` holds; ``ValueError`` if it holds none."""
    value, at = _string(bytes(item), 0)
    if at != len(item):
        raise ValueError("more than a string")
    return value


def parse_envelope(item: bytes | memoryview) -> Envelope:
    """An envelope item; ``ValueError`` for anything else."""
    text = bytes(item)
    at = _open(text, 0)
    date, at = _string(text, at)
    subject, at = _string(text, at)
    from_, at = _addresses(text, at)
    sender, at = _addresses(text, at)
    reply_to, at = _addresses(text, at)
    to, at = _addresses(text, at)
    cc, at = _addresses(text, at)
    bcc, at = _addresses(text, at)
    in_reply_to, at = _string(text, at)
    message_id, at = _string(text, at)
    if text[at:] != b")":
        raise ValueError("envelope does not end")
    return Envelope(date, subject, from_, sender, reply_to, to, cc, bcc, in_reply_to, message_id)


def parse_reply_ids(item: bytes) -> tuple[bytes | None, bytes | None]:
    """The last two fields of an envelope item, In-Reply-To and Message-ID; ``ValueError`` as above."""
    if b"}\r\n" in item or not item.endswith(b")"):
        envelope = parse_envelope(item)
        return envelope.in_reply_to, envelope.message_id
    # without literals the fields can be told from the end
    message_id, at = _last_string(item, len(item) - 1)
    return _last_string(item, at)[0], message_id


def _last_string(text: bytes, end: int) -> tuple[bytes | None, int]:
    """The string or NIL that ends there, and where the one before it ends."""
    if text.endswith(b'"', 0, end):
        start = text.rfind(b'"', 0, end - 1)
        if start > 0:
            return text[start + 1 : end - 1], start - 1
    elif text.endswith(b" NIL", 0, end):
        return None, end - 4
    raise ValueError("no string")


def _addresses(text: bytes, at: int) -> tuple[list[Address], int]:
    if text.startswith(b" NIL", at):
        return [], at + 4
    at = _open(text, at)
    found: list[Address] = []
    while text[at : at + 1] == b"(":
        name, at = _string(text, at + 1)
        route, at = _string(text, at)
        mailbox, at = _string(text, at)
        domain, at = _string(text, at)
        if text[at : at + 1] != b")":
            raise ValueError("address does not end")
        at += 1
        found.append(Address(name, route, mailbox, domain))
    if text[at : at + 1] != b")":
        raise ValueError("address list does not end")
    return found, at + 1


def _open(text: bytes, at: int) -> int:
    token = _TOKEN.match(text, at)
    if token is None or token.group(4) is None:
        raise ValueError("no list")
    return token.end()


def _string(text: bytes, at: int) -> tuple[bytes | None, int]:
    token = _TOKEN.match(text, at)
    if token is None:
        raise ValueError("no string")
    nil, quoted, size, _, _ = token.groups()
    at = token.end()
    if nil is not None:
        return None, at
    if quoted is not None:
        return quoted, at
    if size is None:
        raise ValueError("no string")
    end = at + int(size)
    if end > len(text):
        raise ValueError("literal is cut short")
    return text[at:end], end
