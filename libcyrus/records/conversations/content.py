"""What conversations want to know of a message's content, all of it from the cache record."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cached_property
from typing import Final

from libcyrus.errors import MailboxBadFormat
from libcyrus.message.cache import CacheRecord
from libcyrus.message.nstring import Envelope, parse_envelope, parse_nstring
from libcyrus.message.prune import FieldFilter
from libcyrus.records.conversations import parts, subject
from libcyrus.records.conversations.layout import valid_msgid
from libcyrus.text.addresses import Address

MAX_REFERENCES: Final = 20
"""Message ids heeded of each field."""

_REFERENCES: Final = FieldFilter([b"references"])
_ME_MESSAGE_ID: Final = FieldFilter([b"x-me-message-id"])
_START: Final = re.compile(rb"[<\r]")
_FOLD: Final = re.compile(rb"\r\n(?![ \t])")
_ATOM: Final = re.compile(rb"[^<> @\\\0]*")
_QUOTED: Final = re.compile(rb'[^"\\]*(?:\\.[^"\\]*)*', re.DOTALL)
_ESCAPED: Final = re.compile(rb"\\(.)", re.DOTALL)
_LEAD: Final = re.compile(rb"[ \t\n\v\f\r,]*")


class Content:
    """The content of one message; ``load`` gives its cache record when something of it is needed first."""

    def __init__(self, load: Callable[[], CacheRecord]) -> None:
        self._load = load

    @cached_property
    def cache(self) -> CacheRecord:
        return self._load()

    @cached_property
    def envelope(self) -> Envelope:
        """Raises MailboxBadFormat."""
        try:
            return parse_envelope(self.cache.envelope)
        except ValueError:
            raise MailboxBadFormat from None

    @cached_property
    def msgids(self) -> list[tuple[bytes, bool]]:
        """The message ids that the message names or has, in lower case, each once.

        In this order: References (the first field), In-Reply-To, Message-ID, X-ME-Message-ID. True with an
        id of the last, for which subjects need not agree.
        """
        headers = bytes(self.cache.headers)
        envelope = self.envelope
        in_reply_to = envelope.in_reply_to
        if in_reply_to is not None and not _lists_ids(in_reply_to):
            in_reply_to = None
        found: dict[bytes, bool] = {}
        lower_headers = headers.lower()
        fields = (
            _REFERENCES.apply(headers) if b"references:" in lower_headers else b"",
            in_reply_to,
            envelope.message_id,
            _ME_MESSAGE_ID.apply(headers) if b"x-me-message-id:" in lower_headers else b"",
        )
        for place, text in enumerate(fields):
            for msgid in find_msgids(text or b"", MAX_REFERENCES):
                lower = msgid.lower()
                if valid_msgid(lower):
                    found.setdefault(lower, place == 3)
        return list(found.items())

    @cached_property
    def _subject(self) -> bytes:
        try:
            value = parse_nstring(self.cache.subject)
        except ValueError:
            raise MailboxBadFormat from None
        return (value or b"").partition(b"\0")[0]

    @cached_property
    def subject(self) -> bytes:
        """The normalised subject, empty if there is none."""
        return subject.normalise(self._subject)

    def same_subject(self, other: bytes) -> bool:
        """Whether a conversation's subject is that of the message."""
        return other == self.subject or other == subject.normalise_as_before(self._subject)

    @property
    def sender(self) -> Address | None:
        """The first address of From."""
        senders = self.envelope.from_
        return senders[0] if senders else None

    @cached_property
    def parts(self) -> list[tuple[bytes, str]]:
        """GUID and number (``1.2``) of every part that has content of its own."""
        return parts.find(bytes(self.cache.bodystructure), bytes(self.cache.section))


def find_msgids(text: bytes, most: int) -> list[bytes]:
    """What looks like a message id, ``<local@domain>``, in a header field; the first ``most``.

    Lenient as to what is between ids. Ends at a line end that is not a fold, and at a ``<`` that nothing
    closes. A quoted local part loses its quotes.
    """
    found: list[bytes] = []
    at = 0
    while len(found) < most:
        start = _START.search(text, at)
        if start is None:
            break
        at = start.end()
        if start.group() == b"\r":
            if _FOLD.match(text, start.start()):
                break
            continue
        quote = 0
        if text[at : at + 1] == b'"':
            quote = _end_quote(text, at + 1)
            if quote < 0:
                continue
        if text.find(b">", quote or at) < 0:
            break
        if quote:
            quoted = _QUOTED.match(text, at + 1)
            assert quoted is not None
            local, at = _ESCAPED.sub(rb"\1", quoted.group()), quoted.end() + 1
        else:
            local, at = _atom(text, at)
        if text[at : at + 1] != b"@" or not local or local.endswith(b"<"):
            continue
        domain, at = _atom(text, at + 1)
        if text[at : at + 1] != b">" or not domain:
            continue
        at += 1
        found.append(b"<%b@%b>" % (local, domain))
    return found


def _end_quote(text: bytes, at: int) -> int:
    """The quotation mark that no backslash precedes; -1 if there is none."""
    at = text.find(b'"', at)
    while at >= 0 and text[at - 1] == 0x5C:
        at = text.find(b'"', at + 1)
    return at


def _atom(text: bytes, at: int) -> tuple[bytes, int]:
    atom = _ATOM.match(text, at)
    assert atom is not None
    return atom.group(), atom.end()


def _lists_ids(in_reply_to: bytes) -> bool:
    """Whether the field begins with an id: others hold anything, mail addresses not least."""
    lead = _LEAD.match(in_reply_to)
    assert lead is not None
    return in_reply_to[lead.end() : lead.end() + 1] in (b"", b"<")
