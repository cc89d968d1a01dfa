"""Message ids in header fields (RFC 5322 section 3.6.4), as they are written in practice."""

from __future__ import annotations

import re
from typing import Final

_ONE_ID: Final = re.compile(rb'<[^<> @\\\0"\r]+@[^<> @\\\0\r]+>')
_PLAIN_ID: Final = re.compile(rb"<[^<> @]+@[^<> @]+>")
_START: Final = re.compile(rb"[<\r]")
_FOLD: Final = re.compile(rb"\r\n(?![ \t])")
_DIFFICULT: Final = re.compile(rb'["\\\0]')
_ATOM: Final = re.compile(rb"[^<> @\\\0]*")
_QUOTED: Final = re.compile(rb'[^"\\]*(?:\\.[^"\\]*)*', re.DOTALL)
_ESCAPED: Final = re.compile(rb"\\(.)", re.DOTALL)


def find_msgids(text: bytes, most: int) -> list[bytes]:
    """What looks like a message id, ``<local@domain>``, in a header field; the first ``most``.

    Lenient as to what is between ids. Ends at a line end that is not a fold, and at a ``<`` that nothing
    closes. A quoted local part loses its quotes.
    """
    if not text or _ONE_ID.fullmatch(text):
        return [text] if text else []
    end = _FOLD.search(text)
    if (end is None or end.end() == len(text)) and not _DIFFICULT.search(text):
        return _PLAIN_ID.findall(text)[:most]
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
