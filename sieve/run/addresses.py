"""Addresses in header fields and envelopes, and the parts of them that tests compare."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from libcyrus.text.addresses import Address, canonical, full, parse_list
from sieve.bytecode.opcodes import Tag

_NULL_PATH = Address(None, None, None, None)
_SYSTEM_PREFIXES = (b"mailer-daemon", b"listserv", b"majordomo")


def in_field(value: bytes, *, reverse_path: bool = False) -> list[Address]:
    """The addresses of a field; an empty reverse path is one address that is empty in all parts."""
    if reverse_path and not value:
        return [_NULL_PATH]
    return parse_list(value)


def _user(address: Address) -> bytes | None:
    return None if address.mailbox is None else address.mailbox.partition(b"+")[0]


def _detail(address: Address) -> bytes | None:
    return None if address.mailbox is None else address.mailbox.partition(b"+")[2]


_PARTS: dict[Tag, Callable[[Address], bytes | None]] = {
    Tag.ALL: full,
    Tag.LOCALPART: lambda address: address.mailbox,
    Tag.DOMAIN: lambda address: address.domain,
    Tag.USER: _user,
    Tag.DETAIL: _detail,
}


def part(address: Address, which: Tag) -> bytes:
    """A part as it is written; empty if the address has none."""
    return _PARTS[which](address) or b""


def is_system(address: bytes) -> bool:
    """Whether a program is behind it, which no vacation message should go to (RFC 5230 section 4.6)."""
    if address.lower().startswith(_SYSTEM_PREFIXES):
        return True
    return b"-request@" in address or address.startswith(b"owner-")


def addressed_to(values: Sequence[bytes], mine: Sequence[bytes]) -> bytes | None:
    """The first of ``mine``, as it is written there, that is among the addresses of a field's values."""
    known = {(canonical(address) or b"").lower(): address for address in reversed(mine)}
    known.pop(b"", None)
    for value in values:
        for address in parse_list(value):
            found = known.get((full(address) or b"").lower())
            if found is not None:
                return found
    return None
