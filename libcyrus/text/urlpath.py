"""Mailbox names in IMAP URLs (RFC 5092 section 5): UTF-8, percent-encoded where a URL needs it."""

from __future__ import annotations

from typing import Final

from libcyrus.text import mutf7

_UNSAFE: Final = frozenset(b' "#%&+:;<=>?@[\\]^`{|}')


def mailbox_path(name: str) -> str:
    """A name in modified UTF-7 as the path of a URL. What is no such name is encoded as it is."""
    raw = name.encode("utf-8", "surrogateescape")
    try:
        raw = mutf7.decode(raw).encode()
    except ValueError:
        pass
    return "".join(chr(c) if 32 <= c <= 126 and c not in _UNSAFE else f"%{c:02X}" for c in raw)
