"""Messages: the MIME tree, the envelope, the body structure and the cache record.

``parse`` is the way in. Everything here is pure: bytes in, values out; what an
administrator may choose comes as ``ParseOptions``.
"""

from __future__ import annotations

import hashlib
import os
from functools import cached_property

from libcyrus.message import dates, section, write
from libcyrus.message.body import BodyPart
from libcyrus.message.cache import CacheRecord
from libcyrus.message.options import DEFAULT, ParseOptions
from libcyrus.message.parser import Parser, Source, walk
from libcyrus.text.addresses import Address
from libcyrus.text.mimeheader import parse_mimeheader

__all__ = [
    "Address",
    "BodyPart",
    "CacheRecord",
    "Message",
    "ParseOptions",
    "Source",
    "parse",
    "parse_file",
    "structure",
    "walk",
]


def parse(data: Source, options: ParseOptions = DEFAULT) -> Message:
    """Parse a whole message; never fails, whatever the bytes.

    ``data`` may be a map of the message's file, which must stay as it is until
    this returns; nothing of it is referred to afterwards.
    """
    parser = Parser(data, options)
    guid = hashlib.sha1(parser.view, usedforsecurity=False).digest()
    body = parser.run()
    return Message(body, guid, parser, options)


def structure(data: Source, options: ParseOptions = DEFAULT) -> BodyPart:
    """Only the MIME tree, without digests: what reading a stored message's parts takes."""
    return Parser(data, options, digest=False).run()


class Message:
    """What parsing found. ``size`` and the sizes in ``body`` are in bytes, ``guid`` is 20 bytes of SHA-1."""

    def __init__(self, body: BodyPart, guid: bytes, parser: Parser, options: ParseOptions) -> None:
        self.body = body
        self.size = parser.size
        self.guid = guid
        self.cached_headers = parser.cached_headers
        self._long_headers = parser.long_headers
        self._deep_multiparts = parser.deep_multiparts
        self._options = options

    @property
    def header_size(self) -> int:
        return self.body.header_size

    @property
    def content_lines(self) -> int:
        return self.body.content_lines

    @cached_property
    def date(self) -> bytes | None:
        """The Date field's value."""
        return self.body.string("date")

    @property
    def sentdate(self) -> int:
        """Midnight, local time, of the day that Date names; 0 if it names none.

        The low 32 bits, which is what the index record has room for.
        """
        return dates.sent_day(self.date) & 0xFFFFFFFF

    @property
    def gmtime(self) -> int:
        """The moment that Date names, 0 if it names none; the low 32 bits."""
        return dates.sent_time(self.date) & 0xFFFFFFFF

    @property
    def message_id(self) -> bytes | None:
        return self.body.string("message-id")

    @property
    def in_reply_to(self) -> bytes | None:
        return self.body.string("in-reply-to")

    @property
    def references(self) -> bytes | None:
        return self.body.string("references")

    @property
    def subject(self) -> bytes | None:
        """The Subject field's value, encoded words and all."""
        return self.body.string("subject")

    @property
    def received_date(self) -> bytes | None:
        """The date text of the first Received field."""
        return self.body.received_date

    @property
    def delivered_internaldate(self) -> bytes | None:
        """The X-DeliveredInternalDate field's value, which overrides the dates of Received fields."""
        return self.body.string("x-deliveredinternaldate")

    def notices(self, filename: str) -> list[str]:
        """What an administrator should find in the log, as errors, about limits this message ran into."""
        options = self._options
        lines = (
            f"ERROR: message ({filename}) has more than {options.max_header_lines} header lines "
            "not caching any more"
        )
        limit = options.boundary_limit
        depth = f"ERROR: mime boundary limit {limit} exceeded, not parsing anymore ({filename})"
        return [lines] * self._long_headers + [depth] * self._deep_multiparts

    def addresses(self, name: str) -> list[Address]:
        """The addresses of bcc, cc, from, reply-to, sender or to."""
        return self.body.addresses(name)

    def cache_items(self) -> CacheRecord:
        """The ten items of the cache record."""
        top = self.body
        short, full = write.body(top)
        utf8 = self._options.utf8_headers
        subject = self.subject
        return CacheRecord(
            envelope=write.envelope(top),
            bodystructure=full,
            body=short,
            section=section.pack(top),
            headers=self.cached_headers,
            from_=write.search_addresses(top.addresses("from"), utf8=utf8),
            to=write.search_addresses(top.addresses("to"), utf8=utf8),
            cc=write.search_addresses(top.addresses("cc"), utf8=utf8),
            bcc=write.search_addresses(top.addresses("bcc"), utf8=utf8),
            subject=write.nstring(None if subject is None else parse_mimeheader(subject, utf8=utf8)),
        )

    def cache_record(self) -> bytes:
        """The bytes of the cache record, over which its CRC is taken."""
        return self.cache_items().pack()


def parse_file(path: str | os.PathLike[str], options: ParseOptions = DEFAULT) -> Message:
    """Parse the message in a file; ``OSError`` when it cannot be read."""
    with open(path, "rb", buffering=0) as file:
        return parse(file.readall() or b"", options)
