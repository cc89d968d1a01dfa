"""Whether a vacation message may go out, to whom and from whom (RFC 5230 sections 4.5 and 4.6)."""

from __future__ import annotations

from collections.abc import Sequence

from libcyrus.text.addresses import canonical
from sieve.run import addresses
from sieve.run.host import Message

_LIST_FIELDS = (
    b"list-id",
    b"list-help",
    b"list-subscribe",
    b"list-unsubscribe",
    b"list-post",
    b"list-owner",
    b"list-archive",
)
_RECIPIENT_FIELDS = (b"to", b"cc", b"bcc", b"resent-to", b"resent-cc", b"resent-bcc")
_BULK = (b"junk", b"bulk", b"list")


def reply_addresses(message: Message, mine: Sequence[bytes]) -> tuple[bytes, bytes] | None:
    """(to, from) of a reply; None if there should be none.

    ``mine`` are the user's other addresses. The reply comes from the address that was written to.
    """
    if _is_automatic(message):
        return None
    recipient = message.envelope(b"to")
    sender = message.envelope(b"from")
    own = canonical(recipient) if recipient else None
    to = canonical(sender) if sender else None
    if to is None or to == own or to in mine or addresses.is_system(to):
        return None
    known = [*([own] if own else []), *mine]
    for field in _RECIPIENT_FIELDS:
        written_to = addresses.addressed_to(message.header(field), known)
        if written_to is not None:
            return to, written_to
    return None


def _is_automatic(message: Message) -> bool:
    """Whether a list or a program sent it, or the sender wants no reply."""
    if any(message.header(field) for field in _LIST_FIELDS):
        return True
    for field in (b"x-ignorevacation", b"auto-submitted"):
        value = _first(message, field)
        if value is not None and value != b"no":
            return True
    return _first(message, b"precedence") in _BULK


def _first(message: Message, field: bytes) -> bytes | None:
    values = message.header(field)
    return values[0].lstrip(b" \t\r\n").lower() if values else None
