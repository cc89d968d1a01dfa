"""What conversations want to know of a message's content, all of it from the cache record."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cached_property
from typing import Final, NamedTuple

from libcyrus.errors import MailboxBadFormat
from libcyrus.message.cache import CacheRecord
from libcyrus.message.msgids import find_msgids
from libcyrus.message.nstring import parse_envelope, parse_nstring
from libcyrus.message.prune import FieldFilter
from libcyrus.records.conversations import parts, subject
from libcyrus.records.conversations.layout import valid_msgid
from libcyrus.text.addresses import Address

MAX_REFERENCES: Final = 20
"""Message ids heeded of each field."""

_REFERENCES: Final = FieldFilter([b"references"])
_ME_MESSAGE_ID: Final = FieldFilter([b"x-me-message-id"])
# an envelope without literals: the first sender, In-Reply-To and Message-ID
_NSTRING: Final = rb'(?:NIL|"[^"]*")'
_STRING: Final = rb'(NIL|"[^"]*")'
_ADDRESS: Final = rb"\(%b %b %b %b\)" % ((_NSTRING,) * 4)
_ADDRESSES: Final = rb"(?:NIL|\((?:%b)+\))" % _ADDRESS
_FROM: Final = rb"(?:NIL|\(\(%b %b %b %b\)(?:%b)*\))" % ((_STRING,) * 4 + (_ADDRESS,))
_ENVELOPE: Final = re.compile(
    b" ".join([rb"\(" + _NSTRING, _NSTRING, _FROM, *[_ADDRESSES] * 5, _STRING, _STRING + rb"\)"])
)
_LEAD: Final = re.compile(rb"[ \t\n\v\f\r,]*")


class _Envelope(NamedTuple):
    """What counts here of an envelope."""

    sender: Address | None
    in_reply_to: bytes | None
    message_id: bytes | None


class Content:
    """The content of one message; ``load`` gives its cache record when something of it is needed first."""

    def __init__(self, load: Callable[[], CacheRecord]) -> None:
        self._load = load

    @cached_property
    def cache(self) -> CacheRecord:
        return self._load()

    @cached_property
    def envelope(self) -> _Envelope:
        """Raises MailboxBadFormat."""
        item = bytes(self.cache.envelope)
        usual = _ENVELOPE.fullmatch(item)
        if usual is not None:
            name, route, mailbox, domain, in_reply_to, message_id = map(_unquoted, usual.groups())
            first = Address(name, route, mailbox, domain) if usual[3] is not None else None
            return _Envelope(first, in_reply_to, message_id)
        try:
            envelope = parse_envelope(item)
        except ValueError:
            raise MailboxBadFormat from None
        senders = envelope.from_
        return _Envelope(senders[0] if senders else None, envelope.in_reply_to, envelope.message_id)

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
        return self.envelope.sender

    @cached_property
    def parts(self) -> list[tuple[bytes, str]]:
        """GUID and number (``1.2``) of every part that has content of its own."""
        return parts.find(bytes(self.cache.bodystructure), bytes(self.cache.section))


def _unquoted(text: bytes | None) -> bytes | None:
    return None if text is None or text == b"NIL" else text[1:-1]


def _lists_ids(in_reply_to: bytes) -> bool:
    """Whether the field begins with an id: others hold anything, mail addresses not least."""
    lead = _LEAD.match(in_reply_to)
    assert lead is not None
    return in_reply_to[lead.end() : lead.end() + 1] in (b"", b"<")
