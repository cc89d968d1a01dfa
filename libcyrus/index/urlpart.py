"""The part of a message that an IMAP URL names (RFC 5092), for CATENATE and URLFETCH."""

from __future__ import annotations

import mmap
import os
import re
from collections.abc import Iterator

from libcyrus.base.dataclasses import dataclass
from libcyrus.base.imapurl import ImapUrl
from libcyrus.errors import BadParameters, BadUrl, InternalError, IoError, MessageTooLarge, UnknownCte
from libcyrus.index import contents
from libcyrus.mailbox.mailbox import Mailbox
from libcyrus.message import structure, write
from libcyrus.message.body import BodyPart
from libcyrus.message.options import ParseOptions
from libcyrus.text import mutf7, transfer

_SECTION = re.compile(rb"((?:[0-9]+\.?)*)(HEADER|TEXT|MIME)?")
_BLOCK = 1 << 18


def mailbox_name(url: ImapUrl) -> str:
    """The URL's mailbox as a client spells it. Octets that are no UTF-8 are left out."""
    name = url.mailbox or b""
    if url.is_plain:
        return os.fsdecode(name)
    return mutf7.encode(name.decode("utf-8", "ignore")).decode("ascii")


@dataclass(frozen=True, slots=True)
class UrlPart:
    """Where a section lies in the mapped message; ``path`` is that of its body part, () for the message,
    ``kind`` HEADER, TEXT, MIME or empty.
    """

    data: mmap.mmap | bytes
    offset: int
    size: int
    kind: str
    path: tuple[int, ...]
    encoding: int

    def decoded(self) -> bytes:
        """The content without its transfer encoding. Raises UnknownCte."""
        content = transfer.decode(self.data[self.offset : self.offset + self.size], self.encoding)
        if content is None:
            raise UnknownCte
        return bytes(content)

    def structure(self, decoded: bytes | None, options: ParseOptions) -> bytes:
        """The part's BODYSTRUCTURE (RFC 5524 section 3.3), that of its ``decoded`` content if given.

        A whole message is shown as a message/rfc822 of size 0, as the original shows it. Raises IoError.
        """
        body = BodyPart()
        body.type, body.subtype, body.parts = b"MESSAGE", b"RFC822", [structure(self.data, options)]
        for number in self.path:
            inner = body.parts[0] if body.is_message else body
            if inner.is_multipart and number <= len(inner.parts):
                body = inner.parts[number - 1]
            elif number == 1:
                body = inner
            else:
                # the file is not the one that the cache describes
                raise IoError
        if self.kind in ("HEADER", "TEXT"):
            body = body.parts[0]
        if decoded is not None and self.encoding != transfer.NONE:
            body.encoding = b"BINARY" if b"\0" in decoded else None if decoded.isascii() else b"8BIT"
            body.content_size, body.content_lines = len(decoded), 0
        return write.body(body)[1]

    def blocks(self, start: int, size: int) -> Iterator[bytes]:
        """Some of the section, in pieces."""
        end = self.offset + start + size
        for at in range(self.offset + start, end, _BLOCK):
            yield self.data[at : min(at + _BLOCK, end)]


def locate(mailbox: Mailbox, url: ImapUrl, *, decoded: bool = False) -> UrlPart:
    """Find what the URL names in an open mailbox. ``decoded``: only a body part will do.

    Raises BadUrl when there is no such message, BadParameters when there is no such section, IoError.
    """
    if url.uidvalidity and url.uidvalidity != mailbox.i.uidvalidity:
        raise BadUrl("Uidvalidity of mailbox has changed")
    record = mailbox.find_uid(url.uid) if 0 < url.uid <= mailbox.i.last_uid else None
    if record is None or record.expunged:
        raise BadUrl("No such message in mailbox")
    cache = mailbox.cache(record)
    data = mailbox.map_message(record)
    section = (url.section or b"").upper()
    if not section:
        return UrlPart(data, 0, len(data), "", (), transfer.NONE)
    if section == b"TEXT.MIME":
        # some client means the header by that
        section = b"HEADER"
    found = _SECTION.fullmatch(section)
    if found is None or (decoded and found[2]):
        raise BadParameters
    path = tuple(int(number[:10]) for number in found[1].split(b".") if number)
    try:
        place = contents.place(cache, path, (found[2] or b"").decode("ascii"))
        encoding = contents.encoding(cache, path)
    except ValueError:
        place = None
    if place is None or 0 in path or (found[2] == b"MIME" and not path):
        raise BadParameters
    if place[0] + place[1] > len(data):
        raise InternalError
    return UrlPart(data, *place, (found[2] or b"").decode("ascii"), path, encoding)


def clip(size: int, start: int, count: int, room: int) -> tuple[int, int]:
    """Start and size of a partial section; a ``count`` of 0 means all. Raises MessageTooLarge."""
    start = min(start, size)
    wanted = min(count or size, size - start)
    if wanted > room:
        raise MessageTooLarge
    return start, wanted
